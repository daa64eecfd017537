// The models of the workspace: found by a word, a family, a kind; a broken file says why.
const find = h("input", { id: "sd-find", type: "search", placeholder: w("models.find"), "aria-label": w("models.find"), oninput: list });
const family = h("select", { "aria-label": w("models.family"), onchange: list });
const kind = h("select", { "aria-label": w("models.kind"), onchange: list });
const shelf = h("select", { "aria-label": w("models.shelf"), onchange: list });
const body = h("tbody", {});
const count = h("span", { class: "help", role: "status" });
const columns = ["name", "kind", "family", "layout", "dtype", "size", "origin"];
let now = null;
root.append(h("div", { class: "tools" }, find, family, kind, shelf,
  button(w("models.rescan"), () => trigger("ready")), h("span", { class: "grow" }), count),
  h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {},
    columns.map((name) => h("th", { scope: "col" }, w(`models.${name}`))))), body)));

const labelled = (name, all) => h("option", { value: name }, name || all);
function list() {
  const word = find.value.trim().toLowerCase();
  const rows = now.models.filter((one) => (!word || one.name.toLowerCase().includes(word))
    && (!family.value || one.family === family.value) && (!kind.value || one.kind === kind.value)
    && (!shelf.value || one.shelf === shelf.value));
  body.replaceChildren(...rows.map(line));
  if (!rows.length) body.append(h("tr", {}, h("td", { colspan: columns.length, class: "empty" },
    w(now.models.length ? "models.none_found" : "models.empty", { folder: now.folder }))));
  count.textContent = w("models.count", { count: rows.length });
}

function line(one) {
  const pick = () => trigger("act", { do: "pick", name: one.name });
  const attributes = { tabindex: 0, class: `${one.name === now.chosen ? "chosen" : ""} ${one.unread ? "unread" : ""}`, "data-model": one.name,
    "aria-selected": one.name === now.chosen, onclick: pick,
    onkeydown: (event) => { if (event.key === "Enter") pick(); } };
  if (one.error) {
    return h("tr", { ...attributes, class: "broken" }, h("td", { title: one.path }, one.name),
      h("td", { colspan: columns.length - 1 }, w("models.broken"), " ", one.error));
  }
  const name = h("td", { title: one.path }, one.label, one.shelf ? h("small", { class: "shelf" }, one.shelf) : null);
  return h("tr", attributes, name, h("td", {}, one.kind && w(`models.kind_${one.kind}`)),
    ...columns.slice(2).map((name) => h("td", { class: name }, one[name] || "–")));
}

follow((value) => {
  now = value;
  for (const [menu, key, all] of [[family, "family", w("models.all_families")], [kind, "kind", w("models.all_kinds")], [shelf, "shelf", w("models.all_shelves")]]) {
    const known = [...new Set(value.models.map((one) => one[key]).filter(Boolean))].sort();
    const chosen = menu.value;
    menu.replaceChildren(labelled("", all), ...known.map((name) =>
      option(name, key === "kind" ? w(`models.kind_${name}`) : name)));
    menu.value = known.includes(chosen) ? chosen : "";
  }
  list();
});
