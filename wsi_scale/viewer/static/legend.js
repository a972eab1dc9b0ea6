// What the colours mean.

import { bytes } from "./cells.js";

/** Make an element with a text or with children. */
export function element(name, content = "", options = {}) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...(Array.isArray(content) ? content : [content]));
  return made;
}

/** Show the legend of a channel: its colours, its ticks, and the dominant radius along the same colours. */
export function channelLegend(place, overlay, hidden) {
  const lines = [element("p", overlay.legend), strip(overlay), ticks(overlay.ticks)];
  if (overlay.radius_ticks.length) lines.push(element("p", "dominant radius, µm"), ticks(overlay.radius_ticks));
  if (hidden) lines.push(element("p", hidden));
  place.replaceChildren(...lines);
}

/** Show a list of colours with their words. */
export function listLegend(place, title, entries) {
  const items = entries.map(({ color, words }) => {
    const patch = element("i");
    patch.style.background = color;
    return element("li", [patch, element("span", words)]);
  });
  place.replaceChildren(element("p", title), element("ul", items));
}

function strip(overlay) {
  const colors = bytes(overlay.colors), count = colors.length / 3;
  const canvas = element("canvas", "", { width: count, height: 1 });
  const context = canvas.getContext("2d"), image = context.createImageData(count, 1);
  for (let step = 0; step < count; step += 1) image.data.set([...colors.subarray(3 * step, 3 * step + 3), 255], 4 * step);
  context.putImageData(image, 0, 0);
  return canvas;
}

function ticks(places) {
  return element("div", places.map(([share, text]) => {
    const tick = element("span", text);
    tick.style.left = `${100 * share}%`;
    return tick;
  }), { className: "ticks" });
}
