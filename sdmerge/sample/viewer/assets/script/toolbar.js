/** Everything above the pictures. Drawn anew with each change: it is small. */

const toolbar = (app) => {
  const { grid } = app;
  const node = make("header", { class: "top" });

  const button = (text, key, pressed, onclick, more = {}) =>
    make("button", { type: "button", title: key, "aria-pressed": String(Boolean(pressed)), onclick, ...more }, text);

  const choice = (title, value, options, set) =>
    make(
      "label", { class: "choice" },
      make("span", {}, title),
      make(
        "select", { onchange: (event) => set(event.target.value) },
        ...options.map(([key, text]) => make("option", { value: key, selected: String(key) === String(value) }, text)),
      ),
    );

  const axisChoice = (title, value, set, may) =>
    choice(
      title, value ?? "",
      [...(may ? [["", app.say("none")]] : []), ...grid.axisNames.map((name, place) => [place, name])],
      (text) => set(text === "" ? null : Number(text)),
    );

  /** An axis that goes neither across nor down: one of its values at a time. */
  const aside = (place) => {
    const { name, labels } = grid.axes[place];
    const to = (value) => app.setAside(place, value);
    const now = app.state.at[place];
    const arrow = (text, by, word) =>
      make("button", { type: "button", class: "arrow", disabled: !(now + by in labels), onclick: () => to(now + by), title: app.say(word, { name }) }, text);
    return make(
      "span", { class: "aside" },
      arrow("‹", -1, "previous"),
      choice(name, now, labels.map((label, value) => [value, label]), (value) => to(Number(value))),
      arrow("›", 1, "next"),
    );
  };

  const slider = (title, value, [low, high, step], set) =>
    make(
      "label", { class: "choice" },
      make("span", {}, title),
      make("input", { type: "range", min: low, max: high, step, value, oninput: (event) => set(Number(event.target.value)) }),
    );

  const views = () =>
    make(
      "div", { class: "views", role: "group" },
      ...[["grid", "esc"], ["one", "enter"], ["split", "c"], ["vote", "v"]].map(([view, key]) =>
        button(app.say(view), key, app.state.view === view, () => app.change({ view })),
      ),
    );

  const first = () => {
    const { state } = app;
    return make(
      "div", { class: "line" },
      make("h1", {}, grid.title || "sdmerge"),
      make("span", { class: "count" }, app.say("pictures", { n: grid.cells.length })),
      make("span", { class: "space" }),
      views(),
      make("span", { class: "space" }),
      button(app.say("details"), "i", state.panel, () => app.change({ panel: !state.panel })),
      button("◐", app.say("theme"), false, app.nextTheme, { "aria-label": app.say("theme") }),
      button(app.say("language"), "", false, app.nextLanguage),
      button("?", app.say("help"), false, app.help, { "aria-label": app.say("help") }),
    );
  };

  const axesTools = () => {
    const { state } = app;
    const others = grid.axes.map((_, place) => place).filter((place) => place !== state.x && place !== state.y);
    const table = grid.axes.length > 1;
    return [
      ...(table ? [
        axisChoice(app.say("across"), state.x, (x) => app.setAxes(x, state.y)),
        button("⇄", `t: ${app.say("swap")}`, false, app.swap, { class: "arrow", disabled: state.y === null, "aria-label": app.say("swap") }),
        axisChoice(app.say("down"), state.y, (y) => app.setAxes(state.x, y), true),
      ] : []),
      ...(state.sort === "best" && state.view === "grid" ? [] : others.map(aside)),
    ];
  };

  const scoreTools = () => {
    const { state } = app;
    if (!grid.extent.size) return [];
    const [low, high] = grid.extent.get(state.score);
    const options = (keys) => keys.map((key) => [key, app.say(key)]);
    return [
      choice(app.say("score"), state.score, [...grid.extent.keys()].map((name) => [name, name]), (score) => app.change({ score })),
      choice(app.say("show"), state.show, options(SHOWS), (show) => app.change({ show })),
      choice(app.say("sort"), state.sort, options(SORTS), (sort) => app.change({ sort })),
      ...(["heat", "outline"].includes(state.show) ? [
        make("span", { class: "legend" }, scoreText(grid, state.score, low), make("span", { class: "scale" }), scoreText(grid, state.score, high)),
      ] : []),
    ];
  };

  const pictureTools = () => {
    const { state } = app;
    const zoom = app.zoomOf(state.cell);
    return [
      button(app.say("difference"), "d", state.difference, app.toggleDifference),
      ...(state.difference ? [slider(app.say("gain"), state.gain, [1, 32, 1], (gain) => app.change({ gain }))] : []),
      ...(state.view === "grid" ? [slider(app.say("size"), state.size, [48, 640, 8], (size) => app.change({ size }))] : []),
      button(app.say("lock"), "z", state.lock, app.toggleLock),
      ...(zoom.scale > 1 ? [button(`${zoom.scale.toFixed(1)}×`, `0: ${app.say("reset")}`, false, app.resetZoom)] : []),
    ];
  };

  const tools = () => {
    const space = () => make("span", { class: "space" });
    return make("div", { class: "line tools" }, ...axesTools(), space(), ...scoreTools(), space(), ...pictureTools());
  };

  const draw = () => {
    // a slider that is being dragged and a list that is open must not be taken away
    const busy = node.contains(document.activeElement) && document.activeElement.matches("input[type=range]");
    if (busy && app.dragging) return;
    const held_ = [...node.querySelectorAll("select, input, button")].indexOf(document.activeElement);
    node.replaceChildren(
      first(),
      ...(app.state.view === "vote" ? [] : [tools()]),
    );
    if (held_ >= 0) node.querySelectorAll("select, input, button")[held_]?.focus();
  };
  node.addEventListener("pointerdown", (event) => (app.dragging = event.target.matches("input[type=range]")));
  addEventListener("pointerup", () => {
    app.dragging = false;
  });
  return { node, draw };
};
