"""Metadata of a slide, and whether its µm per pixel can be trusted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import model_validator

from wsi_scale.artifacts.slide_info import slide_info_of
from wsi_scale.errors import MppError, SlideError
from wsi_scale.results.strict import STRICT
from wsi_scale.slides.identity import slide_identity
from wsi_scale.slides.mpp_claim import SOURCE_NAMES, Authority, MppClaim, MppSource, believed
from wsi_scale.slides.mpp_warnings import (
    HOW_TO_GIVE_MPP,
    MISSING,
    PLAUSIBLE_RANGE,
    MppDoubt,
    about_claims,
    about_default,
    about_mpp,
    about_override,
)
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.scanner import scanner_of
from wsi_scale.slides.slide import Slide
from wsi_scale.units import is_plausible_mpp

#: No side of a slide is as long as this, pixels.
_MOST_PX = 1 << 31


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
        ``override``, ``metadata`` (the scanner's own), ``ome`` (OME-XML or OME-Zarr), ``tiff`` (resolution tags),
        ``estimated`` or ``missing``.
    mpp_doubts
        Why the µm per pixel is not used for fitting: ``axes`` (x and y differ), ``objective`` (far from what the
        objective suggests), ``sources`` (the file holds two different values).
    header_mpp, header_source
        What the file itself says and who in it, whatever outranks or replaces it; None and ``missing`` if nothing.
    status
        ``ok`` or ``unreadable``; the reason is then the first warning.
    warnings
        One line each: about the file, then about its µm per pixel. No program logic depends on their wording.
    identity
        Digest of the slide's content (:func:`wsi_scale.slides.identity.slide_identity`); "" where it was not taken.
    scanner
        Make, model and serial number of the scanner as the file tells them; "" where it tells none.
    """

    __pydantic_config__ = STRICT

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
    mpp_doubts: tuple[MppDoubt, ...]
    header_mpp: float | None
    header_source: MppSource
    status: Literal["ok", "unreadable"]
    warnings: tuple[str, ...]
    identity: str = ""
    scanner: str = ""

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
            The keys are others, or of other types.
        """
        return slide_info_of(values, cls)

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        """Check values of a file that their types do not cover."""
        if self.status == "unreadable" and not self.warnings:
            raise ValueError("an unreadable slide has its reason as first warning")
        if self.status == "ok" and not (0 < self.width < _MOST_PX and 0 < self.height < _MOST_PX):
            raise ValueError(f"width × height cannot be {self.width} × {self.height} px")
        return self

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0 in pixels; zeros if unreadable."""
        return self.width, self.height

    @property
    def usable_mpp(self) -> tuple[float, float] | None:
        """µm per pixel along x and y, or None if missing or implausible."""
        if self.mpp_x is None or self.mpp_y is None:
            return None
        if not (is_plausible_mpp(self.mpp_x) and is_plausible_mpp(self.mpp_y)):
            return None
        return self.mpp_x, self.mpp_y

    @property
    def why_no_mpp(self) -> str:
        """Why the file has no µm per pixel, in words for a reader; "" where it has, or where nothing more is known."""
        said = next((warning for warning in self.warnings if warning.startswith(MISSING)), "")
        return said.removeprefix(MISSING).removesuffix(f"; {HOW_TO_GIVE_MPP}").removeprefix(": ")

    @property
    def trusted(self) -> bool:
        """Whether the µm per pixel is good enough for fitting."""
        if self.status != "ok" or self.usable_mpp is None:
            return False
        if self.mpp_source == "override":
            return True
        return self.mpp_source in get_args(Authority) and not self.mpp_doubts


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
            info = describe_slide(slide, slide_id, str(path), override_mpp)
        return replace(info, identity=slide_identity(path))
    except SlideError as error:
        return SlideInfo(
            slide_id=slide_id, path=str(path), vendor=None, width=0, height=0, level_count=0, level_downsamples=(),
            objective_power=None, mpp=None, mpp_x=None, mpp_y=None, mpp_source="missing", mpp_doubts=(),
            header_mpp=None, header_source="missing", status="unreadable", warnings=(str(error),),
        )  # fmt: skip


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
    found = _claims(slide)
    claims = [claim for claim in found if not claim.is_default]
    default = next((about_default(claim) for claim in found if claim.is_default), "")
    header = believed(claims)
    header_source: MppSource = header.authority if header else "missing"
    mpp_xy, source = (header.x, header.y) if header else None, header_source
    if override_mpp is None:
        said = about_claims(claims)
    else:
        said = about_override(override_mpp, header)
        mpp_xy, source = (override_mpp, override_mpp), "override"
    said += about_mpp(mpp_xy, source, power, slide.why_no_mpp or default)
    finite = mpp_xy if mpp_xy and all(map(math.isfinite, mpp_xy)) else None
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
        mpp_doubts=tuple(warning.doubt for warning in said if warning.doubt),
        header_mpp=header.mean if header and math.isfinite(header.mean) else None,
        header_source=header_source,
        status="ok",
        warnings=(*slide.warnings, *(warning.text for warning in said)),
        scanner=scanner_of(slide.vendor, slide.properties),
    )


def with_estimated_mpp(info: SlideInfo, estimate: tuple[float, float, float]) -> SlideInfo:
    """Give a slide without a usable mpp the one estimated from its pixels; its source then is ``estimated``.

    Parameters
    ----------
    estimate
        (mpp, low, high), µm per pixel of level 0.
    """
    mpp, low, high = estimate
    # That it is missing is the last warning of a slide that says nothing.
    kept = info.warnings[:-1] if info.mpp_source == "missing" else info.warnings
    said = f"mpp is estimated from pixels: {mpp:.3g} µm/px ({low:.3g}–{high:.3g})"
    return replace(info, mpp=mpp, mpp_x=mpp, mpp_y=mpp, mpp_source="estimated", warnings=(*kept, said))


def require_mpp(info: SlideInfo) -> tuple[float, float]:
    """µm per pixel of a slide along x and y, for stages that cannot work without it.

    Raises
    ------
    MppError
        If it is missing or implausible; the message says how to give it.
    """
    if info.usable_mpp is not None:
        return info.usable_mpp
    if info.mpp is None:
        last = info.warnings[-1] if info.warnings else ""
        why = last.removeprefix(MISSING) if last.startswith(MISSING) else f"; {HOW_TO_GIVE_MPP}"
        raise MppError(f"{info.slide_id}: the slide has no usable µm per pixel (mpp){why}")
    raise MppError(
        f"{info.slide_id}: {info.mpp:.4g} µm/px ({SOURCE_NAMES[info.mpp_source]}) lies outside {PLAUSIBLE_RANGE} "
        f"and is not used; {HOW_TO_GIVE_MPP}"
    )


def _claims(slide: Slide) -> list[MppClaim]:
    """Collect the claims of a file about level 0, one for each source, the most trusted first."""
    reported = _reported(slide.properties, slide.width, slide.height)
    claims = [*([MppClaim("metadata", *reported)] if reported else []), *slide.mpp_claims]
    from wsi_scale.slides.tiff_header import is_tiff

    if slide.path.is_file() and is_tiff(slide.path):
        from wsi_scale.slides.tiff_mpp import read_tiff_claims

        known = {claim.authority for claim in claims}
        tagged = read_tiff_claims(slide.path, (slide.width, slide.height))
        claims += [claim for claim in tagged if claim.authority not in known]
    return claims


def _reported(properties: Mapping[str, str], width: int, height: int) -> tuple[float, float] | None:
    """Read the mpp in the scanner's metadata as OpenSlide reports it, if it belongs to the image that is level 0."""
    # Of a generic TIFF it reports the first directory's resolution tags, whatever image that holds.
    if properties.get("openslide.vendor") == "generic-tiff":
        return None
    for side, own in (("width", width), ("height", height)):
        if properties.get(f"openslide.level[0].{side}", str(own)) != str(own):  # a larger image was found
            return None
    return _pair(properties.get("openslide.mpp-x"), properties.get("openslide.mpp-y"))


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
