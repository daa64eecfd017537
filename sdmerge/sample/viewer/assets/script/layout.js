/** Which cell stands where: axes across and down, or all cells from the best on. */

const placeKey = (state, across, down) => {
  const at = [...state.at];
  at[state.x] = across;
  if (state.y !== null) at[state.y] = down;
  return at.join();
};

/** columns and rows are indices of axis values; `cell(column, row)` counts in their order. */
const tableLayout = (grid, state) => {
  const columns = grid.axes[state.x].values.map((_, place) => place);
  const rows = state.y === null ? [0] : grid.axes[state.y].values.map((_, place) => place);
  const found = (across, down) => grid.byPlace.get(placeKey(state, across, down));
  if (state.sort === "mean" && state.score !== null) {
    const mean = (cells) => {
      const scores = cells.map((cell) => cell?.scores[state.score]).filter(Number.isFinite);
      return scores.length ? scores.reduce((sum, one) => sum + one, 0) / scores.length : -Infinity;
    };
    const ranked = (places, line) => {
      const means = new Map(places.map((place) => [place, mean(line(place))]));
      return [...places].sort((one, two) => means.get(two) - means.get(one) || one - two);
    };
    const byColumn = ranked(columns, (across) => rows.map((down) => found(across, down)));
    const byRow = ranked(rows, (down) => columns.map((across) => found(across, down)));
    columns.splice(0, columns.length, ...byColumn);
    rows.splice(0, rows.length, ...byRow);
  }
  return {
    ranked: false,
    columns: columns.map((place) => grid.axes[state.x].labels[place]),
    rows: rows.map((place) => (state.y === null ? "" : grid.axes[state.y].labels[place])),
    cell: (column, row) => found(columns[column], rows[row]),
  };
};

const rankedLayout = (grid, state, width) => {
  const score = (cell) => cell.scores[state.score] ?? -Infinity;
  const cells = [...grid.cells].sort((one, two) => score(two) - score(one));
  const columns = Math.max(1, Math.floor(width / (state.size + GAP)));
  return {
    ranked: true,
    columns: Array(Math.min(columns, cells.length)).fill(""),
    rows: Array(Math.ceil(cells.length / columns)).fill(""),
    cell: (column, row) => cells[row * columns + column],
  };
};

const layoutOf = (grid, state, width) =>
  state.sort === "best" && state.score !== null
    ? rankedLayout(grid, state, width)
    : tableLayout(grid, state);

const spotOf = (layout, id) => {
  for (let row = 0; row < layout.rows.length; row++)
    for (let column = 0; column < layout.columns.length; column++)
      if (layout.cell(column, row)?.id === id) return { column, row };
  return null;
};

/** The next cell from `id` in that direction; over gaps, and none at the edge. */
const neighbour = (layout, id, across, down) => {
  let spot = spotOf(layout, id);
  if (!spot) return firstCell(layout);
  for (;;) {
    spot = { column: spot.column + across, row: spot.row + down };
    if (!(spot.column in layout.columns && spot.row in layout.rows)) return null;
    const cell = layout.cell(spot.column, spot.row);
    if (cell) return cell;
  }
};

const firstCell = (layout) => {
  for (let row = 0; row < layout.rows.length; row++)
    for (let column = 0; column < layout.columns.length; column++) {
      const cell = layout.cell(column, row);
      if (cell) return cell;
    }
  return null;
};
