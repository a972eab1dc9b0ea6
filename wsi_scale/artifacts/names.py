"""Which files and folders of a slide's results this program writes."""

from pathlib import Path

from wsi_scale.artifacts.record import SLIDE_STAGES, record_path


def artefacts_of(stage: str) -> tuple[str, ...]:
    """Name what a stage leaves beside its record where it is ok."""
    # zarr and pyarrow are loaded where they are needed.
    from wsi_scale.artifacts import features, geojson, pictures, prediction, scale_map, slide_info, tiles

    return {
        "inspect": (slide_info.NAME,),
        "predict": (prediction.NAME,),
        "tile": (tiles.NAME, pictures.THUMBNAIL, pictures.MASK, pictures.OVERLAY),
        "search": (scale_map.NAME, geojson.NAME),
        "extract": (features.NAME,),
    }[stage]


def is_artefact(name: str) -> bool:
    """Whether a stage of a slide writes a file or folder of this name."""
    return any(name == record_path(Path(), stage).name or name in artefacts_of(stage) for stage in SLIDE_STAGES)
