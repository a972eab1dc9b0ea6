"""Fit the rule by which the kept regressors abstain on overviews and enlargements, and turn on the one on stains.

    WSI_SCALE_DATA=… python -m benchmarks.magnification.beyond

Fitted on the choosing half of the cases (:func:`benchmarks.magnification.extremes.side_of`), on H&E of the atlas that a
network may be trained on and on drawn tissue, never on a case that the network's split keeps out (but as some of the
many cores of a microarray). Visium, levels of slides, and other scanners and laboratories are never fitted on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.cache import FEATURES, Arrays, images_identity, kept_arrays, network_identity
from benchmarks.data import data_root
from benchmarks.magnification.draws import resampled
from benchmarks.magnification.estimators import BACKBONES, FOLDS, LEFT_OUT, kept_out
from benchmarks.magnification.extremes import (
    COARSEST_ENLARGED,
    Extreme,
    atlas,
    compressed,
    drawn_overviews,
    enlargements_of,
    log_uniform,
    microarrays,
    rng_of,
    section_overviews,
    side_of,
    single_fields,
)
from benchmarks.sources import Source
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor, write_regressor
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.learning.embedded_training import NETWORK
from wsi_scale.learning.estimator import Estimator, load_estimator, stored_form
from wsi_scale.learning.train import REGRESSOR
from wsi_scale.magnification.out_of_range import fit_out_of_range
from wsi_scale.networks.places import EMBEDDED_MPP, carried_path
from wsi_scale.slides.array import ArraySlide
from wsi_scale.slides.views import MIN_VIEW_PX, views_of
from wsi_scale.synthesis import calibration_scenes, render_scene

#: Ordinary images of a case, how much they are enlarged at most, and their largest side in pixels.
ORDINARY_PER_CASE, ORDINARY_ENLARGED, ORDINARY_PX = 12, 1.5, 640
#: Ordinary drawn scenes, their side in pixels and µm per pixel.
ORDINARY_SCENES, SCENE_PX, SCENE_MPP = 24, 400, (0.25, 0.5, 1.0, 1.8)
#: Views of an image.
VIEWS = 6


@dataclass(frozen=True)
class LabelledViews:
    """Level-0 views, ordinary and beyond.

    Attributes
    ----------
    features
        (view, feature).
    images, cases, beyond
        (view,) number of the image, its case, and whether it lies outside the range of the estimator.
    """

    features: NDArray[np.float64]
    images: NDArray[np.int64]
    cases: NDArray[np.str_]
    beyond: NDArray[np.bool_]


def main() -> None:
    """Fit and store, one regressor after the other."""
    root = data_root()
    views = [(image.case, beyond, seen) for image, beyond in images(root) if len(seen := _views(image))]
    for split in ("shipped", *FOLDS, *LEFT_OUT):
        fit_rule(split, views)


def fit_rule(split: str, views: list[tuple[str, bool, NDArray[np.uint8]]]) -> None:
    """Fit one regressor's and write its file again."""
    path, network = _files(split)
    estimator = load_estimator(Config(execution=ExecutionConfig(threads=1)), path, str(network))
    unseen = kept_out(split)
    known = labelled_views(estimator, views)
    chosen = np.array([case not in unseen for case in known.cases])
    standard = estimator.regressor.head.standard(known.features[chosen])
    beyond = fit_out_of_range(standard, known.beyond[chosen], known.images[chosen], known.cases[chosen])
    judging = replace(estimator.regressor, out_of_range=beyond, he_alone=True)
    write_regressor(path, stored_form(judging, read_regressor(path).header))
    print(
        f"{path}: {len(np.unique(known.images[chosen]))} images of {len(np.unique(known.cases[chosen]))} cases",
        flush=True,
    )


def images(root: Path) -> Iterator[tuple[Extreme, bool]]:
    """Images of the choosing half, ordinary and beyond, and which they are."""
    overviews = chain(single_fields(root), section_overviews(root), drawn_overviews())
    extreme = chain(overviews, enlargements_of(atlas(root)), microarrays(root, "choosing"))
    ordinary = chain(_ordinary(root), _ordinary_drawn())
    for beyond, made in ((True, extreme), (False, ordinary)):
        yield from ((image, beyond) for image in made if side_of(image.case) == "choosing")


def labelled_views(
    estimator: Estimator, views: list[tuple[str, bool, NDArray[np.uint8]]], folder: Path = FEATURES
) -> LabelledViews:
    """Features of the images' views by one network, from the cache where they are there."""

    def make() -> Arrays:
        return {"features": np.concatenate([estimator.features(seen) for *_, seen in views]).astype(np.float32)}

    network = network_identity(estimator.network, estimator.compute)
    kept = kept_arrays("beyond", network | {"views": [images_identity(seen) for *_, seen in views]}, make, folder)
    counts = [len(seen) for *_, seen in views]
    return LabelledViews(
        kept["features"].astype(np.float64),
        np.repeat(np.arange(len(views)), counts),
        np.repeat([case for case, *_ in views], counts),
        np.repeat([beyond for _, beyond, _ in views], counts),
    )


def _files(split: str) -> tuple[Path, Path]:
    if split == "shipped":
        return shipped_regressor(), carried_path(EMBEDDED_MPP)
    return BACKBONES / split / REGRESSOR, BACKBONES / split / NETWORK


def _views(image: Extreme) -> NDArray[np.uint8]:
    """Cut views of level 0, (view, row, col, rgb)."""
    rng = rng_of("views", image.key)
    for downsample, seen, _ in views_of(ArraySlide(image.pixels), VIEWS, rng):
        if downsample == 1:
            return seen
    return np.zeros((0, MIN_VIEW_PX, MIN_VIEW_PX, 3), np.uint8)


def _ordinary(root: Path) -> Iterator[Extreme]:
    """Tissue at mpp from its own to 4 µm/px, a third of it a little enlarged, half of it compressed."""
    for case, sources in atlas(root).items():
        for number in range(ORDINARY_PER_CASE):
            rng = rng_of("ordinary", case, number)
            yield _ordinary_image(sources[rng.integers(len(sources))], number, rng)


def _ordinary_image(source: Source, number: int, rng: np.random.Generator) -> Extreme:
    pixels = source.pixels()
    coarsest = min(COARSEST_ENLARGED, min(pixels.shape[:2]) * source.mpp / MIN_VIEW_PX)
    finest = source.mpp / ORDINARY_ENLARGED if rng.random() < 1 / 3 else source.mpp
    upper = source.mpp if finest < source.mpp else max(coarsest, source.mpp)
    mpp = source.mpp if number < 2 else log_uniform(finest, upper, rng)
    side = min(min(pixels.shape[:2]), int(ORDINARY_PX * mpp / source.mpp))
    top, left = (int(rng.integers(0, extent - side + 1)) for extent in pixels.shape[:2])
    part = pixels[top : top + side, left : left + side]
    if mpp >= source.mpp:
        part = resampled(part, source.mpp, mpp)
    else:
        longer = round(side * source.mpp / mpp)
        kernel = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)[rng.integers(3)]
        part = np.asarray(Image.fromarray(part).resize((longer, longer), kernel))
    return compressed(Extreme("ordinary", source.case, number, mpp, part), rng)


def _ordinary_drawn() -> Iterator[Extreme]:
    for mpp in SCENE_MPP:
        for number, scene in enumerate(calibration_scenes(ORDINARY_SCENES, 0, mpp=mpp, size_px=SCENE_PX)):
            yield Extreme("ordinary", f"scene-{mpp}-{number}", number, mpp, render_scene(scene))


if __name__ == "__main__":
    main()
