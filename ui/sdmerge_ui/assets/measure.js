// Where two models differ: a bar per block.
const one = h("select", { "aria-label": w("measure.first") });
const other = h("select", { "aria-label": w("measure.second") });
const go = button(w("measure.go"), () => trigger("act", { do: "measure", first: one.value, second: other.value }));
const chart = h("div", { class: "chart" });
root.append(h("h3", {}, w("measure.title")), h("div", { class: "tools" }, one, h("span", {}, w("measure.and")), other, go), chart);
const filled = (menu, names, place) => {
  const chosen = menu.value;
  menu.replaceChildren(...names.map((name) => option(name, name)));
  menu.value = names.includes(chosen) ? chosen : names[Math.min(place, names.length - 1)] ?? "";
};
follow((value) => {
  filled(one, value.first, 0);
  filled(other, value.second, 1);
  if (value.text) return chart.replaceChildren(h("p", { class: "help", role: "status" }, value.text));
  const most = Math.max(...value.bars.map((bar) => bar.share), 1e-9);
  chart.replaceChildren(...value.bars.map((bar) => h("span", { class: "column", title: `${bar.label}: ${bar.text}` },
    h("small", {}, bar.text), h("span", { class: "box" }, (() => {
      const fill = h("span", { class: "fill" });
      fill.style.height = `${(100 * bar.share) / most}%`;
      return fill;
    })()), h("small", {}, bar.label))));
  if (value.caption) chart.append(h("p", { class: "help" }, value.caption));
});
