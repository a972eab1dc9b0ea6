"""Which image of a TIFF is the slide, told from its directories alone."""

from dataclasses import replace

import pytest

from wsi_scale.slides.ome import OmeImage
from wsi_scale.slides.tiff_header import Directory
from wsi_scale.slides.tiff_images import TiffImage, choose_image, images_of, other_sections

RGB, GREY = 2, 1


def page(number: int, width: int, height: int | None = None, **known: object) -> Directory:
    """Describe a tiled page in colour."""
    colour = Directory(number * 1000 + 8, number, False, width, height or width, 3, photometric=RGB, tiled=True)
    return replace(colour, **known)  # type: ignore[arg-type]


def channel(number: int, width: int) -> Directory:
    return page(number, width, samples=1, photometric=GREY)


def sub(parent: Directory, width: int, offset: int) -> Directory:
    return replace(parent, width=width, height=width, is_sub=True, offset=offset)


def chosen(*directories: Directory, declared: tuple[OmeImage, ...] = ()) -> tuple[TiffImage, tuple[TiffImage, ...]]:
    images = images_of(directories, declared)
    image = choose_image(images)
    return image, other_sections(image, images)


def widths(image: TiffImage) -> list[int]:
    return [level.width for level in image.levels]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_levels_are_sorted_wherever_they_stand(order: tuple[int, ...]) -> None:
    pages = [page(number, 1024 >> level) for number, level in enumerate(order)]
    image, others = chosen(*pages)
    assert widths(image) == [1024, 512, 256]
    assert not others


def test_a_preview_in_strips_is_no_level_of_a_tiled_scan() -> None:
    image, others = chosen(page(0, 256, tiled=False), page(1, 1024))
    assert widths(image) == [1024]
    assert not others


@pytest.mark.parametrize("first", ["macro", "Label image", "overview"])
def test_what_is_named_a_label_or_macro_image_is_left_aside_silently(first: str) -> None:
    small, scan = page(0, 600), page(1, 1024)
    declared = (OmeImage(0, first, 0, (("C", 3),)), OmeImage(1, "scan", 1, (("C", 3),)))
    image, others = chosen(small, scan, sub(scan, 512, 7000), declared=declared)
    assert (image.name, image.ome_index, widths(image)) == ("scan", 1, [1024, 512])
    assert not others


def test_of_two_sections_the_larger_is_read_and_the_other_named() -> None:
    declared = (OmeImage(0, "left", 0, (("C", 3),)), OmeImage(1, "right", 1, (("C", 3),)))
    image, others = chosen(page(0, 512), page(1, 1024), declared=declared)
    assert image.name == "right"
    assert [other.name for other in others] == ["left"]


def test_pages_of_two_sections_go_to_the_nearest_larger_image() -> None:
    image, others = chosen(page(0, 1000, 900), page(1, 500, 450), page(2, 1200, 1080), page(3, 600, 540))
    assert widths(image) == [1200, 600]
    assert [widths(other) for other in others] == [[1000, 500]]


def test_pages_in_grey_of_one_size_are_channels_and_pages_in_colour_are_sections() -> None:
    image, _ = chosen(channel(0, 512), channel(1, 512), channel(2, 512))
    assert image.stack == "uint8 with axes IYX (I=3)"
    image, others = chosen(page(0, 512), page(1, 512))
    assert (image.finest.number, image.stack, len(others)) == (0, "", 1)


def test_channels_that_ome_declares_are_a_stack_and_their_pages_no_images_of_their_own() -> None:
    pages = [channel(number, 512) for number in range(4)]
    image, others = chosen(*pages, declared=(OmeImage(0, "", 0, (("C", 4), ("Z", 1))),))
    assert image.stack == "uint8 with axes CYX (C=4)"
    assert not others


def test_a_fluorescence_scan_beside_a_small_picture_in_colour_is_still_a_stack() -> None:
    image, _ = chosen(page(0, 200), channel(1, 4096), channel(2, 4096))
    assert image.stack


def test_a_map_in_grey_as_large_as_the_scan_is_not_the_slide() -> None:
    image, _ = chosen(channel(0, 1024), page(1, 1024))
    assert image.finest.number == 1


@pytest.mark.parametrize("known", [{"subfile": 4}, {"photometric": 4, "samples": 1, "bits": 1}])
def test_a_mask_is_no_image(known: dict[str, int]) -> None:
    image, _ = chosen(page(0, 2048, **known), page(1, 1024))
    assert image.finest.number == 1


@pytest.mark.parametrize(
    ("description", "stack"),
    [
        ("ImageJ=1.53\nimages=6\nchannels=2\nslices=3\n", "uint8 with axes ZCYX (Z=3, C=2)"),
        ("ImageJ=1.53\nimages=5\n", "uint8 with axes IYX (I=5)"),
        ('{"shape": [7, 64, 64]}', "uint8 with axes IYX (I=7)"),
        ('{"shape": [64, 64]}', ""),
        ('{"shape": "many"}', ""),
    ],
)
def test_planes_that_follow_one_another_in_one_page_are_a_stack(description: str, stack: str) -> None:
    image, _ = chosen(replace(channel(0, 64), description=description))
    assert image.stack == stack
