"""Features of each tile at several mpp, and at the tile's optimal mpp."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import ConfigError
from wsi_scale.results.html import facts_html
from wsi_scale.results.scale_map import CHANNELS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid, TileTable

if TYPE_CHECKING:
    import anndata
    import spatialdata
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
        """Return the features as one labelled data set, with row, col, x and y of each tile (level-0 pixels).

        With the user's regions also ``region`` and ``region_class``.
        """
        import xarray as xr

        values = {
            "features": (("tile", "mpp", "channel"), self.features),
            "features_optimal": (("tile", "channel"), self.features_optimal),
            "padded_share": (("tile", "mpp"), self.padded_share),
        }
        columns = {name: getattr(self.tiles, name) for name in ("row", "col", "x", "y")} | self.tiles.regions()
        places = {name: ("tile", values) for name, values in columns.items()}
        return xr.Dataset(values, {"mpp": self.mpps, **places}, self.said())

    def at(self, mpp: str | None = None) -> tuple[NDArray[np.float32], float]:
        """Choose features at one µm per pixel.

        Parameters
        ----------
        mpp
            One of ``mpps`` as text, or ``optimal``; by default the first of them, or the optimal ones if there is none.

        Returns
        -------
        features
            (tile, channel)
        mpp
            µm per pixel of their fields; for the optimal ones, whose fields differ, that of the tiles.

        Raises
        ------
        ConfigError
            There are no such features.
        """
        names = [f"{value:g}" for value in self.mpps]
        chosen = mpp if mpp is not None else (names or ["optimal"])[0]
        if chosen == "optimal":
            return self.features_optimal, self.tiles.grid.mpp
        try:
            index = names.index(f"{float(chosen):g}")
        except ValueError as error:
            raise ConfigError(
                f"there are no features at {chosen} µm/px; choose of {', '.join(names)}, optimal"
            ) from error
        return self.features[:, index], float(self.mpps[index])

    def to_anndata(self, thumbnail: NDArray[np.uint8] | None = None, name: str = "slide") -> "anndata.AnnData":
        """Return the features as AnnData: obs = tiles, X = features at the first mpp, ``obsm`` one entry an mpp.

        ``obsm["spatial"]`` has the centres of the tiles, level-0 pixels, where scanpy and squidpy draw them; obs has
        row and col, x and y (top left, level-0 pixels), with a scale map its channels and ``reason`` by name, and with
        the user's regions ``region`` and ``region_class``.

        Parameters
        ----------
        thumbnail
            (row, col, rgb) picture of the whole slide, to be drawn beneath the tiles (``uns["spatial"]``); or None.
        name
            Of the slide.

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
        values: dict[str, object] = {column: pd.Categorical(texts) for column, texts in tiles.regions().items()}
        if self.scale_map is not None:
            values |= zip(CHANNELS, self.scale_map.image[:, tiles.row, tiles.col], strict=True)
            codes = self.scale_map.reason[tiles.row, tiles.col]
            values["reason"] = pd.Categorical.from_codes(codes, [reason.label for reason in Reason])
        places = {column: getattr(tiles, column) for column in ("row", "col", "x", "y")}
        return anndata.AnnData(
            X=self.at()[0],
            obs=pd.DataFrame(places | values, index=tiles.names()),
            obsm={"spatial": tiles.centers(), "X_optimal": self.features_optimal}
            | {f"X_{mpp:g}": self.features[:, index] for index, mpp in enumerate(self.mpps)},
            uns={"wsi_scale": self.said()}
            | ({} if thumbnail is None else {"spatial": {name: _picture(thumbnail, tiles.grid)}}),
        )

    def to_spatialdata(
        self, thumbnail: NDArray[np.uint8] | None = None, name: str = "slide"
    ) -> "spatialdata.SpatialData":
        """Return tiles (shapes), features (table) and scale map (image) as SpatialData.

        All lie in two coordinate systems: ``global``, level-0 pixels, and ``um``, µm, from the slide's top left corner.

        Parameters
        ----------
        thumbnail
            (row, col, rgb) picture of the whole slide, which becomes the image ``slide``; or None.
        name
            Of the slide.

        Raises
        ------
        ConfigError
            The extra ``spatialdata`` is not installed.
        """
        from wsi_scale.results.spatial import to_spatialdata

        return to_spatialdata(self, thumbnail, name)

    def __repr__(self) -> str:
        return f"TileFeatures({'; '.join(f'{name}: {value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        return facts_html("Features", self._facts())

    def said(self) -> dict[str, str | int | float]:
        """Return the attributes that any file format can hold: texts and numbers."""
        return {name: value for name, value in self.attributes.items() if isinstance(value, str | int | float)}

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {"tiles": len(self), "channels": self.features_optimal.shape[1]}
        facts["mpp"] = ", ".join(f"{mpp:g}" for mpp in self.mpps) or "none"
        facts["at optimal mpp"] = int(np.isfinite(self.features_optimal[:, 0]).sum())
        return facts | {name: self.attributes[name] for name in ("network", "layer") if name in self.attributes}


def _picture(thumbnail: NDArray[np.uint8], grid: TileGrid) -> dict[str, dict[str, Any]]:
    """Describe a picture of the slide as scanpy and squidpy expect it."""
    factors = {
        "tissue_hires_scalef": thumbnail.shape[1] / grid.slide_width,
        "spot_diameter_fullres": float(np.mean(grid.tile_size)),
    }
    return {"images": {"hires": thumbnail}, "scalefactors": factors}
