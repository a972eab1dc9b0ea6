"""Figures 6a and 10: what each layer votes for, and what becomes of the votes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.curves import answer_of
from benchmarks.paper.networks import DEEPEST, TWICE
from benchmarks.paper.passes import Passes
from benchmarks.paper.proposals import Proposal, proposals
from benchmarks.paper.study import LOG2_FACTORS, Study, factor_axis, new_figure, rounded, save
from wsi_scale.scale.published import signed_to_factor

SHOWN = 4
STYLES = {
    "published": {"color": "#1f4e8c", "linestyle": "-"},
    f"published{TWICE}": {"color": "#e07b00", "linestyle": "--"},
    "covariant": {"color": "#2a9d8f", "linestyle": ":"},
}


def figure(study: Study) -> dict[str, Any]:
    """Measure votes and proposals of each classifier, print and draw those of VGG19."""
    table: dict[str, Any] = {}
    for name, passes in study.searched().items():
        votes, proposed = answer_of(passes).votes, proposals(passes)
        table[name] = {
            "votes": {layer: _vote_figures(values) for layer, values in votes.items()},
            "spread of votes, octaves": _spread(votes),
            "proposals": {method: _figures(proposal) for method, proposal in proposed.items()},
            "same size by any two layers": _agreement(votes),
        }
        for part in ("votes", "proposals"):
            for row, figures in table[name][part].items():
                print(f"{name} {part} {row}: {figures}")
        if name == "vgg19":
            _draw(passes, votes, proposed)
    return table


def _vote_figures(votes: NDArray[np.float64]) -> dict[str, Any]:
    answered = votes[np.isfinite(votes)]
    return {
        "answered": round(len(answered) / len(votes), 4),
        "smaller": round(float((answered < 0).mean()), 4),
        "original": round(float((answered == 0).mean()), 4),
        "larger": round(float((answered > 0).mean()), 4),
        "quartiles of factor": rounded(np.quantile(signed_to_factor(answered), (0.25, 0.5, 0.75))),
    }


def _figures(proposal: Proposal) -> dict[str, Any]:
    answered = proposal.factor[np.isfinite(proposal.factor)]
    return {
        "answered": round(len(answered) / len(proposal.factor), 4),
        "original": round(float((answered == 1).mean()), 4),
        "quartiles of factor": rounded(np.quantile(answered, (0.25, 0.5, 0.75))),
    }


def _once(votes: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """(layer, photograph) log2 factors that the layers vote for, without the demo's fifth block."""
    layers = [signed_to_factor(values) for layer, values in votes.items() if layer != DEEPEST + TWICE]
    factors: NDArray[np.float64] = np.log2(np.stack(layers))
    return factors


def _spread(votes: dict[str, NDArray[np.float64]]) -> float:
    """Median over photographs of the range of the layers' votes."""
    factors = _once(votes)
    some = np.isfinite(factors).sum(axis=0) > 1
    ranges = np.nanmax(factors[:, some], axis=0) - np.nanmin(factors[:, some], axis=0)
    return round(float(np.median(ranges)), 4)


def _agreement(votes: dict[str, NDArray[np.float64]]) -> float:
    """Share of pairs of layers' votes, over photographs, that are the same scale."""
    factors = _once(votes)
    pairs = [(a, b) for a in range(len(factors)) for b in range(a)]
    same = np.concatenate([factors[a] - factors[b] for a, b in pairs])
    return round(float((same[np.isfinite(same)] == 0).mean()), 4)


def _draw(
    passes: Passes,
    votes: dict[str, NDArray[np.float64]],
    proposed: dict[str, Proposal],
) -> None:
    values = passes.confidence()
    count = min(SHOWN, len(values))
    picture = new_figure(11, 4.6)
    panels = picture.subplots(2, count, sharex=True, squeeze=False)
    for place in range(count):
        above, below = panels[:, place]
        above.plot(LOG2_FACTORS, values[place], color="#555555")
        above.set_ylim(0, 1.02)
        above.set_title(passes.photographs[place].name, fontsize=9)
        factors = [signed_to_factor(layer)[place] for layer in votes.values()]
        below.plot(np.log2(factors), range(len(votes)), "o", color="#555555", markersize=5)
        below.set_yticks(range(len(votes)), labels=list(votes) if place == 0 else [""] * len(votes), fontsize=8)
        for axes in (above, below):
            factor_axis(axes)
            for method, proposal in proposed.items():
                line = axes.axvline(np.log2(proposal.factor[place]), linewidth=2, **STYLES[method])
                line.set_label(method)
        above.set_xlabel("")
    panels[0, 0].set_ylabel("confidence in the true class", fontsize=8)
    panels[1, 0].set_ylabel("votes of the layers", fontsize=8)
    handles, legends = panels[0, 0].get_legend_handles_labels()
    picture.legend(handles, legends, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    save(picture, "estimates")
