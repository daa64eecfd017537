// What every element uses. User's texts become text nodes, never HTML.
const root = element.firstElementChild;
const w = (key, values = {}) =>
  (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (["value", "checked", "disabled", "hidden", "selected"].includes(name)) made[name] = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const option = (value, label, selected) => h("option", { value, selected }, label);
const button = (label, onclick, attributes = {}) =>
  h("button", { type: "button", onclick, ...attributes }, label);
const icon = (sign, label, onclick, attributes = {}) =>
  button(sign, onclick, { class: "icon", "aria-label": label, title: label, ...attributes });

// one step of undo: from pressing a control to letting it go
let gesture = 0;
root.addEventListener("pointerdown", () => { gesture += 1; }, true);
root.addEventListener("focusin", () => { gesture += 1; }, true);

// edits are sent at most every 60 ms, the last one always
let waiting = new Map();
let timer = 0;
const touched = new Map();
// what comes back while somebody still moves a control is older than what it shows
const fresh = (address) => performance.now() - (touched.get(address) ?? -1e9) < 700;
function edit(address, value) {
  waiting.set(address, value);
  touched.set(address, performance.now());
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    const edits = [...waiting];
    waiting = new Map();
    trigger("edit", { edits, gesture: `${root.className}${gesture}` });
  }, 60);
}

const shown = (number) => String(Math.round(number * 1e4) / 1e4);

// A control for a field of sdmerge_ui.controls; `update` puts another value in, unless somebody
// just moved it.
function control(field) {
  const made = plainControl(field);
  return { ...made, update: (one) => { if (fresh(one.address)) again(); else made.update(one); } };
}

function plainControl(field) {
  const say = (value) => edit(field.address, value);
  const name = field.label ?? field.name;
  if (field.kind === "bool") {
    const box = h("input", { type: "checkbox", onchange: () => say(box.checked), "aria-label": name });
    return { node: h("label", { class: "switch" }, box, " "), update: (one) => { box.checked = one.value; } };
  }
  if (field.kind === "choice") {
    const labels = field.labels ?? field.choices;
    const list = h("select", { onchange: () => say(list.value), "aria-label": name },
      field.choices.map((value, n) => option(value, labels[n])));
    return { node: list, update: (one) => { list.value = one.value; } };
  }
  if (field.kind === "text" || field.kind === "lines") {
    const box = h(field.kind === "lines" ? "textarea" : "input",
      { onchange: () => say(box.value), "aria-label": name, placeholder: field.placeholder ?? "" });
    return { node: box, update: (one) => { if (document.activeElement !== box) box.value = one.value; } };
  }
  return numeric(field, name, say);
}

function numeric(field, name, say) {
  const [low, high] = field.limits ?? [null, null];
  const number = h("input", { type: "number", min: low, max: high, step: "any", "aria-label": name,
    onchange: () => { if (number.value !== "" && number.checkValidity()) send(+number.value); } });
  const slider = field.low === undefined ? null : h("input", { type: "range", "aria-label": name,
    min: field.low, max: field.high, step: field.step, oninput: () => send(+slider.value) });
  function send(value) {
    show(value);
    say(value);
  }
  function show(value) {
    if (slider) {
      if (value > +slider.max) slider.max = value;
      if (value < +slider.min) slider.min = value;
      slider.value = value;
      slider.style.setProperty("--at", `${(100 * (value - slider.min)) / (slider.max - slider.min || 1)}%`);
    }
    number.value = shown(value);
  }
  const [a, b] = field.ends ?? [];
  const track = slider && a
    ? h("span", { class: "track" }, h("span", { class: "end", title: a }, a), slider,
        h("span", { class: "end", title: b }, b))
    : slider;
  return {
    node: h("span", { class: "numeric" }, track, number),
    update: (one) => { if (number.value === "" || +number.value !== one.value) show(one.value); },
  };
}

// A field with its name and help; an error of the plan stands at its cause.
function row(field) {
  const made = control(field);
  const curve = h("button", { type: "button", class: "chip", onclick: () => edit(field.address, null) },
    w("common.curve"));
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const node = h("div", { class: `field ${field.kind}` },
    h("span", { class: "name", title: field.help }, field.label ?? field.name), made.node, curve,
    field.help ? h("p", { class: "help" }, field.help) : null, fault);
  return {
    node,
    fault,
    update(one) {
      made.update(one);
      curve.hidden = !one.curve;
      node.classList.toggle("has-curve", !!one.curve);
    },
  };
}

// Puts nodes in order without moving those that stay: one that is being clicked must.
function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const old of [...parent.children]) if (!wanted.has(old)) old.remove();
  nodes.forEach((node, n) => { if (parent.children[n] !== node) parent.insertBefore(node, parent.children[n] ?? null); });
}

// Builds anew what has another shape, and puts new values into what has the same.
function keeper(shape, build) {
  let known = null;
  let parts = null;
  return (value) => {
    const now = JSON.stringify(shape(value));
    if (now !== known) {
      known = now;
      parts = build(value);
    }
    return parts;
  };
}
const fieldShape = (one) => [one.address, one.kind, one.low, one.high, one.ends, one.choices, one.label, one.labels];

function tell(fault, error) {
  fault.hidden = !error;
  fault.textContent = error ?? "";
}

let again = () => {};
function follow(show) {
  let later = 0;
  const shownNow = () => { if (props.value !== null && props.value !== undefined) show(props.value); };
  again = () => {
    clearTimeout(later);
    later = setTimeout(shownNow, 800);
  };
  watch("value", shownNow);
  shownNow();
  // a tab is put on the page when it is chosen: what was said to it before may have passed it by
  setTimeout(() => trigger("ready"), 30);
}

// Errors of the plan, by the control that they belong to; the element `plan` tells them.
function onErrors(show) {
  const tell = () => show(window.sdmergeErrors ?? {});
  document.addEventListener("sdmerge-errors", tell);
  return tell;
}
