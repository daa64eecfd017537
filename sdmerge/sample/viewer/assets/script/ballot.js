/** Votes: which pair to ask for next, and where the answers go. */

/** Pairs of cells that differ in the compared axis alone: [value, value, cell, cell]. */
const pairsOn = (grid, axis) => {
  const groups = new Map();
  for (const cell of grid.cells) {
    const key = cell.at.filter((_, place) => place !== axis).join();
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const pairs = [];
  for (const cells of groups.values())
    cells.forEach((one, i) =>
      cells.slice(i + 1).forEach((two) => pairs.push([one.at[axis], two.at[axis], one, two])),
    );
  return pairs;
};

/** Votes without those that were taken back. */
const standingVotes = (lines) => {
  const undone = new Set(lines.map((line) => line.undo));
  return lines.filter((line) => line.id && !undone.has(line.id));
};

const SHARE = { left: 1, right: 0, tie: 0.5 };

/** The votes as games between values of an axis; "both bad" says nothing of which is better. */
const gamesOn = (grid, axis, votes) =>
  votes.flatMap(({ left, right, choice }) => {
    const one = grid.byId.get(left)?.at[axis];
    const two = grid.byId.get(right)?.at[axis];
    const counts = one !== undefined && two !== undefined && one !== two && choice in SHARE;
    return counts ? [[one, two, SHARE[choice]]] : [];
  });

const ballot = (grid) => {
  const lines = grid.post ? [...grid.votes] : (memory.get(`votes.${grid.id}`) ?? [...grid.votes]);
  let unwritten = false;

  const keep = async (line) => {
    lines.push(line);
    memory.set(`votes.${grid.id}`, lines);
    if (!grid.post) return;
    try {
      const answer = await fetch(grid.post, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(line),
      });
      unwritten ||= !answer.ok;
    } catch {
      unwritten = true;
    }
  };

  const fit = (axis) => {
    const games = gamesOn(grid, axis, standingVotes(lines));
    return { ...fitStrengths(grid.axes[axis].values.length, games), votes: games.length };
  };

  /** The pair most worth asking for, among those asked the fewest times; sides by chance. */
  const next = (axis) => {
    const pairs = pairsOn(grid, axis);
    if (!pairs.length) return null;
    const found = fit(axis);
    const seen = new Map();
    for (const { left, right } of standingVotes(lines)) {
      const key = [left, right].sort().join();
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    const worth = pairs.map(([i, j, one, two]) => [
      worthAsking(found, i, j) / (1 + (seen.get([one.id, two.id].sort().join()) ?? 0)),
      Math.random(),
      one,
      two,
    ]);
    const [, , one, two] = worth.reduce((best, pair) => {
      const closer = Math.abs(pair[0] - best[0]) < 1e-9 ? pair[1] > best[1] : pair[0] > best[0];
      return closer ? pair : best;
    });
    return Math.random() < 0.5 ? { left: one, right: two } : { left: two, right: one };
  };

  const cast = ({ left, right }, choice) =>
    keep({ id: fresh(), left: left.id, right: right.id, choice, at: new Date().toISOString() });

  /** Take the last vote back; the vote, or null if there is none. */
  const undo = () => {
    const last = standingVotes(lines).at(-1) ?? null;
    if (last) keep({ undo: last.id, at: new Date().toISOString() });
    return last;
  };

  const text = () => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const count = () => standingVotes(lines).length;
  return { next, cast, undo, fit, text, count, get unwritten() { return unwritten; } };
};

const fresh = () =>
  [...crypto.getRandomValues(new Uint8Array(8))].map((n) => n.toString(16).padStart(2, "0")).join("");
