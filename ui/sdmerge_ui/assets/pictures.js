// The pictures of the last previews: a click shows one large, and again beside the one before.
follow((value) => {
  if (value.error) return root.replaceChildren(h("div", { class: "error", role: "alert" }, value.error));
  if (!value.pictures.length) return root.replaceChildren(h("p", { class: "empty" }, value.empty ?? w("pictures.empty")));
  const tiles = value.pictures.map((one) => h("figure", {},
    h("a", { href: one.address, target: "_blank", "aria-label": w("pictures.large") },
      h("img", { src: one.address, alt: one.alt })), h("figcaption", { title: one.caption }, one.caption)));
  const before = (value.before ?? []).map((one) => h("figure", { class: "small" },
    h("a", { href: one.address, target: "_blank", "aria-label": w("pictures.large") }, h("img", { src: one.address, alt: one.alt })),
    h("figcaption", {}, one.recipe)));
  root.replaceChildren(...[h("div", { class: "tiles" }, tiles), h("p", { class: "help", role: "status" }, value.text),
    before.length ? h("div", { class: "before", "aria-label": w("pictures.before") }, before) : null].filter(Boolean));
});
