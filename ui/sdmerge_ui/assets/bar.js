// The line above the tabs: undo, redo, what changed since the last run, links, language.
const undo = icon("↶", w("bar.undo"), () => trigger("act", { do: "undo" }), { id: "sd-undo" });
const redo = icon("↷", w("bar.redo"), () => trigger("act", { do: "redo" }), { id: "sd-redo" });
const changed = h("details", { class: "diff", hidden: true });
const place = h("span", { class: "place" });
const link = button(w("bar.link"), () => trigger("act", { do: "link" }));
const free = button(w("bar.free"), () => trigger("act", { do: "free" }), { title: w("bar.free_help") });
const language = h("select", { "aria-label": w("bar.language"), onchange: () => {
  document.cookie = `sdmerge_language=${language.value}; path=/; max-age=31536000; samesite=strict`;
  location.reload();
} }, option("en", "English"), option("ja", "日本語"));
const keys = h("dialog", { class: "sd-keys" }, h("h3", {}, w("bar.keys")), h("dl", {}, ["tabs", "preview", "save", "undo", "recipe", "find", "help"]
  .flatMap((name) => { const [sign, text] = w(`bar.key_${name}`).split(" | "); return [h("dt", {}, h("kbd", {}, sign)), h("dd", {}, text)]; })),
  h("form", { method: "dialog" }, h("button", {}, w("bar.close"))));
root.append(h("strong", { class: "brand" }, "sdmerge"), place, h("span", { class: "grow" }), changed, undo, redo, link, free,
  icon("?", w("bar.keys"), () => keys.showModal(), { id: "sd-help" }), language, keys);
document.addEventListener("sdmerge-unread", () => trigger("unread"));
follow((value) => {
  undo.disabled = !value.undo;
  redo.disabled = !value.redo;
  place.textContent = value.place;
  language.value = value.language;
  changed.hidden = !value.run;
  changed.replaceChildren(h("summary", {}, value.changes.length
    ? w("bar.changes", { count: value.changes.length, run: value.run }) : w("bar.same", { run: value.run })),
    h("table", {}, value.changes.map((row) => h("tr", {}, row.map((cell, n) => h(n ? "td" : "th", {}, cell || "–"))))));
  if (value.link) {
    history.replaceState(null, "", value.link);
    navigator.clipboard?.writeText(location.href).catch(() => {});
  }
});
