"""Results in the formats of other tools."""

from pathlib import Path

import numpy as np

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.names import FEATURES, SCALE_MAP, TILES
from wsi_scale.artifacts.record import check_artefact
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.errors import ConfigError
from wsi_scale.results.scale_map import CHANNELS


def export_anndata(folder: Path, target: Path) -> None:
    """Write a slide's features as AnnData: obs = tiles, X = features at the first mpp, one layer an mpp.

    Raises
    ------
    ConfigError
        The extra ``anndata`` is not installed.
    ArtifactError
        A result is missing, damaged, or not of the last run.
    """
    try:
        import anndata
        import pandas as pd
    except ImportError as error:
        raise ConfigError("this needs an extra: pip install 'wsi-scale[anndata]'") from error
    for name in (TILES, SCALE_MAP, FEATURES):
        check_artefact(folder, name)
    tiles, _ = read_tiles(folder)
    found = read_features(folder)
    scale_map, _ = read_scale_map(folder)
    values = scale_map.image[:, tiles.row, tiles.col]
    obs = pd.DataFrame(
        {"row": tiles.row, "col": tiles.col, **dict(zip(CHANNELS, values, strict=True))},
        index=[f"{r}_{c}" for r, c in zip(tiles.row, tiles.col, strict=True)],
    )
    content = anndata.AnnData(
        X=found.features[:, 0] if len(found.mpps) else found.features_optimal,
        obs=obs,
        obsm={"spatial": np.stack([tiles.x, tiles.y], axis=1), "X_optimal": found.features_optimal}
        | {f"X_{mpp:g}": found.features[:, index] for index, mpp in enumerate(found.mpps)},
        uns={"wsi_scale": {k: v for k, v in found.attributes.items() if isinstance(v, str | int | float)}},
    )
    with replacing_file(target) as part:
        content.write_h5ad(part)
