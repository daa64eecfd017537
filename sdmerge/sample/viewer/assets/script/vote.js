/** Blind votes: two pictures, nothing that tells them apart but what they show. */

const voteView = (app) => {
  const { grid } = app;
  const votes = ballot(grid);
  const axes = grid.axes.map((_, place) => place).filter((axis) => pairsOn(grid, axis).length);
  const frames = ["left", "right"].map((side) => {
    const one = frame(app, () => "vote");
    one.node.addEventListener("dblclick", () => answer(side));
    return one;
  });
  const question = make("p", { class: "question" });
  const buttons = make("div", { class: "choices" });
  const progress = make("p", { class: "progress" });
  const context = make("p", { class: "context" });
  const standings = make("div", { class: "standings" });
  const foot = make("div", { class: "foot" });
  const kept = make("p", { class: "kept" });
  const node = make(
    "div", { class: "voting" },
    make("div", { class: "pair" }, ...frames.map((one) => one.node)),
    make("div", { class: "booth" }, question, buttons, context, progress, standings, foot, kept),
  );
  let pair = null;
  let open = false; // whether the standings are shown

  const axis = () => (axes.includes(app.state.compare) ? app.state.compare : (axes[0] ?? null));

  const answer = (choice) => {
    if (!pair) return;
    votes.cast(pair, choice).then(drawFoot);
    pair = votes.next(axis());
    app.change({});
  };

  const undo = () => {
    const last = votes.undo();
    if (last) pair = { left: grid.byId.get(last.left), right: grid.byId.get(last.right) };
    app.change({});
  };

  const draw = () => {
    question.textContent = app.say(axes.length ? "question" : "onevalue");
    node.classList.toggle("nothing", !axes.length);
    if (!axes.length) return;
    if (!pair || onlyDifference(pair) !== axis()) pair = votes.next(axis());
    frames.forEach((one, place) => {
      const side = place ? "right" : "left";
      one.show({ below: pair[side], above: null, blind: app.say(side) });
    });
    drawChoices();
    // what both have in common may be said: prompt and seed, not what is compared
    context.textContent = grid.axes
      .filter((_, place) => place !== axis())
      .map(({ name, labels }) => `${name} ${labels[pair.left.at[grid.axisNames.indexOf(name)]]}`)
      .join(" · ");
    drawProgress();
    drawFoot();
  };

  const onlyDifference = ({ left, right }) =>
    left.at.findIndex((value, place) => value !== right.at[place]);

  const drawChoices = () => {
    const keys = [["left", "←"], ["tie", "↓"], ["right", "→"], ["bad", "x"]];
    buttons.replaceChildren(
      ...keys.map(([choice, key]) =>
        make("button", { type: "button", onclick: () => answer(choice) },
          make("kbd", {}, key), app.say(choice)),
      ),
      make("button", { type: "button", class: "quiet", disabled: !votes.count(), onclick: undo },
        make("kbd", {}, "u"), app.say("undo")),
    );
  };

  const drawProgress = () => {
    const found = votes.fit(axis());
    const { best, more } = votesToGo(found, found.votes);
    const name = `${grid.axisNames[axis()]} ${grid.axes[axis()].labels[best]}`;
    const settled = found.votes > 0 && more === 0;
    // a number beyond this is a guess; who leads is not said to those who vote blind
    const togo = found.votes < 5 || more > 99 ? "" : app.say("togo", { n: more });
    const left = settled ? app.say(open ? "winner" : "settled", { name }) : togo;
    progress.textContent = [app.say("pair", { n: votes.count() + 1 }), left].filter(Boolean).join(" · ");
    standings.replaceChildren(
      make("label", {},
        make("input", { type: "checkbox", checked: open, onchange: (event) => {
          open = event.target.checked;
          app.change({});
        } }),
        app.say("standings")),
      ...(open ? [table(found)] : []),
    );
  };

  const table = (found) => {
    const rates = winRates(found);
    const order = rates.map((_, place) => place).sort((i, j) => rates[j].rate - rates[i].rate);
    const percent = (share) => `${Math.round(share * 100)}`;
    return make(
      "table", {},
      make("caption", {}, app.say("interval")),
      ...order.map((place) => {
        const { rate, low, high } = rates[place];
        const bar = make("span", { class: "bar" }, make("span", { class: "range" }), make("span", { class: "dot" }));
        bar.style.setProperty("--low", low);
        bar.style.setProperty("--high", high);
        bar.style.setProperty("--rate", rate);
        return make(
          "tr", {},
          make("th", { scope: "row" }, grid.axes[axis()].labels[place]),
          make("td", {}, bar),
          make("td", { class: "numbers" }, `${percent(rate)} % (${percent(low)}–${percent(high)})`),
        );
      }),
    );
  };

  const drawFoot = () => {
    const choice = make(
      "select", { "aria-label": app.say("compare"), onchange: (event) => {
        pair = null;
        app.change({ compare: Number(event.target.value) });
      } },
      ...axes.map((place) => make("option", { value: place, selected: place === axis() }, grid.axisNames[place])),
    );
    kept.textContent = app.say(votes.unwritten ? "unwritten" : grid.post ? "written" : "kept");
    kept.classList.toggle("warning", votes.unwritten);
    foot.replaceChildren(
      make("label", {}, app.say("compare"), choice),
      ...(grid.post && !votes.unwritten ? [] : [
        make("button", { type: "button", disabled: !votes.count(), onclick: () => saveAs("votes.jsonl", votes.text()) },
          app.say("download")),
      ]),
    );
  };

  return { node, draw, answer, undo, votes };
};
