/** One key, one gesture; never while something is typed. */

const KEY_LIST = [
  ["← → ↑ ↓", "keys.move"], ["enter", "keys.open"], ["space", "keys.flip"], ["a  b", "keys.pin"],
  ["c", "keys.split"], ["d", "keys.difference"], ["+ −  0", "keys.zoom"], ["z", "keys.lock"],
  ["[  ]", "keys.other"], ["s", "keys.sort"], ["h", "keys.show"], ["t", "keys.swap"],
  ["v", "keys.vote"], ["i  l  f  ?", "keys.panel"],
];

const helpBox = (app) => {
  const node = make("dialog", { class: "help" });
  const open = () => {
    node.replaceChildren(
      make("h2", {}, app.say("help")),
      make("dl", {}, ...KEY_LIST.flatMap(([keys, word]) => [
        make("dt", {}, ...keys.split(/ +/).map((key) => make("kbd", {}, key))),
        make("dd", {}, app.say(word)),
      ])),
      make("form", { method: "dialog" }, make("button", {}, app.say("close"))),
    );
    node.showModal();
  };
  node.addEventListener("click", (event) => event.target === node && node.close());
  return { node, open, close: () => node.close(), isOpen: () => node.open };
};

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const VOTES = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie", x: "bad" };

/** Key → what it does; the vote's keys come before the others while voting. */
const keyTable = (app) => {
  const { state } = app;
  const cycle = (name, known) => () =>
    app.change({ [name]: known[(known.indexOf(state[name]) + 1) % known.length] });
  const moves = Object.entries(ARROWS).map(([key, way]) => [key, () => app.move(...way)]);
  const votes = Object.entries(VOTES).map(([key, choice]) => [key, () => app.vote.answer(choice)]);
  return new Map([
    ...moves,
    ["Enter", () => app.change({ view: state.view === "one" ? "grid" : "one" })],
    ["Escape", () => app.change({ view: "grid" })],
    ["a", () => app.pin("a", state.cell)],
    ["b", () => app.pin("b", state.cell)],
    ["c", () => app.change({ view: state.view === "split" ? "grid" : "split" })],
    ["d", app.toggleDifference],
    ["z", app.toggleLock],
    ["0", app.resetZoom],
    ["+", () => app.zoomBy(1.5)],
    ["=", () => app.zoomBy(1.5)],
    ["-", () => app.zoomBy(1 / 1.5)],
    ["[", () => app.stepAside(0, -1)],
    ["]", () => app.stepAside(0, 1)],
    ["{", () => app.stepAside(1, -1)],
    ["}", () => app.stepAside(1, 1)],
    [",", () => app.change({ divider: clamp(state.divider - 0.02, 0, 1) })],
    [".", () => app.change({ divider: clamp(state.divider + 0.02, 0, 1) })],
    ["s", cycle("sort", SORTS)],
    ["h", cycle("show", SHOWS)],
    ["t", app.swap],
    ["v", () => app.change({ view: state.view === "vote" ? "grid" : "vote" })],
    ["i", () => app.change({ panel: !state.panel })],
    ["l", app.nextTheme],
    ["f", app.fullscreen],
    ["?", app.help],
    ...(state.view === "vote" ? [...votes, ["u", app.vote.undo], ["ArrowUp", () => undefined]] : []),
  ]);
};

const listen = (app) => {
  const typing = (target) => target.matches?.("input:not([type=range], [type=checkbox]), textarea");
  const choosing = (target, key) => target.matches?.("select, input[type=range]") && key in ARROWS;
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || app.helpIsOpen() || typing(target)) return;
    if (key === " ") {
      event.preventDefault();
      if (!event.repeat) app.change({ flip: true });
      return;
    }
    if (choosing(target, key) || (key === "Enter" && target.matches?.("button, a, select"))) return;
    const work = keyTable(app).get(key.length === 1 ? key.toLowerCase() : key);
    if (!work) return;
    event.preventDefault();
    work();
  });
  const release = () => app.state.flip && app.change({ flip: false });
  addEventListener("keyup", (event) => event.key === " " && release());
  addEventListener("blur", release);
};
