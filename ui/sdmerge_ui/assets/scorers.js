// The scorers: what is searched for, and what only watches.
const parts = keeper((value) => [value.choices.length, value.rows.map((row) => [row.role, row.name, row.fields.map(fieldShape)])], (value) => {
  const made = value.rows.map(card);
  const group = (role) => h("div", { class: "sd-section" }, h("div", { class: "head" }, h("h3", {}, w(`scorers.${role}`)), h("span", { class: "grow" }), adder(value, role)),
    h("p", { class: "help" }, w(`scorers.${role}_help`)), ...made.filter((_, n) => value.rows[n].role === role).map((one) => one.node));
  root.replaceChildren(group("fitness"), group("report"), button(w("common.next"), () => trigger("act", { do: "step", to: 4 }), { class: "primary" }));
  return made;
});
function adder(value, role) {
  const list = h("select", { "aria-label": w(`scorers.${role}`), "data-role": role, onchange: () => {
    if (list.value) trigger("act", { do: "add", role, name: list.value });
    list.value = "";
  } }, option("", w("scorers.add")), value.choices.map((one) => h("option", { value: one.name, title: one.help }, one.title)));
  return list;
}
function card(one) {
  const rows = one.fields.map(row);
  const act = (what) => () => trigger("act", { do: what, role: one.role, at: one.at });
  const node = h("div", { class: "scorer", "data-scorer": one.name }, h("div", { class: "head" }, h("strong", { title: one.help }, one.title || one.name),
    one.paper ? h("a", { href: one.paper, target: "_blank", rel: "noreferrer" }, w("form.paper")) : null, h("span", { class: "grow" }),
    button(w(one.role === "fitness" ? "scorers.watch" : "scorers.optimise"), act("turn"), { class: "chip" }),
    icon("×", w("scorers.drop"), act("drop"))), ...rows.map((made) => made.node));
  return { node, rows };
}
follow((value) => {
  const made = parts(value);
  value.rows.forEach((one, n) => one.fields.forEach((field, at) => made[n].rows[at].update(field)));
});
