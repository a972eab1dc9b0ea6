"""All stages of one slide, in the same order as in the workflow."""

from collections.abc import Callable
from pathlib import Path

from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.status import StatusRow
from wsi_scale.config.models import Config
from wsi_scale.config.settings import ExtractSettings, PredictSettings, SearchSettings, TileSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import holding
from wsi_scale.jobs.status import status_of
from wsi_scale.stages.extract import extract
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.predict import predict
from wsi_scale.stages.report import report_slide
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile


def run(job: SlideJob, config: Config, regressor: Path | None = None, scheduler: str | None = None) -> StatusRow:
    """Run all stages of one slide in order, and write its report page.

    Parameters
    ----------
    regressor
        By default the configuration's, else the one that the package carries.
    scheduler
        Address of a ``dask.distributed`` scheduler; by default blocks run on threads.
    """
    functions: dict[str, Callable[[], Record]] = {
        "inspect": lambda: inspect(job),
        "predict": lambda: predict(job, PredictSettings.of(config), regressor),
        "tile": lambda: tile(job, TileSettings.of(config)),
        "search": lambda: search(job, SearchSettings.of(config), scheduler=scheduler),
        "extract": lambda: extract(job, ExtractSettings.of(config), scheduler),
    }
    with holding(job.folder):
        for stage in SLIDE_STAGES:
            functions[stage]()
        report_slide(job, config)
        return status_of(job.folder, job.row.slide_id, str(job.row.path))
