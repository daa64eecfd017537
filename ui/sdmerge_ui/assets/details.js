// One model: what it is, how that is known, what it was made by, and what can be done with it.
follow((value) => {
  if (!value.name) return root.replaceChildren(h("p", { class: "empty" }, w("details.empty")));
  const act = (what) => () => trigger("act", { do: what, name: value.name });
  const facts = value.facts.map(([key, text]) => [h("dt", {}, w(`details.${key}`)), h("dd", {}, text)]);
  const buttons = value.error ? [] : [
    button(w("details.add"), act("add"), { class: "primary" }),
    value.kind === "checkpoint" ? button(w("details.base"), act("base")) : null,
    value.recipe ? button(w("details.open_recipe"), act("open")) : null];
  root.replaceChildren(...[h("h3", {}, value.name), value.error ? h("div", { class: "error" }, value.error) : null,
    h("dl", {}, facts.flat()), h("div", { class: "buttons" }, buttons.filter(Boolean)),
    value.recipe ? h("details", {}, h("summary", {}, w("details.recipe")), h("pre", {}, value.recipe)) : null,
    value.metadata.length ? h("details", {}, h("summary", {}, w("details.metadata", { count: value.metadata.length })),
      h("dl", { class: "metadata" }, value.metadata.map(([key, text]) => [h("dt", {}, key), h("dd", {}, text)]).flat())) : null,
  ].filter(Boolean));
});
