"""Stage `inspect`: a slide → ``slide.json``."""

from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.slide_info import read_slide_info, write_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.config.settings import InspectSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import Outcome, Prepared, Stage, run_stage
from wsi_scale.slides.metadata import inspect_slide

SPEC = SLIDE_STAGES["inspect"]


def inspect(job: SlideJob) -> Record:
    """Read a slide's metadata; a slide that cannot be read fails here."""

    def work(_: str) -> Outcome:
        info = inspect_slide(job.row.path, job.row.slide_id, job.row.mpp)
        write_slide_info(job.folder, info.as_dict())
        return Outcome() if info.status == "ok" else Outcome("failed", info.warnings[0])

    prepared = Prepared({"id": job.row.slide_id, "mpp": job.row.mpp}, work)

    def is_shown() -> bool:
        # Of a slide that was moved, the path alone is written again.
        return bool(read_slide_info(job.folder)["path"] == str(job.row.path))

    return run_stage(job, Stage(SPEC, InspectSettings(), lambda _: prepared, is_shown=is_shown))
