/** Zoom and pan. x and y are the point of the picture, 0 … 1, that stands in the middle. */

const MOST = 32;

/** A zoom that shows no more than the picture. */
const held = ({ scale, x, y }) => {
  const fit = clamp(scale, 1, MOST);
  const edge = 0.5 / fit;
  return { scale: fit, x: clamp(x, edge, 1 - edge), y: clamp(y, edge, 1 - edge) };
};

/** Larger by `factor`, with the point under the pointer kept where it is. */
const zoomedAt = (zoom, factor, point) => {
  const scale = clamp(zoom.scale * factor, 1, MOST);
  const keep = zoom.scale / scale;
  return held({
    scale,
    x: point.x + (zoom.x - point.x) * keep,
    y: point.y + (zoom.y - point.y) * keep,
  });
};

/** Wheel and drag on `surface`. `box(event)` is the picture's box at no zoom, in page pixels, or
 * null where there is no picture; `any` says whether the wheel alone zooms. */
const zoomable = (surface, { box, get, set, any }) => {
  let drag = null;
  surface.addEventListener(
    "wheel",
    (event) => {
      const area = (any || event.ctrlKey || event.metaKey) && box(event);
      if (!area) return;
      event.preventDefault();
      const zoom = get(event);
      const point = {
        x: zoom.x + (event.clientX - area.left - area.width / 2) / (area.width * zoom.scale),
        y: zoom.y + (event.clientY - area.top - area.height / 2) / (area.height * zoom.scale),
      };
      const lines = event.deltaMode === 1 ? 30 : 1;
      set(event, zoomedAt(zoom, Math.exp((-event.deltaY * lines) / 300), point));
    },
    { passive: false },
  );
  surface.addEventListener("pointerdown", (event) => {
    const area = event.button === 0 && box(event);
    const zoom = area && get(event);
    if (zoom && zoom.scale > 1) drag = { event, area, zoom };
  });
  surface.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!surface.hasPointerCapture(event.pointerId)) surface.setPointerCapture(event.pointerId);
    const { area, zoom } = drag;
    set(
      drag.event,
      held({
        scale: zoom.scale,
        x: zoom.x - (event.clientX - drag.event.clientX) / (area.width * zoom.scale),
        y: zoom.y - (event.clientY - drag.event.clientY) / (area.height * zoom.scale),
      }),
    );
  });
  const stop = () => (drag = null);
  surface.addEventListener("pointerup", stop);
  surface.addEventListener("pointercancel", stop);
};
