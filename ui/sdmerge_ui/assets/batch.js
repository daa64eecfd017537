// The models that a batch would write, and the command that does the same.
follow((value) => {
  if (value.empty) return root.replaceChildren(h("p", { class: "empty" }, value.empty));
  if (value.error) return root.replaceChildren(h("p", { class: "error", role: "alert" }, value.error));
  root.replaceChildren(
    h("div", { class: "tools" }, button(w("batch.queue", { count: value.names.length }), () => trigger("act", { do: "queue" }), { class: "primary" })),
    h("ul", {}, value.names.map((name) => h("li", {}, name))), h("code", { class: "line" }, `$ ${value.line}`));
});
