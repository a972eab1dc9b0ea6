"""Everything that a report shows of a slide, read from its folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from wsi_scale.artifacts.names import MASK, OVERLAY, PREDICTION, REGIONS, SCALE_MAP, SLIDE_INFO, THUMBNAIL, TILES
from wsi_scale.artifacts.pictures import check_picture, read_tissue
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.record import Record, check_artefact, read_record
from wsi_scale.artifacts.regions import read_regions
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.status import StatusRow, slide_status
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.errors import ArtifactError
from wsi_scale.results.audit import AuditRow
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.tiles import TileTable
from wsi_scale.slides.metadata import SlideInfo, with_estimated_mpp

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class SlideView:
    """Everything that one slide's section needs.

    Results of a stage are shown only if its record says that they are of this run: a failed stage shows its
    reason, and no results of an earlier run.

    Attributes
    ----------
    status
        Status of the slide.
    records
        Of the stages that have one, in the order in which they run.
    info
        The keys of `inspect`; empty where there are none.
    thumbnail, overlay
        Paths of the pictures, or None.
    striped
        Whether the pictures have stripes where the slide cannot be decoded.
    regions
        Outlines that the user gave.
    tiles, scale_map, prediction
        As stored, or None.
    audit
        Verdict of the audit, or None.
    notes
        One line for each result that could not be read.
    """

    status: StatusRow
    records: tuple[Record, ...]
    info: Mapping[str, object]
    thumbnail: Path | None
    overlay: Path | None
    striped: bool
    regions: tuple[Region, ...]
    tiles: TileTable | None
    scale_map: ScaleMap | None
    prediction: Prediction | None
    audit: AuditRow | None
    notes: tuple[str, ...]

    @property
    def slide_id(self) -> str:
        """Of the slide."""
        return self.status.slide_id


def read_slide_view(folder: Path, slide_id: str, *, path: str = "", audit: AuditRow | None = None) -> SlideView:
    """Read what a report shows of a slide; damaged results are left out and noted, and make the slide failed.

    Parameters
    ----------
    folder
        The slide's own folder of results.
    path
        Of the slide; by default as in ``slide.json``.
    audit
        The audit's verdict on the slide.
    """
    notes: list[str] = []

    def tried(read: Callable[[], _Read]) -> _Read | None:
        try:
            return read()
        except ArtifactError as error:
            notes.append(str(error))
            return None

    def sound(artefact: str) -> bool:
        return tried(lambda: check_artefact(folder, artefact)) is not None

    records = {stage: tried(partial(read_record, folder, stage)) for stage in SLIDE_STAGES}
    done = {stage for stage, record in records.items() if record is not None and record.status != "failed"}
    found = {stage for stage in done if (record := records[stage]) is not None and record.status == "ok"}
    info = (tried(lambda: read_slide_info(folder)) if "inspect" in found and sound(SLIDE_INFO) else None) or {}
    shown_path = path or str(info.get("path", ""))
    status = tried(lambda: slide_status(folder, slide_id, shown_path))
    pictures = [
        tried(partial(_picture, folder, name)) if "tile" in done and (folder / name).exists() else None
        for name in (THUMBNAIL, OVERLAY)
    ]
    striped = bool(pictures[1]) and sound(MASK) and tried(lambda: read_tissue(folder).unreadable) is not None
    outlined = "tile" in done and (folder / REGIONS).exists() and sound(REGIONS)
    tiles = tried(lambda: read_tiles(folder)) if "tile" in found and sound(TILES) else None
    scale_map = tried(lambda: read_scale_map(folder)) if "search" in found and sound(SCALE_MAP) else None
    prediction = tried(lambda: read_prediction(folder)) if "predict" in found and sound(PREDICTION) else None
    if tiles and prediction and prediction.estimate and tiles[0].grid.mpp_source == "estimated":
        info = with_estimated_mpp(SlideInfo.from_dict(info), prediction.estimate).as_dict()
    if status is None or (notes and status.status != "failed"):
        status = StatusRow(slide_id, shown_path, "failed", " ".join(notes[0].split()))
    return SlideView(
        status=status,
        records=tuple(record for record in records.values() if record is not None),
        info=info,
        thumbnail=pictures[0],
        overlay=pictures[1],
        striped=striped,
        regions=(tried(lambda: read_regions(folder)) if outlined else None) or (),
        tiles=tiles[0] if tiles else None,
        scale_map=scale_map[0] if scale_map else None,
        prediction=prediction,
        audit=audit,
        notes=tuple(dict.fromkeys(notes)),
    )


def _picture(folder: Path, name: str) -> Path:
    check_artefact(folder, name)
    return check_picture(folder / name)
