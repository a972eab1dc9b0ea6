"""What a result depends on, and what it does not."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.config.models import SearchConfig
from wsi_scale.errors import ArtifactError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["slide", "network", "layers", "search"]), values))
@settings(deadline=None)
def test_the_order_of_parameters_plays_no_part(depends_on: dict[str, Any]) -> None:
    turned = dict(reversed(depends_on.items()))
    assert fingerprint("search", **depends_on) == fingerprint("search", **turned)


@pytest.mark.parametrize(
    "changed",
    [
        {"slide": "b"},
        {"layers": ["C3_4"]},
        {"search": SearchConfig(finest_mpp=0.5)},
        {"calibration": None},
        {"mpp": 0.5000001},
        {"extra": 1},
    ],
)
def test_every_parameter_changes_it(changed: dict[str, Any]) -> None:
    base = {"slide": "a", "layers": ["C2_2", "C3_4"], "search": SearchConfig(), "calibration": "print", "mpp": 0.5}
    assert fingerprint("search", **base) == fingerprint("search", **base)
    assert fingerprint("search", **base) != fingerprint("search", **{**base, **changed})


def test_two_stages_with_the_same_parameters_differ() -> None:
    assert fingerprint("tile", slide="a") != fingerprint("search", slide="a")


def test_another_version_of_the_stage_changes_it() -> None:
    assert fingerprint("tile", 2, slide="a") != fingerprint("tile", 1, slide="a")


def test_a_value_without_a_fixed_text_cannot_be_part_of_it() -> None:
    with pytest.raises(TypeError, match="object cannot be part"):
        fingerprint("tile", slide=object())


@pytest.mark.parametrize("size", [0, 1000, 5_000_000])
def test_names_and_times_of_a_file_play_no_part(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    first, second = tmp_path / "a.svs", tmp_path / "renamed" / "b.tif"
    second.parent.mkdir()
    first.write_bytes(content)
    shutil.copy(first, second)
    os.utime(second, (0, 0))
    assert file_identity(first) == file_identity(second)


@pytest.mark.parametrize(("size", "place"), [(1000, 0), (1000, 999), (5_000_000, 0), (5_000_000, 4_999_999)])
def test_another_content_of_the_same_size_changes_it(tmp_path: Path, size: int, place: int) -> None:
    content = bytearray(size)
    path = tmp_path / "a.svs"
    path.write_bytes(content)
    before = file_identity(path)
    content[place] = 1
    path.write_bytes(content)
    assert file_identity(path) != before


def test_a_longer_file_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(bytes(5_000_000))
    before = file_identity(path)
    path.write_bytes(bytes(5_000_001))
    assert file_identity(path) != before


def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="No such file") as error:
        file_identity(tmp_path / "none.svs")
    assert "\n" not in str(error.value)
