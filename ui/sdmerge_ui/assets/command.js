// The same by the command line.
const text = h("code", {});
const copy = button(w("command.copy"), async () => {
  await navigator.clipboard?.writeText(text.textContent).catch(() => {});
  copy.textContent = w("command.copied");
  setTimeout(() => { copy.textContent = w("command.copy"); }, 1500);
});
root.append(h("span", { "aria-hidden": "true" }, "$"), text, copy);
follow((value) => { text.textContent = value; });
