// One tile: as it is, at its optimal mpp, its numbers and its curves.

import { element } from "./legend.js";
import { lengthText, roundLength } from "./scalebar.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 340, HEIGHT = 96, LEFT = 6, RIGHT = 6, TOP = 6, BOTTOM = 20;

/** Fill the panel with what the server tells of a tile; ``address`` is that of the tile. */
export function showTile(panel, tile, address) {
  panel.title.textContent = `Tile in row ${tile.row}, column ${tile.col}`;
  const views = [view(`${address}/native`, tile.native, tile.optimal, "The tile", tile.problem)];
  if (tile.optimal) views.push(view(`${address}/optimal`, tile.optimal, tile.native, "At its optimal mpp", tile.problem));
  panel.views.replaceChildren(...views);
  const terms = tile.numbers.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
  if (tile.reason) terms.unshift(element("dt", "no optimal mpp"), element("dd", tile.reason));
  if (tile.region) terms.unshift(element("dt", "region"), element("dd", tile.region));
  panel.numbers.replaceChildren(element("dl", terms));
  panel.curves.replaceChildren(...curves(tile));
}

/** A view of the tile with its scale in words; the smaller of the two views is framed in the larger one. */
function view(address, own, other, title, problem) {
  const words = `${lengthText(own.side_um)} wide, ${own.size_px} px at ${Number(own.mpp.toPrecision(3))} µm/px`;
  const caption = element("figcaption", [element("b", title), `${own.where ? ` (${own.where})` : ""}: ${words}`]);
  if (problem) return element("figure", [element("p", `No picture: ${problem}.`, { className: "note" }), caption]);
  const framed = element("div", element("img", "", { src: address, alt: `${title}, ${words}` }), { className: "framed" });
  if (other && other.side_um < own.side_um * 0.95) {
    const frame = element("div", "", { className: "frame" }), share = other.side_um / own.side_um;
    Object.assign(frame.style, {
      left: `${50 - 50 * share}%`, top: `${50 - 50 * share}%`, width: `${100 * share}%`, height: `${100 * share}%`,
    });
    framed.append(frame);
  }
  return element("figure", [framed, bar(own.side_um), caption]);
}

function bar(sideUm) {
  const um = roundLength(sideUm / 2), line = element("div", "", { className: "scale" });
  line.style.cssText = `width:${(100 * um) / sideUm}%;height:4px;background:var(--accent);margin-top:4px`;
  return element("div", [line, element("span", lengthText(um), { className: "note" })]);
}

function curves(tile) {
  const optimum = tile.optimal ? tile.optimal.mpp : null;
  const computed = tile.rungs.filter((_, rung) => Object.values(tile.curves).some((values) => values[rung] !== null));
  const range = [Math.min(...computed), Math.max(...computed)];
  const drawn = Object.entries(tile.curves).flatMap(([layer, values]) => {
    const points = tile.rungs.map((mpp, rung) => [mpp, values[rung]]).filter(([, value]) => value !== null);
    points.sort(([one], [other]) => one - other);
    return points.length > 1 ? [element("h3", layer), curve(layer, points, range, tile, optimum)] : [];
  });
  if (!drawn.length) return [];
  const words = "Response of each layer against µm per pixel. Vertical line: the tile’s optimal mpp; shaded: finer than "
    + "level 0. Heights of different layers cannot be compared.";
  return [element("h2", "Response curves"), ...drawn, element("p", words, { className: "note" })];
}

/** Draw a layer's curve; all layers of a tile have one axis, from the finest to the coarsest mpp that any has. */
function curve(layer, points, range, tile, optimum) {
  const ends = range.map(Math.log2);
  const heights = points.map(([, value]) => value), low = Math.min(0, ...heights), high = Math.max(...heights);
  const x = (mpp) => LEFT + ((Math.log2(mpp) - ends[0]) / (ends[1] - ends[0])) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.setAttribute("aria-label", `Response of ${layer}: highest at ${points[heights.indexOf(high)][0]} µm per pixel`);
  if (tile.finest_mpp > range[0]) {
    const end = x(Math.min(tile.finest_mpp, range[1]));
    svg.append(shape("rect", { class: "finer", x: LEFT, y: TOP, width: end - LEFT, height: HEIGHT - TOP - BOTTOM }));
  }
  svg.append(shape("path", { class: "axis", d: `M${LEFT} ${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }));
  for (let power = Math.ceil(ends[0]); power <= Math.floor(ends[1]); power += 1) {
    svg.append(shape("path", { class: "axis", d: `M${x(2 ** power)} ${HEIGHT - BOTTOM}v4` }));
    const label = shape("text", { x: x(2 ** power), y: HEIGHT - 6, "text-anchor": "middle" });
    label.textContent = String(2 ** power);
    svg.append(label);
  }
  svg.append(shape("path", { class: "line", d: `M${points.map(([mpp, value]) => `${x(mpp)} ${y(value)}`).join("L")}` }));
  for (const [mpp, value] of points) svg.append(shape("circle", { class: "dot", cx: x(mpp), cy: y(value), r: 2.2 }));
  if (optimum && Math.log2(optimum) >= ends[0] && Math.log2(optimum) <= ends[1]) {
    svg.append(shape("path", { class: "optimum", d: `M${x(optimum)} ${TOP}V${HEIGHT - BOTTOM}` }));
  }
  return svg;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
