"""From a tile's log features to a distribution over log2 mpp."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

#: Centres of the bins of log2 mpp: 0.105–11.3 µm/px. Wider than the range of estimates, so that its ends are not
#: pulled inwards and what lies outside is known for it.
BIN_CENTRES = np.arange(-3.25, 3.51, 0.25)


@dataclass(frozen=True)
class TilePredictions:
    """Predictions for tiles, one after the other.

    Attributes
    ----------
    log2_mpp, spread_octaves
        (tile,) mean and standard deviation of log2 mpp, given that they show tissue.
    tissue
        (tile,) probability that they show brightfield tissue at all.
    """

    log2_mpp: NDArray[np.float64]
    spread_octaves: NDArray[np.float64]
    tissue: NDArray[np.float64]

    @classmethod
    def none(cls) -> "TilePredictions":
        """No tile."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0))

    @classmethod
    def joined(cls, parts: Sequence["TilePredictions"]) -> "TilePredictions":
        """Put predictions one after the other."""
        all_parts = [cls.none(), *parts]
        return cls(*(np.concatenate([getattr(part, f.name) for part in all_parts]) for f in fields(cls)))

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "TilePredictions":
        """Pick the chosen tiles."""
        return TilePredictions(self.log2_mpp[chosen], self.spread_octaves[chosen], self.tissue[chosen])


@dataclass(frozen=True)
class Head:
    """A standardisation, one hidden layer and a softmax over bins of log2 mpp and "no tissue", in plain arrays.

    Attributes
    ----------
    mean, scale
        (feature,) standardisation.
    hidden_weights, hidden_bias
        (hidden, feature) and (hidden,), followed by a ReLU.
    weights, bias
        (bin + 1, hidden) and (bin + 1,); the last row is the class "no brightfield tissue".
    centres
        (bin,) log2 mpp.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    hidden_weights: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    centres: NDArray[np.float64]

    def standard(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise features, (tile, feature)."""
        values: NDArray[np.float64] = (features - self.mean) / self.scale
        return values

    def distribution(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(tile, feature) log features → (tile, bin + 1) probabilities; the last is that of no tissue."""
        hidden = np.maximum(self.standard(features) @ self.hidden_weights.T + self.hidden_bias, 0)
        logits = hidden @ self.weights.T + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return shares

    def predict_tiles(self, features: NDArray[np.float64]) -> "TilePredictions":
        """Predict log2 mpp of tiles from their log features, (tile, feature)."""
        shares = self.distribution(features)
        tissue = shares[:, :-1].sum(axis=1)
        given = shares[:, :-1] / np.maximum(tissue, 1e-12)[:, None]
        mean = given @ self.centres
        variance = given @ np.square(self.centres) - np.square(mean)
        return TilePredictions(mean, np.sqrt(np.maximum(variance, 0)), tissue)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Name → array, as stored."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> "Head":
        """Rebuild from the result of :meth:`arrays`; other names are ignored."""
        return cls(**{part.name: arrays[part.name] for part in fields(cls)})
