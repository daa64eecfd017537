// One run: what it was made of, what came of it, what went wrong, and what can be done with it.
const when = (seconds) => new Date(1000 * seconds).toLocaleString(w("run.language"));
const fold = (title, content, open) => h("details", { open: open ? "" : null }, h("summary", {}, title), content);

// the run whose end is asked about, however often it is drawn meanwhile
let doubtful = 0;

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
    value.verify ? button(w("run.verify"), act("verify"), { title: w("run.verify_help") }) : null,
    value.forget ? button(w("run.forget"), () => { doubtful = value.number; sure.hidden = false; sure.querySelector("button").focus(); }, { title: w("run.forget_help") }) : null].filter(Boolean);
  const sure = h("div", { class: "sure", role: "alertdialog", "aria-label": w("run.forget"), hidden: doubtful !== value.number }, h("p", {}, w("run.forget_ask", { number: value.number, size: value.inside })),
    h("div", { class: "buttons" }, button(w("run.forget"), () => trigger("pick", { do: "forget", number: value.number }), { class: "danger", id: "sd-forget" }),
      button(w("run.keep"), () => { doubtful = 0; sure.hidden = true; })));
  root.replaceChildren(...[
    h("h3", {}, `${value.number} · ${value.kind} ${value.title}`),
    value.error ? h("div", { class: "error", role: "alert" }, value.error.what, value.error.hint ? h("p", { class: "hint" }, value.error.hint) : null) : null,
    h("div", { class: "buttons" }, buttons), sure,
    value.lineage ? h("ul", { class: "lineage", "aria-label": w("run.lineage") }, tree(value.lineage)) : null,
    value.pictures.length ? h("div", { class: "thumbs" }, value.pictures.map((one) => h("a", { href: one.address, target: "_blank", "aria-label": w("run.large") }, h("img", { src: one.address, alt: one.alt, loading: "lazy" })))) : null,
    h("dl", {}, facts.flatMap(([key, text]) => [h("dt", {}, w(`run.${key}`)), h("dd", {}, text)])),
    files.length ? h("ul", { class: "files" }, files) : null,
    value.said ? h("pre", { class: "said" }, value.said) : null,
    value.recipe ? difference(value) : null,
    value.recipe ? fold(w("run.recipe"), h("pre", {}, value.recipe), value.kind === "merge") : null,
    value.log ? fold(w("run.log"), h("pre", { class: "log" }, value.log), value.state === "failed") : null,
  ].filter(Boolean));
});

// What the recipe has otherwise than the draft, or than another run's.
function difference(value) {
  const list = h("select", { "aria-label": w("run.against"), id: "sd-against", onchange: () => trigger("pick", { do: "against", other: +list.value }) },
    option(0, w("run.draft"), value.other === 0), value.others.map((one) => option(one.number, one.label, one.number === value.other)));
  const rows = value.changes.map(([address, before, after]) => h("tr", {}, h("td", {}, address), h("td", { class: "before" }, before || "–"), h("td", {}, after || "–")));
  const there = value.other === 0 ? w("run.draft") : w("run.number", { number: value.other });
  return h("section", { class: "difference" }, h("div", { class: "tools" }, h("strong", {}, w("run.against")), list),
    rows.length ? h("table", {}, h("thead", {}, h("tr", {}, ["run.address", there, w("run.number", { number: value.number })].map((name) => h("th", { scope: "col" }, name === "run.address" ? w(name) : name)))), h("tbody", {}, rows))
      : h("p", { class: "help" }, w("run.same")));
}

function compare() {
  const address = new URL(location.href);
  address.searchParams.set("tab", "compare");
  address.searchParams.set("grid", props.value.grid);
  location.assign(address);
}
