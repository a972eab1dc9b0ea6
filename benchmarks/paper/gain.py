"""Figure 11: the confidence in the true class at the proposed size against the original, and against plain rules."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from benchmarks.paper.networks import TWICE
from benchmarks.paper.passes import SIZES, Passer, Passes
from benchmarks.paper.photographs import ORIGINAL_PX, SEED
from benchmarks.paper.proposals import COVARIANT, PUBLISHED, Proposal, proposals
from benchmarks.paper.study import Study, new_figure, rounded, save, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Confidences that differ by no more are also counted as equal: exact equality is an accident of saturation.
TOLERANCES = {"exactly": 0.0, "within 0.01": 0.01}
FOLDS = 10
ORIGINAL = SIZES.index(ORIGINAL_PX)
ALWAYS, FIXED, SUREST = "always x1", "best fixed factor, chosen on other photographs", "maximum softmax over scales"
SHUFFLED, TRUTH = "another photograph's published proposal", "best of 21 scales, truth known"
#: What is drawn.
SHOWN = (PUBLISHED, PUBLISHED + TWICE, COVARIANT, FIXED, SUREST)


@dataclass(frozen=True)
class Choice:
    """Sizes that were chosen for photographs, and what a classifier answers there.

    Attributes
    ----------
    sizes
        (photograph, draw) shorter side; more than one draw where the choice is random.
    confidence
        (photograph, draw) in the true class.
    original
        (photograph,) the same at the original size.
    """

    sizes: NDArray[np.int64]
    confidence: NDArray[np.float64]
    original: NDArray[np.float64]

    def figures(self) -> dict[str, Any]:
        """Share of photographs that are better, equal and worse, with intervals; all, and those of another size."""
        change = self.confidence - self.original[:, None]
        changed = self.sizes != ORIGINAL_PX
        some = changed.any(axis=1)
        return {
            "n": len(change),
            "change": with_interval(change.mean(axis=1)),
            "confidence": round(float(self.confidence.mean()), 4),
            "all": {name: _shares(change, np.ones_like(changed), tol) for name, tol in TOLERANCES.items()},
            "size changed": {
                "n": int(some.sum()),
                **{name: _shares(change[some], changed[some], tol) for name, tol in TOLERANCES.items() if some.any()},
            },
        }


def _shares(change: NDArray[np.float64], counted: NDArray[np.bool_], tolerance: float) -> dict[str, list[float]]:
    signs = {
        "better": change > tolerance,
        "equal": np.abs(change) <= tolerance,
        "worse": change < -tolerance,
        "not worse": change >= -tolerance,
    }
    count = counted.sum(axis=1)
    return {name: with_interval((sign & counted).sum(axis=1) / count) for name, sign in signs.items()}


def fixed_factor(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(photograph,) place of the scale that has the highest mean confidence (photograph, size) on other folds."""
    folds = KFold(min(FOLDS, len(values)), shuffle=True, random_state=SEED)
    chosen = np.zeros(len(values), np.int64)
    for fit, test in folds.split(values):
        chosen[test] = values[fit].mean(axis=0).argmax()
    return chosen


def on_grid(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of the scale of the grid that is nearest in octaves, (…,)."""
    distance = np.abs(np.log2(sizes[..., None]) - np.log2(SIZES))
    nearest: NDArray[np.int64] = distance.argmin(axis=-1)
    return nearest


class Judge:
    """Reads confidences of one classifier, at the sizes of the grid and at any other.

    Parameters
    ----------
    answer
        Layer of the softmax that judges.
    """

    def __init__(self, study: Study, passer: Passer, answer: str = "softmax") -> None:
        self._passer, self._answer = passer, answer
        self.passes: Passes = study.passes(passer)
        self.grid = self.passes.confidence(answer)

    @property
    def original(self) -> NDArray[np.float64]:
        """(photograph,) confidence in the true class at the original size."""
        return self.grid[:, ORIGINAL]

    def of_grid(self, places: NDArray[np.int64]) -> Choice:
        """Judge a choice of scales of the grid, (photograph,) or (photograph, draw)."""
        places = places.reshape(len(self.grid), -1)
        return Choice(np.array(SIZES)[places], np.take_along_axis(self.grid, places, axis=1), self.original)

    def of_sizes(self, sizes: NDArray[np.int64]) -> Choice:
        """Judge a choice of any sizes, (photograph,)."""
        found = [self._at(place, int(size)) for place, size in enumerate(sizes)]
        return Choice(sizes[:, None], np.array(found)[:, None], self.original)

    def _at(self, place: int, size: int) -> float:
        if size in SIZES:
            return float(self.grid[place, SIZES.index(size)])
        photograph = self.passes.photographs[place]
        return float(self._passer.one(photograph, (size,))[self._answer][photograph.class_index, 0])


def choices(judge: Judge, proposed: dict[str, Proposal]) -> dict[str, Choice]:
    """Judge the methods and the rules that need no method."""
    count = len(judge.grid)
    found = {name: judge.of_sizes(proposal.sizes) for name, proposal in proposed.items()}
    others = on_grid(proposed[PUBLISHED].sizes)
    shuffled = np.stack([np.roll(others, shift) for shift in range(1, count)], axis=1)
    sureness = judge.passes.responses["softmax"].max(axis=1)
    return found | {
        ALWAYS: judge.of_grid(np.full(count, ORIGINAL)),
        FIXED: judge.of_grid(fixed_factor(judge.grid)),
        SUREST: judge.of_grid(sureness.argmax(axis=1)),
        SHUFFLED: judge.of_grid(shuffled),
        TRUTH: judge.of_grid(judge.grid.argmax(axis=1)),
    }


def figure(study: Study) -> dict[str, Any]:
    """Measure all choices for each classifier, print and draw."""
    table: dict[str, dict[str, Any]] = {}
    shown: dict[str, dict[str, Choice]] = {}
    for name, passer in study.loaded().items():
        passes = study.passes(passer)
        proposed = proposals(passes)
        judged = choices(Judge(study, passer), proposed)
        if f"softmax{TWICE}" in passes.responses:
            own = Judge(study, passer, f"softmax{TWICE}")
            judged[f"{PUBLISHED}{TWICE}, judged by itself"] = own.of_sizes(proposed[PUBLISHED + TWICE].sizes)
        rows = {choice: found.figures() for choice, found in judged.items()}
        for method, proposal in proposed.items():
            rows[method]["answered"] = round(float(np.isfinite(proposal.factor).mean()), 4)
            rows[method]["sizes"] = proposal.sizes.tolist()
        table[name] = rows | {"photographs": rounded(judged[ALWAYS].original)}
        shown[name] = judged
        _print(name, rows)
    draw(shown)
    return table


def _print(network: str, rows: dict[str, Any]) -> None:
    for tolerance in TOLERANCES:
        print(f"{network}; equal: {tolerance}; shares better / equal / worse, of all, and where the size changed")
        for name, row in rows.items():
            parts = [row["all"], row["size changed"]]
            shares = [
                " / ".join(f"{part[tolerance][sign][0]:.2f}" for sign in ("better", "equal", "worse"))
                if tolerance in part else "-"
                for part in parts
            ]  # fmt: skip
            change = " {:+.3f} ({:+.3f} to {:+.3f})".format(*row["change"])
            print(f"  {name:55} {shares[0]}   {shares[1]} (n {parts[1]['n']})  {change}", flush=True)


def draw(judged: dict[str, dict[str, Choice]]) -> None:
    """Draw the confidence at the chosen size against that at the original: a row a classifier, a column a choice."""
    picture = new_figure(2.2 * len(SHOWN), 0.4 + 2.5 * len(judged))
    panels = picture.subplots(len(judged), len(SHOWN), sharex=True, sharey=True, squeeze=False)
    for row, (network, choices_of) in zip(panels, judged.items(), strict=True):
        row[0].set_ylabel(network, fontsize=9)
        for axes, name in zip(row, SHOWN, strict=True):
            axes.set_title(name.replace(", ", ",\n").replace(" (", "\n("), fontsize=7.5)
            _draw_choice(axes, choices_of.get(name))
    picture.supxlabel("confidence in the true class at the original size", fontsize=9)
    picture.supylabel("at the chosen size", fontsize=9)
    save(picture, "gain")


def _draw_choice(axes: "Axes", choice: Choice | None) -> None:
    axes.set(aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.spines[["top", "right"]].set_visible(False)
    if choice is None:
        axes.text(0.5, 0.5, "not evaluated", ha="center", fontsize=8)
        return
    changed = choice.sizes[:, 0] != ORIGINAL_PX
    for chosen, colour in ((changed, "#1f4e8c"), (~changed, "#bbbbbb")):
        axes.scatter(choice.original[chosen], choice.confidence[chosen, 0], s=8, color=colour)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.6)
    shares = choice.figures()["all"]["within 0.01"]
    for place, sign in ((0.97, "better"), (0.9, "equal"), (0.83, "worse")):
        axes.text(0.02, place, f"{sign} {shares[sign][0]:.0%}", fontsize=7, va="top", color="#444444")
