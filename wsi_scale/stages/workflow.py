"""What the Snakefile asks at the start: the configuration, the slides, and each stage's own sections."""

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.names import artefacts_of
from wsi_scale.artifacts.plan import NAME as PLAN
from wsi_scale.artifacts.record import SLIDE_STAGES, Record, read_record, record_path
from wsi_scale.artifacts.status import NAME as STATUS
from wsi_scale.artifacts.status import read_status
from wsi_scale.config.load import dump_section, parse_config
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError, ConfigError, UserError
from wsi_scale.slides.dicom import series_beside
from wsi_scale.slides.sheet import SheetRow, slides_of
from wsi_scale.stages.cohort import plan, planned, slide_folder
from wsi_scale.stages.inspect import inspect_fingerprint
from wsi_scale.stages.job import SlideJob

#: Sections of the configuration that each stage reads: what it reruns on.
SECTIONS: dict[str, tuple[str, ...]] = {
    "inspect": (),
    "fit": ("magnification", "execution"),
    "predict": ("magnification", "execution"),
    "tile": ("tissue", "tiling"),
    "calibrate": ("network", "weights", "search", "calibration", "execution"),
    "search": ("network", "weights", "tiling", "search", "calibration", "map", "execution"),
    "extract": ("network", "weights", "features", "execution"),
    "report": tuple(name for name in Config.model_fields if name not in ("slides", "results", "training")),
}


#: Keys of `slides` that a stage reads.
SLIDES_KEYS: dict[str, tuple[str, ...]] = {
    "predict": ("mpp", "unreadable_share"),
    "tile": ("brightfield_only", "unreadable_share"),
    "search": ("unreadable_share",),
    "extract": ("unreadable_share",),
}


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
            raise ConfigError(f"results={self.results}: Snakemake reads {{}} and <> as its own; choose another folder")
        self.rows: dict[str, SheetRow] = {}

    def find_slides(self, *, make_demo: bool) -> None:
        """Find the slides of the configured folder or sheet; demo slides are made first where missing.

        Raises
        ------
        UserError
            There is none.
        """
        source = self.config.slides.path
        if source is None:
            raise ConfigError("which slides? give --config slides=FOLDER (or a sample sheet, or one slide)")
        if make_demo and self.config.demo.folder is not None:
            from wsi_scale.stages.demo import demo

            demo(self.config.demo)
        self.rows = {row.slide_id: row for row in slides_of(source, exclude=self.results)}

    def read_plan(self) -> None:
        """Take the slides that the run's main process found: the folder may have changed since.

        Raises
        ------
        ArtifactError
            The plan is missing or damaged.
        """
        self.rows = {row.slide_id: row for row in planned(self.plan_path)}

    def settings(self, stage: str) -> list[str]:
        """Command-line assignments of the sections that a stage reads."""
        plain = dump_section(self.config)
        sections = [f"--set={name}={json.dumps(plain[name])}" for name in SECTIONS[stage]]
        return [*sections, *(f"--set=slides.{key}={plain['slides'][key]}" for key in SLIDES_KEYS.get(stage, ()))]

    def before_tiles(self, slide: Path) -> list[str]:
        """Name the records that `tile` waits for: an estimated mpp must be there before tiles are laid."""
        stages = ("inspect", "predict") if self.config.slides.mpp == "estimate" else ("inspect",)
        return [str(record_path(slide, stage)) for stage in stages]

    def slide(self, slide_id: str) -> list[str]:
        """Command-line arguments that name a slide and its folder."""
        row = self.rows[slide_id]
        path = str(row.path)
        arguments = [
            f"./{path}" if path.startswith("-") else path,
            f"--output={slide_folder(self.results, slide_id)}",
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
        """Paths of a stage's records, one a slide."""
        return [str(record_path(slide_folder(self.results, slide_id), stage)) for slide_id in self.rows]

    def all_records(self) -> list[str]:
        """Paths of the records of every slide and stage."""
        return [path for stage in SLIDE_STAGES for path in self.records(stage)]

    def start(self) -> None:
        """Write the plan, and forget the records of what must be taken up again.

        These are the failures of an earlier run, stages whose artefacts have gone since, slides that have
        changed since they were inspected, and all of a slide whose results the last report could not read.

        Raises
        ------
        ArtifactError
            The folder of the results cannot be written.
        """
        plan(self.results, list(self.rows.values()))
        damaged = self._damaged()
        for slide_id, row in self.rows.items():
            job = SlideJob(row, slide_folder(self.results, slide_id))
            for stage in SLIDE_STAGES:
                path = record_path(job.folder, stage)
                if path.exists() and (slide_id in damaged or _must_run(job, stage)):
                    path.unlink()
        (self.results / "finished.txt").unlink(missing_ok=True)

    def _damaged(self) -> set[str]:
        """Slides that the last report called failed though every stage had done its work."""
        try:
            rows = read_status(self.results / STATUS)
        except ArtifactError:  # no report yet
            return set()
        failed = {row.slide_id: slide_folder(self.results, row.slide_id) for row in rows if row.status == "failed"}
        return {name for name, folder in failed.items() if all(_is_done(folder, stage) for stage in SLIDE_STAGES)}


def open_study(values: Mapping[str, Any], *, starts: bool, needs_slides: bool, goes_on: bool = False) -> Study:
    """Parse and find everything, or leave with one line.

    Parameters
    ----------
    starts
        Whether a real run starts here, in its main process: demo slides are made, failed records removed.
    needs_slides
        Whether jobs are made; a lint or an unlock does without slides.
    goes_on
        Whether this is a job of a run that has started, on a machine of its own: it goes by that run's plan.
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


def _must_run(job: SlideJob, stage: str) -> bool:
    """Whether a stage that has a record must be taken up again."""
    try:
        record = read_record(job.folder, stage)
    except ArtifactError:
        return True
    if record is None or record.status == "failed" or (stage == "inspect" and _has_changed(job, record)):
        return True
    return record.status == "ok" and not all((job.folder / name).exists() for name in artefacts_of(stage))


def _is_done(folder: Path, stage: str) -> bool:
    """Whether a stage has a sound record that is not of a failure."""
    try:
        record = read_record(folder, stage)
    except ArtifactError:
        return False
    return record is not None and record.status != "failed"


def _has_changed(job: SlideJob, record: Record) -> bool:
    """Whether a slide's content is another than when it was inspected.

    A copy may keep the time of its original, so that the time at which the place itself changed counts too; as
    that also changes where nothing else does, the content has the last word.
    """
    if _changed_at(job.row.path) <= record_path(job.folder, "inspect").stat().st_mtime:
        return False
    try:
        return inspect_fingerprint(job) != record.fingerprint
    except UserError:  # gone since: inspected again, it says so
        return True


def _changed_at(path: Path) -> float:
    """Tell when a slide's file, any file of its folder, or a link to it was last written or put in its place."""
    try:
        beside = path.iterdir() if path.is_dir() else series_beside(path)
        files = [path, *beside]
        stats: list[os.stat_result] = [stat for file in files for stat in (file.lstat(), file.stat())]
    except OSError:  # gone, or not to be looked at
        return math.inf
    return max(max(stat.st_mtime, stat.st_ctime) for stat in stats)
