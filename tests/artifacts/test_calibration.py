"""A calibration is read again, under a name that tells what it belongs to."""

from pathlib import Path
from typing import Any

from wsi_scale.artifacts import calibration


def test_a_calibration_comes_back_and_its_fingerprint_tells_two_apart(tmp_path: Path, kinds: dict[str, Any]) -> None:
    prints = []
    for seed in (1, 2):
        kinds["calibration"].write(tmp_path, seed)
        read = calibration.read_calibration(kinds["calibration"].path(tmp_path))
        assert (read.network, read.seed) == ("vgg19", seed)
        assert read.layers["C3_4"]["channels"] == [1, 5]
        prints.append(read.fingerprint)
    assert prints[0] != prints[1]


def test_a_calibration_is_named_after_its_network_and_its_key() -> None:
    assert calibration.calibration_name("vgg19", "0123456789abcdef") == "vgg19-0123456789ab.calibration.json"
