"""What a compressed tile says of its own size."""

import struct

import imagecodecs
import numpy as np
import pytest

from wsi_scale.slides.codestream import check_codestream

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
ENCODERS = {
    "jpeg": imagecodecs.jpeg_encode,
    "j2k": lambda image: imagecodecs.jpeg2k_encode(image, codecformat="j2k"),
    "jp2": lambda image: imagecodecs.jpeg2k_encode(image, codecformat="jp2"),
    "png": imagecodecs.png_encode,
}


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_size_that_fits_passes_and_a_larger_one_does_not(codec: str) -> None:
    data = ENCODERS[codec](IMAGE)
    check_codestream(data, 48, 64)
    with pytest.raises(ValueError, match="states 48x64"):
        check_codestream(data, 48, 32)
    with pytest.raises(ValueError, match="states 48x64"):
        check_codestream(data, 16, 64)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"\0" * 40])
def test_what_is_something_else_passes(data: bytes) -> None:
    check_codestream(data, 1, 1)


@pytest.mark.parametrize("start", [b"\xff\xd8", b"\xff\xd8\xff\xe0\x00", b"\xff\x4f\xff\x51\0"])
def test_what_ends_early_does_not_pass_and_what_states_no_size_does(start: bytes) -> None:
    with pytest.raises(ValueError, match="ends before its image does"):
        check_codestream(start, 1, 1)
    check_codestream(start + b"\xff\xd9", 1, 1)


@pytest.mark.parametrize("codec", ["jpeg", "j2k", "jp2"])
def test_half_of_an_image_does_not_pass_and_one_with_bytes_behind_it_does(codec: str) -> None:
    data = ENCODERS[codec](IMAGE)
    check_codestream(data + bytes(100), 48, 64)
    with pytest.raises(ValueError, match="ends before its image does"):
        check_codestream(data[: len(data) // 2] + bytes(len(data) // 2), 48, 64)


def test_a_segment_of_no_length_does_not_hang() -> None:
    check_codestream(b"\xff\xd8" + b"\xff\xe0" + struct.pack(">H", 0) + b"\xff" * 40 + b"\xff\xd9", 1, 1)
