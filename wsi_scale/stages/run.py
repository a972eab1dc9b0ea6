"""One slide through every stage, as the workflow would take it."""

from wsi_scale.artifacts.status import StatusRow
from wsi_scale.config.models import Config
from wsi_scale.stages.calibrate import calibration_for
from wsi_scale.stages.extract import extract
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.job import SlideJob
from wsi_scale.stages.predict import predict
from wsi_scale.stages.regressors import chosen_regressor
from wsi_scale.stages.report import report_slide
from wsi_scale.stages.search import search
from wsi_scale.stages.status import status_of
from wsi_scale.stages.tile import tile


def run(job: SlideJob, config: Config, scheduler: str | None = None) -> StatusRow:
    """Inspect, predict, tile, search, extract and report one slide."""
    inspect(job)
    predict(job, config, chosen_regressor(config))
    tile(job, config)
    search(job, config, calibration_for(job, config), scheduler)
    extract(job, config, scheduler)
    report_slide(job, config)
    return status_of(job.folder, job.row.slide_id, str(job.row.path))
