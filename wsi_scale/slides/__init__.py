"""Slides: opening, metadata, reading fields at an exact mpp, tissue and grids."""

from wsi_scale.slides.discover import SLIDE_SUFFIXES, FoundSlide, find_slides, slide_id_for
from wsi_scale.slides.field import Field, padded_share, read_field
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.slides.grid import Grid, lay_grid, tissue_fractions
from wsi_scale.slides.levels import Level
from wsi_scale.slides.metadata import SlideInfo, describe_slide, inspect_slide, require_mpp
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.sheet import SheetRow, read_sheet, slides_of, write_sheet
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import Thumbnail, read_mask_image, read_thumbnail, tissue_mask

__all__ = [
    "SLIDE_SUFFIXES",
    "Field",
    "FieldBlock",
    "FoundSlide",
    "Grid",
    "Level",
    "SheetRow",
    "Slide",
    "SlideInfo",
    "Thumbnail",
    "describe_slide",
    "find_slides",
    "inspect_slide",
    "lay_grid",
    "open_slide",
    "padded_share",
    "read_field",
    "read_mask_image",
    "read_sheet",
    "read_thumbnail",
    "require_mpp",
    "slide_id_for",
    "slides_of",
    "tissue_fractions",
    "tissue_mask",
    "write_sheet",
]
