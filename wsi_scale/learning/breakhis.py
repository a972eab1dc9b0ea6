"""BreakHis from a folder of its images: accuracy of their relative scale, without and with training on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import check_writable
from wsi_scale.artifacts.breakhis import TABLE, BreakHisRow, write_breakhis
from wsi_scale.config.models import Config
from wsi_scale.errors import ConfigError, SlideError, one_line
from wsi_scale.execution.progress import progress
from wsi_scale.learning.estimator import Estimator, load_estimator
from wsi_scale.magnification.breakhis import (
    BreakHisName,
    BreakHisScores,
    held_out_offset,
    held_out_ridge,
    nearest_magnification,
    parse_name,
    patient_folds,
    score,
    untrained_folds,
)
from wsi_scale.magnification.pooling import pool_views
from wsi_scale.slides.discover import find_slides
from wsi_scale.slides.field import Field, read_field
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide

#: Suffixes of the images that are read.
SUFFIXES = (".png", ".jpg", ".jpeg")
#: Side of a view, pixels, and the width of an image as published; a few are published 456 px high instead of 460.
VIEW_PX, PUBLISHED_WIDTH_PX = 224, 700
#: Fewer patients cannot be trained on and tested.
LEAST_PATIENTS = 3


@dataclass(frozen=True)
class PatientSplit:
    """Folds of patients, and the seed that decides who is in which."""

    folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class BreakHisResult:
    """Accuracy of the estimated scale of BreakHis's images.

    Attributes
    ----------
    rows
        One an image.
    patients, folds, skipped
        How many; skipped are images of other names or formats, copies, and what cannot be read.
    notes
        What a reader should know of the data, a line each.
    untrained, fitted
        The estimator as it is, less one offset fitted on training patients; and a head fitted on them.
    """

    rows: tuple[BreakHisRow, ...]
    patients: int
    folds: int
    skipped: int
    notes: tuple[str, ...]
    untrained: BreakHisScores
    fitted: BreakHisScores


@dataclass(frozen=True)
class _ImageEstimate:
    """Features and estimate of an image: its mean log features (feature,) and the pooled log2 mpp."""

    path: Path
    name: BreakHisName
    width: int
    log2_mpp: float
    features: NDArray[np.float64]


def evaluate_breakhis(
    folder: Path,
    config: Config,
    *,
    split: PatientSplit | None = None,
    output: Path | None = None,
    regressor: Path | None = None,
    network: str | None = None,
) -> BreakHisResult:
    """Estimate the relative scale of the images below a folder, in the published layout or any other.

    Parameters
    ----------
    split
        By default five folds.
    output
        Folder for ``breakhis.tsv`` and ``breakhis.json``.
    regressor, network
        The estimator's files; by default those configured or shipped.

    Raises
    ------
    UserError
        No such folder, too few patients or magnifications in it, or the estimator cannot be read.
    """
    split = split or PatientSplit()
    if split.folds < 2:
        raise ConfigError(f"--folds {split.folds}: give at least 2, one to test while the others train")
    images, skipped = find_images(folder)
    if output is not None:
        check_writable(output)
    estimator = load_estimator(config, regressor, network)
    seen, unreadable = _estimate_images(images, estimator)
    notes = [f"{len(skipped)} images skipped, e.g. {skipped[0]}"] if skipped else []
    notes += [f"{len(unreadable)} images could not be read, e.g. {unreadable[0]}"] if unreadable else []
    _check_enough([image.name for image in seen], folder)
    result = _evaluate(seen, folder, split, notes, len(skipped) + len(unreadable))
    if output is not None:
        made_with = {"seed": split.seed, "network": estimator.network.name, "digest": estimator.network.digest}
        figures = asdict(result) | {"rows": TABLE, "images": len(result.rows), "scale": "log2 mpp relative to 40x"}
        write_breakhis(output, result.rows, figures | made_with)
    return result


def find_images(folder: Path) -> tuple[dict[BreakHisName, Path], list[str]]:
    """Find BreakHis's images below a folder, and say why each other image is skipped, one line each.

    Raises
    ------
    UserError
        The folder cannot be listed or holds none of them.
    """
    images: dict[BreakHisName, Path] = {}
    skipped = []
    for found in find_slides(folder):
        try:
            if found.path.suffix.lower() not in SUFFIXES:
                raise SlideError(f"{found.path.name!r} is neither PNG nor JPEG")
            name = parse_name(found.path.name)
        except SlideError as error:
            skipped.append(one_line(error))
            continue
        if name in images:
            skipped.append(f"{found.path.name!r} is there twice")
        else:
            images[name] = found.path
    if not images:
        raise SlideError(f"{folder}: none of its {len(skipped)} images is an image of BreakHis: {skipped[0]}")
    return images, skipped


def _estimate_images(
    images: Mapping[BreakHisName, Path], estimator: Estimator
) -> tuple[list[_ImageEstimate], list[str]]:
    seen, unreadable = [], []
    with progress("breakhis", len(images), unit="images") as advance:
        for name, path in images.items():
            try:
                seen.append(_estimate_image(name, path, estimator))
            except SlideError as error:
                unreadable.append(one_line(error))
            advance(1)
    return seen, unreadable


def _estimate_image(name: BreakHisName, path: Path, estimator: Estimator) -> _ImageEstimate:
    with open_slide(path) as slide:
        views = np.stack([read_field(slide, field, (VIEW_PX, VIEW_PX)) for field in _fields(slide)])
        width = slide.width
    features = estimator.features(views)
    # Only level 0: a reduced view would mix the magnifications that are to be told apart.
    pooled = pool_views(estimator.regressor.predict_tiles(features), np.ones(len(features)))
    return _ImageEstimate(path, name, width, pooled.log2_mpp, features.mean(axis=0))


def _fields(slide: Slide) -> Iterator[Field]:
    """Lay views at level 0, evenly over the image: 3 × 2 of 700 × 460 px."""
    if min(slide.width, slide.height) < VIEW_PX:
        raise SlideError(f"{slide.path}: {slide.width}x{slide.height} px is less than a view of {VIEW_PX} px")
    for y in np.linspace(0, slide.height - VIEW_PX, slide.height // VIEW_PX).round():
        for x in np.linspace(0, slide.width - VIEW_PX, slide.width // VIEW_PX).round():
            yield Field(float(x), float(y), VIEW_PX, VIEW_PX)


def _check_enough(names: Sequence[BreakHisName], folder: Path) -> None:
    patients, scales = {name.patient for name in names}, {name.magnification for name in names}
    if len(patients) < LEAST_PATIENTS or len(scales) < 2:
        raise SlideError(
            f"{folder}: {len(names)} readable images of {len(patients)} patients at {len(scales)} magnifications; "
            f"at least {LEAST_PATIENTS} patients and 2 magnifications are needed"
        )


def _evaluate(
    seen: Sequence[_ImageEstimate], folder: Path, split: PatientSplit, notes: Sequence[str], skipped: int
) -> BreakHisResult:
    patients = [image.name.patient for image in seen]
    truth = np.array([image.name.magnification for image in seen])
    fold = patient_folds(patients, truth, split.folds, split.seed)
    untrained = held_out_offset(np.array([image.log2_mpp for image in seen]), truth, fold)
    fitted = held_out_ridge(np.stack([image.features for image in seen]), patients, truth, fold)
    answers = zip(untrained, nearest_magnification(untrained), fitted, nearest_magnification(fitted), strict=True)
    rows = tuple(
        BreakHisRow(
            image.path.relative_to(folder).as_posix(), image.name.patient, image.name.tumour_type,
            image.name.magnification, int(number), round(float(a), 4), int(of_a), round(float(b), 4), int(of_b),
        )
        for image, number, (a, of_a, b, of_b) in zip(seen, fold, answers, strict=True)
    )  # fmt: skip
    return BreakHisResult(
        rows, len(set(patients)), int(fold.max()), skipped, (*notes, *_notes(seen, truth, fold, split.folds)),
        score(untrained, truth, patients), score(fitted, truth, patients),
    )  # fmt: skip


def _notes(
    seen: Sequence[_ImageEstimate], truth: NDArray[np.int64], fold: NDArray[np.int64], asked: int
) -> Iterator[str]:
    if fold.max() < asked:
        patients = {image.name.patient for image in seen}
        yield f"{fold.max()} folds instead of {asked}: {len(patients)} patients are too few"
    for number, magnification in untrained_folds(truth, fold):
        yield f"all {magnification}x images are in fold {number}: they were estimated by a training without any"
    resized = sum(image.width != PUBLISHED_WIDTH_PX for image in seen)
    if resized:
        yield f"{resized} images are not {PUBLISHED_WIDTH_PX} px wide: resized copies have another scale"
