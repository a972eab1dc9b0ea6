"""The factor by which each method of the scale search would enlarge photographs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import kept_arrays
from benchmarks.paper.networks import DEEPEST, TWICE
from benchmarks.paper.passes import SIZES, Passes
from benchmarks.paper.photographs import ORIGINAL_PX
from wsi_scale.config.load import parse_config
from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.errors import UserError
from wsi_scale.learning.calibrations import SPEC, provide_calibration, read_for
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.covariant import search_covariant
from wsi_scale.scale.published import PublishedAnswer, search_published

PUBLISHED, COVARIANT = "published", "covariant"


@dataclass(frozen=True)
class Proposal:
    """What a method proposes.

    Attributes
    ----------
    factor
        (photograph,) by which the original should be enlarged; NaN without an answer.
    """

    factor: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(photograph,) shorter side, truncated as the demo does; without an answer the original stays."""
        kept = np.where(np.isfinite(self.factor), self.factor, 1.0)
        return np.clip((ORIGINAL_PX * kept + 1e-9).astype(np.int64), min(SIZES), max(SIZES))


def published(passes: Passes, *, twice: bool = False) -> PublishedAnswer:
    """Search photographs as published.

    Parameters
    ----------
    twice
        With VGG19's fifth block as the authors' demo has it.
    """
    ends = architecture(passes.network.name).block_ends
    layers = [layer + TWICE if twice and layer == DEEPEST else layer for layer in ends]
    return search_published({layer: passes.responses[layer] for layer in layers})


def covariant(passes: Passes, calibration: Calibration) -> Proposal:
    """Search photographs with calibrated channels, on a ladder without a unit: the original has 1 µm/px."""
    order = np.argsort(SIZES)[::-1]
    log2_mpp = np.log2(ORIGINAL_PX / np.array(SIZES))[order]
    responses = {layer: passes.responses[layer][:, :, order] for layer in calibration.layers}
    return Proposal(1 / search_covariant(responses, log2_mpp, calibration).optimal_mpp)


def calibration_of(name: str) -> Calibration | None:
    """Find or make the calibration of a network; None, and one line, where too few of its channels follow size.

    That there is none is kept: to find it out again would cost a minute in each command.
    """
    settings = CalibrateSettings.of(parse_config({"network": name}))
    source = find_network(name)
    network = source.tapped(search_layers(source, COVARIANT, None))
    depends_on = {"network": network.digest, "search": repr(settings.search), "version": SPEC.version}
    if not kept_arrays("paper-calibrated", depends_on, lambda: {"is": np.array(_is_calibrated(settings))})["is"]:
        print(f"{name}, covariant: not evaluated: too few of its channels follow the size of planted nuclei")
        return None
    return read_for(provide_calibration(settings), network)[0]


def _is_calibrated(settings: CalibrateSettings) -> bool:
    try:
        provide_calibration(settings)
    except UserError as error:
        print(error)
        return False
    return True


def proposals(passes: Passes) -> dict[str, Proposal]:
    """Return what each method proposes, by its name."""
    found = {PUBLISHED: Proposal(published(passes).scale)}
    if DEEPEST + TWICE in passes.responses:
        found[PUBLISHED + TWICE] = Proposal(published(passes, twice=True).scale)
    if (calibration := calibration_of(passes.network.name)) is not None:
        found[COVARIANT] = covariant(passes, calibration)
    return found
