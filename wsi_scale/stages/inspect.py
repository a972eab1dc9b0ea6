"""Stage `inspect`: a slide → ``slide.json``."""

from wsi_scale.artifacts.names import PREDICTION
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.record import Record, check_artefact
from wsi_scale.artifacts.slide_info import NAME, read_slide_info, write_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.config.settings import InspectSettings
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.slides.metadata import SlideInfo, inspect_slide, with_estimated_mpp
from wsi_scale.stages.job import Outcome, Prepared, SlideJob, Stage, run_stage

SPEC = SLIDE_STAGES["inspect"]


def inspect(job: SlideJob) -> Record:
    """Read what a slide says of itself; a slide that cannot be read fails here."""

    def work(_: str) -> Outcome:
        info = inspect_slide(job.row.path, job.row.slide_id, job.row.mpp)
        write_slide_info(job.folder, info.as_dict())
        return Outcome() if info.status == "ok" else Outcome("failed", info.warnings[0])

    prepared = Prepared({"id": job.row.slide_id, "mpp": job.row.mpp}, work)

    def is_shown() -> bool:
        # Of a slide that was moved, the path alone is written anew.
        return bool(read_slide_info(job.folder)["path"] == str(job.row.path))

    return run_stage(job, Stage(SPEC, InspectSettings(), lambda _: prepared, is_shown=is_shown))


def read_info(job: SlideJob) -> SlideInfo:
    """Read a slide's ``slide.json``.

    Raises
    ------
    ArtifactError
        Missing, damaged, or of another slide.
    SlideError
        The slide could not be read.
    """
    info = SlideInfo.from_dict(read_slide_info(job.folder))
    check_artefact(job.folder, NAME)
    if info.slide_id != job.row.slide_id:
        raise ArtifactError(
            f"{job.folder} holds results of {info.slide_id!r}, not of {job.row.slide_id!r}; choose another folder"
        )
    if info.status != "ok":
        raise SlideError(info.warnings[0])
    return info


def settled_info(job: SlideJob, *, estimate: bool) -> SlideInfo:
    """Read a slide's ``slide.json``; where it says no usable mpp, what its pixels look like may stand in.

    Parameters
    ----------
    estimate
        Whether it may (``slides.mpp=estimate``).

    Raises
    ------
    ArtifactError
        It or the estimate is missing, damaged, or of another slide.
    SlideError
        The slide could not be read.
    """
    info = read_info(job)
    if not estimate or info.usable_mpp is not None:
        return info
    prediction = read_prediction(job.folder)
    check_artefact(job.folder, PREDICTION)
    found = prediction.estimate if prediction else None
    return info if found is None else with_estimated_mpp(info, found)
