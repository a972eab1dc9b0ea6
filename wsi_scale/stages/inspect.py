"""Stage `inspect`: a slide → ``slide.json``."""

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.slide_info import read_slide_info, write_slide_info
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.slides.metadata import SlideInfo, inspect_slide
from wsi_scale.stages.job import Outcome, SlideJob, Stage, run_stage


def inspect(job: SlideJob) -> Record:
    """Read what a slide says of itself; a slide that cannot be read fails here."""

    def work(_: str) -> Outcome:
        info = inspect_slide(job.row.path, job.row.slide_id, job.row.mpp)
        write_slide_info(job.folder, info.as_dict())
        return _outcome(info)

    # Opening a slide again costs less than deciding whether one must; the file keeps its bytes.
    return run_stage(job, Stage("inspect", (), lambda: inspect_fingerprint(job), lambda _: None, work))


def inspect_fingerprint(job: SlideJob) -> str:
    """Digest of what a slide's inspection depends on.

    Raises
    ------
    SlideError, ArtifactError
        The slide is gone or cannot be read.
    """
    row = job.row
    return fingerprint("inspect", slide=job.identity(), path=str(row.path), id=row.slide_id, mpp=row.mpp)


def read_info(job: SlideJob) -> SlideInfo:
    """Read a slide's ``slide.json``.

    Raises
    ------
    ArtifactError
        Missing or of another slide.
    SlideError
        The slide could not be read.
    """
    info = SlideInfo.from_dict(read_slide_info(job.folder))
    if info.slide_id != job.row.slide_id:
        raise ArtifactError(
            f"{job.folder} holds results of {info.slide_id!r}, not of {job.row.slide_id!r}; choose another folder"
        )
    if info.status != "ok":
        raise SlideError(info.warnings[0])
    return info


def _outcome(info: SlideInfo) -> Outcome:
    return Outcome() if info.status == "ok" else Outcome("failed", info.warnings[0])
