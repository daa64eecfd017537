// The viewer of a grid, within the app: it grows as cells are drawn, and knows what is selected.
const menu = h("select", { "aria-label": w("viewer.grid"), id: "sd-grid", onchange: () => choose(menu.value) });
const state = h("span", { class: "help", role: "status" });
const progress = h("progress", { "aria-label": w("viewer.progress"), hidden: true });
const scorer = h("input", { list: "sd-scorers", placeholder: w("viewer.scorer"), "aria-label": w("viewer.scorer"), id: "sd-scorer" });
const names = h("datalist", { id: "sd-scorers" });
const frame = h("iframe", { title: w("viewer.title"), class: "grid", referrerpolicy: "no-referrer" });
const files = h("span", { class: "files" });
const fault = h("div", { class: "error", role: "alert", hidden: true });
const empty = h("div", { class: "empty" }, h("p", {}, w("viewer.empty")), button(w("viewer.new"), () => trigger("act", { do: "new" }), { class: "primary" }));
const send = (how) => () => trigger("act", { do: "export", grid: now.grid, how });
const tools = h("div", { class: "tools" },
  button(w("viewer.new"), () => trigger("act", { do: "new" }), { id: "sd-new" }),
  button(w("viewer.vote"), vote, { id: "sd-vote", title: w("viewer.vote_help") }),
  button(w("viewer.more"), () => trigger("act", { do: "more", grid: now.grid }), { id: "sd-more", title: w("viewer.more_help") }),
  button(w("viewer.open"), () => open(), { id: "sd-open-cell", title: w("viewer.open_help") }),
  h("span", { class: "grow" }),
  scorer, names, button(w("viewer.score"), () => { if (scorer.value) trigger("act", { do: "score", grid: now.grid, scorer: scorer.value }); }),
  button(w("viewer.html"), send("html")), button(w("viewer.folder"), send("folder")), button(w("viewer.sheet"), send("sheet")), files);
const said = h("span", { class: "fault", role: "alert", hidden: true });
root.append(h("div", { class: "tools" }, menu, state, progress, said), tools, fault, frame, empty);

let now = { grids: [] };
let address = "";
let stamp = "";
let last = 0;
let later = 0;
const page = () => frame.contentWindow?.sdmergeViewer;

function choose(name) {
  const query = new URL(location.href);
  query.searchParams.set("grid", name);
  history.replaceState(null, "", query);
  trigger("act", { do: "choose", grid: name });
}

function vote() {
  page()?.change({ view: "vote" });
  frame.focus();
}

function open() {
  const cell = page()?.state.cell;
  said.hidden = !!cell;
  said.textContent = cell ? "" : w("viewer.select_first");
  if (cell) trigger("act", { do: "open", grid: now.grid, cell });
}

// The page keeps what is looked at in its address, so loading it anew shows new cells in place.
function renew(value) {
  clearTimeout(later);
  // a pair that is being looked at stays until the grid is whole
  if (page()?.state.view === "vote" && value.running) return;
  const wait = 2000 - (performance.now() - last);
  if (wait > 0) { later = setTimeout(() => renew(value), wait); return; }
  last = performance.now();
  stamp = value.stamp;
  frame.contentWindow.location.reload();
}

follow((value) => {
  now = value;
  const some = value.grids.length > 0;
  empty.hidden = some;
  tools.hidden = frame.hidden = menu.hidden = !some;
  fault.hidden = !value.error;
  fault.textContent = value.error ?? "";
  state.textContent = some ? value.state ?? "" : "";
  progress.hidden = !value.running;
  if (value.running) Object.assign(progress, { max: value.total || 1, value: value.drawn });
  const shape = JSON.stringify(value.grids);
  if (menu.dataset.shape !== shape) {
    menu.dataset.shape = shape;
    menu.replaceChildren(...value.grids.map((one) => option(one.name, one.label)));
  }
  menu.value = value.grid;
  tools.querySelector("#sd-more").hidden = !value.more;
  names.replaceChildren(...(value.scorers ?? []).map((name) => option(name, name)));
  files.replaceChildren(...(value.files ?? []).map((one) => h("a", { href: one.address, target: "_blank", download: one.label }, one.label)));
  if (!some || value.error || !value.drawn) { frame.hidden = true; return; }
  if (address !== value.address) {
    address = value.address;
    stamp = value.stamp;
    last = performance.now();
    try { localStorage.setItem("sdmerge.language", JSON.stringify(value.language)); } catch { /* it may be forbidden */ }
    frame.src = value.address;
  } else if (stamp !== value.stamp) renew(value);
});
