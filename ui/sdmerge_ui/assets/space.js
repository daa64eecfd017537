// Which values are searched: a switch for each, its range, where it starts and what it is one per.
const shape = (value) => value.rows.map((row) => [row.address, row.kind, row.label, row.choices]);
const parts = keeper(shape, (value) => {
  const lines = value.rows.map((row) => line(row, value.groups));
  const head = h("tr", {}, ["search", "parameter", "range", "start", "per", "scale"].map((name) => h("th", {}, w(`space.${name}`))));
  root.replaceChildren(value.rows.length
    ? h("table", {}, h("thead", {}, head), h("tbody", {}, lines.map((one) => one.node)))
    : h("p", { class: "empty" }, w("space.empty")), h("p", { class: "help" }, w("space.help")),
    button(w("common.next"), () => trigger("act", { do: "step", to: 3 }), { class: "primary" }));
  return lines;
});
follow((value) => {
  const lines = parts(value);
  value.rows.forEach((row, n) => lines[n].update(row));
});

function line(first, groups) {
  let row = first;
  const words = row.choices !== undefined;
  const number = (label) => h("input", { type: "number", step: "any", "aria-label": `${row.label}: ${label}`, onchange: say });
  const on = h("input", { type: "checkbox", "aria-label": `${row.label}: ${w("space.search")}`, onchange: say });
  const low = number(w("space.low"));
  const high = number(w("space.high"));
  const init = words ? h("select", { "aria-label": `${row.label}: ${w("space.start")}`, onchange: say },
    row.choices.map((one) => option(String(one), String(one)))) : number(w("space.start"));
  const per = h("select", { "aria-label": `${row.label}: ${w("space.per")}`, onchange: say },
    groups.map((one) => option(one, one || w("space.whole"))));
  const log = h("input", { type: "checkbox", "aria-label": `${row.label}: log`, onchange: say });
  const taken = words ? row.choices.map((one) => ({ one, box: h("input", { type: "checkbox", checked: true, onchange: say }) })) : [];
  const range = words
    ? h("span", { class: "choices" }, taken.map(({ one, box }) => h("label", {}, box, ` ${one} `)))
    : h("span", { class: "range" }, low, " – ", high);
  const other = h("small", {});
  function start() {
    return words ? row.choices.find((one) => String(one) === init.value) : +init.value;
  }
  function say() {
    if (!on.checked) return edit(row.address, start());
    const mark = {};
    if (words) {
      const chosen = taken.filter(({ box }) => box.checked).map(({ one }) => one);
      if (chosen.length < 2) return;
      mark.search = chosen;
      mark.init = chosen.includes(start()) ? start() : chosen[0];
    } else {
      if (!(+low.value < +high.value)) return;
      mark.search = [+low.value, +high.value];
      mark.init = Math.min(+high.value, Math.max(+low.value, +init.value));
      if (log.checked) mark.log = true;
    }
    if (per.value) mark.per = per.value;
    for (const key of ["tie", "simplex"]) if (row.mark?.[key]) mark[key] = row.mark[key];
    edit(row.address, mark);
  }
  const node = h("tr", { "data-address": row.address }, h("td", {}, on), h("td", { title: row.help }, row.label, " ", other),
    h("td", {}, range), h("td", {}, init), h("td", {}, per), h("td", {}, words ? "" : h("label", {}, log, " log")));
  return {
    node,
    update(now) {
      row = now;
      on.checked = now.on;
      node.classList.toggle("on", now.on);
      other.textContent = now.other ? w("space.other") : "";
      const put = (input, one) => { if (document.activeElement !== input) input.value = one; };
      if (!words) {
        put(low, shown(now.low));
        put(high, shown(now.high));
        [low.min, low.max, high.min, high.max] = [now.limits[0], now.limits[1], now.limits[0], now.limits[1]];
        log.checked = !!now.mark?.log;
      }
      put(init, words ? String(now.value) : shown(+now.value));
      for (const { one, box } of taken) box.checked = !now.mark || now.mark.search.includes(one);
      per.value = now.per;
      for (const part of [low, high, per, log]) part.disabled = !now.on;
    },
  };
}
