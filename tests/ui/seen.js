// What of the page cannot be read or reached: given to `page.evaluate`.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const pixel = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
  const shown = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && node.getClientRects().length > 0;
  const ground = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) layers.push(pixel(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const opacity = (node) => {
    let found = 1;
    for (let one = node; one; one = one.parentElement) found *= +getComputedStyle(one).opacity;
    return found;
  };
  // WCAG 2.2, relative luminance and contrast ratio
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, share, n) => {
    const c = colour[n] / 255;
    return sum + share * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const off = (node) => node.closest(":disabled, [aria-disabled=true], .has-curve, tr:not(.on)")?.matches?.(":disabled, [aria-disabled=true], .has-curve, .sd-space tr:not(.on)");
  const name = (node) => `${node.tagName.toLowerCase()}.${[...node.classList].join(".")}`;
  const wrong = [];
  const seen = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node || seen.has(node) || !shown(node) || off(node) || ["SCRIPT", "STYLE", "OPTION"].includes(node.tagName)) continue;
    seen.add(node);
    const style = getComputedStyle(node);
    const below = ground(node);
    const colour = pixel(node instanceof SVGElement ? style.fill : style.color);
    const found = ratio(over([...colour.slice(0, 3), colour[3] * opacity(node)], below), below);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    if (found < (large ? 3 : 4.5)) wrong.push(`contrast ${found.toFixed(2)}: ${name(node)} “${text.data.trim().slice(0, 40)}”`);
  }
  for (const image of document.images) if (!image.hasAttribute("alt")) wrong.push(`no alt: ${image.src}`);
  for (const node of document.querySelectorAll("button, select, input, textarea, [role=slider], iframe")) {
    if (!shown(node) || node.type === "hidden") continue;
    const said = node.getAttribute("aria-label") || node.title || node.textContent.trim() || node.placeholder || node.labels?.[0]?.textContent.trim();
    if (!said) wrong.push(`no name: ${name(node)} in ${name(node.parentElement)}`);
  }
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) wrong.push(`${wide} pixels wider than the window`);
  for (const node of document.querySelectorAll(".sd *")) {
    const box = node.getBoundingClientRect();
    if (shown(node) && box.right > innerWidth + 1 && !node.closest("#sd-dock, .scroll, .bars, .strip, code, pre, .line, svg") ) wrong.push(`out of the window: ${name(node)}`);
  }
  return wrong;
}
