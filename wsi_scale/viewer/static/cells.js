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

/** Draw a picture over a rectangle of the slide (level-0 pixels), and the frame of a tile. */
export function drawCells(canvas, toScreen, layer, opacity, frame) {
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
