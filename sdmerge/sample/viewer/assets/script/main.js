/** The viewer: one state, drawn by its parts; whatever changes goes through `change`. */

const THEMES = ["auto", "dark", "light"];

const openViewer = (root, data) => {
  const grid = readGrid(data);
  const state = readAddress(grid, location.hash.slice(1));
  const app = { grid, state, ownZoom: new Map(), dragging: false };
  let theme = memory.get("theme") ?? "auto";
  let language = memory.get("language") ?? systemLanguage();
  let written = location.hash.slice(1);
  app.ownZoom.set(state.cell, state.zoom);

  const restyle = () => {
    root.dataset.theme = theme;
    document.documentElement.lang = language;
    app.say = wordsOf(data.words, language);
  };

  const writeSoon = (() => {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        written = writeAddress(grid, { ...state, zoom: app.zoomOf(state.cell) });
        history.replaceState(null, "", `#${written}`);
      }, 150);
    };
  })();

  const draw = () => {
    for (const [name, part] of Object.entries(stages)) part.node.hidden = name !== stageOf(state.view);
    parts.forEach((part) => part.draw());
    stages[stageOf(state.view)].draw();
  };
  const drawSoon = oncePerFrame(draw);

  app.change = (changed) => {
    Object.assign(state, changed);
    if (["one", "split"].includes(changed.view) && !state.cell) app.select(app.layout().first?.id);
    writeSoon();
    drawSoon();
  };

  app.layout = () => {
    const layout = layoutOf(grid, state, stages.table.node.clientWidth || 1000);
    return { ...layout, first: firstCell(layout) };
  };
  /** A, or what was selected before: what the held key shows. */
  app.pinned = () => state.a ?? state.before;

  app.select = (id) => {
    const cell = grid.byId.get(id);
    if (!cell || id === state.cell) return;
    const at = state.at.map((value, axis) => (axis === state.x || axis === state.y ? value : cell.at[axis]));
    app.change({ before: state.cell, cell: id, at });
  };

  app.move = (across, down) => {
    const layout = app.layout();
    const next = state.cell ? neighbour(layout, state.cell, across, down) : layout.first;
    if (!next) return;
    app.select(next.id);
    if (state.view === "split" && state.b) app.change({ b: next.id });
    if (state.view === "grid") stages.table.reveal(next.id);
  };

  app.pin = (name, id) => {
    if (id) app.change({ [name]: state[name] === id ? null : id });
  };

  const others = () =>
    grid.axes.map((_, place) => place).filter((place) => place !== state.x && place !== state.y);

  /** Another value of an axis aside; the selection goes along. */
  app.setAside = (axis, value) => {
    const at = state.at.map((now, place) => (place === axis ? value : now));
    const cell = grid.byId.get(state.cell);
    const moved = cell && grid.byPlace.get(cell.at.map((now, place) => (place === axis ? value : now)).join());
    app.change({ at, ...(moved ? { before: cell.id, cell: moved.id } : {}) });
  };
  app.stepAside = (which, by) => {
    const axis = others()[which];
    if (axis === undefined) return;
    const count = grid.axes[axis].values.length;
    app.setAside(axis, (state.at[axis] + by + count) % count);
  };

  /** Axes across and down; one that is taken twice changes places with the other. */
  app.setAxes = (x, y) => {
    const before = { x: state.x, y: state.y };
    if (x === y) [x, y] = x === before.x ? [before.y ?? firstOther(x), y] : [x, before.x];
    const cell = grid.byId.get(state.cell);
    app.change({ x, y, at: cell ? [...cell.at] : state.at });
  };
  const firstOther = (axis) => grid.axes.findIndex((_, place) => place !== axis);
  app.swap = () => state.y !== null && app.setAxes(state.y, state.x);

  app.zoomOf = (id) => (state.lock ? state.zoom : (app.ownZoom.get(id) ?? NO_ZOOM));
  app.setZoom = (id, zoom) => {
    if (state.lock) app.change({ zoom });
    else {
      app.ownZoom.set(id, zoom);
      app.change({});
    }
  };
  const looked = () => (state.view === "vote" ? "vote" : state.cell);
  app.zoomBy = (factor) => {
    if (state.view === "grid" && !state.lock && !state.cell) return;
    const zoom = app.zoomOf(looked());
    app.setZoom(looked(), zoomedAt(zoom, factor, zoom));
  };
  app.resetZoom = () => app.setZoom(looked(), NO_ZOOM);
  /** What is looked at keeps its zoom, whichever way the lock goes. */
  app.toggleLock = () => {
    const zoom = app.zoomOf(looked());
    app.ownZoom.set(looked(), zoom);
    app.change({ lock: !state.lock, zoom });
  };
  app.toggleDifference = () => {
    app.change({ difference: !state.difference });
  };

  app.nextTheme = () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    memory.set("theme", theme);
    restyle();
  };
  app.nextLanguage = () => {
    language = language === "en" ? "ja" : "en";
    memory.set("language", language);
    restyle();
    drawSoon();
  };
  /** Strengths, covariance, win rates and votes to go, for other pages and for tests. */
  app.fit = (count, games) => {
    const found = fitStrengths(count, games);
    return { ...found, rates: winRates(found), ...votesToGo(found, games.length) };
  };
  app.fullscreen = () =>
    document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.();

  restyle();
  const help = helpBox(app);
  app.help = help.open;
  app.helpIsOpen = help.isOpen;
  app.vote = voteView(app);
  const stages = { table: tableView(app), closeup: closeUp(app), vote: app.vote };
  const parts = [toolbar(app), panel(app)];
  const stage = make("main", { class: "stage" }, ...Object.values(stages).map((part) => part.node));
  root.classList.add("sdmerge");
  root.replaceChildren(
    parts[0].node,
    make("div", { class: "body" }, stage, parts[1].node),
    help.node,
  );
  listen(app);
  addEventListener("hashchange", () => {
    const address = location.hash.slice(1);
    if (address === written) return;
    Object.assign(state, readAddress(grid, address));
    app.ownZoom.set(state.cell, state.zoom);
    drawSoon();
  });
  new ResizeObserver(drawSoon).observe(stage);
  draw();
  return app;
};

const stageOf = (view) => (view === "grid" ? "table" : view === "vote" ? "vote" : "closeup");

globalThis.sdmergeViewer = openViewer(
  document.getElementById("viewer"),
  JSON.parse(document.getElementById("grid").textContent),
);
