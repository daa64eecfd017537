/** The grid as the page needs it: cells by id and by place, scores with their extent. */

const readGrid = (data) => {
  const byId = new Map();
  const byPlace = new Map();
  const extent = new Map();
  for (const cell of data.cells) {
    byId.set(cell.id, cell);
    byPlace.set(cell.at.join(), cell);
    for (const [name, score] of Object.entries(cell.scores)) {
      const [low, high] = extent.get(name) ?? [score, score];
      extent.set(name, [Math.min(low, score), Math.max(high, score)]);
    }
  }
  return { ...data, byId, byPlace, extent, axisNames: data.axes.map((axis) => axis.name) };
};

const labelOf = (grid, cell, axis) => grid.axes[axis].labels[cell.at[axis]];

/** `t .5, prompt a castle, seed 7`: a cell in words. */
const describe = (grid, cell) =>
  grid.axes.map((axis, place) => `${axis.name} ${labelOf(grid, cell, place)}`).join(", ");

/** The same for where there is little room. */
const briefly = (grid, cell) => grid.axes.map((_, place) => labelOf(grid, cell, place)).join(" · ");

const sourceOf = (grid, cell) =>
  grid.pictures?.[cell.file] ?? cell.file.split("/").map(encodeURIComponent).join("/");

/** As many decimals as tell the best from the worst. */
const scoreText = (grid, name, score) => {
  const [low, high] = grid.extent.get(name);
  const decimals = high > low ? clamp(2 - Math.floor(Math.log10(high - low)), 0, 5) : 3;
  return score.toFixed(decimals).replace(/^(-?)0\./, "$1.");
};

/** Place of a score between the worst (0) and the best (1). */
const standing = (grid, name, score) => {
  const [low, high] = grid.extent.get(name);
  return high > low ? (score - low) / (high - low) : 0.5;
};

/** Cividis (Nuñez et al. 2018): the same order of light for every kind of colour vision. */
const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

const heat = (share) => {
  const place = clamp(share, 0, 1) * (CIVIDIS.length - 1);
  const below = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mixed = CIVIDIS[below].map((from, channel) =>
    Math.round(from + (place - below) * (CIVIDIS[below + 1][channel] - from)),
  );
  return `rgb(${mixed.join(" ")})`;
};
