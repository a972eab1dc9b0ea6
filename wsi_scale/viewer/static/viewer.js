// The page: list of slides, the slide with a map on it, and what a person does with them.

import { fromAddress, toAddress } from "./address.js";
import { drawCells, floats, outlined, paintChannel, paintReasons, regionAt } from "./cells.js";
import { channelLegend, element, listLegend } from "./legend.js";
import { drawBars } from "./scalebar.js";
import { showTile } from "./tile.js";

const ASK_AGAIN_MS = 15000;
/** The panel has its place by then, and the slide what is left of the window. */
const SETTLED_MS = 400;
/** Code of a place without a tile. */
const GLASS = 1;
const NARROW = window.matchMedia("(max-width: 56rem)");
const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

const at = (id) => document.getElementById(id);
const panel = { title: at("tile-title"), views: at("views"), numbers: at("numbers"), curves: at("curves") };

/** All slides; the one that is shown, with the values that were asked for; and what is asked of the view. */
const now = {
  rows: [], row: null, slide: null, values: new Map(), layer: null, tile: null, tileFrame: null,
  overlay: null, opacity: 0.7, least: null, outlines: [], regions: true, opening: true,
};

// OpenSeadragon adds rules of its own unless an element of this name is there, and the page's policy forbids inline
// rules. One outside HTML's namespace is found by name and styles nothing.
document.head.append(document.createElementNS("", "style"));
document.head.lastChild.setAttribute("data-openseadragon-mobile-css", "");

const viewer = OpenSeadragon({
  element: at("slide"),
  tabIndex: -1,
  drawer: "canvas",
  showNavigationControl: false,
  animationTime: STILL.matches ? 0 : 0.5,
  blendTime: 0,
  visibilityRatio: 0.2,
  minZoomImageRatio: 0.7,
  maxZoomPixelRatio: 8,
  imageLoaderLimit: 6,
  preserveImageSizeOnResize: true,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  gestureSettingsPen: { clickToZoom: false },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true },
});

const say = (line) => { at("said").textContent = line; };

async function ask(address) {
  const answer = await fetch(address);
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({ error: `the server answers ${answer.status}` }));
  throw new Error(error);
}

/** Do something that may fail; say why it did. */
async function trying(work) {
  try {
    return await work();
  } catch (error) {
    say(error instanceof TypeError ? "The viewer’s server does not answer: was it ended?" : error.message);
    return undefined;
  }
}

// ---- slides

async function askRows() {
  now.rows = await (await ask("slides")).json();
  at("list").replaceChildren(...now.rows.map(rowButton));
  if (now.rows.some(({ state }) => state === "in work" || state === "waiting")) {
    setTimeout(() => trying(askAgain), ASK_AGAIN_MS);
  }
}

async function askAgain() {
  const before = now.row?.state;
  await askRows();
  const row = now.rows.find(({ number }) => number === now.row?.number);
  if (row && row.state !== before) await openSlide(row, fromAddress(location.hash));
}

function rowButton(row) {
  const tones = element("span", [element("span", row.state, { className: row.tone })], { className: "tones" });
  if (row.verdict) tones.append(" · ", element("span", row.verdict[1], { className: row.verdict[0] }));
  const button = element("button", [row.id, tones], { type: "button", title: row.reason });
  if (row.number === now.row?.number) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => {
    openMenu(false);
    trying(() => openSlide(row, { overlay: now.overlay, opacity: now.opacity, least: now.least, regions: now.regions }));
  });
  return element("li", button);
}

/** Show a slide, as an address asks for it. */
async function openSlide(row, asked) {
  now.opening = true;
  tellBusy();
  try {
    await openSlideNow(row, asked);
  } finally {
    now.opening = false;
    tellBusy();
  }
}

async function openSlideNow(row, asked) {
  const slide = await (await ask(`slides/${row.number}`)).json();
  Object.assign(now, { row, slide, values: new Map(), layer: null, tile: null, tileFrame: null });
  now.opacity = asked.opacity ?? now.opacity;
  now.outlines = outlined(slide.regions);
  now.regions = asked.regions ?? now.regions;
  at("regions-label").hidden = !slide.regions.length;
  at("regions").checked = now.regions;
  now.least = asked.least ?? now.least ?? slide.least_confidence;
  at("list").replaceChildren(...now.rows.map(rowButton));
  document.title = `${row.id} · wsi-scale viewer`;
  at("title").textContent = row.id;
  const state = row.reason ? `${row.state}: ${row.reason}` : row.state;
  at("state").textContent = slide.verdict ? `${state} · ${slide.verdict[1]}: ${slide.verdict[2]}` : state;
  at("state").title = at("state").textContent;
  tellNotes(slide);
  closeTile();
  offerOverlays(slide, asked.overlay);
  viewer.close();
  if (slide.image) await openImage(slide.image, asked);
  await showOverlay();
  if (asked.tile && slide.grid) await openTile(...asked.tile);
}

function tellNotes(slide) {
  const lines = [...slide.notes, slide.no_brightfield, slide.reason, slide.image ? "" : "There is no picture of this slide yet."];
  at("without").hidden = !lines.some(Boolean);
  at("without").textContent = [...new Set(lines.filter(Boolean))].join(" · ");
  say([slide.path, ...slide.facts.map(([name, value]) => `${name}: ${value}`), ...slide.warnings].filter(Boolean).join(" · "));
}

function openImage(image, asked) {
  const { number } = now.row;
  const source = {
    width: image.width, height: image.height, tileSize: image.tile_px, tileOverlap: image.overlap_px,
    minLevel: 0, maxLevel: image.finest,
    getTileUrl: (level, x, y) => `slides/${number}/tiles/${level}/${x}_${y}`,
  };
  return new Promise((done) => {
    viewer.addOnceHandler("open", () => {
      item().addHandler("fully-loaded-change", tellBusy);
      if ([asked.x, asked.y, asked.zoom].every(Number.isFinite)) moveTo(asked);
      done();
    });
    viewer.open(source);
  });
}

// ---- the view

const item = () => viewer.world.getItemAt(0);
const toScreen = (x, y) => item().imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
const zoomNow = () => item().viewportToImageZoom(viewer.viewport.getZoom(true));

function moveTo({ x, y, zoom }) {
  viewer.viewport.zoomTo(item().imageToViewportZoom(zoom), null, true);
  viewer.viewport.panTo(item().imageToViewportCoordinates(new OpenSeadragon.Point(x, y)), true);
}

function draw() {
  const shown = item() ? { layer: now.layer, regions: now.regions ? now.outlines : [], frame: now.tileFrame } : { regions: [] };
  drawCells(at("cells"), toScreen, { ...shown, opacity: now.opacity });
  if (item()) drawBars(at("bars"), now.slide, zoomNow());
  else at("bars").replaceChildren();
}

/** Say whether all that belongs to the view is there; a reader of the screen waits for it too. */
function tellBusy() {
  const busy = now.opening || Boolean(item() && !item().getFullyLoaded());
  at("stage").setAttribute("aria-busy", String(busy));
}

let writing;
function noteAddress() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", toAddress(shownNow())), 150);
}

function shownNow() {
  const shown = { slide: now.row.id, overlay: now.overlay, opacity: now.opacity, least: now.least, regions: now.regions, tile: now.tile };
  if (!item()) return shown;
  const { x, y } = item().viewportToImageCoordinates(viewer.viewport.getCenter(true));
  return { ...shown, x, y, zoom: zoomNow() };
}

viewer.addHandler("update-viewport", draw);
viewer.addHandler("resize", () => requestAnimationFrame(draw));
viewer.addHandler("close", draw);
for (const event of ["animation-finish", "open", "resize"]) viewer.addHandler(event, () => now.row && noteAddress());
viewer.addHandler("tile-load-failed", () => say("A part of the slide cannot be read just now."));
viewer.addHandler("canvas-key", (event) => { event.preventDefaultAction = true; });

// ---- overlays

function offerOverlays(slide, asked) {
  const offered = slide.overlays.map(({ key, title, unit }) => [key, unit ? `${title}, ${unit}` : title]);
  if (slide.tissue) offered.push(["tissue", "tissue"]);
  if (slide.grid) offered.push(["reason", "why there is no optimal mpp"]);
  offered.push(["none", "nothing"]);
  at("overlay").replaceChildren(...offered.map(([value, text]) => element("option", text, { value })));
  now.overlay = offered.some(([key]) => key === asked) ? asked : offered[0][0];
  at("overlay").value = now.overlay;
  at("opacity").value = now.opacity;
  at("least").value = now.least;
}

async function channel(key) {
  if (!now.values.has(key)) {
    const buffer = await (await ask(`slides/${now.row.number}/channels/${key}`)).arrayBuffer();
    now.values.set(key, key === "reason" ? new Uint8Array(buffer) : floats(buffer));
  }
  return now.values.get(key);
}

/** Make the layer that is asked for, with its legend. */
async function showOverlay() {
  const { slide, overlay: key } = now, chosen = slide.overlays.find((one) => one.key === key);
  at("least-label").hidden = !chosen?.needs_confidence;
  at("least-shown").textContent = now.least.toFixed(2);
  const layer = chosen ? await channelLayer(chosen) : key === "reason" ? await reasonLayer() : key === "tissue" ? await tissueLayer() : null;
  if (now.slide !== slide || now.overlay !== key) return;
  now.layer = layer;
  if (!layer) at("legend").replaceChildren();
  draw();
  noteAddress();
}

function gridBox({ left, top, cols, rows, step_x: stepX, step_y: stepY }) {
  return [left, top, cols * stepX, rows * stepY];
}

async function channelLayer(chosen) {
  const { grid } = now.slide, values = await channel(chosen.key);
  const confidence = chosen.needs_confidence ? await channel("confidence") : null;
  const below = confidence ? values.reduce((count, value, place) => count + (!Number.isNaN(value) && !(confidence[place] >= now.least)), 0) : 0;
  channelLegend(at("legend"), chosen, below ? `${below} of low confidence hidden` : "");
  return { box: gridBox(grid), picture: paintChannel(grid, chosen, values, confidence, now.least) };
}

async function reasonLayer() {
  const { grid, reasons } = now.slide, codes = await channel("reason");
  const words = (one) => `${one.count} ${one.counted}${one.count === 1 ? "" : "s"}: ${one.words}`;
  listLegend(at("legend"), "why there is no optimal mpp", reasons.map((one) => ({ color: one.color, words: words(one) })));
  return { box: gridBox(grid), picture: paintReasons(grid, reasons, codes) };
}

async function tissueLayer() {
  const { image, tissue } = now.slide;
  listLegend(at("legend"), "tissue mask", [{ color: tissue, words: "tissue" }]);
  const picture = await createImageBitmap(await (await ask(`slides/${now.row.number}/tissue`)).blob());
  return { box: [0, 0, image.width, image.height], picture };
}

// ---- tiles

/** Row and column of the cell at a point of the screen; null outside the map. */
function cellAt(point) {
  const grid = now.slide?.grid;
  if (!grid || !item()) return null;
  const { x, y } = item().viewerElementToImageCoordinates(point);
  const row = Math.floor((y - grid.top) / grid.step_y), col = Math.floor((x - grid.left) / grid.step_x);
  return row >= 0 && col >= 0 && row < grid.rows && col < grid.cols ? [row, col] : null;
}

async function openTile(row, col) {
  const { slide } = now, { grid } = slide, codes = await channel("reason");
  if (row >= grid.rows || col >= grid.cols || codes[row * grid.cols + col] === GLASS) {
    say(`There is no tile in row ${row}, column ${col}: too little tissue.`);
    return false;
  }
  const address = `slides/${now.row.number}/places/${row}/${col}`;
  const tile = await (await ask(address)).json();
  if (now.slide !== slide) return false;
  showTile(panel, tile, address);
  const centre = [grid.left + (col + 0.5) * grid.step_x, grid.top + (row + 0.5) * grid.step_y];
  now.tile = [row, col];
  now.tileFrame = [centre[0] - grid.tile_width / 2, centre[1] - grid.tile_height / 2, grid.tile_width, grid.tile_height];
  at("tile").hidden = false;
  for (const button of at("steps").children) {
    const [down, right] = button.dataset.step.split(",").map(Number);
    button.disabled = row + down < 0 || row + down >= grid.rows || col + right < 0 || col + right >= grid.cols;
  }
  draw();
  noteAddress();
  return true;
}

/** Move the view so that the tile that is open lies in it, beside the panel too. */
function showFrame() {
  if (!now.tileFrame) return;
  const [x, y, width, height] = now.tileFrame;
  const place = item().imageToViewportRectangle(x, y, width, height), seen = viewer.viewport.getBounds();
  const inside = place.x >= seen.x && place.y >= seen.y && place.x + place.width <= seen.x + seen.width
    && place.y + place.height <= seen.y + seen.height;
  if (!inside) viewer.viewport.panTo(place.getCenter());
}

function closeTile() {
  const held = at("tile").contains(document.activeElement);
  Object.assign(now, { tile: null, tileFrame: null });
  at("tile").hidden = true;
  if (held) at("slide").focus();
  draw();
  if (now.row) noteAddress();
}

/** Open a tile and let the reader go on there. */
async function openAndRead(cell) {
  if (!cell) return;
  if (!await trying(() => openTile(...cell))) return;
  panel.title.focus({ preventScroll: true });
  setTimeout(showFrame, SETTLED_MS);
}

viewer.addHandler("canvas-click", (event) => { if (event.quick) openAndRead(cellAt(event.position)); });
at("close").addEventListener("click", closeTile);
at("steps").addEventListener("click", ({ target }) => {
  const [down, right] = target.dataset.step?.split(",").map(Number) ?? [];
  if (!now.tile || down === undefined) return;
  trying(async () => { if (await openTile(now.tile[0] + down, now.tile[1] + right)) showFrame(); });
});

// ---- values under the pointer

at("stage").addEventListener("pointermove", (event) => {
  if (event.pointerType === "touch" || !now.slide || !item()) return;
  const box = at("stage").getBoundingClientRect();
  const point = new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top);
  const cell = cellAt(point), region = regionAt(now.outlines, item().viewerElementToImageCoordinates(point));
  const within = region ? [`${region.name}: ${region.words}`] : [];
  if (cell) say([`row ${cell[0]}, column ${cell[1]}`, ...valuesAt(cell), ...within].join(" · "));
  else if (region) say(within[0]);
});

/** What the maps that were looked at say of a cell, in words. */
function valuesAt([row, col]) {
  const place = row * now.slide.grid.cols + col;
  const told = now.slide.overlays.flatMap(({ key, title, unit }) => {
    const value = now.values.get(key)?.[place];
    return value === undefined || Number.isNaN(value) ? [] : [`${title} ${Number(value.toPrecision(3))}${unit ? ` ${unit}` : ""}`];
  });
  const code = now.values.get("reason")?.[place];
  const reason = now.slide.reasons.find((one) => one.code === code);
  return reason ? [`no optimal mpp: ${reason.words}`, ...told] : told;
}

// ---- controls and keys

at("overlay").addEventListener("change", () => {
  now.overlay = at("overlay").value;
  trying(showOverlay);
});
at("opacity").addEventListener("input", () => {
  now.opacity = Number(at("opacity").value);
  draw();
  noteAddress();
});
at("least").addEventListener("input", () => {
  now.least = Number(at("least").value);
  trying(showOverlay);
});
at("regions").addEventListener("change", () => {
  now.regions = at("regions").checked;
  draw();
  noteAddress();
});
at("controls").addEventListener("submit", (event) => event.preventDefault());

const act = {
  in: () => viewer.viewport.zoomBy(1.5),
  out: () => viewer.viewport.zoomBy(1 / 1.5),
  home: () => viewer.viewport.goHome(),
};
for (const [id, move] of Object.entries(act)) at(id).addEventListener("click", () => item() && move());

const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const keys = { "+": act.in, "=": act.in, "-": act.out, "0": act.home };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return now.tile ? closeTile() : openMenu(false);
  const onSlide = event.target === document.body || at("slide").contains(event.target);
  if (!onSlide || !item()) return undefined;
  if (steps[event.key]) {
    const bounds = viewer.viewport.getBounds(), [right, down] = steps[event.key];
    viewer.viewport.panBy(new OpenSeadragon.Point((right * bounds.width) / 6, (down * bounds.height) / 6));
  } else if (keys[event.key]) {
    keys[event.key]();
  } else if (event.key === "Enter") {
    const { clientWidth, clientHeight } = at("slide");
    openAndRead(cellAt(new OpenSeadragon.Point(clientWidth / 2, clientHeight / 2)));
  } else {
    return undefined;
  }
  viewer.viewport.applyConstraints();
  return event.preventDefault();
});

function openMenu(open) {
  const held = at("slides").contains(document.activeElement);
  at("slides").classList.toggle("open", open);
  at("menu").setAttribute("aria-expanded", String(open));
  if (open) at("list").querySelector("button")?.focus();
  else if (held && NARROW.matches) at("menu").focus();
}
at("menu").addEventListener("click", () => openMenu(!at("slides").classList.contains("open")));

at("copy").addEventListener("click", () => trying(async () => {
  history.replaceState(null, "", toAddress(shownNow()));
  await navigator.clipboard.writeText(location.href).then(
    () => say("The link to this view is copied. It works as long as this viewer runs."),
    () => say("The browser does not let the link be copied; it is the address of this page."),
  );
}));

// ---- start

async function openAsked() {
  const asked = fromAddress(location.hash);
  const row = now.rows.find(({ id }) => id === asked.slide) ?? now.rows.find(({ state }) => state === "ok") ?? now.rows[0];
  await openSlide(row, row?.id === asked.slide ? asked : {});
  if (asked.slide && row?.id !== asked.slide) say(`There is no slide ${asked.slide} here.`);
}

window.addEventListener("hashchange", () => trying(openAsked));
await trying(async () => {
  await askRows();
  await openAsked();
});
