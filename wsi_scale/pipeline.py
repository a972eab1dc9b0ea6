"""All stages of one slide, in the same order as in the workflow."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.runs import StageRun
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.status import StatusRow
from wsi_scale.config.models import Config
from wsi_scale.config.settings import ExtractSettings, PredictSettings, SearchSettings, TileSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import holding
from wsi_scale.jobs.timing import recording


def run(
    job: SlideJob,
    config: Config,
    regressor: Path | None = None,
    calibration: Path | None = None,
    scheduler: str | None = None,
    on_end: Callable[[StageRun], None] = lambda _: None,
) -> StatusRow:
    """Run all stages of one slide in order, and write its report page; parameters as for ``slide_stages``.

    Parameters
    ----------
    on_end
        Called with how each stage ended.
    """
    from wsi_scale.jobs.status import status_of
    from wsi_scale.stages.report import report_slide

    stages = slide_stages(job, config, regressor, calibration, scheduler)
    with recording(config) as run, holding(job.folder):
        works: list[Callable[[], object]] = [*stages.values(), partial(report_slide, job, config)]
        for work in works:
            work()
            if run.latest is not None:
                on_end(run.latest)
        return status_of(job.folder, job.row.slide_id, str(job.row.path))


def slide_stages(
    job: SlideJob,
    config: Config,
    regressor: Path | None = None,
    calibration: Path | None = None,
    scheduler: str | None = None,
) -> dict[str, Callable[[], Record]]:
    """Stages of a slide by their names, in order; each loads what it needs when it is called.

    Parameters
    ----------
    regressor
        By default the configuration's, else the one that the package carries.
    calibration
        Calibration of the network; by default it is found or made.
    scheduler
        Address of a ``dask.distributed`` scheduler; by default blocks run on threads.
    """

    def inspect() -> Record:
        from wsi_scale.stages.inspect import inspect

        return inspect(job)

    def predict() -> Record:
        from wsi_scale.stages.predict import predict

        return predict(job, PredictSettings.of(config), regressor)

    def tile() -> Record:
        from wsi_scale.stages.tile import tile

        return tile(job, TileSettings.of(config))

    def search() -> Record:
        from wsi_scale.stages.search import search

        return search(job, SearchSettings.of(config), calibration, scheduler)

    def extract() -> Record:
        from wsi_scale.stages.extract import extract

        return extract(job, ExtractSettings.of(config), scheduler)

    functions = {function.__name__: function for function in (inspect, predict, tile, search, extract)}
    return {stage: functions[stage] for stage in SLIDE_STAGES}
