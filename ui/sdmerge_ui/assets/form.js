const parts = keeper((value) => [value.title, value.fields.map(fieldShape), value.empty], (value) => {
  const rows = value.fields.map(row);
  const head = value.text
    ? h("p", { class: "about" }, value.text, " ",
        value.paper ? h("a", { href: value.paper, target: "_blank", rel: "noreferrer" }, w("form.paper")) : null)
    : null;
  const more = value.details
    ? h("details", {}, h("summary", {}, w("form.formula")), h("p", { class: "formula" }, value.details)) : null;
  root.replaceChildren(...[head, more, ...rows.map((one) => one.node),
    value.fields.length || !value.empty ? null : h("p", { class: "empty" }, value.empty)].filter(Boolean));
  return rows;
});
let now = { rows: [], fields: [] };
const errors = onErrors((found) => now.fields.forEach((field, n) => tell(now.rows[n].fault, found[field.address])));
follow((value) => {
  now = { rows: parts(value), fields: value.fields };
  value.fields.forEach((field, n) => now.rows[n].update(field));
  errors();
});
// said by `trigger("edit")` of dom.js
