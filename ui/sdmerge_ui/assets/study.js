// A study as it grows: the curve, the best so far, what matters, and what can be done with it.
const S = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
const act = (what, more = {}) => () => trigger("act", { do: what, ...more });
const brief = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
const four = (number) => Number(number).toPrecision(4);
let more = 50;
let model = false;
let test = true;

const running = (value) => ["running", "queued", "elsewhere"].includes(value.state);
const body = h("div", { class: "body" });

function head(value) {
  const list = h("select", { "aria-label": w("study.which"), class: "which", onchange: () => trigger("act", { do: "pick", name: list.value }) },
    value.studies.length ? value.studies.map((name) => option(name, name, name === value.name)) : [option("", w("study.none"))]);
  const begun = value.trials !== undefined;
  const count = h("input", { type: "number", min: 1, value: more, "aria-label": w("study.more"), onchange: () => { more = +count.value; } });
  const box = (label, get, set) => {
    const input = h("input", { type: "checkbox", checked: get(), onchange: () => set(input.checked) });
    return h("label", {}, input, ` ${label}`);
  };
  return h("div", { class: "tools" }, h("h3", {}, w("study.title")), list,
    running(value) && value.state !== "elsewhere" ? button(w("study.pause"), act("pause"), { class: "pause" }) : null,
    !running(value) && value.name && value.state !== "done" ? button(w("study.resume"), act("go"), { class: "resume" }) : null,
    !running(value) && begun ? h("span", { class: "pair" }, count, button(w("study.go_on"), () => trigger("act", { do: "go", trials: value.trials + +count.value }))) : null,
    begun ? button(w("study.open"), act("open"), { class: "open" }) : null,
    begun ? button(w("study.add"), act("add"), { class: "add", title: w("study.add_help") }) : null,
    begun && !running(value) ? h("span", { class: "pair" }, button(w("study.export"), () => trigger("act", { do: "export", model, test }), { class: "export" }),
      box(w("study.with_model"), () => model, (one) => { model = one; }), box(w("study.with_test"), () => test, (one) => { test = one; })) : null);
}

function draw(value) {
  if (!value.name) return body.replaceChildren(h("p", { class: "empty" }, w("study.empty")));
  const wrong = value.error ? h("p", { class: "error", role: "alert" }, value.error) : null;
  if (value.trials === undefined) {
    return body.replaceChildren(...[wrong, h("p", { class: "help", role: "status" }, w(value.state === "running" ? "study.prepares" : "study.waits"))].filter(Boolean));
  }
  const facts = [value.engine, value.of ? w("study.counted", { trials: value.trials, of: value.of, generations: value.generations }) : w("study.counted_open", { trials: value.trials, generations: value.generations }),
    value.failed ? w("study.failed", { count: value.failed }) : "", { running: w("study.running"), queued: w("study.waits"), done: w("study.done"), elsewhere: w("study.elsewhere"), "": "" }[value.state] ?? w("study.paused")];
  const out = value.export;
  const exported = out ? h("p", { class: "help", role: "status" }, out.report
    ? h("a", { href: out.report, download: "report.html", target: "_blank", rel: "noreferrer" }, w("study.report")) : out.error || w("study.exporting", { number: out.number })) : null;
  body.replaceChildren(...[
    h("p", { class: "facts", "data-trials": value.trials }, facts.filter(Boolean).join(" · ")), wrong,
    value.waiting.length ? h("p", { class: "help waiting", role: "status" }, w(running(value) ? "study.add_waits" : "study.add_rests", { names: value.waiting.join(", ") })) : null,
    ...value.alarms.map((text) => h("p", { class: "alarm", role: "alert" }, "⚠ ", text)), exported,
    h("div", { class: "two" }, section(w("study.curve", { objective: value.objective }), curve(value.curve)), best(value)),
    h("div", { class: "two turned" }, section(w("study.importance", { count: value.trials }), importance(value)), section(w("study.parallel"), parallel(value.parallel)))].filter(Boolean));
}
const section = (title, ...inside) => h("div", { class: "sd-section" }, h("h3", {}, title), ...inside.filter(Boolean));

// an SVG is as wide as its column, so that its letters are as large as the others
const width = (share) => Math.max(340, Math.round(((root.clientWidth || 1200) * share) / 12) - 40);
// at most six steps of 1, 2 or 5 times a power of ten
const round = (span) => {
  const power = 10 ** Math.floor(Math.log10(span / 6));
  return power * [1, 2, 5, 10].find((one) => one * power >= span / 6 - 1e-12);
};

function curve(data) {
  const levels = data.lines.map((one) => one.score);
  const scores = [...data.points.map((one) => one[1]), ...data.best.map((one) => one[1]), ...data.validation.map((one) => one.score), ...data.added.map((one) => one.score), ...levels];
  if (!scores.length) return h("p", { class: "help" }, w("study.baselines"));
  const [W, H, L, R, T, B] = [width(7), 260, 48, 128, 8, 22];
  const most = Math.max(...data.points.map((one) => one[0]), 4);
  let [low, high] = [Math.min(...scores), Math.max(...scores)];
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  [low, high] = [low - pad, high + pad];
  const x = (number) => L + ((W - L - R) * number) / most;
  const y = (score) => T + ((H - T - B) * (high - score)) / (high - low);
  const svg = S("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": w("study.curve_alt", { count: data.points.length }), class: "curve" });
  const step = round(high - low);
  for (let score = Math.ceil(low / step) * step; score <= high; score += step) {
    svg.append(S("line", { x1: L, x2: W - R, y1: y(score), y2: y(score), class: "grid" }), S("text", { x: L - 5, y: y(score) + 4, class: "tick end" }, score.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))));
  }
  svg.append(S("text", { x: W - R, y: H - 6, class: "tick end" }, `${most} ${w("study.trials")}`));
  // names of levels that lie close are moved apart
  let last = -Infinity;
  for (const one of [...data.lines].sort((a, b) => b.score - a.score)) {
    const at = Math.max(y(one.score) + 3, last + 11);
    last = at;
    svg.append(S("line", { x1: L, x2: W - R, y1: y(one.score), y2: y(one.score), class: `level ${one.kind}` }, S("title", {}, `${one.name}: ${four(one.score)}`)),
      S("text", { x: W - R + 5, y: Math.min(at, H - 2), class: "tick" }, `${brief(one.name, 14)} ${Number(one.score).toPrecision(3)}`));
  }
  for (const [number, score] of data.points) svg.append(S("circle", { cx: x(number), cy: y(score), r: 2.4, class: "point" }, S("title", {}, `${number}: ${four(score)}`)));
  const path = (points) => points.map(([a, b], n) => `${n ? "L" : "M"}${x(a)} ${y(b)}`).join("");
  if (data.best.length) svg.append(S("path", { d: path(data.best), class: "best" }), ...data.best.map(([a, b]) => S("circle", { cx: x(a), cy: y(b), r: 2.6, class: "bests" })));
  const held = data.validation.filter((one) => one.kind === "incumbent").map((one) => [one.at, one.score]);
  if (held.length) svg.append(S("path", { d: path(held), class: "held" }), ...held.map(([a, b]) => S("rect", { x: x(a) - 2.5, y: y(b) - 2.5, width: 5, height: 5, class: "helds" })));
  for (const one of data.added) svg.append(S("path", { d: `M${x(one.at)} ${y(one.score) - 5}l5 5l-5 5l-5 -5z`, class: "added" }, S("title", {}, `${one.name}: ${four(one.score)}`)));
  return h("div", {}, svg, h("p", { class: "help legend" }, h("span", { class: "dot point" }), w("study.candidates"), h("span", { class: "dot best" }), w("study.best_line"),
    held.length ? [h("span", { class: "dot held" }), w("study.held")] : [], data.added.length ? [h("span", { class: "dot added" }), w("study.added_line")] : [], h("span", { class: "dot level" }), w("study.levels")));
}

function best(value) {
  const found = value.best;
  if (!found) return section(w("study.best"), h("p", { class: "help" }, w("study.no_best")));
  return section(w("study.best"), h("p", {}, h("strong", {}, found.score === null ? "" : four(found.score)), " ", h("small", {}, found.why)),
    value.pictures.length ? h("div", { class: "tiles" }, value.pictures.map((one) => h("img", { src: one.source, alt: one.alt, title: one.alt }))) : null,
    value.gallery.length > 1 ? h("div", { class: "strip", role: "list", "aria-label": w("study.gallery") }, value.gallery.map((one) => h("figure", { role: "listitem" },
      h("a", { href: one.source, target: "_blank" }, h("img", { src: one.source, alt: one.alt, title: one.alt, loading: "lazy" })),
      h("figcaption", {}, `${one.generation}${one.score === null ? "" : ` · ${Number(one.score).toPrecision(3)}`}`)))) : null,
    h("dl", { class: "genes" }, found.genes.flatMap(([name, one]) => [h("dt", { title: name }, brief(name, 44)), h("dd", {}, typeof one === "number" ? shown(one) : String(one))])));
}

function importance(value) {
  if (value.trials < value.enough) return h("p", { class: "help" }, w("study.too_few", { count: value.enough }));
  if (!value.importance.length) return h("p", { class: "help" }, w("study.no_importance"));
  const most = value.importance[0][1] || 1;
  return h("div", { class: "shares" }, value.importance.map(([name, share]) => {
    const fill = h("span", { class: "fill" });
    fill.style.width = `${(100 * share) / most}%`;
    return h("div", { class: "share" }, h("small", { title: name }, brief(name, 40)), h("span", { class: "track" }, fill), h("small", {}, share.toFixed(2)));
  }));
}

// Which lines are strong: the best share, and within it those that pass where somebody dragged.
let top = 10;
let dragging = false;
const passed = new Map();

function parallel(data) {
  if (data.genes.length < 2 || !data.lines.length) return h("p", { class: "help" }, w("study.no_parallel"));
  const [W, H, T, B] = [width(7), 220, 18, 44];
  const x = (n) => 40 + ((W - 80) * n) / (data.genes.length - 1);
  const y = (place) => T + (H - T - B) * (1 - place);
  const svg = S("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", class: "parallel" });
  const said = h("span", { class: "help", role: "status" });
  const best = h("select", { "aria-label": w("study.top"), onchange: () => { top = +best.value; paint(); } },
    [10, 25, 50, 100].map((share) => option(share, w("study.top_share", { share }), share === top)));
  const lines = data.lines.map((one) => S("path", { d: one.places.map((place, n) => `${n ? "L" : "M"}${x(n)} ${y(place)}`).join("") }, S("title", {}, `${one.number}: ${four(one.score)}`)));
  const group = S("g", {}, ...lines);
  const spans = data.genes.map((_, n) => S("rect", { x: x(n) - 5, width: 10, class: "span" }));
  function paint() {
    const most = Math.max(1, Math.ceil((data.count * top) / 100));
    const strong = data.lines.map((one, at) => at < most && data.genes.every((gene, n) => {
      const [low, high] = passed.get(gene.name) ?? [-Infinity, Infinity];
      return one.places[n] >= low && one.places[n] <= high;
    }));
    // strong lines lie above the others
    group.append(...lines.filter((line, at) => { line.setAttribute("class", strong[at] ? "kept" : "rest"); return strong[at]; }));
    data.genes.forEach((gene, n) => {
      const [low, high] = passed.get(gene.name) ?? [0, 0];
      spans[n].setAttribute("y", y(high));
      spans[n].setAttribute("height", y(low) - y(high));
    });
    const count = strong.filter(Boolean).length;
    said.textContent = w("study.kept", { count, all: data.count });
    svg.setAttribute("aria-label", w("study.parallel_alt", { count }));
  }
  function dragged(hit, gene) {
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      return Math.min(1, Math.max(0, 1 - (((event.clientY - box.top) * H) / box.height - T) / (H - T - B)));
    };
    let from = null;
    hit.addEventListener("pointerdown", (event) => { from = at(event); dragging = true; hit.setPointerCapture(event.pointerId); passed.delete(gene.name); paint(); });
    hit.addEventListener("pointermove", (event) => {
      const to = at(event);
      if (from === null || Math.abs(to - from) < 0.02) return;
      passed.set(gene.name, [Math.min(from, to), Math.max(from, to)]);
      paint();
    });
    hit.addEventListener("lostpointercapture", () => { from = null; dragging = false; });
    return hit;
  }
  const hits = data.genes.map((gene, n) => dragged(S("rect", { x: x(n) - 12, y: T, width: 24, height: H - T - B, class: "hit" }, S("title", {}, w("study.drag"))), gene));
  data.genes.forEach((gene, n) => svg.append(S("line", { x1: x(n), x2: x(n), y1: T, y2: H - B, class: "axis" }), S("text", { x: x(n), y: T - 6, class: "tick middle" }, brief(String(gene.high), 8)),
    S("text", { x: x(n), y: H - B + 13, class: "tick middle" }, brief(String(gene.low), 8)),
    S("text", { x: x(n), y: H - B + (n % 2 ? 39 : 27), class: "tick middle" }, brief(gene.name.replace(/^models\[(.*?)\]\.parameters\./, "$1 ").replace(/^parameters\./, ""), Math.max(10, Math.floor(170 / data.genes.length))), S("title", {}, gene.name))));
  svg.append(...spans, group, ...hits);
  paint();
  return h("div", {}, svg, h("div", { class: "tools" }, best, said));
}

follow((value) => {
  if (dragging) return;
  if (root.contains(document.activeElement) && ["SELECT", "INPUT"].includes(document.activeElement.tagName)
    && document.activeElement.type !== "checkbox" && root.dataset.name === value.name && root.dataset.state === value.state) return draw(value);
  root.dataset.name = value.name;
  root.dataset.state = value.state ?? "";
  root.replaceChildren(head(value), body);
  draw(value);
});

let wide = 0;
new ResizeObserver(() => {
  if (!dragging && Math.abs(root.clientWidth - wide) > 20) { wide = root.clientWidth; draw(props.value); }
}).observe(root);
