// What the recipe would do, as it is being written; or why it cannot.
follow((value) => {
  window.sdmergeErrors = value.errors ?? {};
  document.dispatchEvent(new Event("sdmerge-errors"));
  if (value.empty) return root.replaceChildren(h("p", { class: "empty" }, value.empty));
  if (value.error) {
    return root.replaceChildren(h("p", { class: "state bad", role: "status" }, w("plan.bad")),
      h("div", { class: "error" }, h("strong", {}, value.error.what),
        value.error.where ? h("code", {}, value.error.where) : null,
        value.error.hint ? h("p", {}, value.error.hint) : null));
  }
  const rows = value.components.map((part) => h("tr", {},
    ...[part.name, part.tensors.toLocaleString(), part.merged.toLocaleString(), part.how].map((cell) => h("td", {}, cell))));
  const notes = value.notes.length
    ? h("details", { open: value.notes.length < 4 }, h("summary", {}, w("plan.notes", { count: value.notes.length })),
        h("ul", {}, value.notes.map((note) => h("li", {}, note)))) : null;
  root.replaceChildren(...[
    h("p", { class: "state good", role: "status" }, w("plan.good"), h("small", {}, value.id)),
    h("p", { class: "counts" }, h("strong", {}, value.merged.toLocaleString()), ` ${w("plan.merged")} · `,
      h("strong", {}, value.copied.toLocaleString()), ` ${w("plan.copied")}`),
    h("p", { class: "bytes" }, w("plan.bytes", value)),
    h("details", {}, h("summary", {}, value.kind),
      h("table", {}, h("thead", {}, h("tr", {}, ...["component", "tensors", "merged", "how"].map((key) => h("th", {}, w(`plan.${key}`))))),
        h("tbody", {}, rows))), notes].filter(Boolean));
});
