"""What the Snakefile asks at the start: the configuration, the slides, and each stage's own sections."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.record import SLIDE_STAGES, read_record, record_path
from wsi_scale.config.load import dump_section, parse_config
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError, ConfigError, UserError
from wsi_scale.slides.sheet import SheetRow, slides_of
from wsi_scale.stages.cohort import slide_folder

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
    "tile": ("unreadable_share",),
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
        """Find the slides of the configured folder or sheet; demo slides are made first where missing."""
        source = self.config.slides.path
        if source is None:
            raise ConfigError("which slides? give --config slides=FOLDER (or a sample sheet, or one slide)")
        if make_demo and self.config.demo.folder is not None:
            from wsi_scale.stages.demo import demo

            demo(self.config.demo)
        self.rows = {row.slide_id: row for row in slides_of(source, exclude=self.results)}

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
        arguments = [
            str(row.path),
            f"--output={slide_folder(self.results, slide_id)}",
            f"--slide-id={slide_id}",
        ]
        if row.mpp is not None:
            arguments.append(f"--mpp={row.mpp}")
        if row.group is not None:
            arguments.append(f"--group={row.group}")
        return arguments

    def records(self, stage: str) -> list[str]:
        """Paths of a stage's records, one a slide."""
        return [str(record_path(slide_folder(self.results, slide_id), stage)) for slide_id in self.rows]

    def all_records(self) -> list[str]:
        """Paths of the records of every slide and stage."""
        return [path for stage in SLIDE_STAGES for path in self.records(stage)]

    def sweep(self) -> None:
        """Forget the records of what must be taken up again.

        These are the failures of an earlier run, stages whose artefacts have gone since, and slides that have
        changed since they were inspected.
        """
        for slide_id, row in self.rows.items():
            folder = slide_folder(self.results, slide_id)
            for stage in SLIDE_STAGES:
                path = record_path(folder, stage)
                if path.exists() and (_failed_or_gone(folder, stage) or (stage == "inspect" and _is_newer(row, path))):
                    path.unlink()
        (self.results / "finished.txt").unlink(missing_ok=True)


def open_study(values: Mapping[str, Any], *, starts: bool, needs_slides: bool) -> Study:
    """Parse and find everything, or leave with one line.

    Parameters
    ----------
    starts
        Whether a real run starts here, in its main process: demo slides are made, failed records removed.
    needs_slides
        Whether jobs are made; a lint or an unlock does without slides.
    """
    # Jobs call `wsi-scale` of the environment that runs Snakemake, activated or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        study = Study(values)
        if needs_slides:
            study.find_slides(make_demo=starts)
        if starts:
            study.sweep()
    except UserError as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from None
    return study


def _failed_or_gone(folder: Path, stage: str) -> bool:
    try:
        record = read_record(folder, stage)
    except ArtifactError:
        return True
    if record is None or record.status == "failed":
        return True
    return record.status == "ok" and not all((folder / name).exists() for name in _artefacts(stage))


def _artefacts(stage: str) -> tuple[str, ...]:
    """Name what a stage leaves where it is ok."""
    from wsi_scale.artifacts import features, geojson, pictures, prediction, scale_map, slide_info, tiles

    return {
        "inspect": (slide_info.NAME,),
        "predict": (prediction.NAME,),
        "tile": (tiles.NAME, pictures.THUMBNAIL, pictures.MASK, pictures.OVERLAY),
        "search": (scale_map.NAME, geojson.NAME),
        "extract": (features.NAME,),
    }[stage]


def _is_newer(row: SheetRow, record: Path) -> bool:
    files = [row.path, *row.path.iterdir()] if row.path.is_dir() else [row.path]
    return max(file.stat().st_mtime for file in files if file.exists()) > record.stat().st_mtime
