/** The grid itself. Only what can be seen is in the document, whatever the number of cells. */

const GAP = 2;
const AHEAD = 1;

const tableView = (app) => {
  const { grid } = app;
  const corner = make("div", { class: "corner" });
  const heads = make("div", { class: "heads" });
  const sides = make("div", { class: "sides" });
  const cells = make("div", { class: "cells" });
  const field = make("div", { class: "field" }, corner, heads, sides, cells);
  const empty = make("p", { class: "empty" });
  const node = make("div", { class: "scroller", tabIndex: 0, role: "grid" }, field, empty);
  const shown = new Map(); // "column,row" → its element
  const labels = new Map(); // "c3" or "r5" → its element
  let layout = layoutOf(grid, app.state, 1000);
  let size = { width: 0, height: 0, head: 0, side: 0 };
  let order = app.state.sort;
  let drawn = ""; // what the elements at hand were made for

  /** Room for labels: what they need, within reason. */
  const measure = () => {
    const { state } = app;
    const [width, height] = grid.size;
    size.width = state.size;
    size.height = Math.round((state.size * height) / width);
    const letters = (texts) => Math.max(0, ...texts.map(widthOf));
    const lines = Math.min(4, Math.ceil((letters(layout.columns) * 7 + 8) / size.width));
    size.head = layout.ranked ? 0 : 10 + 17 * Math.max(1, lines);
    const names = letters([`${grid.axisNames[state.x]} ${grid.axisNames[state.y] ?? ""}`]) * 7 + 44;
    size.side = layout.ranked ? 0 : clamp(Math.max(letters(layout.rows) * 7 + 18, names), 40, 190);
    if (layout.ranked) size.height += 20;
  };

  const step = () => ({ across: size.width + GAP, down: size.height + GAP });

  const draw = () => {
    const { state } = app;
    layout = layoutOf(grid, state, node.clientWidth);
    measure();
    const { across, down } = step();
    field.style.gridTemplate = `${size.head}px auto / ${size.side}px auto`;
    cells.style.width = `${layout.columns.length * across}px`;
    cells.style.height = `${layout.rows.length * down}px`;
    node.classList.toggle("ranked", layout.ranked);
    node.classList.toggle("heat", state.show === "heat");
    empty.textContent = grid.cells.length ? "" : app.say("empty");
    const below = state.y === null ? "" : `${grid.axisNames[state.y]} ↓`;
    corner.replaceChildren(
      make("span", { class: "down" }, below),
      make("span", { class: "across" }, `${grid.axisNames[state.x]} →`),
    );
    const now = JSON.stringify([state.x, state.y, state.at, state.sort, state.score, size, grid.version]);
    if (now !== drawn) forget();
    drawn = now;
    if (state.sort !== order) node.scrollTo(0, 0);
    order = state.sort;
    place();
    shown.forEach((element) => dress(element));
  };

  const forget = () => {
    [shown, labels].forEach((known) => known.forEach((element) => element.remove()));
    shown.clear();
    labels.clear();
  };

  /** Bring in what has come into sight, take out what has left it. */
  const place = () => {
    const { across, down } = step();
    const range = (from, room, one, count) => [
      Math.max(0, Math.floor(from / one) - AHEAD),
      Math.min(count - 1, Math.floor((from + room) / one) + AHEAD),
    ];
    const width = node.clientWidth - size.side;
    const height = node.clientHeight - size.head;
    const [left, right] = range(node.scrollLeft, width, across, layout.columns.length);
    const [top, bottom] = range(node.scrollTop, height, down, layout.rows.length);
    const keep = new Set();
    for (let row = top; row <= bottom; row++)
      for (let column = left; column <= right; column++) {
        keep.add(`${column},${row}`);
        if (!shown.has(`${column},${row}`)) enter(column, row);
      }
    leave(shown, keep);
    const names = new Set();
    for (let column = left; column <= right; column++) names.add(`c${column}`);
    for (let row = top; row <= bottom; row++) names.add(`r${row}`);
    leave(labels, names);
    if (!layout.ranked) names.forEach((name) => labels.has(name) || label(name));
  };

  const leave = (known, keep) =>
    known.forEach((element, key) => {
      if (keep.has(key)) return;
      element.remove();
      known.delete(key);
    });

  const label = (name) => {
    const place = Number(name.slice(1));
    const { across, down } = step();
    const isColumn = name[0] === "c";
    const text = isColumn ? layout.columns[place] : layout.rows[place];
    const element = make("div", { class: "label", title: text }, make("span", {}, text));
    Object.assign(
      element.style,
      isColumn
        ? { left: `${place * across}px`, width: `${size.width}px`, height: `${size.head}px` }
        : { top: `${place * down}px`, height: `${size.height}px`, width: `${size.side}px` },
    );
    (isColumn ? heads : sides).append(element);
    labels.set(name, element);
  };

  const enter = (column, row) => {
    const cell = layout.cell(column, row);
    if (!cell && layout.ranked) return;
    const element = make("div", { class: "cell", role: "gridcell" });
    const { across, down } = step();
    Object.assign(element.style, {
      width: `${size.width}px`,
      height: `${size.height}px`,
      transform: `translate(${column * across}px, ${row * down}px)`,
    });
    element.cell = cell;
    if (cell) fill(element, cell);
    else element.append(make("div", { class: "missing", title: app.say("missing") }));
    dress(element);
    cells.append(element);
    shown.set(`${column},${row}`, element);
  };

  const fill = (element, cell) => {
    const picture = make("img", {
      alt: describe(grid, cell),
      src: sourceOf(grid, cell),
      decoding: "async",
      draggable: false,
      onerror: () => element.classList.add("broken"),
    });
    element.dataset.id = cell.id;
    element.dataset.broken = app.say("broken");
    element.append(
      make("div", { class: "window" }, picture),
      make("span", { class: "tint" }),
      make("span", { class: "score" }),
      make("span", { class: "tag" }),
    );
    if (layout.ranked) element.append(make("span", { class: "caption", title: describe(grid, cell) }, briefly(grid, cell)));
  };

  /** All of an element that may change while its cell stays. */
  const dress = (element) => {
    const { cell } = element;
    if (!cell) return;
    const { state } = app;
    const score = cell.scores[state.score];
    const known = Number.isFinite(score) && state.show !== "off";
    const [view, tint, number, tag] = element.children;
    element.classList.toggle("selected", cell.id === state.cell);
    element.setAttribute("aria-selected", String(cell.id === state.cell));
    const colour = known ? heat(standing(grid, state.score, score)) : "";
    element.classList.toggle("outlined", known && state.show === "outline");
    element.style.setProperty("--score", colour);
    tint.hidden = !(known && state.show === "heat");
    number.textContent = known && state.show !== "outline" ? scoreText(grid, state.score, score) : "";
    tag.textContent = [cell.id === state.a && "A", cell.id === state.b && "B"].filter(Boolean).join();
    tag.className = `tag ${cell.id === state.a ? "a" : "b"}`;
    overlay(view, cell);
    const zoom = app.zoomOf(cell.id);
    view.style.setProperty("--scale", zoom.scale);
    view.style.setProperty("--left", `${(0.5 - zoom.x * zoom.scale) * 100}%`);
    view.style.setProperty("--top", `${(0.5 - zoom.y * zoom.scale) * 100}%`);
    view.classList.toggle("pixels", (size.width * zoom.scale * devicePixelRatio) / grid.size[0] >= 2);
  };

  /** A in the selected cell's place while the key is held; the difference from A's column. */
  const overlay = (view, cell) => {
    const { state } = app;
    const a = grid.byId.get(app.pinned());
    const flipped = state.flip && cell.id === state.cell;
    const beside = a && grid.byPlace.get(cell.at.with(state.x, a.at[state.x]).join());
    const other = flipped ? a : state.difference ? beside : null;
    const wanted = other ? sourceOf(grid, other) : "";
    const over = view.children[1];
    view.classList.toggle("difference", Boolean(wanted) && !flipped);
    view.style.setProperty("--gain", state.gain);
    if (!wanted) over?.remove();
    else if (over?.getAttribute("src") !== wanted) {
      over?.remove();
      view.append(make("img", { alt: "", src: wanted, draggable: false }));
    }
  };

  /** Bring a cell into sight, clear of the labels. */
  const reveal = (id) => {
    const spot = spotOf(layout, id);
    if (!spot) return;
    const { across, down } = step();
    const into = (from, room, start, length) =>
      start < from ? start : start + length > from + room ? start + length - room : from;
    node.scrollTo(
      into(node.scrollLeft, node.clientWidth - size.side, spot.column * across, across),
      into(node.scrollTop, node.clientHeight - size.head, spot.row * down, down),
    );
  };

  const elementAt = (event) => event.target.closest?.(".cell[data-id]");
  node.addEventListener("scroll", oncePerFrame(place), { passive: true });
  node.addEventListener("click", (event) => {
    const element = elementAt(event);
    if (element) app.select(element.dataset.id);
  });
  node.addEventListener("dblclick", (event) => {
    if (elementAt(event)) app.change({ view: "one" });
  });
  zoomable(node, {
    any: false,
    box: (event) => elementAt(event)?.querySelector(".window").getBoundingClientRect(),
    get: (event) => app.zoomOf(elementAt(event).dataset.id),
    set: (event, zoom) => app.setZoom(elementAt(event).dataset.id, zoom),
  });
  return { node, draw, reveal, layout: () => layout };
};

/** Letters of Japanese and the like are about twice as wide as the others. */
const widthOf = (text) =>
  [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) > 0x2e7f ? 1.9 : 1), 0);
