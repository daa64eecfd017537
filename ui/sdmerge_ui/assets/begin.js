// What the search would be, before it begins.
follow((value) => {
  if (value.empty) return root.replaceChildren(h("p", { class: "help" }, "…"));
  const facts = h("dl", {}, value.facts.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
  const sane = value.sanity;
  const rungs = sane?.rows.length ? h("table", { class: "rungs" }, sane.rows.map((row) => h("tr", {},
    h("th", {}, `${row.passed ? "✓" : "✕"} ${row.name}`), row.means.map((one) => h("td", {}, one.name, " ", h("strong", {}, shown(one.mean)))),
    h("td", {}, w(row.passed ? "begin.sane" : "begin.insane"))))) : null;
  root.replaceChildren(...[
    value.error ? h("p", { class: "error", role: "alert" }, value.error) : h("p", { class: "good", role: "status" }, w("begin.good")),
    value.facts.length ? facts : null, ...value.notes.map((note) => h("p", { class: "help" }, note)),
    h("div", { class: "tools" }, button(w("begin.sanity"), () => trigger("act", { do: "sanity" }), { class: "sanity" }), h("span", { class: "help" }, w("begin.sanity_help"))),
    sane?.text ? h("p", { class: "help", role: "status" }, sane.text) : null, rungs,
    value.command ? h("code", { class: "line" }, value.command) : null].filter(Boolean));
});
