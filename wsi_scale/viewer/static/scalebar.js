// Two bars of one length in µm, as long as the claimed and as the estimated µm per pixel make it on the screen.

import { element } from "./legend.js";

const LONGEST_PX = 140;

/** The longest round length (1, 2 or 5 times a power of ten, µm) that is no longer than ``most``. */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([5, 2, 1].find((times) => times * power <= most * (1 + 1e-9)) ?? 1);
}

/** Write a length in the unit that reads best. */
export function lengthText(um) {
  return um >= 1000 ? `${Number((um / 1000).toPrecision(3))} mm` : `${Number(um.toPrecision(3))} µm`;
}

/** Show the bars; ``zoom`` is screen pixels per level-0 pixel. */
export function drawBars(place, slide, zoom) {
  const known = [["claim", slide.claimed_mpp, "by the claim"], ["estimate", slide.estimated_mpp, "by the estimate"]]
    .filter(([, mpp]) => mpp);
  if (!known.length || !(zoom > 0)) return place.replaceChildren();
  const um = roundLength((LONGEST_PX / zoom) * Math.min(...known.map(([, mpp]) => mpp)));
  const lines = known.flatMap(([kind, mpp, words]) => {
    const bar = element("div", "", { className: kind });
    bar.style.width = `${(um / mpp) * zoom}px`;
    return [bar, element("p", `${lengthText(um)} ${words}`)];
  });
  return place.replaceChildren(...lines);
}
