// A value per block: bars to drag. Shift-drag sets a range; arrows, Home and End do the same.
let drawn = null;
let held = null;
const parts = keeper((value) => [value.labels, value.curves, value.address, value.per, value.presets, value.low, value.high], build);

function build(value) {
  if (!value.labels.length || !value.curves.length) {
    root.replaceChildren(h("p", { class: "empty" }, w("blocks.empty")));
    return null;
  }
  const which = h("select", { "aria-label": w("blocks.which"), onchange: look },
    value.curves.map((one) => option(one.address, one.name, one.address === value.address)));
  const per = h("select", { "aria-label": w("blocks.per"), onchange: look },
    value.pers.map((one) => option(one.name, one.label, one.name === value.per)));
  function look() { trigger("act", { do: "curve", address: which.value, per: per.value }); }
  const preset = h("select", { "aria-label": w("blocks.preset"), onchange: () => {
    if (preset.value) trigger("act", { do: "preset", name: preset.value, address: value.address });
    preset.value = "";
  } }, option("", w("blocks.preset")), value.presets.map((name) => option(name, name)));
  const row = h("input", { placeholder: w("blocks.row"), "aria-label": w("blocks.row") });
  const paste = button(w("blocks.paste"), () => trigger("act", { do: "row", text: row.value, address: value.address }));
  const even = button(w("blocks.even"), () => edit(value.address, null));
  const measure = button(w("blocks.measure"), () => trigger("act", { do: "measure" }));
  const bars = value.labels.map((label, n) => bar(label, n));
  const groups = [];
  bars.forEach((one, n) => {
    const kind = value.labels[n].replace(/\d+$/, "");
    if (groups.at(-1)?.kind !== kind) groups.push({ kind, nodes: [] });
    groups.at(-1).nodes.push(one.node);
  });
  root.replaceChildren(
    h("div", { class: "tools" }, which, per, ...(value.per === "block" ? [preset, row, paste] : []), even, measure),
    h("div", { class: "bars", onpointerup: drop, onpointerleave: drop, onpointermove: drag },
      groups.map((one) => h("span", { class: "group" }, one.nodes))),
    h("p", { class: "help" }, w("blocks.help")));
  return bars;
}

function bar(label, n) {
  const fill = h("span", { class: "fill" });
  const ghost = h("span", { class: "ghost" });
  const text = h("span", { class: "number" });
  const box = h("span", { class: "box", tabindex: 0, role: "slider", "aria-label": label, "aria-orientation": "vertical",
    onpointerdown: (event) => { held = { from: n }; event.preventDefault(); box.focus(); drag(event); },
    onkeydown: (event) => key(event, n) }, ghost, fill);
  return { node: h("span", { class: "bar", "data-place": n }, text, box, h("small", {}, label)), fill, ghost, text, box };
}

function key(event, n) {
  const { low, high, step } = drawn;
  const moves = { ArrowUp: step * 5, ArrowDown: -step * 5, PageUp: step * 10, PageDown: -step * 10, Home: low - high, End: high - low };
  if (!(event.key in moves)) return;
  event.preventDefault();
  set([n], Math.min(high, Math.max(low, drawn.values[n] + moves[event.key])));
}

function drag(event) {
  if (!held || !drawn) return;
  const over = [...root.querySelectorAll(".bar")];
  const at = over.findIndex((one) => { const box = one.getBoundingClientRect(); return event.clientX < box.right; });
  const place = at < 0 ? over.length - 1 : at;
  const box = over[place].querySelector(".box").getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (box.bottom - event.clientY) / box.height));
  const value = Math.round((drawn.low + share * (drawn.high - drawn.low)) * 100) / 100;
  const [from, to] = [Math.min(held.from, place), Math.max(held.from, place)];
  set(event.shiftKey ? [...Array(to - from + 1).keys()].map((n) => n + from) : [held.from], value);
}
function drop() { held = null; }

function set(places, value) {
  for (const place of places) drawn.values[place] = Math.round(value * 1e4) / 1e4;
  paint(drawn);
  edit(drawn.address, { per: drawn.per, values: Object.fromEntries(drawn.labels.map((label, n) => [label, drawn.values[n]])) });
}

function paint(value) {
  const bars = parts(value);
  if (!bars) return;
  bars.forEach((one, n) => {
    const share = (100 * (value.values[n] - value.low)) / (value.high - value.low || 1);
    one.fill.style.height = `${Math.max(0, Math.min(100, share))}%`;
    one.ghost.style.height = `${100 * (value.differences?.[value.labels[n]] ?? 0)}%`;
    one.text.textContent = shown(value.values[n]).replace(/^0\./, ".");
    one.box.setAttribute("aria-valuenow", value.values[n]);
    one.box.setAttribute("aria-valuemin", value.low);
    one.box.setAttribute("aria-valuemax", value.high);
  });
  root.classList.toggle("even", !value.given);
}
follow((value) => {
  if (held || fresh(value.address)) return again();
  drawn = structuredClone(value);
  paint(drawn);
});
