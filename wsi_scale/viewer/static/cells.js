// The map on the slide: one square a cell, never interpolated.

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Turn the server's bytes, lowest first, into numbers. */
export function floats(buffer) {
  if (LITTLE_ENDIAN) return new Float32Array(buffer);
  const view = new DataView(buffer);
  return Float32Array.from({ length: buffer.byteLength / 4 }, (_, place) => view.getFloat32(4 * place, true));
}

/** Turn base64 text into bytes. */
export function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

/** Paint a channel, one pixel a cell; a cell without a value, or below the least confidence, stays clear. */
export function paintChannel(grid, overlay, values, confidence, least) {
  const colors = bytes(overlay.colors), last = colors.length / 3 - 1;
  const at = overlay.logarithmic ? Math.log2 : (value) => value;
  const low = at(overlay.low), span = at(overlay.high) - low;
  return painted(grid, (place) => {
    const value = values[place];
    if (Number.isNaN(value) || (confidence && !(confidence[place] >= least))) return null;
    const step = 3 * Math.round(Math.min(1, Math.max(0, (at(value) - low) / span)) * last);
    return colors.subarray(step, step + 3);
  });
}

/** Paint why cells have no optimal mpp; a cell with one stays clear. */
export function paintReasons(grid, reasons, codes) {
  const colors = new Map(reasons.map(({ code, color }) => [code, rgb(color)]));
  return painted(grid, (place) => colors.get(codes[place]) ?? null);
}

function rgb(color) {
  return [1, 3, 5].map((start) => Number.parseInt(color.slice(start, start + 2), 16));
}

function painted(grid, colorOf) {
  const canvas = document.createElement("canvas");
  canvas.width = grid.cols;
  canvas.height = grid.rows;
  const context = canvas.getContext("2d"), image = context.createImageData(grid.cols, grid.rows);
  for (let place = 0; place < grid.rows * grid.cols; place += 1) {
    const color = colorOf(place);
    if (color) image.data.set([...color, 255], 4 * place);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Make the outlines of regions, in level-0 pixels, ready to be drawn and asked whether they hold a point. */
export function outlined(regions) {
  return regions.map((region) => {
    const path = new Path2D();
    for (const ring of region.rings) {
      ring.forEach(([x, y], corner) => (corner ? path.lineTo(x, y) : path.moveTo(x, y)));
      path.closePath();
    }
    return { ...region, path };
  });
}

const asking = document.createElement("canvas").getContext("2d");

/** The smallest region that holds a point of the slide. */
export function regionAt(regions, { x, y }) {
  return regions.findLast(({ path }) => asking.isPointInPath(path, x, y, "evenodd"));
}

/** Draw a picture over a rectangle of the slide (level-0 pixels), regions with their names, and the frame of a tile. */
export function drawCells(canvas, toScreen, { layer, opacity, regions, frame }) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.scale(ratio, ratio);
  if (layer) {
    const { left, top, right, bottom } = corners(toScreen, layer.box);
    context.imageSmoothingEnabled = false;
    context.globalAlpha = opacity;
    context.drawImage(layer.picture, left, top, right - left, bottom - top);
    context.globalAlpha = 1;
  }
  if (regions.length) drawRegions(context, toScreen, regions, ratio);
  if (frame) {
    const { left, top, right, bottom } = corners(toScreen, frame);
    for (const [color, thick] of [["#ffffff", 4], ["#1c1f24", 2]]) {
      context.strokeStyle = color;
      context.lineWidth = thick;
      context.strokeRect(left, top, right - left, bottom - top);
    }
  }
}

function corners(toScreen, [x, y, width, height]) {
  const first = toScreen(x, y), last = toScreen(x + width, y + height);
  return { left: first.x, top: first.y, right: last.x, bottom: last.y };
}

/** Draw outlines as wide as on the screen at any zoom, each with its name at its highest corner. */
function drawRegions(context, toScreen, regions, ratio) {
  const { left, top, right, bottom } = corners(toScreen, [0, 0, 1000, 1000]);
  const [across, down] = [(right - left) / 1000, (bottom - top) / 1000];
  context.save();
  context.setTransform(across * ratio, 0, 0, down * ratio, left * ratio, top * ratio);
  for (const [color, thick] of [["#ffffff", 4], ["#1c1f24", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = thick / across;
    for (const { path } of regions) context.stroke(path);
  }
  context.restore();
  Object.assign(context, { font: "600 13px system-ui, sans-serif", textBaseline: "top", lineJoin: "round", lineWidth: 4 });
  const named = []; // two names on each other cannot be read; further in there is room for both
  for (const { name, top: [x, y] } of regions) {
    const place = toScreen(Math.max(x, 0), Math.max(y, 0)), end = place.x + context.measureText(name).width;
    const free = named.every((other) => Math.abs(place.y - other.y) >= 15 || end <= other.x || place.x >= other.end);
    if (!free) continue;
    named.push({ x: place.x, y: place.y, end });
    context.strokeStyle = "#ffffff";
    context.strokeText(name, place.x + 6, place.y + 5);
    context.fillStyle = "#1c1f24";
    context.fillText(name, place.x + 6, place.y + 5);
  }
}
