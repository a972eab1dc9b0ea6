"""A regressor is read again bit by bit, and nothing else is taken for one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.artifacts.conftest import make_regressor
from wsi_scale.artifacts import regressor
from wsi_scale.errors import ArtifactError


def test_a_regressor_comes_back_bit_by_bit(tmp_path: Path, kinds: dict[str, Any]) -> None:
    kinds["regressor"].write(tmp_path, 3)
    path = kinds["regressor"].path(tmp_path)
    read = regressor.read_regressor(path)
    expected = make_regressor(3)
    assert set(read.arrays) == set(regressor.ARRAYS) == set(expected.arrays)
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], values)
        assert read.arrays[name].dtype == values.dtype
    assert read.header["fold_of"] == {"case 1": 1, "Fall Ä": 2}
    assert regressor.regressor_fingerprint(path) == read.header["fingerprint"] == "print 3"


@pytest.mark.parametrize("missing", ["hidden_weights", "bends", "scores"])
def test_a_regressor_of_another_making_is_refused_in_one_line(tmp_path: Path, missing: str) -> None:
    whole = make_regressor()
    arrays = {name: values for name, values in whole.arrays.items() if name != missing}
    regressor.write_regressor(tmp_path / "r", replace(whole, arrays=arrays))
    with pytest.raises(ArtifactError, match="is not a regressor file") as error:
        regressor.read_regressor(tmp_path / "r")
    assert "\n" not in str(error.value)
    assert regressor.regressor_fingerprint(tmp_path / "r") is None
