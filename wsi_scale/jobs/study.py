"""What the Snakefile needs at the start: configuration, slides, and the settings of each stage."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.execution import read_execution
from wsi_scale.artifacts.manifest import find_missing
from wsi_scale.artifacts.names import CALIBRATION, REGRESSOR
from wsi_scale.artifacts.plan import NAME as PLAN
from wsi_scale.artifacts.record import find_newer, forget_record, read_record, record_path, valid_record
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.status import NAME as STATUS
from wsi_scale.artifacts.status import read_status
from wsi_scale.config.load import dump_section, parse_config
from wsi_scale.errors import ArtifactError, BusyError, ConfigError, UserError
from wsi_scale.execution.lock import folder_lock
from wsi_scale.jobs.cohort import plan, planned, slide_folder
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.verify import remove_damaged
from wsi_scale.slides.sheet import SheetRow, slides_of

#: What a stage reads of the cohort: the option that names the file, and its name.
_OF_COHORT = {"predict": ("--regressor", REGRESSOR), "search": ("--calibration", CALIBRATION)}


class Study:
    """A workflow's configuration and slides.

    Attributes
    ----------
    config
        Checked and frozen.
    results
        Folder of the results.
    rows
        The slides by their ids, in order.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.config = parse_config(values)
        self.results = self.config.results
        if set("{}<>") & set(str(self.results)):
            raise ConfigError(
                f"results={self.results}: Snakemake gives {{}} and <> a meaning of their own; choose another folder"
            )
        self.rows: dict[str, SheetRow] = {}

    def find_slides(self, *, make_demo: bool) -> None:
        """Find the slides of the configured folder or sheet; missing demo slides are made first.

        Raises
        ------
        UserError
            There is none.
        """
        source = self.config.slides.path
        if source is None:
            raise ConfigError("no slides are given; use --config slides=FOLDER (or a sample sheet, or one slide)")
        if make_demo and self.config.demo.folder is not None:
            from wsi_scale.jobs.demo import demo

            demo(self.config.demo)
        self.rows = {row.slide_id: row for row in slides_of(source, exclude=self.results)}

    def read_plan(self) -> None:
        """Read the slides that the run's main process found: the folder may have changed since.

        Raises
        ------
        ArtifactError
            The plan is missing or damaged.
        """
        self.rows = {row.slide_id: row for row in planned(self.plan_path)}

    def settings(self, *stages: str) -> list[str]:
        """Command-line assignments for the configuration that stages read."""
        plain, specs = dump_section(self.config), SLIDE_STAGES | COHORT_STAGES
        keys = dict.fromkeys(key for stage in stages for key in specs[stage].keys)
        return [f"--set={key}={json.dumps(reduce(getitem, key.split('.'), plain))}" for key in keys]

    def jobs(self) -> tuple[tuple[str, ...], ...]:
        """Stages of each job of a slide, in order; a job is one process, and waits for the job before it.

        What loads a network is in one job where possible; what needs one core and no GPU has a job of its own.
        """
        if self.config.slides.mpp == "estimate":  # it must exist before tiles are placed
            return ("inspect",), ("predict", "tile"), ("search", "extract")
        return ("inspect",), ("tile",), ("predict", "search", "extract")

    def cohort_files(self, stages: Sequence[str]) -> list[str]:
        """Files of the cohort that a job waits for."""
        return [str(self.results / name) for stage, (_, name) in _OF_COHORT.items() if stage in stages]

    def options(self, stages: Sequence[str]) -> list[str]:
        """Command-line arguments of a job: the cohort's files and the configuration that its stages read."""
        files = [f"{option}={self.results / name}" for stage, (option, name) in _OF_COHORT.items() if stage in stages]
        return [*files, *self.settings(*stages)]

    def slide(self, slide_id: str) -> list[str]:
        """Command-line arguments that name a slide and its folder."""
        row = self.rows[slide_id]
        path = str(row.path)
        arguments = [
            f"./{path}" if path.startswith("-") else path,
            f"--results={self.results}",
            f"--slide-id={slide_id}",
        ]
        if row.mpp is not None:
            arguments.append(f"--mpp={row.mpp}")
        if row.group is not None:
            arguments.append(f"--group={row.group}")
        return arguments

    @property
    def plan_path(self) -> Path:
        """Path of the list of slides that the run started with."""
        return self.results / PLAN

    def records(self, stage: str) -> list[str]:
        """Paths of a stage's records, one for each slide."""
        return [str(record_path(slide_folder(self.results, slide_id), stage)) for slide_id in self.rows]

    def all_records(self) -> list[str]:
        """Paths of the records of every slide and stage."""
        return [path for stage in SLIDE_STAGES for path in self.records(stage)]

    def start(self) -> None:
        """Write the plan, and remove the records of stages that must run again.

        These are stages that failed in an earlier run, stages whose artefacts are missing, all stages of slides that
        have changed since they were inspected, of slides that were computed with another device or dtype than the
        cohort now has, and of slides whose results the last report could not read. A damaged calibration, regressor
        or report is removed too.

        Raises
        ------
        ArtifactError
            The folder of the results cannot be written.
        """
        plan(self.results, list(self.rows.values()))
        remove_damaged(self.results)
        damaged = self._damaged()
        for slide_id, row in self.rows.items():
            job = SlideJob(row, slide_folder(self.results, slide_id))
            if job.folder.is_dir():
                # A slide at which another run works just now is left to that.
                with suppress(BusyError), folder_lock(job.folder, patience_s=0):
                    _forget(job, all_of_it=slide_id in damaged)
        (self.results / "finished.txt").unlink(missing_ok=True)

    def _damaged(self) -> set[str]:
        """Slides that the last report lists as failed although no stage failed."""
        try:
            rows = read_status(self.results / STATUS)
        except ArtifactError:  # no report yet
            return set()
        failed = {row.slide_id: slide_folder(self.results, row.slide_id) for row in rows if row.status == "failed"}
        return {name for name, folder in failed.items() if all(_is_done(folder, stage) for stage in SLIDE_STAGES)}


def open_study(values: Mapping[str, Any], *, starts: bool, needs_slides: bool, goes_on: bool = False) -> Study:
    """Read the configuration and find the slides, or exit with a one-line error.

    Parameters
    ----------
    starts
        Whether a real run starts here, in its main process: demo slides are made, failed records removed.
    needs_slides
        Whether jobs are made; linting and unlocking need no slides.
    goes_on
        Whether this is a job of a run that has started, on another machine: it uses the plan of that run.
    """
    # Jobs call `wsi-scale` of the environment that runs Snakemake, activated or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        study = Study(values)
        if goes_on:
            study.read_plan()
        elif needs_slides:
            study.find_slides(make_demo=starts)
        if starts:
            study.start()
    except UserError as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from None
    return study


def _forget(job: SlideJob, *, all_of_it: bool) -> None:
    """Remove the records of stages that must run again."""
    otherwise = _was_computed_otherwise(job)
    for stage, spec in SLIDE_STAGES.items():
        again = all_of_it or (otherwise and "execution" in spec.keys)
        if record_path(job.folder, stage).exists() and (again or _must_run(job, stage)):
            forget_record(job.folder, stage)


def _was_computed_otherwise(job: SlideJob) -> bool:
    """Whether a slide's last run had another device or dtype than its cohort has now."""
    noted = FolderState(job.folder).execution
    try:
        settled = read_execution(job.results) if job.results is not None else None
    except ArtifactError:  # the stages say so
        return True
    return None not in (noted, settled) and noted != settled


def _must_run(job: SlideJob, stage: str) -> bool:
    """Whether a stage that has a record must run again, judged without reading a result."""
    try:
        record = read_record(job.folder, stage)
        if record is None or record.status == "failed" or find_newer(job.folder, record):
            return True
        if find_missing(job.folder, record.files):
            return True
        return stage == "inspect" and _has_changed(job)
    except UserError:  # damaged, or of an earlier version; or the slide is gone, and says so when it is inspected
        return True


def _has_changed(job: SlideJob) -> bool:
    """Whether a slide's content has changed since it was inspected; it is read only if its stamp has changed."""
    state = FolderState(job.folder)
    identity = job.identity(state)
    state.save()
    return bool(read_slide_info(job.folder)["identity"] != identity)


def _is_done(folder: Path, stage: str) -> bool:
    """Whether a stage has a valid record that is not of a failure."""
    record = valid_record(folder, stage)
    return record is not None and record.status != "failed"
