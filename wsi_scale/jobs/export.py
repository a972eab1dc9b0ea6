"""Results in file formats of other tools."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.names import FEATURES
from wsi_scale.artifacts.pictures import read_thumbnail
from wsi_scale.artifacts.spatialdata_store import write_spatialdata
from wsi_scale.artifacts.trident_file import write_trident
from wsi_scale.errors import ConfigError, UserError, named, one_line
from wsi_scale.execution.progress import progress
from wsi_scale.jobs.cohort import check_one_run_each, is_slide_folder, job_in, jobs_in
from wsi_scale.jobs.current import current_features, current_map, current_tiles
from wsi_scale.jobs.folders import check_has
from wsi_scale.jobs.job import SlideJob
from wsi_scale.report.words import count_text
from wsi_scale.results.features import TileFeatures

Format = Literal["anndata", "h5", "spatialdata"]

#: Suffixes that a slide's file may have; the first is that of files of many slides in one folder.
SUFFIXES: Mapping[Format, tuple[str, ...]] = {
    "anndata": (".h5ad",), "h5": (".h5", ".hdf5"), "spatialdata": (".zarr",),
}  # fmt: skip


def export(folder: Path, targets: Mapping[Format, Path], mpp: str | None = None) -> Iterator[str]:
    """Write a slide's results, or those of each slide of a results folder, in other formats.

    Parameters
    ----------
    folder
        Of one slide, or of many.
    targets
        Where each format is written: a file (or store), or a folder that gets one named after the slide; of many slides
        always a folder.
    mpp
        µm per pixel of the features in ``h5``, or ``optimal``; by default the first there is.

    Yields
    ------
    line
        What was written, one line each.

    Raises
    ------
    UserError
        A file has a suffix of another format; two folders hold results of slides with one id; a library is not
        installed; a result is missing, damaged, or not from the last run. Of many slides it is told after the others
        were written, with each that failed.
    """
    if is_slide_folder(folder):
        job = job_in(folder)
        yield from _export_one(job, {kind: _of_one(kind, place, job) for kind, place in targets.items()}, mpp)
        return
    jobs, failed = jobs_in(folder), []
    check_one_run_each(jobs, folder)
    for kind, place in targets.items():
        if place.suffix.lower() in SUFFIXES[kind] and not place.is_dir():
            raise ConfigError(
                f"{place}: {folder} holds results of {count_text(len(jobs), 'slide')}; name a folder, which gets one "
                "file for each"
            )
    for job in jobs:
        try:
            yield from _export_one(job, {kind: _in_folder(kind, place, job) for kind, place in targets.items()}, mpp)
        except UserError as error:
            said = one_line(error)
            # Its folder names it, too.
            failed.append(said if said.startswith(f"{job.folder}: ") else named(job.row.slide_id, said))
    if failed:
        raise UserError(f"not exported: {'; '.join(failed)}")


def _in_folder(kind: Format, folder: Path, job: SlideJob) -> Path:
    return folder / f"{job.row.slide_id}{SUFFIXES[kind][0]}"


def _of_one(kind: Format, place: Path, job: SlideJob) -> Path:
    """Return the file of a slide: as it is named, or in a folder that is there or whose name has no suffix."""
    if place.suffix.lower() in SUFFIXES[kind]:
        return place
    if place.is_dir() or not place.suffix:
        return _in_folder(kind, place, job)
    raise ConfigError(f"{place}: name a file that ends in {' or '.join(SUFFIXES[kind])}, or a folder")


def _export_one(job: SlideJob, targets: Mapping[Format, Path], mpp: str | None) -> Iterator[str]:
    check_has(job, FEATURES)
    features = current_features(job, current_tiles(job), current_map(job))
    for kind, target in targets.items():
        done = "replaced" if target.exists() else "wrote"
        with progress("export"):
            note = _WRITERS[kind](job, features, target, mpp)
        yield f"{done} {target}{note}"


def _write_anndata(job: SlideJob, features: TileFeatures, target: Path, _: str | None) -> str:
    content = features.to_anndata(thumbnail=read_thumbnail(job.folder), name=job.row.slide_id)
    with replacing_file(target) as part:
        content.write_h5ad(part)
    return ""


def _write_h5(job: SlideJob, features: TileFeatures, target: Path, mpp: str | None) -> str:
    left_out = write_trident(target, features, job.row.slide_id, mpp)
    return f" ({left_out} of {len(features)} tiles have no features there and are left out)" if left_out else ""


def _write_spatialdata(job: SlideJob, features: TileFeatures, target: Path, _: str | None) -> str:
    write_spatialdata(target, features.to_spatialdata(thumbnail=read_thumbnail(job.folder), name=job.row.slide_id))
    return ""


_WRITERS: Mapping[Format, Callable[[SlideJob, TileFeatures, Path, str | None], str]] = {
    "anndata": _write_anndata,
    "h5": _write_h5,
    "spatialdata": _write_spatialdata,
}
