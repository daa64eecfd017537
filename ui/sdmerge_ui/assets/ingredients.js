// The models of the recipe: what they are, how much they count, their order, and which is the base.
const parts = keeper(
  (value) => [value.base, value.method, value.models.map((one) => [one.name, one.label, one.note, one.fields.map(fieldShape)]), value.choices],
  (value) => {
    const rows = value.models.map((model, place) => line(model, place, value.models.length));
    const base = value.base ? baseLine(value.base) : null;
    const empty = value.models.length || value.base ? null : h("p", { class: "empty" }, w("ingredients.empty"),
      value.has_samples ? button(w("ingredients.try"), () => trigger("act", { do: "try" }), { class: "try primary" }) : null);
    root.replaceChildren(
      ...[h("div", { class: "head" }, h("h3", {}, w("ingredients.title")), adder(value)), empty, base].filter(Boolean),
      ...rows.map((one) => one.node), ...(value.method ? [methods(value)] : []));
    return { rows, base };
  });

function adder(value) {
  const groups = [["checkpoint", w("ingredients.checkpoints")], ["lora", w("ingredients.loras")]];
  const list = h("select", { id: "sd-add", "aria-label": w("ingredients.add"), onchange: () => {
    if (list.value) trigger("act", { do: "add", name: list.value });
    list.value = "";
  } }, option("", w("ingredients.add")), groups.map(([kind, label]) =>
    h("optgroup", { label }, value.choices.filter((one) => one.kind === kind)
      .map((one) => option(one.name, one.family ? `${one.name} · ${one.family}` : one.name)))));
  return list;
}

function methods(value) {
  const list = h("select", { id: "sd-method", "aria-label": w("ingredients.method"),
    onchange: () => trigger("act", { do: "method", name: list.value }) },
    value.methods.map((one) => option(one.name, one.title, one.name === value.method)));
  return h("div", { class: "head method" }, h("h3", {}, w("ingredients.method")), list);
}

function baseLine(base) {
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  return h("div", { class: "model base" },
    h("span", { class: "tag" }, w("ingredients.base")), title(base),
    h("span", { class: "grow" }), icon("×", w("ingredients.no_base"), () => trigger("act", { do: "base", name: "" })), fault);
}

const title = (model) => h("span", { class: "label", title: model.path ?? model.name },
  model.label, h("small", {}, model.note));

function line(model, place, count) {
  const fields = model.fields.map((field) => ({ field, ...control({ ...field, label: `${field.name} ${model.label}` }) }));
  const act = (what, more = {}) => trigger("act", { do: what, place, name: model.name, ...more });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const chips = fields.map((one) => h("button", { type: "button", class: "chip",
    onclick: () => edit(one.field.address, null) }, w("common.curve")));
  const node = h("div", { class: "model", "data-model": model.name },
    h("span", { class: "tag" }, place < 26 ? String.fromCharCode(65 + place) : place), title(model),
    h("span", { class: "values" }, fields.map((one, n) =>
      h("span", { class: "field", title: one.field.help }, h("span", { class: "name" }, one.field.name), one.node, chips[n]))),
    h("span", { class: "buttons" },
      icon("↑", w("ingredients.up"), () => act("move", { to: place - 1 }), { disabled: place === 0 }),
      icon("↓", w("ingredients.down"), () => act("move", { to: place + 1 }), { disabled: place === count - 1 }),
      model.kind === "lora" ? null : icon("⌂", w("ingredients.as_base"), () => act("base")),
      icon("×", w("ingredients.remove"), () => act("drop"))), fault);
  return { node, fault, update: (now) => now.fields.forEach((field, n) => {
    fields[n].update(field);
    chips[n].hidden = !field.curve;
  }) };
}

let now = { rows: [], base: null };
const errors = onErrors((found) => {
  now.rows.forEach((one, place) => tell(one.fault, found[`models[${place}]`]));
  if (now.base) tell(now.base.querySelector(".fault"), found.base_model);
});
follow((value) => {
  now = parts(value);
  now.rows.forEach((one, place) => one.update(value.models[place]));
  errors();
});
