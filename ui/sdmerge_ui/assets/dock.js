// The jobs: what runs, how far it is, what waits, what came of it.
const act = (what, number) => () => trigger("act", { do: what, number });
const seconds = (value) => value >= 90 ? w("dock.minutes", { count: Math.round(value / 60) }) : w("dock.seconds", { count: Math.max(0, Math.round(value)) });
follow((value) => {
  const jobs = value.jobs.map(card);
  root.replaceChildren(h("h3", {}, w("dock.title")), ...(jobs.length ? jobs : [h("p", { class: "empty" }, w("dock.empty"))]));
});

function card(job) {
  const running = job.state === "running";
  const head = h("div", { class: "head" }, h("span", { class: "sign", "aria-hidden": "true" }, { running: "▶", queued: "⏸", done: "✓", failed: "✕" }[job.state] ?? "■"),
    h("strong", {}, `${job.number} `), h("span", { class: "what", title: job.title }, `${job.kind} ${job.title}`), h("span", { class: "grow" }), ...buttons(job));
  const lines = [head];
  if (running && job.progress) {
    const { phase, done, total, unit, rate, left } = job.progress;
    const counted = unit === "bytes" ? `${(done / 1e6).toFixed(0)} / ${(total / 1e6).toFixed(0)} MB` : `${done} / ${total}`;
    const speed = unit === "bytes" && rate ? ` · ${(rate / 1e6).toFixed(0)} MB/s` : "";
    lines.push(h("small", {}, `${phase} ${counted}${speed}${left === null ? "" : ` · ${w("dock.left", { time: seconds(left) })}`}`),
      h("progress", { max: total || 1, value: done, "aria-label": phase }));
  } else if (running) lines.push(h("small", {}, w("dock.begins")));
  if (job.state === "queued") lines.push(h("small", {}, w("dock.waits")));
  if (job.error) lines.push(h("p", { class: "fault", role: "alert" }, job.error));
  if (job.state === "done" && job.results.length) lines.push(h("small", { title: job.results.join("\n") }, job.results[0]));
  return h("div", { class: `job ${job.state}`, "data-job": job.number }, ...lines);
}

function buttons(job) {
  if (job.state === "running") {
    return [job.stopping > 10 ? button(w("dock.kill"), act("kill", job.number), { class: "danger" })
      : button(job.stopping >= 0 ? w("dock.stopping") : w("dock.stop"), act("stop", job.number), { disabled: job.stopping >= 0 })];
  }
  if (job.state === "queued") {
    return [icon("↑", w("dock.up"), act("up", job.number)), icon("↓", w("dock.down"), act("down", job.number)),
      icon("×", w("dock.stop"), act("stop", job.number))];
  }
  const again = ["failed", "cancelled", "interrupted"].includes(job.state);
  return [job.recipe ? button(w("dock.open"), act("open", job.number)) : null,
    again ? button(w("dock.retry"), act("retry", job.number)) : null].filter(Boolean);
}
