/** Elements from plain calls. Text is only ever text: no string becomes markup. */

const make = (tag, properties = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** At most one call per frame, however often it is asked for. */
const oncePerFrame = (work) => {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
};

/** What this browser remembers; a browser may forbid it, and then nothing is remembered. */
const memory = {
  get(key) {
    try {
      return JSON.parse(localStorage.getItem(`sdmerge.${key}`));
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`sdmerge.${key}`, JSON.stringify(value));
    } catch {
      // the page works without
    }
  },
};

const saveAs = (name, text) => {
  const address = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
};
