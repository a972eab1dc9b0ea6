"""A single slide given by the user."""

import os
import shlex
from pathlib import Path

from wsi_scale.errors import ConfigError, SlideError
from wsi_scale.slides.dicom import dicom_files
from wsi_scale.slides.discover import find_slides, slide_id_for
from wsi_scale.slides.ome_zarr import is_zarr
from wsi_scale.slides.sheet import SheetRow, id_faults
from wsi_scale.units import PLAUSIBLE_MPP, is_plausible_mpp


def single_row(slide: Path, slide_id: str | None, mpp: float | None, group: str | None) -> SheetRow:
    """Describe a slide as a row of a sheet does.

    Parameters
    ----------
    slide_id
        By default its file's name.
    mpp
        µm per pixel of level 0, used instead of the file's.

    Raises
    ------
    ConfigError
        The mpp is not a length; the id cannot be one.
    """
    if mpp is not None and not _is_plausible(mpp):
        raise ConfigError(f"mpp {mpp}: give µm per pixel between {PLAUSIBLE_MPP[0]} and {PLAUSIBLE_MPP[1]}")
    if slide_id is not None and (faults := id_faults(slide_id)):
        raise ConfigError(f"{'; '.join(faults)}; choose another name")
    return SheetRow(slide_id or slide_id_for(slide), slide, mpp, group)


def check_there(slide: Path) -> None:
    """Check that a slide's path exists, and is not that of a folder with slides in it.

    Raises
    ------
    SlideError
        There is nothing, or a folder that is no slide; of what is in it the line tells.
    UserError
        The folder has no slides, or cannot be listed.
    """
    if not os.path.lexists(slide):
        raise SlideError(f"there is no slide {slide}; check the path")
    if not slide.is_dir() or is_zarr(slide) or _holds_dicom(slide):
        return
    found = find_slides(slide)
    if len(found) == 1:
        raise SlideError(f"{slide} is a folder that holds 1 slide; give the slide itself: {found[0].path}")
    command = shlex.join(["wsi-scale", "workflow", "--config", f"slides={slide}"])
    raise SlideError(
        f"{slide} is a folder that holds {len(found)} slides; give one of them, or run all of them with `{command}`"
    )


def _holds_dicom(folder: Path) -> bool:
    try:
        return bool(dicom_files([path for path in folder.iterdir() if path.is_file()]))
    except OSError:  # its slides cannot be listed either, which is told
        return False


def _is_plausible(mpp: float) -> bool:
    try:
        return is_plausible_mpp(mpp)
    except TypeError:  # from Python it may be anything
        return False
