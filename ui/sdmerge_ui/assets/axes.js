// A new grid: what varies from left to right, from top to bottom and from table to table.
let now = { choices: [], models: [] };
let lines = [];
const prompts = h("textarea", { rows: 3, "aria-label": w("axes.prompts"), oninput: () => count() });
const number = (name, value, low) => h("input", { type: "number", value, min: low, step: 1, "aria-label": w(name), oninput: () => count() });
const seed = number("axes.first_seed", 0, 0);
const seeds = number("axes.seeds", 1, 1);
const steps = number("axes.steps", 0, 0);
const models = h("select", { multiple: "", size: 4, "aria-label": w("axes.models"), onchange: () => count() });
const told = h("span", { class: "help", role: "status" });
const fault = h("div", { class: "error", role: "alert", hidden: true });
let into = "";
const adds = h("p", { class: "help adds", hidden: true });
const draw = button(w("axes.draw"), () => trigger("act", { do: "draw", grid: wanted() }), { class: "primary", id: "sd-draw-grid" });
const labelled = (key, node) => h("label", { class: "labelled" }, h("span", {}, w(key)), node);
root.append(h("p", { class: "help" }, w("axes.help")), h("div", { class: "lines" }), h("div", { class: "rest" },
  labelled("axes.prompts", prompts), labelled("axes.models", models),
  h("div", { class: "numbers" }, labelled("axes.first_seed", seed), labelled("axes.seeds", seeds), labelled("axes.steps", steps))),
  adds, fault, h("div", { class: "tools" }, draw, told));

// A grid that is there: its axes with what is in them, to be added to.
function addTo(wanted) {
  into = wanted?.into ?? "";
  adds.hidden = !into;
  adds.replaceChildren(w("axes.adds", { grid: into.replaceAll("~", "/") }), " ", button(w("axes.adds_not"), () => addTo(null), { class: "chip" }));
  if (!wanted) return;
  for (const one of lines) one.take(wanted.axes[one.name]);
  [prompts.value, seed.value, seeds.value, steps.value] = [wanted.prompts, wanted.seed, wanted.seeds, wanted.steps];
  for (const one of models.options) one.selected = wanted.models.includes(one.value);
  count();
}

let soon = 0;
function count() {
  clearTimeout(soon);
  soon = setTimeout(() => trigger("act", { do: "count", grid: wanted() }), 300);
}

function wanted() {
  const axes = Object.fromEntries(lines.map((one) => [one.name, { what: one.what.value, values: one.values() }]));
  return { axes, into, prompts: prompts.value, seed: +seed.value, seeds: +seeds.value, steps: +steps.value,
    models: [...models.selectedOptions].map((one) => one.value) };
}

// A line: what varies, then start, stop and step for numbers, or values with commas between.
function axis(name) {
  const what = h("select", { "aria-label": w(`axes.${name}`), onchange: () => { fields(); count(); } });
  const box = h("span", { class: "values" });
  const kinds = { int: "number", float: "number", own: "own" };
  let read = () => "";
  const field = (label, value, options = {}) => h("input", { value, "aria-label": `${w(`axes.${name}`)} ${label}`, oninput: count, ...options });
  function fields() {
    const one = now.choices.find((choice) => choice.what === what.value);
    box.replaceChildren();
    read = () => "";
    if (!one) return;
    const kind = kinds[one.kind] ?? "text";
    if (kind === "own") return box.append(h("span", { class: "help" }, w(`axes.own_${one.what}`)));
    const list = field(w("axes.values"), "", { placeholder: example(one), class: "list" });
    if (kind === "text") {
      if (one.kind === "bool") list.value = "false, true";
      read = () => list.value;
      return box.append(list);
    }
    const step = one.kind === "int" ? Math.max(1, one.step ?? 1) : Math.max(one.step ?? 0, (one.high - one.low) / 4) || 0.25;
    const [from, to, by] = [["start", one.low ?? 0], ["stop", one.high ?? 1], ["step", step]]
      .map(([key, value]) => field(w(`axes.${key}`), shown(value), { type: "number", step: "any" }));
    read = () => list.value.trim() || [from, to, by].map((input) => input.value).join(":");
    list.placeholder = w("axes.or_values");
    box.append(...[["start", from], ["stop", to], ["step", by]].flatMap(([key, input]) => [h("span", { class: "help" }, w(`axes.${key}`)), input]), list);
  }
  const example = (one) => one.example ?? (one.choices ?? []).slice(0, 2).join(", ");
  function fill() {
    const before = what.value;
    const groups = ["recipe", "pictures", "sampling"].map((group) => h("optgroup", { label: w(`axes.group_${group}`) },
      now.choices.filter((one) => one.group === group).map((one) => option(one.what, one.label))));
    what.replaceChildren(option("", w("axes.nothing")), ...groups.filter((group) => group.children.length));
    what.value = now.choices.some((one) => one.what === before) ? before : "";
    if (what.value !== before || !box.children.length) fields();
  }
  function take(given) {
    what.value = given?.what ?? "";
    fields();
    const list = box.querySelector(".list");
    if (list) list.value = given?.values ?? "";
  }
  return { name, what, fill, fields, take, values: () => read(),
    node: h("div", { class: "axis" }, h("strong", {}, name.toUpperCase()), h("span", { class: "help" }, w(`axes.${name}`)), what, box) };
}
lines = ["x", "y", "z"].map(axis);
root.querySelector(".lines").append(...lines.map((one) => one.node));

let known = "";
let taken = "null";
follow((value) => {
  now = value;
  if ("told" in value) {
    told.textContent = value.told;
    fault.hidden = !value.error;
    fault.textContent = value.error;
  }
  const shape = JSON.stringify([value.choices, value.models]);
  if (shape !== known) refill(value, shape);
  const asked = JSON.stringify(value.wanted ?? null);
  if (asked !== taken) {
    taken = asked;
    if (value.wanted) addTo(value.wanted);
  }
});

function refill(value, shape) {
  const first = !known;
  known = shape;
  if (first || !prompts.value) prompts.value = value.prompts ?? "";
  const kept = new Set([...models.selectedOptions].map((one) => one.value));
  models.replaceChildren(...value.models.map((name) => option(name, name, kept.has(name))));
  lines.forEach((one) => one.fill());
  // what people most often vary: the method's first number, and prompts
  if (!lines.some((one) => one.what.value)) {
    const number = value.choices.find((one) => one.group === "recipe" && ["int", "float"].includes(one.kind));
    if (number && value.has_draft) [lines[0].what.value, lines[1].what.value] = [number.what, "prompt"];
    else if (value.choices.length) lines[1].what.value = "prompt";
    lines.forEach((one) => one.fields());
  }
  if (value.choices.length && (value.has_draft || kept.size)) count();
}
