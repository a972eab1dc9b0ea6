"""Reading a job's slide for many blocks: from a copy on local scratch, if one is configured."""

import os
from pathlib import Path

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.config.settings import ExtractSettings, SearchSettings
from wsi_scale.execution.scratch import Scratch
from wsi_scale.execution.staging import Original, staged
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import lasting
from wsi_scale.slides.identity import slide_files, slide_identity
from wsi_scale.steps.inputs import SlideInput


def slide_input(
    job: SlideJob, identity: str, settings: SearchSettings | ExtractSettings, scheduler: str | None
) -> SlideInput:
    """Describe a job's slide for blocks; a copy on local scratch stays for all stages while the job's folder is held.

    With a Dask scheduler there is no copy: its workers may be on other machines.

    Parameters
    ----------
    identity
        Of the slide's content, as the run knows it.
    scheduler
        Address of a ``dask.distributed`` scheduler; None computes on threads of this process.

    Raises
    ------
    SlideError
        The slide is not there.
    """
    path, execution = job.row.path.absolute(), settings.execution
    if execution.scratch is None or scheduler is not None:
        return SlideInput(path, identity, settings.reader)
    place = Path(os.path.expandvars(execution.scratch)).expanduser()
    most_bytes = None if execution.scratch_gb is None else int(execution.scratch_gb * 1e9)
    files = slide_files(path)
    names = [str(file.relative_to(path.parent)) for file in files]
    original = Original(
        path, files, fingerprint("copy of a slide", identity=identity, names=names),
        lambda copy: slide_identity(copy) == identity,
    )  # fmt: skip
    read_from = lasting(job.folder, original.key, lambda: staged(original, Scratch(place, most_bytes)))
    return SlideInput(path, identity, settings.reader, read_from)
