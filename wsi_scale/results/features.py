"""Features of each tile at several mpp, and at the tile's optimal mpp."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import ConfigError
from wsi_scale.results.html import facts_html
from wsi_scale.results.scale_map import CHANNELS, Reason, ScaleMap
from wsi_scale.results.tiles import TileTable

if TYPE_CHECKING:
    import anndata
    import xarray


@dataclass(frozen=True, eq=False)
class Features:
    """Features in memory, rows as in tiles.parquet.

    Attributes
    ----------
    features
        (tile, mpp, channel) float32; NaN where the mpp is finer than the slide holds or the field cannot be decoded.
    features_optimal
        (tile, channel) float32; NaN where the tile has no optimal mpp or its field cannot be decoded.
    mpps
        (mpp,) µm per pixel.
    padded_share
        (tile, mpp) share of the field outside the slide, filled with the background colour.
    attributes
        Network, layer, digest, fingerprint; ``unreadable_tiles`` where there are any.
    """

    features: NDArray[np.float32]
    features_optimal: NDArray[np.float32]
    mpps: NDArray[np.float64]
    padded_share: NDArray[np.float32]
    attributes: dict[str, Any]


@dataclass(frozen=True, eq=False)
class TileFeatures(Features):
    """Features with their tiles.

    Attributes
    ----------
    features
        (tile, mpp, channel) float32; NaN where the mpp is finer than the slide holds or the field cannot be decoded.
    features_optimal
        (tile, channel) float32; NaN where the tile has no optimal mpp or its field cannot be decoded.
    mpps
        (mpp,) µm per pixel.
    padded_share
        (tile, mpp) share of the field outside the slide, filled with the background colour.
    attributes
        Network, layer, digest, execution; ``unreadable_tiles`` where there are any.
    tiles
        One entry a row of the features.
    scale_map
        Source of the optimal µm per pixel; None if features are at fixed mpps only.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> image = np.full((600, 900, 3), 200, np.uint8)
    >>> tiles = ws.tile_slide(image, slide_mpp=0.5, method="none", tile_px=400)
    >>> features = ws.extract_features(image, tiles, mpps=[1.0, 2.0])
    >>> len(features), features.mpps.tolist(), dict(features.to_xarray().sizes)
    (2, [1.0, 2.0], {'tile': 2, 'mpp': 2, 'channel': 160})
    """

    tiles: TileTable
    scale_map: ScaleMap | None

    def __len__(self) -> int:
        return len(self.tiles)

    def to_xarray(self) -> "xarray.Dataset":
        """Return the features as one labelled data set, with row, col, x and y of each tile (level-0 pixels)."""
        import xarray as xr

        values = {
            "features": (("tile", "mpp", "channel"), self.features),
            "features_optimal": (("tile", "channel"), self.features_optimal),
            "padded_share": (("tile", "mpp"), self.padded_share),
        }
        places = {name: ("tile", getattr(self.tiles, name)) for name in ("row", "col", "x", "y")}
        return xr.Dataset(values, {"mpp": self.mpps, **places}, self._said())

    def to_anndata(self) -> "anndata.AnnData":
        """Return the features as AnnData: obs = tiles, X = features at the first mpp, ``obsm`` one entry an mpp.

        With a scale map, obs has its channels and ``reason`` by name; with the user's regions, ``region`` and
        ``region_class``.

        Raises
        ------
        ConfigError
            The extra ``anndata`` is not installed.
        """
        try:
            import anndata
            import pandas as pd
        except ImportError as error:
            raise ConfigError("AnnData is not installed: pip install 'wsi-scale[anndata]'") from error
        tiles = self.tiles
        values: dict[str, object] = {name: pd.Categorical(texts) for name, texts in tiles.regions().items()}
        if self.scale_map is not None:
            values |= zip(CHANNELS, self.scale_map.image[:, tiles.row, tiles.col], strict=True)
            codes = self.scale_map.reason[tiles.row, tiles.col]
            values["reason"] = pd.Categorical.from_codes(codes, [reason.label for reason in Reason])
        obs = pd.DataFrame(
            {"row": tiles.row, "col": tiles.col, **values},
            index=[f"{r}_{c}" for r, c in zip(tiles.row, tiles.col, strict=True)],
        )
        return anndata.AnnData(
            X=self.features[:, 0] if len(self.mpps) else self.features_optimal,
            obs=obs,
            obsm={"spatial": np.stack([tiles.x, tiles.y], axis=1), "X_optimal": self.features_optimal}
            | {f"X_{mpp:g}": self.features[:, index] for index, mpp in enumerate(self.mpps)},
            uns={"wsi_scale": self._said()},
        )

    def __repr__(self) -> str:
        return f"TileFeatures({'; '.join(f'{name}: {value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        return facts_html("Features", self._facts())

    def _said(self) -> dict[str, str | int | float]:
        return {name: value for name, value in self.attributes.items() if isinstance(value, str | int | float)}

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {"tiles": len(self), "channels": self.features_optimal.shape[1]}
        facts["mpp"] = ", ".join(f"{mpp:g}" for mpp in self.mpps) or "none"
        facts["at optimal mpp"] = int(np.isfinite(self.features_optimal[:, 0]).sum())
        return facts | {name: self.attributes[name] for name in ("network", "layer") if name in self.attributes}
