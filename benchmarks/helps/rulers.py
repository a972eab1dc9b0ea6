"""How far an image's true scale lies from its claim, by the two rulers: `predict`'s estimator and the scale search."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.cache import compute_here, images_identity, kept_arrays, network_identity
from benchmarks.helps.images import Floats, Pixels, Reader, resized
from wsi_scale.config.load import parse_config
from wsi_scale.config.models import SearchConfig
from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.execution.progress import progress
from wsi_scale.learning.calibrations import ladder_of, provide_calibration, read_for
from wsi_scale.learning.estimator import Estimator, load_estimator
from wsi_scale.networks.forward import ladder_responses, place
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.covariant import search_covariant

#: Images that are searched at a time.
BLOCK = 32


@dataclass(frozen=True)
class Found:
    """What the search says of fields.

    Attributes
    ----------
    radius_um, optimal_mpp, confidence
        (field,) as :class:`~wsi_scale.scale.covariant.CovariantAnswer`, by the mpp that was claimed.
    """

    radius_um: Floats
    optimal_mpp: Floats
    confidence: Floats


class SearchRuler:
    """The covariant search of a network with its shipped calibration, all rungs."""

    def __init__(self, name: str) -> None:
        config = parse_config({"network": name})
        source = find_network(name)
        network = source.tapped(search_layers(source, "covariant", None))
        calibration, _ = read_for(provide_calibration(CalibrateSettings.of(config)), network)
        self._reader = Reader(place(network, compute_here()), compute_here())
        self._calibration: Calibration = calibration

    def search(self, images: Pixels, field_um: float, name: str, rungs_px: tuple[int, ...] = ()) -> Found:
        """Search fields of one claimed side.

        Parameters
        ----------
        images
            (field, row, col, rgb), square.
        field_um
            Side of the field by the mpp that is claimed, µm.
        rungs_px
            Sides of the rungs, largest first; by default those of the shipped ladder.
        """
        sizes_px = rungs_px or ladder_of(field_um, self._reader.network, SearchConfig()).sizes_px
        depends_on: dict[str, Any] = network_identity(self._reader.network, self._reader.compute)
        depends_on |= {"images": images_identity(images), "sizes": sizes_px}
        responses = kept_arrays(f"helps-ladder-{name}", depends_on, lambda: self._pass(images, sizes_px, name))
        answer = search_covariant(responses, np.log2(field_um / np.array(sizes_px)), self._calibration)
        return Found(answer.radius_um, answer.optimal_mpp, answer.confidence)

    def _pass(self, images: Pixels, sizes_px: tuple[int, ...], name: str) -> dict[str, Any]:
        reader, parts = self._reader, []
        with progress(f"{reader.network.name}, {name}", len(images), unit="fields") as advance:
            for start in range(0, len(images), BLOCK):
                block = images[start : start + BLOCK]
                rungs = [resized(block, size) for size in sizes_px]
                parts.append(ladder_responses(reader.network, rungs, reader.compute))
                advance(len(block))
        return {layer: np.concatenate([part[layer] for part in parts]) for layer in parts[0]}


class PredictRuler:
    """The shipped estimator of µm per pixel, asked about single images."""

    def __init__(self) -> None:
        self._estimator: Estimator = load_estimator(parse_config({}))

    def log2_mpp(self, images: Pixels, name: str) -> Floats:
        """(image,) estimated log2 of µm per pixel."""
        estimator = self._estimator
        depends_on = network_identity(estimator.network, estimator.compute) | {"images": images_identity(images)}
        features = kept_arrays(f"helps-predict-{name}", depends_on, lambda: {"x": self._features(images)})["x"]
        answer: Floats = estimator.regressor.predict_tiles(features).log2_mpp
        return answer

    def _features(self, images: Pixels) -> Floats:
        blocks = [images[start : start + BLOCK] for start in range(0, len(images), BLOCK)]
        return np.concatenate([self._estimator.features(block) for block in blocks])
