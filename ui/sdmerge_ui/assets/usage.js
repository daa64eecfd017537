// How full the machine is.
const text = h("span", { title: w("usage.title") });
root.append(text);
follow((value) => { text.textContent = value; });
