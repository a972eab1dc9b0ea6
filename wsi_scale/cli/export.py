"""The command that writes results for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.options import one_line_errors
from wsi_scale.cli.talk import conclude

_MANY = "; a folder gets one file for each slide, named after it"


def export(
    folder: Annotated[Path, typer.Argument(help="Results of one slide, or a results folder of many.")],
    anndata: Annotated[
        Path | None,
        typer.Option(help=f"AnnData (.h5ad) for scanpy and squidpy: obs = tiles, obsm['spatial'] = centres{_MANY}."),
    ] = None,
    h5: Annotated[
        Path | None,
        typer.Option(help=f"HDF5 as TRIDENT and CLAM lay it out, for MIL training: features, coords{_MANY}."),
    ] = None,
    spatialdata: Annotated[
        Path | None,
        typer.Option(help=f"SpatialData (.zarr): tiles, features, scale map and picture of the slide{_MANY}."),
    ] = None,
    features_mpp: Annotated[
        str | None,
        typer.Option(
            help="µm per pixel of the features in the h5 file, or `optimal`; by default the first that was extracted.",
            metavar="MPP",
        ),
    ] = None,
) -> None:
    """Write results in file formats of other tools; several at once if you like.

    Of one slide: wsi-scale export RESULTS/slides/ID --anndata ID.h5ad --h5 ID.h5, or --h5 FOLDER as of many.

    Of a cohort, one file a slide: wsi-scale export RESULTS --h5 FOLDER leaves FOLDER/ID.h5 of every slide.

    Each format needs its extra: pip install 'wsi-scale[anndata]', 'wsi-scale[h5]' or 'wsi-scale[spatialdata]'.

    QuPath needs no export: drag tiles.geojson onto the slide. napari opens the results folder itself, with the extra
    `napari`.
    """
    with one_line_errors():
        from wsi_scale.errors import ConfigError
        from wsi_scale.jobs.export import Format
        from wsi_scale.jobs.export import export as export_results

        asked: dict[Format, Path | None] = {"anndata": anndata, "h5": h5, "spatialdata": spatialdata}
        targets = {kind: place for kind, place in asked.items() if place is not None}
        if not targets:
            raise ConfigError("nothing to export; give --anndata FILE.h5ad, --h5 FILE.h5 or --spatialdata STORE.zarr")
        for line in export_results(folder, targets, features_mpp):
            conclude(line)
