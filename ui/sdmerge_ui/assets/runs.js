// Every run there was, the newest first.
const find = h("input", { type: "search", placeholder: w("runs.find"), "aria-label": w("runs.find"), id: "sd-find-run", oninput: list });
const kind = h("select", { "aria-label": w("runs.kind"), onchange: list });
const state = h("select", { "aria-label": w("runs.state"), onchange: list });
const starred = h("input", { type: "checkbox", onchange: list, id: "sd-starred" });
const count = h("span", { class: "help", role: "status" });
const body = h("tbody", {});
const clean = h("div", { class: "cleaning", role: "alertdialog", "aria-label": w("runs.clean"), hidden: true });
const columns = ["star", "number", "when", "kind", "what", "result", "state"];
let now = { runs: [] };
root.append(h("div", { class: "tools" }, find, kind, state, h("label", {}, starred, ` ★ ${w("runs.starred")}`), h("span", { class: "grow" }), count,
  button(w("runs.clean"), () => trigger("act", { do: "clean" }), { id: "sd-clean" })), clean,
  h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name === "star" ? "" : w(`runs.${name}`))))), body)));

const language = w("runs.language");
const when = (seconds) => new Date(1000 * seconds).toLocaleString(language, { dateStyle: "short", timeStyle: "short" });
const sign = { running: "▶", queued: "⏸", done: "✓", failed: "✕", cancelled: "■", interrupted: "■" };

function list() {
  const words = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const rows = now.runs.filter((one) => {
    const text = `${one.number} ${one.kind} ${one.title} ${one.result}`.toLowerCase();
    return words.every((word) => text.includes(word)) && (!kind.value || one.kind === kind.value) && (!state.value || one.state === state.value) && (!starred.checked || one.starred);
  });
  arrange(body, rows.length ? rows.map(known)
    : [h("tr", {}, h("td", { colspan: columns.length, class: "empty" }, w(now.runs.length ? "runs.none_found" : "runs.empty")))]);
  count.textContent = w("runs.count", { count: rows.length });
}

// a mark, and what it says to those who do not see it
const star = (one) => h("button", { type: "button", class: "star", "aria-pressed": String(one.starred), "aria-label": w("runs.star", { number: one.number }), title: w("runs.star", { number: one.number }),
  onclick: (event) => { event.stopPropagation(); trigger("act", { do: "star", number: one.number, starred: !one.starred }); } }, one.starred ? "★" : "☆");

const lines = new Map();
function known(one) {
  const said = JSON.stringify([one, one.number === now.chosen]);
  if (lines.get(one.number)?.said !== said) lines.set(one.number, { said, node: line(one) });
  return lines.get(one.number).node;
}

function line(one) {
  const pick = () => trigger("act", { do: "pick", number: one.number });
  return h("tr", { tabindex: 0, class: `${one.number === now.chosen ? "chosen" : ""} ${one.state}`, "data-run": one.number,
    "aria-selected": one.number === now.chosen, onclick: pick, onkeydown: (event) => { if (event.key === "Enter" && event.target.tagName === "TR") pick(); } },
    h("td", {}, star(one)), h("td", {}, String(one.number)), h("td", { class: "when" }, when(one.when)), h("td", {}, one.kind), h("td", { class: "what" }, one.title),
    h("td", { class: one.state === "failed" ? "bad" : "" }, one.result), h("td", { class: "state" }, h("span", { "aria-hidden": "true" }, `${sign[one.state]} `), w(`runs.state_${one.state}`)));
}

function asking(value) {
  clean.hidden = !value;
  if (!value) return clean.replaceChildren();
  const numbers = value.models.map((one) => one.number);
  clean.replaceChildren(h("p", {}, h("strong", {}, value.text)),
    h("ul", {}, value.models.map((one) => h("li", {}, `${one.number} · ${one.size} · ${one.path}`))),
    h("div", { class: "tools" }, numbers.length ? button(w("runs.remove"), () => trigger("act", { do: "remove", numbers }), { class: "danger", id: "sd-remove" }) : null,
      button(w(numbers.length ? "runs.keep" : "runs.close"), () => trigger("act", { do: "close" }))));
}

follow((value) => {
  now = value;
  for (const [menu, key, all] of [[kind, "kind", w("runs.all_kinds")], [state, "state", w("runs.all_states")]]) {
    const known = [...new Set(value.runs.map((one) => one[key]))].sort();
    const chosen = menu.value;
    menu.replaceChildren(option("", all), ...known.map((name) => option(name, key === "state" ? w(`runs.state_${name}`) : name)));
    menu.value = known.includes(chosen) ? chosen : "";
  }
  list();
  if ("clean" in value) asking(value.clean);
});
