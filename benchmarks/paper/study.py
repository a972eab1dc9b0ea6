"""What the experiments share: photographs, classifiers and what these answer, and how figures are written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import IMAGES
from benchmarks.magnification.figures import bootstrap
from benchmarks.paper.networks import find_classifier
from benchmarks.paper.passes import SIZES, Passer, Passes
from benchmarks.paper.photographs import ORIGINAL_PX, Photograph, read_photographs
from wsi_scale.artifacts.atomic import replacing_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Classifiers with layers that a scale search reads; of others only the confidence is measured.
SEARCHED = ("vgg19", "squeezenet1_1", "resnet50")
CLASSIFIERS = (*SEARCHED, "alexnet", "resnet18")
#: log2 of the factors by which photographs are enlarged.
LOG2_FACTORS: NDArray[np.float64] = np.log2(np.array(SIZES) / ORIGINAL_PX)


@dataclass
class Study:
    """Photographs and classifiers; nothing is loaded before it is needed.

    Attributes
    ----------
    root
        Folder of real data.
    count
        How many photographs, at most; None for all.
    counts
        The same for single classifiers, by their names.
    """

    root: Path
    count: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    _passers: dict[str, Passer | None] = field(default_factory=dict)
    _passes: dict[str, Passes] = field(default_factory=dict)

    @cached_property
    def photographs(self) -> tuple[Photograph, ...]:
        """The photographs, in their random order."""
        return read_photographs(self.root / "imagenet", self.count)

    def passer(self, name: str) -> Passer | None:
        """Load a classifier; None, and one line, without complete weights."""
        if name not in self._passers:
            network = find_classifier(name)
            if network is None:
                print(f"{name}: not evaluated: no complete weights")
            self._passers[name] = None if network is None else Passer(network)
        return self._passers[name]

    def passes(self, passer: Passer) -> Passes:
        """Return what a classifier answers to its photographs at all 21 sizes."""
        name = passer.network.name
        if name not in self._passes:
            self._passes[name] = passer.passes(self.photographs[: self.counts.get(name)])
        return self._passes[name]

    def loaded(self, names: Sequence[str] = SEARCHED) -> dict[str, Passer]:
        """Load those classifiers that have complete weights."""
        found = {name: self.passer(name) for name in names}
        return {name: passer for name, passer in found.items() if passer is not None}

    def searched(self) -> dict[str, Passes]:
        """Return the answers of the classifiers that a scale search reads."""
        return {name: self.passes(passer) for name, passer in self.loaded().items()}


def with_interval(values: NDArray[np.float64]) -> list[float]:
    """Mean over photographs, and its 95 % bootstrap interval: [mean, low, high]."""
    low, high = bootstrap(values, [f"{place:05d}" for place in range(len(values))], "mean")
    return [round(float(values.mean()), 4), low, high]


def rounded(values: NDArray[np.floating]) -> list[float | None]:
    """Values for a document, to four places; None for NaN."""
    return [round(float(value), 4) if math.isfinite(value) else None for value in values]


def new_figure(width: float, height: float) -> "Figure":
    """Start a picture, inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: "Figure", name: str, folder: Path = IMAGES) -> None:
    """Write docs/images/paper-<name>.png."""
    path = folder / f"paper-{name}.png"
    drawn = BytesIO()
    figure.savefig(drawn, dpi=100, format="png")
    with replacing_file(path) as part, Image.open(drawn) as image:
        # Lines of few colours: a palette halves the file.
        image.convert("RGB").quantize(64).save(part, format="png", optimize=True)
    print(f"wrote {path}")


def factor_axis(axes: "Axes") -> None:
    """Label an axis of log2 factors as factors."""
    ticks = {"1/3": 1 / 3, "1/2": 0.5, "1": 1, "2": 2, "3": 3, "4": 4}
    axes.set_xticks(np.log2(list(ticks.values())), labels=list(ticks))
    axes.set_xlabel("shorter side over 224 px")
    axes.axvline(0, color="#999999", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
