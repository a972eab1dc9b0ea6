"""Stage `predict`: a slide's pixels → its µm per pixel, without using the header."""

from pathlib import Path

from wsi_scale.artifacts.prediction import write_prediction
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.config.settings import PredictSettings
from wsi_scale.execution.progress import count_work
from wsi_scale.execution.settled import compute_of, parameters_of
from wsi_scale.jobs.hardware import settle
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import Outcome, Prepared, Stage, known_identity, run_stage
from wsi_scale.learning.estimator import chosen_regressor, read_estimator
from wsi_scale.slides.open import open_slide
from wsi_scale.steps.estimate import estimate_mpp

SPEC = SLIDE_STAGES["predict"]


def predict(job: SlideJob, settings: PredictSettings, regressor: Path | None = None) -> Record:
    """Estimate a slide's µm per pixel from its pixels.

    Parameters
    ----------
    regressor
        By default the configuration's, else the one that the package carries.
    """
    chosen = chosen_regressor(regressor, settings.regressor)

    def prepare(state: FolderState) -> Prepared:
        # In another dtype the features would not be those that a regressor was fitted on.
        execution = settle(job, settings.execution, state).model_copy(update={"dtype": "float32"})

        def work(_: str) -> Outcome:
            estimator = read_estimator(compute_of(execution), chosen)
            with open_slide(job.row.path) as slide:
                prediction = estimate_mpp(slide, estimator, settings, job.group)
            count_work(prediction.views, "views")
            write_prediction(job.folder, prediction)
            return Outcome("ok", "" if prediction.is_brightfield else prediction.reason)

        computed = {key: value for key, value in parameters_of(execution).items() if key != "block_tiles"}
        depends_on = {"group": job.group, "regressor": known_identity(state, chosen), "execution": computed}
        return Prepared(depends_on, work)

    return run_stage(job, Stage(SPEC, settings, prepare))
