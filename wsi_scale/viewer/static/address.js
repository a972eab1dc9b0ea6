// What is shown, as the part of the address behind the "#": a link to it restores the view.

/** Read what an address asks for; values that are missing or make no sense are left out. */
export function fromAddress(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const asked = {};
  for (const name of ["slide", "overlay"]) if (given.has(name)) asked[name] = given.get(name);
  for (const name of ["x", "y", "zoom", "opacity", "least"]) {
    const value = Number.parseFloat(given.get(name));
    if (Number.isFinite(value)) asked[name] = value;
  }
  for (const share of ["opacity", "least"]) {
    if (share in asked) asked[share] = Math.min(1, Math.max(0, asked[share]));
  }
  if (given.has("regions")) asked.regions = given.get("regions") !== "0";
  const tile = /^(\d{1,6}),(\d{1,6})$/.exec(given.get("tile") ?? "");
  if (tile) asked.tile = [Number(tile[1]), Number(tile[2])];
  return asked;
}

/** Write what is shown: slide, centre in level-0 pixels, zoom in screen pixels per level-0 pixel, map and tile. */
export function toAddress(shown) {
  const parts = new URLSearchParams();
  parts.set("slide", shown.slide);
  for (const [name, digits] of [["x", 1], ["y", 1], ["zoom", 6]]) {
    if (Number.isFinite(shown[name])) parts.set(name, String(Number(shown[name].toFixed(digits))));
  }
  parts.set("overlay", shown.overlay);
  parts.set("opacity", String(shown.opacity));
  parts.set("least", String(shown.least));
  if (!shown.regions) parts.set("regions", "0");
  if (shown.tile) parts.set("tile", shown.tile.join(","));
  return `#${parts}`;
}
