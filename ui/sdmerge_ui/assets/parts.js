// What is searched: the models of the draft and its method.
follow((value) => {
  const names = [...(value.base ? [[w("parts.base"), value.base]] : []), ...value.models.map((name, n) => [String.fromCharCode(65 + n), name])];
  const facts = names.length
    ? h("dl", {}, names.flatMap(([tag, name]) => [h("dt", {}, tag), h("dd", {}, name)]), h("dt", {}, w("parts.method")), h("dd", {}, value.method))
    : h("p", { class: "empty" }, w("parts.empty"));
  root.replaceChildren(...[facts, value.error ? h("p", { class: "error", role: "alert" }, value.error) : null,
    h("div", { class: "tools" }, button(w("parts.edit"), () => trigger("act", { do: "merge" })),
      names.length ? button(w("common.next"), () => trigger("act", { do: "step", to: 2 }), { class: "primary" }) : null)].filter(Boolean));
});
