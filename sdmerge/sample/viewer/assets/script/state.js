/** What is being looked at. All of it but a held key lies in the address, so a link shows it. */

const VIEWS = ["grid", "one", "split", "vote"];
const SHOWS = ["number", "outline", "heat", "off"];
const SORTS = ["given", "mean", "best"];
const NO_ZOOM = Object.freeze({ scale: 1, x: 0.5, y: 0.5 });

const freshState = (grid) => ({
  view: "grid",
  x: 0,
  y: grid.axes.length > 1 ? 1 : null,
  at: grid.axes.map(() => 0),
  cell: null,
  before: null,
  a: null,
  b: null,
  score: [...grid.extent.keys()][0] ?? null,
  show: "number",
  sort: "given",
  size: 160,
  lock: true,
  zoom: NO_ZOOM,
  difference: false,
  gain: 4,
  divider: 0.5,
  compare: null,
  panel: innerWidth >= 1000,
  flip: false,
});

const oneOf = (known) => (text) => (known.includes(text) ? text : undefined);
const numberIn = (low, high) => (text) => {
  const value = Number(text);
  return text !== "" && Number.isFinite(value) ? clamp(value, low, high) : undefined;
};
const flag = (text) => (text === "1" ? true : text === "0" ? false : undefined);

/** How each part of the state is written into the address and read back. */
const fields = (grid) => {
  const axis = {
    write: (place) => (place === null ? "" : grid.axisNames[place]),
    read: (name) => (grid.axisNames.includes(name) ? grid.axisNames.indexOf(name) : undefined),
  };
  const cell = { write: (id) => id ?? "", read: (id) => (grid.byId.has(id) ? id : undefined) };
  const plain = (read) => ({ write: String, read });
  const yes = { write: (value) => (value ? "1" : "0"), read: flag };
  return {
    view: plain(oneOf(VIEWS)),
    x: axis,
    y: { write: axis.write, read: (name) => (name === "" ? null : axis.read(name)) },
    cell,
    a: cell,
    b: cell,
    score: plain(oneOf([...grid.extent.keys()])),
    show: plain(oneOf(SHOWS)),
    sort: plain(oneOf(SORTS)),
    size: plain(numberIn(48, 640)),
    lock: yes,
    difference: yes,
    gain: plain(numberIn(1, 32)),
    divider: plain(numberIn(0, 1)),
    compare: axis,
    panel: yes,
    zoom: { write: ({ scale, x, y }) => [scale, x, y].map((n) => +n.toFixed(4)).join(), read: readZoom },
  };
};

const readZoom = (text) => {
  const [scale, x, y] = text.split(",").map(Number);
  return [scale, x, y].every(Number.isFinite) ? held({ scale, x, y }) : undefined;
};

/** Only what differs from a fresh page, so that addresses stay short. */
const writeAddress = (grid, state) => {
  const fresh = freshState(grid);
  const words = new URLSearchParams();
  for (const [name, { write }] of Object.entries(fields(grid))) {
    if (state[name] !== null && write(state[name]) !== write(fresh[name])) words.set(name, write(state[name]));
    if (name === "y" && state.y === null && fresh.y !== null) words.set("y", "");
  }
  grid.axes.forEach((axis, place) => {
    if (state.at[place]) words.set(`at.${axis.name}`, axis.labels[state.at[place]]);
  });
  return words.toString();
};

/** The state an address means; what it says that the grid does not have is left out. */
const readAddress = (grid, address) => {
  const words = new URLSearchParams(address);
  const state = freshState(grid);
  for (const [name, { read }] of Object.entries(fields(grid))) {
    const value = words.has(name) ? read(words.get(name)) : undefined;
    if (value !== undefined) state[name] = value;
  }
  grid.axes.forEach((axis, place) => {
    const found = axis.labels.indexOf(words.get(`at.${axis.name}`));
    if (found >= 0) state.at[place] = found;
  });
  if (state.x === state.y) state.y = grid.axes.findIndex((_, place) => place !== state.x);
  if (state.y === -1) state.y = null;
  return state;
};
