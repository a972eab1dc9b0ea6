"""Out-of-distribution tiles, for which there must be no estimate: glass, pen, blur, fluorescence, photographs."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from wsi_scale.magnification.augment import Tile

#: Colours of felt-tip pens.
_PENS = ((20, 110, 60), (30, 60, 160), (170, 30, 40), (25, 25, 30), (90, 40, 130), (40, 140, 150))
_WORDS = "scale um slide 40x tissue 1234 the of Region lung HE"


def draw_out_of_distribution(tissue: Tile, photographs: Sequence[Tile], rng: np.random.Generator) -> Tile:
    """Draw a tile that shows no brightfield tissue of any scale.

    Parameters
    ----------
    tissue
        (side, side, rgb) a tile of tissue, which some kinds blur or cover.
    photographs
        (row, col, rgb) images of anything but tissue, at least as large as a quarter of a tile.
    """
    side = tissue.shape[0]
    kinds: tuple[Callable[[], Tile], ...] = (
        lambda: _glass(side, rng),
        lambda: _pen(side, rng),
        lambda: _defocused(tissue, rng),
        lambda: 255 - tissue,
        lambda: _fluorescence(tissue, rng),
        lambda: _clouds(side, rng),
        lambda: _drawing(side, rng),
    )
    if photographs and rng.random() < 0.4:
        return _photograph(photographs[int(rng.integers(len(photographs)))], side, rng)
    return kinds[rng.integers(len(kinds))]()


def _glass(side: int, rng: np.random.Generator) -> Tile:
    """Bright glass with a slow gradient, grain and a few specks."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    light = rng.uniform(205, 252) + rng.normal(0, 5, 3) + rng.uniform(-9, 9) * (x + rng.uniform(-1, 1) * y)[..., None]
    image = Image.fromarray(_clip(light + rng.normal(0, rng.uniform(0.3, 3), (side, side, 1))))
    pencil = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 6))):
        cx, cy, radius = *rng.uniform(0, side, 2), rng.uniform(0.5, 3)
        grey = int(rng.integers(90, 220))
        pencil.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=(grey, grey, grey))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5))))


def _pen(side: int, rng: np.random.Generator) -> Tile:
    """Felt-tip strokes over glass, streaky, with soft rims."""
    image = Image.fromarray(_glass(side, rng))
    pencil = ImageDraw.Draw(image)
    colour = _PENS[rng.integers(len(_PENS))]
    for _ in range(int(rng.integers(1, 4))):
        points = [(float(px), float(py)) for px, py in rng.uniform(-0.3 * side, 1.3 * side, (4, 2))]
        pencil.line(points, fill=colour, width=int(rng.integers(side // 10, side)), joint="curve")
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4))), np.float64)
    streaks = _smooth_noise(side, rng.uniform(1.5, 3), rng)[..., None]
    return _clip(soft * (1 + 0.06 * streaks) + rng.normal(0, 2, (side, side, 3)))


def _defocused(tissue: Tile, rng: np.random.Generator) -> Tile:
    """Tissue so far out of focus that no structure of a measurable size is left."""
    blurred = np.asarray(Image.fromarray(tissue).filter(ImageFilter.GaussianBlur(rng.uniform(7, 16))), np.float64)
    return _clip(blurred + rng.normal(0, rng.uniform(0, 3), blurred.shape))


def _fluorescence(tissue: Tile, rng: np.random.Generator) -> Tile:
    """Bright structures of one or two colours on black."""
    glow = (255 - tissue.astype(np.float64).min(axis=2)) / 255
    colour = np.clip(rng.choice(np.eye(3)) + rng.uniform(0, 0.5) * rng.random(3), 0, 1)
    light = 255 * rng.uniform(0.3, 1) * glow[..., None] ** rng.uniform(0.8, 2) * colour
    return _clip(light + np.abs(rng.normal(0, rng.uniform(0, 8), tissue.shape)))


def _clouds(side: int, rng: np.random.Generator) -> Tile:
    """Noise that looks the same at every scale, in random colours."""
    steepness = rng.uniform(0.5, 2.5)
    layers = np.stack([_smooth_noise(side, steepness, rng) for _ in range(2)], axis=2)
    colours = rng.normal(0, 35, (2, 3))
    return _clip(rng.uniform(60, 220, 3) + layers @ colours)


def _drawing(side: int, rng: np.random.Generator) -> Tile:
    """Text, boxes, lines or a chessboard."""
    paper, ink = (tuple(int(v) for v in rng.integers(*between, 3)) for between in ((150, 256), (0, 140)))
    image = Image.new("RGB", (side, side), paper)
    pencil = ImageDraw.Draw(image)
    kind = rng.integers(3)
    if kind == 0:
        size = float(rng.uniform(8, 30))
        for row in range(int(side / size)):
            start = int(rng.integers(0, 30))
            pencil.text((-start, row * size * 1.25), _WORDS * 3, fill=ink, font_size=size)
    elif kind == 1:
        for _ in range(int(rng.integers(4, 25))):
            x0, y0, x1, y1 = rng.uniform(-10, side + 10, 4)
            pencil.line((x0, y0, x1, y1), fill=ink, width=int(rng.integers(1, 6)))
            pencil.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=ink)
    else:
        step = float(rng.uniform(4, 40))
        rows, cols = (np.arange(side) // step).astype(int), (np.arange(side) // step).astype(int)
        board = ((rows[:, None] + cols[None, :]) % 2)[..., None]
        image = Image.fromarray(_clip(board * np.array(paper) + (1 - board) * np.array(ink)))
    return np.asarray(image.rotate(float(rng.uniform(-20, 20)), fillcolor=paper))


def _photograph(image: Tile, side: int, rng: np.random.Generator) -> Tile:
    """Cut a part out of a photograph, between a quarter of the tile's side and the whole image; vary its colours."""
    largest = min(image.shape[:2])
    extent = float(np.exp(rng.uniform(np.log(min(side / 4, largest)), np.log(largest))))
    x, y = (rng.uniform(0, length - extent) for length in (image.shape[1], image.shape[0]))
    part = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, box=(x, y, x + extent, y + extent))
    mixed = np.asarray(part, np.float64) @ (np.eye(3) + rng.normal(0, 0.15, (3, 3))) * rng.uniform(0.7, 1.2)
    return _clip(mixed + rng.normal(0, 12, 3))


def _smooth_noise(side: int, steepness: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise whose amplitude falls with the frequency to the power of ``steepness``, standard deviation 1."""
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side),) * 2))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(side, side))) / frequency**steepness
    spectrum[0, 0] = 0
    noise = np.fft.ifft2(spectrum).real
    scaled: NDArray[np.float64] = noise / noise.std()
    return scaled


def _clip(light: NDArray[np.float64]) -> Tile:
    return np.clip(light, 0, 255).astype(np.uint8)
