// What the votes say so far: how often each beats the others, with its interval.
const percent = (share) => `${Math.round(100 * share)} %`;
follow((value) => {
  if (value.error) return root.replaceChildren(h("div", { class: "error", role: "alert" }, value.error));
  if (!value.rows.length) return root.replaceChildren();
  const by = h("select", { "aria-label": w("ranking.by"), onchange: () => trigger("act", { by: by.value }) },
    value.choices.map((name) => option(name, name, name === value.by)));
  const rows = value.rows.map((one) => h("tr", {}, h("th", { scope: "row" }, one.label),
    h("td", { class: "bar" }, h("span", { class: "range", style: `left:${100 * one.low}%;width:${100 * (one.high - one.low)}%` }),
      h("span", { class: "dot", style: `left:${100 * one.rate}%` })),
    h("td", { class: "numbers" }, `${percent(one.rate)} (${Math.round(100 * one.low)}–${Math.round(100 * one.high)})`),
    h("td", { class: "help" }, w("ranking.count", { count: one.votes }))));
  // who votes blind should not see who leads
  const open = root.querySelector("details")?.open ?? false;
  root.replaceChildren(h("details", { open: open ? "" : null }, h("summary", {}, `${w("ranking.title")} · ${value.votes}`),
    h("div", { class: "tools" }, h("label", {}, w("ranking.by"), " ", by), h("strong", { class: value.settled ? "good" : "help", role: "status" }, value.text)),
    h("table", {}, h("caption", { class: "help" }, w("ranking.interval")), h("tbody", {}, rows))));
});
