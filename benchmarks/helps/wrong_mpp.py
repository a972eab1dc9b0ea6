"""The case that scale normalisation is for: a classifier trained at one mpp meets files whose mpp is wrong."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.helps.corrections import (
    PREDICT_IMAGE,
    PREDICT_RELATIVE,
    PREDICT_SLIDE,
    SEARCH_IMAGE,
    SEARCH_SLIDE,
    TRUE,
    UNCORRECTED,
    Corrections,
    Measured,
    corrections,
    measure,
    shown_px,
)
from benchmarks.helps.heads import LinearHead
from benchmarks.helps.images import THINNED, Floats, Reader, sizes_for
from benchmarks.helps.judge import Interval, auc, resampled
from benchmarks.helps.patches import SIDE_PX, WRONG_OCTAVES, Patches, over_factors, read_patches
from benchmarks.magnification.draws import slide_draws
from benchmarks.magnification.estimators import answers_of, kept_out
from benchmarks.magnification.figures import errors
from benchmarks.sources import read_crops
from wsi_scale.config.load import parse_config
from wsi_scale.learning.estimator import load_estimator

#: How the classifier was trained: on the patches as they are, on each at all five scales, and on each at its own scale
#: but read from files of all five: as soft as what is corrected.
PLAIN, AUGMENTED, RESAMPLED = "one scale", "scale augmentation", "one scale, resampled"
#: The arm that a correction is held against.
RIGHT = f"{PLAIN}, right mpp"
COMPARATOR = f"{AUGMENTED}, {UNCORRECTED}"
#: Arms that slower networks leave out; they answer to one seed.
LEFT_OUT = {
    "squeezenet1_1": (PREDICT_SLIDE, PREDICT_RELATIVE, SEARCH_SLIDE),
    "vgg19": (TRUE, PREDICT_IMAGE, PREDICT_SLIDE, PREDICT_RELATIVE, SEARCH_IMAGE, SEARCH_SLIDE),
}
#: Octaves of mpp that real slides' errors are taken from, by their lower ends.
ERROR_OCTAVES = (0.5, 1.0)

#: Arm → (seed, factor, patch) log odds.
Decisions = dict[str, Floats]


def measure_wrong_mpp(root: Path, network: str) -> dict[str, Any]:
    """Accuracy and AUC of all arms with one network's features."""
    training, test = read_patches(root)
    measured = measure(training, test)
    arms = corrections(measured, real_slide_errors(root))
    if left_out := LEFT_OUT.get(network):
        step = THINNED.get(network, 1)
        arms = {arm: [seeds[0][:, ::step]] for arm, seeds in arms.items() if arm not in left_out}
        training, test = training.every(step), test.every(step)
    decisions = decide(Reader.of(network), training, test, arms)
    return {
        "patches": len(test.tumour),
        "training_patches": len(training.tumour),
        "octaves": list(WRONG_OCTAVES),
        "arms": judge(decisions, test),
        "rulers": ruler_figures(measured),
    }


def real_slide_errors(root: Path) -> Floats:
    """Errors of `predict` on slides of cases that its network never saw, at 0.5–2 µm/px, octaves."""
    unseen = kept_out("shipped")
    sources = [source for source in read_crops(root) if source.case in unseen]
    answers = answers_of(load_estimator(parse_config({})), slide_draws(sources))
    answered = [a for a in answers if a.octave in ERROR_OCTAVES and np.isfinite(a.log2_mpp)]
    found: Floats = errors(answered)
    return found


def decide(reader: Reader, training: Patches, test: Patches, arms: Corrections) -> Decisions:
    """Let the classifiers decide on the test patches of all arms."""
    everyone = np.zeros(len(training.images))
    plain = [reader.responses(training.images, sizes_for(SIDE_PX, everyone), "patches")]
    scales = [sizes_for(SIDE_PX, everyone - octaves) for octaves in WRONG_OCTAVES]
    shown = {
        PLAIN: plain,
        AUGMENTED: [reader.responses(training.images, sizes, "patches") for sizes in scales],
        RESAMPLED: [_answers(reader, training, factor, everyone + wrong) for factor, wrong in enumerate(WRONG_OCTAVES)],
    }
    classifiers = {
        name: LinearHead.fit(some, training.tumour, np.arange(len(training.tumour))) for name, some in shown.items()
    }
    decisions = {}
    for arm, seeds in arms.items():
        # (seed, factor) responses of all patches
        answers = [[_answers(reader, test, factor, own) for factor, own in enumerate(octaves)] for octaves in seeds]
        for name, classifier in classifiers.items():
            decisions[f"{name}, {arm}"] = np.array([[classifier.answer(answer) for answer in seed] for seed in answers])
    home = WRONG_OCTAVES.index(0.0)
    for name in classifiers:
        right = decisions[f"{name}, {UNCORRECTED}"][:, home : home + 1]
        decisions[f"{name}, right mpp"] = np.repeat(right, len(WRONG_OCTAVES), axis=1)
    return decisions


def _answers(reader: Reader, patches: Patches, factor: int, octaves: Floats) -> Any:
    wrong = WRONG_OCTAVES[factor]
    side, sizes = shown_px(wrong), sizes_for(shown_px(wrong), octaves)
    # What is shown as it is would be resampled to its own side, and is asked for elsewhere under this name.
    images = patches.images if np.all(sizes == sizes_for(side, np.array(0.0))) else patches.wrong_by(wrong)
    return reader.responses(images, sizes, "patches")


def judge(decisions: Decisions, test: Patches) -> dict[str, Any]:
    """Figures of every arm with intervals over patches: accuracy, AUC, and both against the comparators."""
    names = list(decisions)
    positive = test.tumour == 1
    right = np.stack([np.mean((decisions[name] > 0) == positive, axis=0) for name in names])

    def figures(rows: Any) -> Floats:
        accuracy = over_factors(np.moveaxis(right[:, :, rows].mean(axis=2), 0, 1))
        area = [over_factors(_areas(decisions[name][:, :, rows], positive[rows])) for name in names]
        return np.stack([accuracy, np.array(area)])

    whole, drawn = resampled(np.arange(len(positive)), figures)
    found: dict[str, Any] = {}
    for index, name in enumerate(names):
        row = {"accuracy_by_factor": right[index].mean(axis=1).round(4).tolist()}
        for kind, metric in enumerate(("accuracy", "auc")):
            row[metric] = Interval.of(whole[kind, index], drawn[:, kind, index])
            row |= _against(whole[kind], drawn[:, kind], index, names, metric)
        found[name] = row
    return found


def _areas(decisions: Floats, positive: Any) -> Floats:
    """(factor,) mean AUC over the seeds."""
    areas: Floats = np.array([[auc(decision, positive) for decision in seed] for seed in decisions]).mean(axis=0)
    return areas


def _against(whole: Floats, drawn: Floats, index: int, names: list[str], metric: str) -> dict[str, Any]:
    """Difference to scale augmentation, and the share that is left of what the wrong mpp costs."""
    other, right, wrong = (names.index(name) for name in (COMPARATOR, RIGHT, f"{PLAIN}, {UNCORRECTED}"))
    lost, lost_drawn = (values[..., right] - values[..., wrong] for values in (whole, drawn))
    left, left_drawn = (values[..., right] - values[..., index] for values in (whole, drawn))
    return {
        f"{metric}_over_augmentation": Interval.of(whole[index] - whole[other], drawn[:, index] - drawn[:, other]),
        f"{metric}_loss_left": Interval.of(float(left / lost), left_drawn / lost_drawn),
    }


def ruler_figures(measured: Measured) -> dict[str, Any]:
    """Errors of both rulers on single patches and on all, octaves, by the factor."""
    true = np.array(WRONG_OCTAVES)[:, None]
    return {
        name: {
            "median_error": np.nanmedian(np.abs(octaves - true), axis=1).round(4).tolist(),
            "cohort_error": np.nanmedian(octaves - true, axis=1).round(4).tolist(),
            "answered": np.isfinite(octaves).mean(axis=1).round(4).tolist(),
        }
        for name, octaves in (("predict", measured.predicted), ("search", measured.searched))
    }
