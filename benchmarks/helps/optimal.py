"""Features at a field's own optimal mpp against the best fixed mpp, and several fixed mpps together.

The field of view stays as it is, so that all arms see the same tissue. (`wsi-scale extract` keeps the pixels of a tile
instead, so that its field changes with the mpp.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Responses
from benchmarks.helps import fields, patches
from benchmarks.helps.corrections import RUNGS_PX
from benchmarks.helps.heads import LinearHead
from benchmarks.helps.images import THINNED, Floats, Pixels, Reader, sizes_for
from benchmarks.helps.judge import Interval, auc, resampled
from benchmarks.helps.rulers import SearchRuler

#: Octaves of enlargement of the fixed arms: patches to 0.49–1.94 µm/px, fields of 0.25 µm/px to 0.35–2.
PATCH_OCTAVES = (1.0, 0.5, 0.0, -0.5, -1.0)
FIELD_OCTAVES = (-0.5, -1.0, -1.5, -2.0, -2.5, -3.0)
#: Own optimal mpp as the search gives it, and so much coarser: the training part chooses.
OWN_SHIFTS = (0.0, 0.75)
OUTER_FOLDS = 10

FIXED, OWN, SEVERAL, WITH_RADIUS = "best fixed", "own optimal", "several fixed", "best fixed and radius"


@dataclass(frozen=True)
class Question:
    """A task: fields, what is asked of them, and who is trained and tested.

    Attributes
    ----------
    images
        (field, row, col, rgb).
    target, groups
        (field,); groups are resampled, and no group is trained and tested on.
    splits
        Rows to train on and to test on.
    regression
        Whether the target is a number; else tumour or not.
    field_um, octaves
        Side of a field, and enlargements of the fixed arms.
    optimal_mpp
        (field,) as the search gives it; NaN without an answer.
    kept_as, boundary
        Name of what is kept, and the field before which it is kept apart.
    """

    name: str
    images: Pixels
    target: NDArray[Any]
    groups: NDArray[Any]
    splits: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    regression: bool
    field_um: float
    octaves: tuple[float, ...]
    optimal_mpp: Floats
    kept_as: str = "nuclei"
    boundary: int = 0

    @property
    def tested(self) -> NDArray[np.int64]:
        """Rows that are tested, each once."""
        return np.sort(np.concatenate([test for _, test in self.splits]))


def tumour_question(root: Path, searcher: SearchRuler, step: int = 1) -> Question:
    """Tumour on PatchCamelyon, by its own split; of both parts each so-manieth patch."""
    whole = patches.read_patches(root)
    field_um = patches.MPP * patches.SIDE_PX
    optimal = [searcher.search(part.images, field_um, "pcam", RUNGS_PX).optimal_mpp[::step] for part in whole]
    parts = [part.every(step) for part in whole]
    images, target = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "tumour"))
    rows, start = np.arange(len(target)), len(optimal[0])
    split = (rows[:start], rows[start:])
    own = np.concatenate(optimal)
    return Question("tumour", images, target, rows, [split], False, field_um, PATCH_OCTAVES, own, "patches", start)


def nuclei_question(root: Path, searcher: SearchRuler, step: int = 1) -> Question:
    """Share of a field that nuclei cover, each patient tested once; all fields, whatever the step."""
    from sklearn.model_selection import GroupKFold

    found = fields.read_fields(root)
    folds = GroupKFold(OUTER_FOLDS, shuffle=True, random_state=0).split(found.images, groups=found.patient)
    field_um = fields.MPP * fields.FIELD_PX
    optimal = searcher.search(found.images, field_um, "nuclei").optimal_mpp
    return Question(
        "nuclear share", found.images, found.covered, found.patient, list(folds), True, field_um, FIELD_OCTAVES, optimal
    )


def measure_optimal(root: Path, network: str) -> dict[str, Any]:
    """All arms of both tasks with one network's features; the search is the embedded network's."""
    reader, searcher = Reader.of(network), SearchRuler("embedded")
    found = {}
    for ask in (tumour_question, nuclei_question):
        question = ask(root, searcher, THINNED.get(network, 1))
        answers, chosen = answer_arms(question, candidates(question, reader))
        found[question.name] = figures_of(question, answers) | {"chosen": chosen}
    return found


def candidates(question: Question, reader: Reader) -> dict[str, dict[str, Responses]]:
    """Arm → what it may choose from inside the training part, by name."""
    side = question.images.shape[1]
    log2_optimal = np.log2(question.optimal_mpp)
    own = np.where(np.isfinite(log2_optimal), log2_optimal, np.nanmedian(log2_optimal))

    def shown(octaves: Floats) -> Responses:
        sizes = sizes_for(side, octaves)
        parts = [
            reader.responses(images, own, question.kept_as)
            for images, own in zip(
                *(np.split(values, [question.boundary]) for values in (question.images, sizes)), strict=True
            )
            if len(images)
        ]
        return {layer: np.concatenate([part[layer] for part in parts]) for layer in parts[0]}

    count = len(question.images)
    fixed = {f"{_mpp(question, octaves):.2f}": shown(np.full(count, octaves)) for octaves in question.octaves}
    radius = {"radius": (2.0**own)[:, None].astype(np.float32)}
    enlarged = np.log2(question.field_um / side) - own
    return {
        FIXED: fixed,
        OWN: {f"coarser by {shift:g}": shown(enlarged - shift) for shift in OWN_SHIFTS},
        SEVERAL: {"together": _together(fixed)},
        WITH_RADIUS: {name: responses | radius for name, responses in fixed.items()},
    }


def _mpp(question: Question, octaves: float) -> float:
    return question.field_um / float(sizes_for(question.images.shape[1], np.array(octaves)))


def _together(fixed: Mapping[str, Responses]) -> Responses:
    return {f"{mpp} {layer}": values for mpp, responses in fixed.items() for layer, values in responses.items()}


def answer_arms(
    question: Question, arms: Mapping[str, Mapping[str, Responses]]
) -> tuple[dict[str, Floats], dict[str, list[str]]]:
    """Answers of each arm on the tested fields, (field,), and what it chose in each split."""
    answers: dict[str, Floats] = {}
    chosen: dict[str, list[str]] = {}
    for arm, offered in arms.items():
        answers[arm], chosen[arm] = np.full(len(question.target), np.nan), []
        for train, test in question.splits:
            heads = {name: _fit(question, responses, train) for name, responses in offered.items()}
            best = max(heads, key=lambda name: heads[name].score)
            answers[arm][test] = heads[best].answer(_rows(offered[best], test))
            chosen[arm].append(best)
    return answers, chosen


def _fit(question: Question, responses: Responses, rows: NDArray[np.int64]) -> LinearHead:
    shown = [_rows(responses, rows)]
    return LinearHead.fit(shown, question.target[rows], question.groups[rows], regression=question.regression)


def _rows(responses: Responses, rows: NDArray[np.int64]) -> Responses:
    return {layer: values[rows] for layer, values in responses.items()}


def figures_of(question: Question, answers: Mapping[str, Floats]) -> dict[str, Any]:
    """AUC, or mean absolute error, of each arm, and the difference to the best fixed mpp (positive: better)."""
    rows, names = question.tested, list(answers)
    target = question.target[rows]

    def figures(picked: NDArray[np.int64]) -> Floats:
        if question.regression:
            return np.array([-np.abs(answers[name][rows] - target)[picked].mean() for name in names])
        return np.array([auc(answers[name][rows][picked], target[picked] == 1) for name in names])

    whole, drawn = resampled(question.groups[rows], figures)
    home = names.index(FIXED)
    sign = -1 if question.regression else 1
    return {
        "metric": "mean absolute error" if question.regression else "auc",
        "fields": len(rows),
        "groups": len(np.unique(question.groups[rows])),
        "arms": {
            name: {
                "value": Interval.of(sign * whole[index], sign * drawn[:, index]),
                "difference": Interval.of(whole[index] - whole[home], drawn[:, index] - drawn[:, home]),
            }
            for index, name in enumerate(names)
        },
    }
