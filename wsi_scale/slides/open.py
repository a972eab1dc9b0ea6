"""Opening slides: which library reads which file."""

from contextlib import suppress
from pathlib import Path

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import check_beside, check_place, opening
from wsi_scale.slides.dicom import dicom_files, series_of
from wsi_scale.slides.ome_zarr import is_zarr
from wsi_scale.slides.slide import Reader, Slide


def open_slide(path: Path, reader: Reader = "openslide") -> Slide:
    """Open a slide.

    The largest image in a file is the slide. OpenSlide reads what it knows; tifffile reads TIFFs that OpenSlide
    cannot decode or of which it misses the largest image or some levels; Pillow reads PNG and JPEG. A folder may be in
    OME-Zarr. Of a folder of DICOM files the series whose level 0 is largest is read, of a DICOM file its own series.

    Parameters
    ----------
    path
        A file, or a folder in OME-Zarr or with DICOM files.
    reader
        ``tifffile``: it decodes the pixels of SVS and TIFF files that OpenSlide reads. They are the same, two to six
        times as fast.

    Returns
    -------
    Slide
        To be closed by the caller (it is a context manager).

    Raises
    ------
    SlideError
        If the path is not a slide, or is one that cannot be read; one line says why.
    """
    with opening(path):
        check_place(path)
        return _open_folder_or_file(path, reader)


def _open_folder_or_file(path: Path, reader: Reader) -> Slide:
    if path.is_dir():
        if is_zarr(path):
            from wsi_scale.slides.ome_zarr_backend import OmeZarrSlide

            return OmeZarrSlide(path)
        return _open_dicom_folder(path)
    with path.open("rb") as stream:
        head = stream.read(16)
    if path.suffix.lower() == ".vsi":
        raise SlideError(f"{path}: Olympus VSI is not supported; export it as OME-TIFF")
    return _open_file(path, head, reader)


def _open_file(path: Path, head: bytes, reader: Reader) -> Slide:
    from wsi_scale.slides.image_backend import JPEG_MAGIC, PNG_MAGIC, ImageSlide
    from wsi_scale.slides.openslide_backend import OpenSlideSlide, vendor_of
    from wsi_scale.slides.tiff_header import is_tiff

    if head.startswith((PNG_MAGIC, JPEG_MAGIC)):
        return ImageSlide(path)
    if is_tiff(path):
        from wsi_scale.slides.open_tiff import open_tiff

        return open_tiff(path, reader)
    vendor = vendor_of(path)
    if vendor is None:
        raise SlideError(
            f"{path}: not a known slide or image format (an empty file, a text file or a partial download?)"
        )
    if vendor == "dicom":
        check_beside(path.parent)
    return OpenSlideSlide(path)


def _open_dicom_folder(folder: Path) -> Slide:
    """Open the series of a DICOM folder whose level 0 is largest."""
    from wsi_scale.slides.openslide_backend import vendor_of

    check_beside(folder)
    files = dicom_files(sorted(file for file in folder.iterdir() if not file.is_dir()))
    if not files:
        raise SlideError(f"{folder}: a folder without DICOM files or OME-Zarr is not a slide")
    sound = [file for file in files if vendor_of(file) == "dicom"]
    opened = {uid: slide for uid, members in series_of(sound).items() if (slide := _open_series(folder, members))}
    if not opened:
        raise SlideError(f"{folder}: none of its {len(files)} DICOM files is a slide that OpenSlide can open")
    best = max(opened, key=lambda uid: (opened[uid].width * opened[uid].height, len(opened[uid].levels)))
    for uid, slide in opened.items():
        if uid != best:
            slide.close()
    chosen = opened[best]
    if len(opened) > 1:
        chosen.warnings += (
            f"the folder holds {len(opened)} DICOM series; the largest is read "
            f"({chosen.width}x{chosen.height} px, series {best})",
        )
    if len(sound) < len(files):
        names = ", ".join(file.name for file in files if file not in sound)
        chosen.warnings += (
            f"{len(files) - len(sound)} of the folder's {len(files)} DICOM files cannot be read: {names}",
        )
    return chosen


def _open_series(folder: Path, files: list[Path]) -> Slide | None:
    """Open a series with OpenSlide, from the first of its files that it accepts."""
    from wsi_scale.slides.openslide_backend import OpenSlideSlide

    for file in files:
        with suppress(SlideError):
            return OpenSlideSlide(folder, file)
    return None
