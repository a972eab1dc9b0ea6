"""Figures 2 and 6b: confidence in the true class, and accuracy, against the scale of the input."""

from typing import Any

import numpy as np

from benchmarks.paper.networks import TWICE
from benchmarks.paper.passes import SIZES, Passes
from benchmarks.paper.photographs import ORIGINAL_PX, classes_of
from benchmarks.paper.study import CLASSIFIERS, LOG2_FACTORS, Study, factor_axis, new_figure, save, with_interval

#: Photographs whose own curves are drawn, thin.
SHOWN = 12


def curves_of(passes: Passes, answer: str = "softmax") -> dict[str, Any]:
    """Mean confidence in the true class with its interval and share of photographs that are seen right, by size."""
    values = passes.confidence(answer)
    right = passes.responses[answer].argmax(axis=1) == classes_of(passes.photographs)[:, None]
    best = np.array(SIZES)[values.argmax(axis=1)] / ORIGINAL_PX
    return {
        "photographs": len(values),
        "confidence": [with_interval(values[:, place]) for place in range(values.shape[1])],
        "accuracy": [round(float(share), 4) for share in right.mean(axis=0)],
        "surest at": {
            "smaller": round(float((best < 1).mean()), 4),
            "original": round(float((best == 1).mean()), 4),
            "larger": round(float((best > 1).mean()), 4),
        },
    }


def figure(study: Study) -> dict[str, Any]:
    """Measure each classifier at hand, print and draw."""
    passed = {name: study.passes(passer) for name, passer in study.loaded(CLASSIFIERS).items()}
    answers = {name: (passes, "softmax") for name, passes in passed.items()}
    twice = f"softmax{TWICE}"
    answers |= {f"{name}{TWICE}": (passes, twice) for name, passes in passed.items() if twice in passes.responses}
    table = {name: curves_of(*answer) for name, answer in answers.items()}
    for name, row in table.items():
        highest = int(np.argmax([mean for mean, _, _ in row["confidence"]]))
        print(
            f"{name}: mean confidence {row['confidence'][SIZES.index(ORIGINAL_PX)][0]:.3f} at 224 px, highest "
            f"{row['confidence'][highest][0]:.3f} at {SIZES[highest]} px; surest at {row['surest at']}"
        )
    _draw(table, answers)
    return {"sizes": list(SIZES), "networks": table, "not evaluated": [n for n in CLASSIFIERS if n not in passed]}


def _draw(table: dict[str, Any], answers: dict[str, tuple[Passes, str]]) -> None:
    picture = new_figure(3.4 * len(table), 3.2)
    panels = np.atleast_1d(picture.subplots(1, len(table), sharey=True))
    for axes, (name, row) in zip(panels, table.items(), strict=True):
        passes, answer = answers[name]
        own = passes.confidence(answer)[:SHOWN]
        axes.plot(LOG2_FACTORS, own.T, color="#cccccc", linewidth=0.6)
        mean, low, high = np.array(row["confidence"]).T
        axes.fill_between(LOG2_FACTORS, low, high, color="#1f4e8c", alpha=0.2, linewidth=0)
        axes.plot(LOG2_FACTORS, mean, color="#1f4e8c", label="confidence in the true class, mean")
        axes.plot(LOG2_FACTORS, row["accuracy"], color="#e07b00", linestyle="--", label="share seen right")
        axes.set_title(f"{name}, {row['photographs']} photographs", fontsize=9)
        axes.set_ylim(0, 1.02)
        factor_axis(axes)
    panels[0].legend(frameon=False, fontsize=7.5, loc="upper left")
    save(picture, "confidence")
