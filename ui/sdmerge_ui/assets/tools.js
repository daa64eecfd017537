// A tool: what it takes, what it writes, and the command that does it.
const shape = (value) => [value.chosen, value.sources.map((one) => [one.name, one.choices]), value.fields.map(fieldShape), value.hosts];
const parts = keeper(shape, (value) => {
  const list = h("div", { class: "list", role: "radiogroup", "aria-label": w("tools.which") }, value.tools.map((one) => h("label", { title: one.help },
    h("input", { type: "radio", name: "sd-tool", value: one.name, checked: one.name === value.chosen, onchange: () => trigger("act", { do: "pick", name: one.name }) }), ` ${one.title}`)));
  const sources = value.sources.map(source);
  const rows = value.fields.map(row);
  const name = h("input", { class: "target", "aria-label": w("tools.target"), placeholder: "anime-photo", oninput: () => edit("target", name.value) });
  const run = button(w("tools.run"), () => trigger("act", { do: "run" }), { class: "primary run" });
  const will = h("span", { class: "help" });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const line = h("code", { class: "line" });
  const where = h("select", { "aria-label": w("tools.where"), onchange: () => edit("where", where.value) },
    option("", w("tools.own_models")), value.hosts.map((one) => option(one, one)));
  const into = value.hosts.length ? h("div", { class: "field" }, h("span", { class: "name" }, w("tools.where")), where) : null;
  const target = value.writes ? [h("div", { class: "field" }, h("span", { class: "name" }, w("tools.target")), name), into].filter(Boolean) : [];
  root.replaceChildren(list, h("div", { class: "sd-section one sd-form" }, h("p", { class: "about" }, value.help), ...sources.map((one) => one.node),
    ...rows.map((one) => one.node), ...target, error, h("div", { class: "tools" }, run, will), line));
  return { sources, rows, name, where, run, will, error, line };
});
function source(one) {
  const label = h("span", { class: "name" }, one.name);
  if (!one.many) {
    const list = h("select", { "aria-label": one.name, onchange: () => edit(one.name, list.value) },
      option("", one.optional ? w("tools.none") : w("tools.choose")), one.choices.map((choice) => option(choice.name, choice.label)));
    return { node: h("div", { class: "field" }, label, list, one.help ? h("p", { class: "help" }, one.help) : null), update: (now) => { list.value = now.value; } };
  }
  const strengths = {};
  const lines = one.choices.map((choice) => {
    const box = h("input", { type: "checkbox", onchange: say });
    const weight = h("input", { type: "number", step: "any", value: 1, "aria-label": `${choice.name}: ${w("tools.strength")}`, onchange: say });
    return { name: choice.name, box, weight, node: h("label", { class: "pick" }, box, ` ${choice.label} `, one.weights ? weight : null) };
  });
  function say() {
    for (const { name, weight } of lines) strengths[name] = weight.value === "" ? 1 : +weight.value;
    edit(one.name, lines.filter(({ box }) => box.checked).map(({ name }) => name));
    if (one.weights) edit("strengths", { ...strengths });
  }
  return { node: h("div", { class: "field" }, label, h("div", { class: "picks" }, lines.map((each) => each.node))),
    update: (now) => lines.forEach(({ name, box }) => { box.checked = now.value.includes(name); }) };
}
follow((value) => {
  const made = parts(value);
  value.sources.forEach((one, n) => made.sources[n].update(one));
  value.fields.forEach((one, n) => made.rows[n].update(one));
  if (document.activeElement !== made.name) made.name.value = value.name;
  made.where.value = value.where;
  made.run.disabled = !!value.missing;
  made.will.textContent = value.missing || value.will;
  made.error.hidden = !value.error;
  made.error.textContent = value.error;
  made.line.textContent = value.line ? `$ ${value.line}` : "";
});
