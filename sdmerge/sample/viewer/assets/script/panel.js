/** The selected cell in words and numbers. */

const panel = (app) => {
  const { grid } = app;
  const node = make("aside", { class: "panel" });

  const row = (term, ...told) => [make("dt", {}, term), make("dd", {}, ...told)];

  const scores = (cell) =>
    Object.entries(cell.scores).flatMap(([name, score]) => {
      const better = grid.cells.filter((other) => other.scores[name] > score).length;
      const n = grid.cells.filter((other) => Number.isFinite(other.scores[name])).length;
      return row(
        name,
        make("b", {}, scoreText(grid, name, score)),
        make("small", {}, app.say("rank", { place: better + 1, n })),
      );
    });

  const settings = () => {
    const told = Object.entries(grid.settings).filter(([, value]) => value !== null && value !== "");
    return told.length ? row(app.say("settings"), told.map(([name, value]) => `${name} ${value}`).join(", ")) : [];
  };

  const pins = (cell) =>
    ["a", "b"].map((name) =>
      make(
        "button",
        { type: "button", class: `pin ${name}`, title: name, "aria-pressed": String(app.state[name] === cell.id),
          onclick: () => app.pin(name, cell.id) },
        app.say(name === "a" ? "pinA" : "pinB"),
      ),
    );

  const draw = () => {
    const { state } = app;
    const cell = grid.byId.get(state.cell);
    node.hidden = !state.panel || state.view === "vote";
    if (node.hidden) return;
    if (!cell) {
      node.replaceChildren(make("p", { class: "hint" }, app.say("choose")));
      return;
    }
    const told = grid.axes.flatMap((axis, place) =>
      axis.labels[cell.at[place]] === cell.prompt ? [] : row(axis.name, labelOf(grid, cell, place)),
    );
    const has = (name) => grid.axisNames.includes(name);
    node.replaceChildren(
      make("img", { src: sourceOf(grid, cell), alt: describe(grid, cell), class: `preview${grid.size[0] <= 128 ? " pixels" : ""}` }),
      make("p", { class: "prompt", title: app.say("prompt") }, cell.prompt),
      make("dl", {},
        ...told,
        ...(has("seed") ? [] : row(app.say("seed"), String(cell.seed))),
        ...(cell.recipe ? row(app.say("recipe"), make("code", {}, cell.recipe.slice(0, 12))) : []),
        ...scores(cell),
        ...(cell.seconds === null ? [] : row(app.say("seconds"), cell.seconds.toFixed(1))),
        ...settings(),
      ),
      make("div", { class: "pins" }, ...pins(cell)),
      make("a", { href: sourceOf(grid, cell), target: "_blank", rel: "noreferrer" }, app.say("picture")),
    );
  };
  return { node, draw };
};
