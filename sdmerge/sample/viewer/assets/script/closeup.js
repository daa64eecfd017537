/** Large pictures: one alone, two with a divider, or their difference, all at the same pixel. */

/** A window onto one or two pictures that lie exactly on each other. */
const frame = (app, zoomId) => {
  const layers = ["below", "above"].map((name) => {
    const picture = make("img", { draggable: false, onload: loaded });
    return { picture, node: make("div", { class: `layer ${name}` }, picture) };
  });
  const node = make("div", { class: "frame" }, ...layers.map((layer) => layer.node));
  let shownZoom = NO_ZOOM;

  function loaded() {
    fit();
    this.decode().catch(() => undefined); // ready before the key is pressed
  }

  const sizeOf = (picture) => {
    const [width, height] = picture.naturalWidth
      ? [picture.naturalWidth, picture.naturalHeight]
      : app.grid.size;
    const factor = Math.min(node.clientWidth / width, node.clientHeight / height);
    return { width: width * factor, height: height * factor, factor };
  };

  const fit = () => {
    for (const { picture } of layers) {
      const { width, height, factor } = sizeOf(picture);
      const { scale, x, y } = shownZoom;
      picture.style.width = `${width}px`;
      picture.style.height = `${height}px`;
      picture.style.transform =
        `translate(${(0.5 - x) * width * scale - width / 2}px, ` +
        `${(0.5 - y) * height * scale - height / 2}px) scale(${scale})`;
      picture.classList.toggle("pixels", factor * scale * devicePixelRatio >= 2);
    }
  };

  const put = (layer, cell, alt) => {
    layer.node.hidden = !cell;
    if (!cell) return;
    const source = sourceOf(app.grid, cell);
    if (layer.picture.getAttribute("src") !== source) layer.picture.src = source;
    layer.picture.alt = alt;
  };

  /** `below` and `above` are cells or null; `over` says how the upper one lies on the lower. */
  const show = ({ below, above, over = "veil", blind = "" }) => {
    put(layers[0], below, blind || (below ? describe(app.grid, below) : ""));
    put(layers[1], above, blind || (above ? describe(app.grid, above) : ""));
    node.dataset.over = over;
    node.style.setProperty("--divider", `${app.state.divider * 100}%`);
    node.style.setProperty("--gain", app.state.gain);
    shownZoom = app.zoomOf(zoomId());
    node.classList.toggle("zoomed", shownZoom.scale > 1);
    fit();
  };

  const box = () => {
    const { left, top } = node.getBoundingClientRect();
    const { width, height } = sizeOf(layers[0].picture);
    return {
      left: left + (node.clientWidth - width) / 2,
      top: top + (node.clientHeight - height) / 2,
      width,
      height,
    };
  };
  zoomable(node, {
    any: true,
    box,
    get: () => app.zoomOf(zoomId()),
    set: (_, zoom) => app.setZoom(zoomId(), zoom),
  });
  new ResizeObserver(fit).observe(node);
  return { node, show };
};

const closeUp = (app) => {
  const { grid } = app;
  const window_ = frame(app, () => app.state.cell);
  const divider = make("div", { class: "divider", tabIndex: 0, role: "slider" });
  const captions = [make("div", { class: "caption a" }), make("div", { class: "caption b" })];
  const hint = make("p", { class: "empty" });
  window_.node.append(divider);
  const node = make("div", { class: "closeup" }, ...captions, window_.node, hint);

  const draw = () => {
    const { state } = app;
    const cell = grid.byId.get(state.cell) ?? null;
    const a = grid.byId.get(app.pinned()) ?? null;
    const split = state.view === "split";
    const b = split ? (grid.byId.get(state.b) ?? cell) : cell;
    const apart = state.difference;
    const pair = a && b && (split || apart);
    hint.textContent = cell ? ((split || apart) && !a ? app.say("needs") : "") : app.say("choose");
    window_.node.hidden = !b;
    // A is always there, so that the held key shows it at once
    const over = pair ? (apart ? "difference" : "split") : "veil";
    window_.show({
      below: pair ? a : b,
      above: pair ? b : a,
      over: state.flip ? (pair ? "veil" : "cover") : over,
    });
    divider.hidden = !(pair && !apart && !state.flip);
    divider.style.left = `${state.divider * 100}%`;
    divider.setAttribute("aria-label", app.say("divider"));
    divider.setAttribute("aria-valuenow", String(Math.round(state.divider * 100)));
    const flipped = state.flip && a;
    caption(captions[0], flipped || pair ? a : null, "A");
    caption(captions[1], flipped ? null : b, pair ? "B" : "");
    preload();
  };

  const caption = (element, cell, tag) => {
    element.hidden = !cell;
    if (!cell) return;
    const score = cell.scores[app.state.score];
    element.replaceChildren(
      ...(tag ? [make("b", {}, tag)] : []),
      make("span", {}, describe(grid, cell)),
      ...(Number.isFinite(score) ? [make("i", {}, scoreText(grid, app.state.score, score))] : []),
    );
  };

  /** The pictures an arrow key away, and A. */
  const preload = () => {
    const { state } = app;
    const layout = app.layout();
    const near = [[1, 0], [-1, 0], [0, 1], [0, -1]].map(
      ([across, down]) => state.cell && neighbour(layout, state.cell, across, down),
    );
    for (const cell of [...near, grid.byId.get(app.pinned())])
      if (cell) make("img", { src: sourceOf(grid, cell) });
  };

  const moveTo = (event) => {
    const { left, width } = window_.node.getBoundingClientRect();
    app.change({ divider: clamp((event.clientX - left) / width, 0, 1) });
  };
  divider.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) moveTo(event);
  });
  window_.node.addEventListener("dblclick", () => app.change({ view: "grid" }));
  return { node, draw };
};
