"""Images outside the range of the estimator: overviews coarser than 8 µm/px, and enlargements of more than 2.2 times.

An estimator is to abstain on them, or to answer with an interval that holds the truth. Every case lies on one of two
sides: rules were chosen on one, figures are reported on the other.
"""

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks.cache import images_identity
from benchmarks.magnification.draws import resampled
from benchmarks.sources import TRAINED_ON, Source, read_crops, read_sources
from wsi_scale.slides.array import ArraySlide
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.views import MIN_VIEW_PX, views_of
from wsi_scale.synthesis import render_scene, truth_scenes

Pixels = NDArray[np.uint8]

#: µm per pixel of overviews, log-uniform, and the factors of enlargements.
OVERVIEW_MPP, FACTORS = (8.0, 64.0), (2.3, 8.0)
#: Sides of overviews and of enlargements, pixels, log-uniform.
OVERVIEW_PX, ENLARGED_PX = (200, 1000), (300, 1000)
#: Grid on which the outline of a section is drawn, pixels a side.
OUTLINE_PX = 80
#: Coarsest µm per pixel of what is enlarged.
COARSEST_ENLARGED = 4.0
KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
#: Qualities of the JPEG that half of the images pass through afterwards.
JPEG_QUALITY = (50, 96)
#: Level of glass about tissue, and diameter of a microarray's cores with their distance, µm.
GLASS, CORE_UM, PITCH_UM = 242, 900.0, 1250.0
#: Drawn fields that overviews are made of, their side and µm per pixel.
DRAWN, DRAWN_PX, DRAWN_MPP = 24, 800, 1.0
#: Slides at hand: case, and µm per pixel of level 0 by their headers.
SLIDES = (
    ("bs11-he_overview-8um.tif", "patlas:BS11", 8.0896),
    ("camelyon-overview_dicom", "camelyon-overview", 28.969),
    ("CMU-1-Small-Region.svs", "CMU-1", 0.499),
)
OVERVIEWS_PER_CASE, CORES_PER_SIDE, ENLARGEMENTS_PER_CASE = 3, 30, 4
#: Views of an image at one downsample.
VIEWS = 8
#: Least tissue_fraction of what is enlarged.
LEAST_TISSUE = 0.3
#: Sides that cases lie on.
SIDES = ("choosing", "reporting")
SEED = 2026


@dataclass(frozen=True)
class Extreme:
    """An image outside the range of the estimator.

    Attributes
    ----------
    kind
        What it is made of, or the kernel that enlarged it; ``…+jpeg`` where it was compressed afterwards.
    case, number
        Whose tissue, and which of the case's images.
    mpp
        µm per pixel of ``pixels``.
    pixels
        (row, col, rgb).
    """

    kind: str
    case: str
    number: int
    mpp: float
    pixels: Pixels

    @property
    def key(self) -> str:
        """Name in tables."""
        return f"{self.kind}|{self.case}|{self.number}|{self.mpp:.5f}"

    @property
    def identity(self) -> dict[str, Any]:
        """All that the views depend on."""
        return {"pixels": images_identity(self.pixels), "views": VIEWS}

    def views(self) -> Iterator[tuple[int, Pixels]]:
        """Yield the downsample and (view, row, col, rgb) of what `predict` would read, with fewer views."""
        rng = np.random.default_rng(0)
        for downsample, images, _ in views_of(ArraySlide(self.pixels), VIEWS, rng):
            yield downsample, images


def side_of(case: str) -> str:
    """Side that a case lies on, ``choosing`` or ``reporting``; a microarray of many cases is named after its side."""
    return case if case in SIDES else SIDES[zlib.crc32(case.encode()) % 2]


def overviews(root: Path) -> Iterator[Extreme]:
    """Overviews coarser than 8 µm/px: single fields, sections, microarrays, Visium, slides and drawn tissue."""
    yield from single_fields(root)
    yield from section_overviews(root)
    for side in SIDES:
        yield from microarrays(root, side)
    visium = [s for s in read_sources(root / "tissue_other" / "crops.tsv") if s.name.startswith("visium")]
    for number, source in enumerate(visium):
        yield from _shrunk(source.pixels(), source.mpp, source.case, "visium", 100 * number)
    for name, case, mpp in SLIDES:
        yield from _levels(root / "slides" / name, case, mpp)
    yield from drawn_overviews()


def enlargements(root: Path) -> Iterator[Extreme]:
    """Tissue enlarged 2.3–8 times by four kernels, half of it compressed afterwards."""
    elsewhere = [s for s in read_sources(root / "tissue_other" / "crops.tsv") if s.tissue_fraction >= LEAST_TISSUE]
    yield from enlargements_of(atlas(root) | _by_case([s for s in elsewhere if s.mpp <= COARSEST_ENLARGED]))


def atlas(root: Path) -> dict[str, list[Source]]:
    """H&E of the atlas that networks may be trained on, by case."""
    return _by_case(read_crops(root, TRAINED_ON))


def single_fields(root: Path) -> Iterator[Extreme]:
    """One field of some 1 mm, shrunk as far as it still holds a view: one of 96 px or little more."""
    for source in _wide(root):
        rng = rng_of("field", source.case)
        coarsest = min(source.pixels().shape[:2]) * source.mpp / MIN_VIEW_PX
        if coarsest > OVERVIEW_MPP[0]:
            mpp = log_uniform(OVERVIEW_MPP[0], coarsest, rng)
            pixels = resampled(source.pixels(), source.mpp, mpp)
            yield compressed(Extreme("field", source.case, 0, mpp, pixels), rng)


def section_overviews(root: Path) -> Iterator[Extreme]:
    """Sections on glass, each of one case."""
    yield from (image for s in _wide(root) for image in _sections(s.pixels(), s.mpp, s.case, "section"))


def drawn_overviews() -> Iterator[Extreme]:
    """Sections of drawn tissue."""
    for number, scene in enumerate(truth_scenes(DRAWN, SEED, mpp=DRAWN_MPP, size_px=DRAWN_PX)):
        yield from _sections(render_scene(scene), DRAWN_MPP, f"drawn-{number}", "drawn")


def enlargements_of(cases: Mapping[str, Sequence[Source]]) -> Iterator[Extreme]:
    """Enlarged parts of some fields of each case."""
    for case, sources in sorted(cases.items()):
        for number in range(ENLARGEMENTS_PER_CASE):
            rng = rng_of("enlarged", case, number)
            yield _enlarged(sources[int(rng.integers(len(sources)))], number, rng)


def _wide(root: Path) -> list[Source]:
    return read_crops(root, ("tissue_wide",))


def _by_case(sources: Iterable[Source]) -> dict[str, list[Source]]:
    cases: dict[str, list[Source]] = {}
    for source in sources:
        cases.setdefault(source.case, []).append(source)
    return cases


def rng_of(*parts: object) -> np.random.Generator:
    """Draw by names, so that an image does not depend on which others are made."""
    return np.random.default_rng((SEED, zlib.crc32("|".join(map(str, parts)).encode())))


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw log-uniformly."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def compressed(image: Extreme, rng: np.random.Generator) -> Extreme:
    """Half of the images as they are, half through JPEG."""
    if rng.random() < 0.5:
        return image
    buffer = io.BytesIO()
    Image.fromarray(image.pixels).save(buffer, "JPEG", quality=int(rng.integers(*JPEG_QUALITY)))
    return replace(image, kind=f"{image.kind}+jpeg", pixels=np.asarray(Image.open(buffer)))


def _sections(field: Pixels, mpp: float, case: str, kind: str) -> Iterator[Extreme]:
    """Sections on glass: a field, mirrored on and on at its edges, shrunk and cut along a drawn outline."""
    for number in range(OVERVIEWS_PER_CASE):
        rng = rng_of(kind, case, number)
        coarse, side = log_uniform(*OVERVIEW_MPP, rng), round(log_uniform(*OVERVIEW_PX, rng))
        small = resampled(field, mpp, coarse)
        pads = [(0, max(0, side - extent)) for extent in small.shape[:2]]
        sheet = np.pad(small, [*pads, (0, 0)], mode="symmetric")[:side, :side]
        outline = _smooth_noise(side, rng)
        tissue = outline > np.quantile(outline, rng.uniform(0, 0.7))
        yield compressed(Extreme(kind, case, number, coarse, _on_glass(sheet, tissue, rng)), rng)


def _smooth_noise(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise whose hills are a tenth of the side wide, (side, side)."""
    coarse = gaussian_filter(rng.standard_normal((OUTLINE_PX, OUTLINE_PX)), OUTLINE_PX / 10).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def _on_glass(sheet: Pixels, tissue: NDArray[np.bool_], rng: np.random.Generator) -> Pixels:
    """Tissue with a soft rim on grainy glass."""
    glass = GLASS + rng.normal(0, 1.5, sheet.shape)
    share = gaussian_filter(tissue.astype(np.float64), 0.7)[..., None]
    mixed: Pixels = np.clip(share * sheet + (1 - share) * glass, 0, 255).astype(np.uint8)
    return mixed


def microarrays(root: Path, side: str) -> Iterator[Extreme]:
    """Round cores of many cases of one side on glass, in rows."""
    sources = [source for source in _wide(root) if side_of(source.case) == side]
    for number in range(CORES_PER_SIDE):
        rng = rng_of("microarray", side, number)
        mpp, side_px = log_uniform(*OVERVIEW_MPP, rng), round(log_uniform(*OVERVIEW_PX, rng))
        core, pitch = round(CORE_UM / mpp), PITCH_UM / mpp
        sheet = np.full((side_px, side_px, 3), GLASS, np.uint8)
        tissue = np.zeros(sheet.shape[:2], np.bool_)
        y, x = np.mgrid[:core, :core] - (core - 1) / 2
        disc = np.hypot(y, x) <= core / 2
        small = [resampled(source.pixels(), source.mpp, mpp) for source in rng.permutation(np.array(sources))[:12]]
        for top in np.arange(pitch / 8, side_px - core, pitch).astype(int):
            for left in np.arange(pitch / 8, side_px - core, pitch).astype(int):
                field = small[rng.integers(len(small))]
                if min(field.shape[:2]) >= core:
                    sheet[top : top + core, left : left + core] = field[:core, :core]
                    tissue[top : top + core, left : left + core] = disc
        yield compressed(Extreme("microarray", side, number, mpp, _on_glass(sheet, tissue, rng)), rng)


def _shrunk(pixels: Pixels, mpp: float, case: str, kind: str, first: int = 0) -> Iterator[Extreme]:
    """Take an image as it is, where that is coarse enough, and shrink it as far as it still holds a view."""
    if mpp > OVERVIEW_MPP[0]:
        yield Extreme(kind, case, first, mpp, pixels)
    coarsest = min(pixels.shape[:2]) * mpp / MIN_VIEW_PX
    finest = max(mpp, OVERVIEW_MPP[0])
    for number in range(first + 1, first + 1 + OVERVIEWS_PER_CASE if coarsest > finest else first + 1):
        rng = rng_of(kind, case, number)
        coarse = log_uniform(finest, min(coarsest, OVERVIEW_MPP[1]), rng)
        yield compressed(Extreme(kind, case, number, coarse, resampled(pixels, mpp, coarse)), rng)


def _levels(path: Path, case: str, own: float) -> Iterator[Extreme]:
    """Levels of a slide coarser than 8 µm/px, and the whole slide shrunk to drawn mpp."""
    with open_slide(path) as slide:
        for index, level in enumerate(slide.levels):
            mpp = own * slide.width / level.width
            if mpp > OVERVIEW_MPP[0] and min(level.width, level.height) >= MIN_VIEW_PX:
                yield Extreme("level", case, index, mpp, slide.read(index, 0, 0, level.width, level.height))
        yield from _shrunk(slide.read(0, 0, 0, slide.width, slide.height), own, case, "slide", 100)


def _enlarged(source: Source, number: int, rng: np.random.Generator) -> Extreme:
    """Enlarge a part of a field, at its own mpp or shrunk before."""
    factor, side = log_uniform(*FACTORS, rng), round(log_uniform(*ENLARGED_PX, rng))
    pixels, mpp = source.pixels(), source.mpp
    if rng.random() < 0.5:
        coarser = mpp * log_uniform(1, 4, rng)
        if min(pixels.shape[:2]) * mpp / coarser >= 64:
            pixels, mpp = resampled(pixels, mpp, coarser), coarser
    height, width = (min(extent, round(side / factor)) for extent in pixels.shape[:2])
    top, left = (
        int(rng.integers(0, full - part + 1)) for full, part in zip(pixels.shape, (height, width), strict=False)
    )
    part = Image.fromarray(pixels[top : top + height, left : left + width])
    name = list(KERNELS)[rng.integers(len(KERNELS))]
    size = (round(width * factor), round(height * factor))
    enlarged = np.asarray(part.resize(size, KERNELS[name]))
    return compressed(Extreme(name, source.case, number, mpp * width / size[0], enlarged), rng)
