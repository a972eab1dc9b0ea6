"""What a slide says about itself, and whether its µm per pixel can be believed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, Self

from wsi_scale.errors import ArtifactError, MppError, SlideError
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide
from wsi_scale.units import (
    PLAUSIBLE_MPP,
    POWER_TOLERANCE,
    agrees_with_power,
    is_plausible_mpp,
    mpp_from_power,
)

MppSource = Literal["override", "metadata", "tiff", "estimated", "missing"]

#: How a user gives what the slide does not say.
HOW_TO_GIVE_MPP = "give it with --mpp or in the sheet's mpp column"

#: Relative difference from which x and y, or header and override, count as different.
_DIFFERENT = 0.01

#: Warnings about µm per pixel begin with this word; a slide that has one is not trusted.
_ABOUT_MPP = "mpp"


@dataclass(frozen=True)
class SlideInfo:
    """Metadata of one slide; the fields are the keys of ``wsi-scale inspect --json``.

    Parameters
    ----------
    slide_id, path
        As given.
    vendor
        What the file claims to be; None if unreadable.
    width, height
        Size of level 0 in pixels; 0 if unreadable.
    level_count, level_downsamples
        The pyramid (level-0 pixels per pixel of each level).
    objective_power
        As the scanner wrote it, or None.
    mpp
        Mean of ``mpp_x`` and ``mpp_y`` in µm per pixel of level 0, also where it is implausible; None if
        missing or not finite.
    mpp_x, mpp_y
        µm per pixel along each axis.
    mpp_source
        ``override``, ``metadata`` (OpenSlide), ``tiff`` (tags or OME-XML), ``estimated`` or ``missing``.
    status
        ``ok`` or ``unreadable``; the reason is then the first warning.
    warnings
        One line each.
    """

    slide_id: str
    path: str
    vendor: str | None
    width: int
    height: int
    level_count: int
    level_downsamples: tuple[float, ...]
    objective_power: float | None
    mpp: float | None
    mpp_x: float | None
    mpp_y: float | None
    mpp_source: MppSource
    status: Literal["ok", "unreadable"]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Values under the stable keys, in their order, ready for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Rebuild what ``as_dict`` gave.

        Raises
        ------
        ArtifactError
            The keys are others.
        """
        parts = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        try:
            return cls(**parts)  # type: ignore[arg-type]  # the keys are the fields
        except TypeError as error:
            raise ArtifactError(f"slide.json lacks keys of a slide ({error}); run `wsi-scale inspect` again") from error

    @property
    def usable_mpp(self) -> tuple[float, float] | None:
        """µm per pixel along x and y, or None if missing or implausible."""
        if self.mpp_x is None or self.mpp_y is None:
            return None
        if not (is_plausible_mpp(self.mpp_x) and is_plausible_mpp(self.mpp_y)):
            return None
        return self.mpp_x, self.mpp_y

    @property
    def trusted(self) -> bool:
        """Whether the µm per pixel is good enough to learn from."""
        if self.status != "ok" or self.usable_mpp is None:
            return False
        if self.mpp_source == "override":
            return True
        doubted = any(warning.startswith(_ABOUT_MPP) for warning in self.warnings)
        return self.mpp_source in ("metadata", "tiff") and not doubted


def inspect_slide(path: Path, slide_id: str, override_mpp: float | None = None) -> SlideInfo:
    """Open a slide and describe it; a slide that cannot be read is described as such.

    Parameters
    ----------
    path
        File or DICOM folder.
    slide_id
        Its name in all results.
    override_mpp
        µm per pixel of level 0 that outranks the file's.
    """
    try:
        with open_slide(path) as slide:
            return describe_slide(slide, slide_id, str(path), override_mpp)
    except SlideError as error:
        return SlideInfo(
            slide_id,
            str(path),
            None,
            0,
            0,
            0,
            (),
            None,
            None,
            None,
            None,
            "missing",
            "unreadable",
            (str(error),),
        )


def describe_slide(slide: Slide, slide_id: str, path: str, override_mpp: float | None) -> SlideInfo:
    """Describe an opened slide.

    Parameters
    ----------
    slide
        The slide.
    slide_id, path
        As they shall be shown.
    override_mpp
        µm per pixel of level 0 that outranks the file's.
    """
    power = _positive(slide.properties.get("openslide.objective-power"))
    mpp_xy, source = _header_mpp(slide)
    warnings = [*slide.warnings]
    if override_mpp is not None:
        warnings += _contradiction(override_mpp, mpp_xy, source)
        mpp_xy, source = (override_mpp, override_mpp), "override"
    warnings += _mpp_warnings(mpp_xy, source, power)
    finite = mpp_xy if mpp_xy and all(math.isfinite(value) for value in mpp_xy) else None
    return SlideInfo(
        slide_id=slide_id,
        path=path,
        vendor=slide.vendor,
        width=slide.width,
        height=slide.height,
        level_count=len(slide.levels),
        level_downsamples=tuple(level.downsample for level in slide.levels),
        objective_power=power,
        mpp=(finite[0] + finite[1]) / 2 if finite else None,
        mpp_x=finite[0] if finite else None,
        mpp_y=finite[1] if finite else None,
        mpp_source=source,
        status="ok",
        warnings=tuple(warnings),
    )


def with_estimated_mpp(info: SlideInfo, estimate: tuple[float, float, float]) -> SlideInfo:
    """Give a slide without a usable mpp the one that its pixels look like; its source then is ``estimated``.

    Parameters
    ----------
    estimate
        (mpp, low, high), µm per pixel of level 0.
    """
    mpp, low, high = estimate
    kept = tuple(warning for warning in info.warnings if not warning.startswith("mpp is missing"))
    said = f"mpp is estimated from the pixels: {mpp:.3g} µm/px ({low:.3g}–{high:.3g})"
    return replace(info, mpp=mpp, mpp_x=mpp, mpp_y=mpp, mpp_source="estimated", warnings=(*kept, said))


def require_mpp(info: SlideInfo) -> tuple[float, float]:
    """µm per pixel of a slide along x and y, where nothing works without it.

    Raises
    ------
    MppError
        If it is missing or implausible; the line says how to give it.
    """
    if info.usable_mpp is not None:
        return info.usable_mpp
    if info.mpp is None:
        raise MppError(f"{info.slide_id}: the slide has no usable µm per pixel (mpp); {HOW_TO_GIVE_MPP}")
    raise MppError(
        f"{info.slide_id}: {info.mpp:.4g} µm/px ({info.mpp_source}) lies outside "
        f"{PLAUSIBLE_MPP[0]:g}–{PLAUSIBLE_MPP[1]:g} and is not used; {HOW_TO_GIVE_MPP}"
    )


def _header_mpp(slide: Slide) -> tuple[tuple[float, float] | None, MppSource]:
    """µm per pixel of the file itself, from the highest authority that has one."""
    reported = _pair(slide.properties.get("openslide.mpp-x"), slide.properties.get("openslide.mpp-y"))
    if reported:
        return reported, "metadata"
    from wsi_scale.slides.tiff_header import is_tiff

    if slide.path.is_file() and is_tiff(slide.path):
        from wsi_scale.slides.tiff_mpp import read_tiff_mpp

        tagged = read_tiff_mpp(slide.path)
        if tagged:
            return tagged, "tiff"
    return None, "missing"


def _pair(x: str | None, y: str | None) -> tuple[float, float] | None:
    """Two numbers; one that is missing or no number equals the other."""
    known = [_number(text) for text in (x, y)]
    values = [value for value in known if value is not None]
    return (known[0] or values[0], known[1] or values[-1]) if values else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _positive(text: str | None) -> float | None:
    value = _number(text)
    return value if value is not None and math.isfinite(value) and value > 0 else None


def _contradiction(override: float, header: tuple[float, float] | None, source: MppSource) -> list[str]:
    if header is None:
        return []
    mean = (header[0] + header[1]) / 2
    if math.isfinite(mean) and abs(override - mean) <= _DIFFERENT * mean:
        return []
    return [f"mpp {override:.4g} µm/px as given contradicts {mean:.4g} in the file ({source}); the given one is used"]


def _mpp_warnings(mpp_xy: tuple[float, float] | None, source: MppSource, power: float | None) -> list[str]:
    """Everything that is wrong with µm per pixel, one line each."""
    if mpp_xy is None:
        return [f"mpp is missing; {HOW_TO_GIVE_MPP}"]
    x, y = mpp_xy
    mean = (x + y) / 2
    if not (is_plausible_mpp(x) and is_plausible_mpp(y)):
        low, high = PLAUSIBLE_MPP
        return [f"mpp {mean:.4g} µm/px ({source}) lies outside {low:g}–{high:g} and is not used; {HOW_TO_GIVE_MPP}"]
    warnings = []
    if abs(x - y) > _DIFFERENT * mean:
        warnings.append(f"mpp differs along x ({x:.4g}) and y ({y:.4g} µm/px); each axis is read at its own")
    if power is not None and not agrees_with_power(mean, power):
        warnings.append(
            f"mpp {mean:.4g} µm/px ({source}) is more than {POWER_TOLERANCE} times off the "
            f"{mpp_from_power(power):.4g} that objective {power:g}x suggests; not trusted for training"
        )
    return warnings
