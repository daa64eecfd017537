// One run: what it was made of, what came of it, what went wrong, and what can be done with it.
const when = (seconds) => new Date(1000 * seconds).toLocaleString(w("run.language"));
const fold = (title, content, open) => h("details", { open: open ? "" : null }, h("summary", {}, title), content);

function tree(one) {
  const label = one.run && one.run !== props.value.number
    ? button(one.name, () => trigger("pick", { do: "pick", number: one.run }), { class: "link", title: w("run.made_by", { number: one.run }) })
    : h("span", {}, one.name);
  const more = [one.method ? h("span", { class: "method" }, ` ← ${one.method}`) : null,
    one.run ? h("small", {}, ` ${w("run.number", { number: one.run })}`) : null, one.gone ? h("small", {}, ` · ${w("run.gone")}`) : null];
  return h("li", {}, label, ...more.filter(Boolean), one.parents.length ? h("ul", {}, one.parents.map(tree)) : null);
}

follow((value) => {
  if (!value.number) return root.replaceChildren(h("p", { class: "empty" }, w("run.empty")));
  const act = (what) => () => trigger("act", { do: what, number: value.number });
  const facts = [["when", when(value.when)], value.took ? ["took", w("run.seconds", { count: value.took.toFixed(1) })] : null,
    value.result ? ["result", value.result] : null, ["command", value.command], ["folder", value.folder]].filter(Boolean);
  const files = value.files.map((one) => h("li", { class: one.there ? "" : "gone" },
    one.address ? h("a", { href: one.address, target: "_blank" }, one.path) : one.path, h("small", {}, ` ${one.there ? one.size : w("run.gone")}`)));
  const buttons = [value.recipe ? button(w("run.open"), act("open"), { class: "primary" }) : null,
    value.grid ? button(w("run.compare"), compare, {}) : null,
    value.again ? button(w("run.again"), act("again"), { title: w("run.again_help") }) : null,
    value.retry ? button(w(value.state === "done" ? "run.make" : "run.retry"), act("retry")) : null,
    value.verify ? button(w("run.verify"), act("verify"), { title: w("run.verify_help") }) : null].filter(Boolean);
  root.replaceChildren(...[
    h("h3", {}, `${value.number} · ${value.kind} ${value.title}`),
    value.error ? h("div", { class: "error", role: "alert" }, value.error.what, value.error.hint ? h("p", { class: "hint" }, value.error.hint) : null) : null,
    h("div", { class: "buttons" }, buttons),
    value.lineage ? h("ul", { class: "lineage", "aria-label": w("run.lineage") }, tree(value.lineage)) : null,
    value.pictures.length ? h("div", { class: "thumbs" }, value.pictures.map((one) => h("a", { href: one.address, target: "_blank", "aria-label": w("run.large") }, h("img", { src: one.address, alt: one.alt, loading: "lazy" })))) : null,
    h("dl", {}, facts.flatMap(([key, text]) => [h("dt", {}, w(`run.${key}`)), h("dd", {}, text)])),
    files.length ? h("ul", { class: "files" }, files) : null,
    value.said ? h("pre", { class: "said" }, value.said) : null,
    value.recipe ? fold(w("run.recipe"), h("pre", {}, value.recipe), value.kind === "merge") : null,
    value.log ? fold(w("run.log"), h("pre", { class: "log" }, value.log), value.state === "failed") : null,
  ].filter(Boolean));
});

function compare() {
  const address = new URL(location.href);
  address.searchParams.set("tab", "compare");
  address.searchParams.set("grid", props.value.grid);
  location.assign(address);
}
