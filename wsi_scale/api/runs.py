"""A slide through all stages, and what they left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from wsi_scale.api.settings import configured
from wsi_scale.api.slide import Slide
from wsi_scale.artifacts.names import PAGE
from wsi_scale.artifacts.record import Status, read_record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.config.settings import TileSettings
from wsi_scale.errors import ArtifactError, ConfigError, SlideError
from wsi_scale.execution.progress import showing_progress
from wsi_scale.jobs.cohort import job_in
from wsi_scale.jobs.current import current_features, current_info, current_map, current_prediction, current_tiling
from wsi_scale.jobs.job import SLIDES, SlideJob
from wsi_scale.jobs.known_network import check_at_hand
from wsi_scale.jobs.single import check_there, single_row
from wsi_scale.jobs.status import status_of
from wsi_scale.pipeline import run as run_stages
from wsi_scale.results.features import TileFeatures
from wsi_scale.results.html import facts_html
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.tiles import Tiles
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.stages.tile import check_own_files

#: Key that a run of one slide does not read → what to do instead.
_WITHOUT_EFFECT = {
    "results": "give the folder of the results as output",
    "slides.path": "give the slide first; for a folder of slides use the workflow",
    "demo": "`make demo` draws the demo's slides",
    "training": "use `wsi-scale train` or `wsi-scale prune`",
    "transfer": "use `wsi-scale prune` or `wsi-scale finetune`",
}
#: Slides of a cohort that a message names.
_LISTED = 3


@dataclass(frozen=True, eq=False)
class Result:
    """What the stages left of a slide, in memory.

    Attributes
    ----------
    folder
        Folder of the results.
    status, reason
        ok, empty (no tissue) or failed, and why.
    slide
        What the slide says of itself; None where it could not be read.
    prediction
        µm per pixel from its pixels.
    tiles
        Its tiles, as :func:`tile_slide` lays them; None where they could not be laid.
    scale_map
        Its scale map; None where there is no tile.
    features
        Its features; None where there is no tile.
    report
        Path of its page; None where there is none.

    Examples
    --------
    >>> import numpy as np, tempfile, wsi_scale as ws
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.fromarray(np.full((600, 900, 3), 240, np.uint8)).save(f"{folder}/glass.png")
    ...     result = ws.run(f"{folder}/glass.png", f"{folder}/out", mpp=0.5)
    >>> result.slide.size, result.prediction.status, len(result.tiles), result.scale_map
    ((900, 600), 'abstained', 0, None)
    """

    folder: Path
    status: Status
    reason: str
    slide: SlideInfo | None = field(repr=False)
    prediction: Prediction | None = field(repr=False)
    tiles: Tiles | None = field(repr=False)
    scale_map: ScaleMap | None = field(repr=False)
    features: TileFeatures | None = field(repr=False)
    report: Path | None = field(repr=False)

    def _repr_html_(self) -> str:
        facts = {"folder": self.folder, "status": self.status, "reason": self.reason, "report": self.report}
        shown = [part._repr_html_() for part in (self.prediction, self.scale_map, self.features) if part is not None]
        return facts_html("Result", {name: value for name, value in facts.items() if value}, "".join(shown))


def run(
    slide: str | PathLike[str],
    output: str | PathLike[str],
    *,
    slide_id: str | None = None,
    mpp: float | None = None,
    group: str | None = None,
    overwrite: bool = False,
    progress: bool = False,
    **configuration: object,
) -> Result:
    """Take one slide through all stages; the folder has the bytes that the command line and the workflow give.

    A second call does only what is missing or has changed.

    Parameters
    ----------
    slide
        Path of the slide.
    output
        Folder of its results.
    slide_id, mpp, group
        As in a row of a sample sheet: its name, µm per pixel of level 0, and what a split keeps together.
    overwrite
        Whether to compute everything again, and to replace results of another slide.
    progress
        Whether to show progress bars.
    configuration
        Keys of the configuration: ``network="vgg19"``, ``tiling={"mpp": 0.5}``, ``search={...}``, ...; those that a run
        of one slide does not read are errors.

    Raises
    ------
    UserError
        There is no such slide, the folder is another slide's or cannot be written, a key is unknown, a mask or
        regions cannot be read, or the network's weights cannot be found. What a stage fails with is no error: it is the
        result's reason.

    Examples
    --------
    >>> import numpy as np, tempfile, wsi_scale as ws
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.fromarray(np.full((600, 900, 3), 240, np.uint8)).save(f"{folder}/glass.png")
    ...     result = ws.run(f"{folder}/glass.png", f"{folder}/out", mpp=0.5)
    >>> result.status, result.reason
    ('empty', 'no tissue found')
    """
    if isinstance(slide, np.ndarray | Slide):
        raise SlideError("run needs the path of a slide: its results name the file; save an image first")
    check_there(Path(slide))
    row = single_row(Path(slide), slide_id, mpp, group)
    _refuse_without_effect(configuration)
    config = configured(**configuration)
    check_own_files(row.slide_id, TileSettings.of(config))
    check_at_hand(config.network, config.weights)
    with showing_progress(progress):
        run_stages(SlideJob(row, Path(output), overwrite), config)
    return load_result(output)


def load_result(folder: str | PathLike[str]) -> Result:
    """Read what the stages left of a slide.

    Parameters
    ----------
    folder
        Of one slide: ``output`` of :func:`run`, or ``results/slides/ID`` of a workflow.

    Raises
    ------
    ArtifactError
        The folder holds no results of a slide, or those of several, or what it holds is damaged.

    Examples
    --------
    >>> import wsi_scale as ws
    >>> ws.load_result("nowhere")
    Traceback (most recent call last):
    wsi_scale.errors.ArtifactError: nowhere holds no results of a slide; run `wsi-scale run SLIDE -o nowhere` first
    """
    place = Path(folder)
    if read_record(place, "inspect") is None:
        _refuse_cohort(place)
        raise ArtifactError(f"{place} holds no results of a slide; run `wsi-scale run SLIDE -o {place}` first")
    job = job_in(place)
    told = status_of(place, job.row.slide_id, str(job.row.path))
    tiles = current_tiling(job) if _is_there(place, "tile", "empty") else None
    scale_map = current_map(job) if tiles is not None and _is_there(place, "search") else None
    features = None
    if tiles is not None and scale_map is not None and _is_there(place, "extract"):
        features = current_features(job, tiles.table, scale_map)
    return Result(
        folder=place,
        status=told.status,
        reason=told.reason,
        slide=current_info(job) if _is_there(place, "inspect") else None,
        prediction=current_prediction(job) if _is_there(place, "predict") else None,
        tiles=tiles,
        scale_map=scale_map,
        features=features,
        report=place / PAGE if (place / PAGE).is_file() else None,
    )


def _refuse_without_effect(configuration: Mapping[str, object]) -> None:
    """Raise ConfigError for a key that a run of one slide does not read, with what to do instead."""
    for name, instead in _WITHOUT_EFFECT.items():
        section, _, key = name.partition(".")
        value = configuration.get(section)
        if key:
            value = value.get(key) if isinstance(value, Mapping) else value
        if value is not None:
            raise ConfigError(f"{name} has no effect in run: {instead}")


def _refuse_cohort(place: Path) -> None:
    """Raise ArtifactError, with the slides to choose from, where a folder holds results of several."""
    below = place / SLIDES if (place / SLIDES).is_dir() else place
    ids = sorted(record.parent.name for record in below.glob(f"*/{SLIDE_STAGES['inspect'].record}"))
    if ids:
        listed = ", ".join(ids[:_LISTED]) + (f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else "")
        raise ArtifactError(f"{place} holds results of several slides; give the folder of one, {below}/ID: {listed}")


def _is_there(folder: Path, stage: str, *also: Status) -> bool:
    """Whether a stage left its artefacts."""
    record = read_record(folder, stage)
    return record is not None and record.status in ("ok", *also)
