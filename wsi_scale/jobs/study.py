"""What the Snakefile needs at the start: configuration, slides in their batches, and the settings of each stage."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.job_mark import mark_path
from wsi_scale.artifacts.names import CALIBRATION, REGRESSOR
from wsi_scale.artifacts.plan import NAME as PLAN
from wsi_scale.artifacts.plan import PlannedSlide, read_plan
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES
from wsi_scale.config.load import dump_section, parse_config
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError, ConfigError, UserError
from wsi_scale.jobs.batches import Batch, Needs, batches, batches_of, cohort_needs, needs
from wsi_scale.jobs.cohort import plan, row_of
from wsi_scale.jobs.known_network import check_at_hand
from wsi_scale.jobs.start import take_up
from wsi_scale.slides.identity import slide_stamp
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
    batches
        The batches by their names, in order.
    gigabytes
        Size of each slide's files.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = config.results
        if set("{}<>") & set(str(self.results)):
            raise ConfigError(
                f"results={self.results}: Snakemake gives {{}} and <> a meaning of their own; choose another folder"
            )
        self.rows: dict[str, SheetRow] = {}
        self.batches: dict[str, Batch] = {}
        self.gigabytes: dict[str, float] = {}
        self._before: dict[str, PlannedSlide] = {}

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
        try:
            self._before = {slide.slide_id: slide for slide in read_plan(self.plan_path)}
        except ArtifactError:  # the first run, or one of an earlier version
            self._before = {}
        before = {slide_id: slide.batch for slide_id, slide in self._before.items()}
        self._measure()
        self.batches = batches(batches_of(list(self.rows), self.gigabytes, before), self.gigabytes)

    def read_plan(self) -> None:
        """Read the slides that the run's main process found: the folder may have changed since.

        Raises
        ------
        ArtifactError
            The plan is missing or damaged.
        """
        slides = read_plan(self.plan_path)
        self.rows = {slide.slide_id: row_of(slide) for slide in slides}
        self._measure()
        self.batches = batches({slide.slide_id: slide.batch for slide in slides}, self.gigabytes)

    def _measure(self) -> None:
        self.gigabytes = {slide_id: _gigabytes(row.path) for slide_id, row in self.rows.items()}

    def settings(self, *stages: str) -> list[str]:
        """Command-line assignments for the configuration that stages read."""
        plain, specs = dump_section(self.config), SLIDE_STAGES | COHORT_STAGES
        keys = dict.fromkeys(key for stage in stages for key in specs[stage].keys)
        return [f"--set={key}={json.dumps(reduce(getitem, key.split('.'), plain))}" for key in keys]

    def jobs(self) -> tuple[tuple[str, ...], ...]:
        """Stages of each job of a batch, in order; a job is one process, and waits for the job before it.

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

    @property
    def plan_path(self) -> Path:
        """Path of the list of slides that the run started with."""
        return self.results / PLAN

    def marks(self, stages: Sequence[str]) -> list[str]:
        """Paths of the marks of a job, one for each batch."""
        return [str(mark_path(self.results, batch, stages)) for batch in self.batches]

    def threads(self, batch: str, cores: int) -> int:
        """Cores of a job that passes tiles: all for a slide that is alone, one for a batch of small slides."""
        return cores if len(self.batches[batch].slide_ids) == 1 else 1

    def needs(self, stages: Sequence[str], batch: str, threads: int, attempt: int) -> Needs:
        """Memory and time that a job asks a scheduler for."""
        return needs(stages, self.batches[batch], threads, attempt)

    def cohort_needs(self, stage: str, attempt: int) -> Needs:
        """Memory and time that a job of all slides asks a scheduler for."""
        return cohort_needs(stage, len(self.rows), attempt)

    def start(self) -> None:
        """Check that the network is there, write the plan, and remove records and marks of what must run again.

        Raises
        ------
        ConfigError, WeightsError
            There is no such network, or its weights cannot be found.
        ArtifactError
            The folder of the results cannot be written.
        """
        check_at_hand(self.config.network, self.config.weights)
        batch_of = {slide_id: name for name, batch in self.batches.items() for slide_id in batch.slide_ids}
        plan(self.results, list(self.rows.values()), batch_of)
        same = {slide_id for slide_id, slide in self._before.items() if self.rows.get(slide_id) == row_of(slide)}
        take_up(self.results, self.rows, same, self.batches.values(), self.jobs())


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
        study = Study(parse_config(values))
        if goes_on:
            study.read_plan()
        elif needs_slides:
            study.find_slides(make_demo=starts)
        if starts:
            study.start()
    except UserError as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from None
    return study


def _gigabytes(slide: Path) -> float:
    """Size of a slide's files; nothing for one that is not there, whose job will say so."""
    try:
        return sum(size for size, *_ in slide_stamp(slide)) / 1e9
    except UserError:
        return 0.0
