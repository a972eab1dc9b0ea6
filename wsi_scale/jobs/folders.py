"""What a user gave as a folder of results, and what to say where it is none."""

from pathlib import Path

from wsi_scale.errors import ArtifactError, without_name
from wsi_scale.jobs.cohort import is_slide_folder, job_in, jobs_in
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.status import status_of
from wsi_scale.report.words import count_text


def slide_at(folder: Path, artefact: str) -> SlideJob:
    """Find the one slide whose results lie in a folder, and among them an artefact.

    Raises
    ------
    ArtifactError
        The folder is missing, or that of a cohort; the slide is empty or has failed, and has no such artefact.
    """
    if not is_slide_folder(folder):
        slides = jobs_in(folder)
        raise ArtifactError(
            f"{folder} holds results of {count_text(len(slides), 'slide')}; "
            f"give the folder of one, such as {slides[0].folder}"
        )
    job = job_in(folder)
    check_has(job, artefact)
    return job


def check_has(job: SlideJob, artefact: str) -> None:
    """Check that a slide has an artefact, unless it is well and only lacks a stage, which then says so itself.

    Raises
    ------
    ArtifactError
        It has none because the slide is empty or has failed.
    """
    if (job.folder / artefact).exists():
        return
    row = status_of(job.folder, job.row.slide_id, str(job.row.path))
    if row.status != "ok":
        how = "is empty" if row.status == "empty" else "has failed"
        why = without_name(row.slide_id, row.reason)
        raise ArtifactError(f"{job.folder}: there is no {artefact}, because the slide {how}: {why}")
