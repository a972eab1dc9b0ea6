"""What is done about a claim that may be wrong: octaves by which each image is enlarged before a classifier sees it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.helps.images import Floats, Pixels
from benchmarks.helps.patches import MPP, SIDE_PX, WRONG_OCTAVES, Patches
from benchmarks.helps.rulers import PredictRuler, SearchRuler

#: Rungs on which a patch is searched, px: 0.31–3.9 µm/px. The finest holds no more than the patch.
RUNGS_PX = (304, 240, 192, 152, 120, 96, 80, 64, 48, 40, 32, 24)
#: Training patches whose median is the scale that others are brought to.
REFERENCES = 400
#: Patches that stand for a slide, and the seeds by which they are put together.
SLIDE_PATCHES, SEEDS = 20, (0, 1, 2)

#: Arms, as tables name them; those of several seeds answer once a seed.
UNCORRECTED, TRUE = "uncorrected", "true factor"
PREDICT_IMAGE, PREDICT_SLIDE, PREDICT_COHORT = "predict, image", "predict, slide of 20", "predict, cohort"
PREDICT_REAL = "predict, slide with real errors"
PREDICT_RELATIVE = "predict, cohort against training"
SEARCH_IMAGE, SEARCH_SLIDE, SEARCH_COHORT = "search, image", "search, slide of 20", "search, cohort"

#: Arm → for each seed, (factor, patch) octaves.
Corrections = dict[str, list[Floats]]


@dataclass(frozen=True)
class Measured:
    """What the rulers say of patches whose claim is wrong by each factor.

    Attributes
    ----------
    predicted
        (factor, patch) octaves by which an image is to be enlarged so that it has the mpp that is claimed.
    predicted_training
        The same of training patches whose claim is right, in the median.
    searched
        (factor, patch) octaves by which an image is to be enlarged so that its dominant structure has the pixels
        that it has in the training patches' median; NaN without an answer.
    """

    predicted: Floats
    predicted_training: float
    searched: Floats


def measure(training: Patches, test: Patches) -> Measured:
    """Ask both rulers about the test patches at all wrong factors."""
    predictor, searcher = PredictRuler(), SearchRuler("embedded")
    some = training.images[:: len(training.images) // REFERENCES]
    by_search, by_predict = [], []
    reference = float(np.nanmedian(_searched(searcher, some)))
    for octaves in WRONG_OCTAVES:
        images = test.wrong_by(octaves)
        by_predict.append(predictor.log2_mpp(images, "pcam") - np.log2(MPP))
        by_search.append(reference - _searched(searcher, images))
    at_home = predictor.log2_mpp(training.images, "pcam") - np.log2(MPP)
    return Measured(np.stack(by_predict), float(np.median(at_home)), np.stack(by_search))


def _searched(searcher: SearchRuler, images: Pixels) -> Floats:
    """(image,) log2 of the optimal mpp by the claim that a pixel has 0.972 µm."""
    found = searcher.search(images, MPP * images.shape[1], "pcam", RUNGS_PX)
    return np.log2(found.optimal_mpp)


def corrections(measured: Measured, slide_errors: Floats) -> Corrections:
    """All arms.

    Parameters
    ----------
    slide_errors
        (slide,) errors of `predict` on real slides of cases that it never saw, octaves.
    """
    true = np.repeat(np.array(WRONG_OCTAVES)[:, None], measured.predicted.shape[1], axis=1)
    cohort = np.broadcast_to(np.median(measured.predicted, axis=1)[:, None], true.shape)
    searched = np.broadcast_to(np.nanmedian(measured.searched, axis=1)[:, None], true.shape)
    return {
        UNCORRECTED: [np.zeros_like(true)],
        TRUE: [true],
        PREDICT_IMAGE: [measured.predicted],
        PREDICT_SLIDE: [_by_slide(measured.predicted, _slides(true.shape[1], seed)) for seed in SEEDS],
        PREDICT_REAL: [true + _real_errors(slide_errors, true.shape, seed) for seed in SEEDS],
        PREDICT_COHORT: [cohort],
        PREDICT_RELATIVE: [cohort - measured.predicted_training],
        SEARCH_IMAGE: [np.where(np.isfinite(measured.searched), measured.searched, 0.0)],
        SEARCH_SLIDE: [_by_slide(measured.searched, _slides(true.shape[1], seed)) for seed in SEEDS],
        SEARCH_COHORT: [searched],
    }


def _slides(patches: int, seed: int) -> NDArray[np.int64]:
    """(patch,) number of the slide that each patch is put into, at random: PatchCamelyon names none."""
    return np.random.default_rng(seed).permutation(patches) // SLIDE_PATCHES


def _by_slide(octaves: Floats, slide: NDArray[np.int64]) -> Floats:
    medians = np.stack([np.nanmedian(octaves[:, slide == number], axis=1) for number in range(slide.max() + 1)], axis=1)
    return medians[:, slide]


def _real_errors(errors: Floats, shape: tuple[int, ...], seed: int) -> Floats:
    """(factor, patch) errors: one for each slide of 20 and factor, drawn from those of real slides."""
    slide = _slides(shape[1], seed)
    drawn = np.random.default_rng((seed, 1)).choice(errors, size=(shape[0], slide.max() + 1))
    return drawn[:, slide]


def shown_px(octaves: float) -> float:
    """Side of a patch in a file whose pixels are 2^octaves times as large as it claims."""
    return float(SIDE_PX * 2.0**-octaves)
