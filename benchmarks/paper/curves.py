"""Figures 5 and 9: curves of single channels and of whole layers, and the share of channels that is kept."""

from typing import Any

import numpy as np

from benchmarks.paper.networks import DEEPEST, TWICE
from benchmarks.paper.passes import Passes
from benchmarks.paper.proposals import published
from benchmarks.paper.study import LOG2_FACTORS, Study, factor_axis, new_figure, rounded, save
from wsi_scale.scale.published import SIGNED_SCALES, PublishedAnswer

#: Channels that are drawn of a layer, evenly among all.
CHANNELS = 20


def answer_of(passes: Passes) -> PublishedAnswer:
    """Return the published answer; of VGG19 with the demo's fifth block as a layer more."""
    answer = published(passes)
    if DEEPEST + TWICE not in passes.responses:
        return answer
    other = published(passes, twice=True)
    for name in ("votes", "curves", "kept"):
        getattr(answer, name)[DEEPEST + TWICE] = getattr(other, name)[DEEPEST + TWICE]
    return answer


def curves(study: Study) -> dict[str, Any]:
    """Draw what the channels of the first photograph answer, layer by layer (figure 5)."""
    found = study.searched()
    passes = found["vgg19"]
    answer = answer_of(passes)
    picture = new_figure(9, 4.6)
    for axes, layer in zip(picture.subplots(2, 3).flat, answer.curves, strict=True):
        values = passes.responses[layer][0].astype(np.float64)
        drawn = np.linspace(0, len(values) - 1, CHANNELS).astype(int)
        own = values[drawn] / np.maximum(values[drawn].max(axis=1, keepdims=True), 1e-12)
        axes.plot(LOG2_FACTORS, own.T, color="#bbbbbb", linewidth=0.5)
        whole, filtered = values.mean(axis=0), answer.curves[layer][0]
        axes.plot(LOG2_FACTORS, whole / whole.max(), color="#e07b00", label="mean of all channels")
        axes.plot(LOG2_FACTORS, filtered / filtered.max(), color="#1f4e8c", linestyle="--", label="mean of those kept")
        axes.set_title(f"{layer}: {answer.kept[layer][0]:.0%} of channels kept", fontsize=8)
        factor_axis(axes)
    picture.axes[0].legend(frameon=False, fontsize=7.5)
    picture.supylabel("mean response over its maximum", fontsize=9)
    save(picture, "curves")
    layers = {layer: {"merged": rounded(answer.curves[layer][0])} for layer in answer.curves}
    return {"photograph": passes.photographs[0].name, "signed scales": list(SIGNED_SCALES), "layers": layers}


def kept(study: Study) -> dict[str, Any]:
    """Measure the share of channels that the filter keeps, by depth (figure 9)."""
    table: dict[str, Any] = {}
    found = {name: answer_of(passes).kept for name, passes in study.searched().items()}
    picture = new_figure(4.6 * len(found), 3.2)
    for axes, (name, shares) in zip(
        np.atleast_1d(picture.subplots(1, len(found), sharey=True)), found.items(), strict=True
    ):
        table[name] = {layer: _spread(share) for layer, share in shares.items()}
        axes.boxplot(list(shares.values()), showfliers=False)
        axes.set_xticks(range(1, len(shares) + 1), labels=[layer.replace(" (", "\n(") for layer in shares], fontsize=8)
        axes.set_title(f"{name}, {len(next(iter(shares.values())))} photographs", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.spines[["top", "right"]].set_visible(False)
        for layer, row in table[name].items():
            print(f"{name} {layer}: kept {row['median']:.3f} (quartiles {row['quartiles']})")
    picture.supylabel("share of channels kept", fontsize=8)
    save(picture, "kept")
    return table


def _spread(share: Any) -> dict[str, Any]:
    return {
        "median": round(float(np.median(share)), 4),
        "quartiles": rounded(np.quantile(share, (0.25, 0.75))),
        "least": round(float(share.min()), 4),
    }
