"""What is written is what is read."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.artifacts.conftest import make_regressor
from wsi_scale.artifacts import audit, calibration, checkpoint, pictures, prediction, record, regressor, status
from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.artifacts.scale_map import read_scale_map, write_scale_map
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.tiles import read_tiles, write_tiles
from wsi_scale.errors import ArtifactError
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.tiles import TileTable

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
lines = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(documents)
@settings(max_examples=50, deadline=None)
def test_any_document_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any" / "document.json"
    write_json(path, content)
    assert read_json(path) == content


def test_a_document_is_readable_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"slide_id": "Brustdrüse", "unit": "µm"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Brustdrüse" in text
    assert text.endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"mpp": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_tiles_come_back_with_their_grid_and_fingerprint(tmp_path: Path, tile_table: TileTable) -> None:
    write_tiles(tmp_path, tile_table, "print")
    read, print_ = read_tiles(tmp_path)
    assert read.grid == tile_table.grid
    assert print_ == "print"
    assert len(read) == len(tile_table)
    for name in ("row", "col", "x", "y", "tissue_fraction"):
        expected, actual = getattr(tile_table, name), getattr(read, name)
        np.testing.assert_array_equal(actual, expected)
        assert actual.dtype == expected.dtype


def test_other_libraries_read_the_columns_of_tiles(tmp_path: Path, tile_table: TileTable) -> None:
    write_tiles(tmp_path, tile_table, "print")
    frame = pq.read_table(tmp_path / "tiles.parquet").to_pandas()
    assert list(frame.columns) == ["row", "col", "x", "y", "tissue_fraction"]
    np.testing.assert_array_equal(frame.x, tile_table.x)


def test_no_tiles_at_all_come_back_too(tmp_path: Path, tile_table: TileTable) -> None:
    none = replace(
        tile_table, **{name: getattr(tile_table, name)[:0] for name in ("row", "col", "x", "y", "tissue_fraction")}
    )
    write_tiles(tmp_path, none, "print")
    assert len(read_tiles(tmp_path)[0]) == 0


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_scale_map_comes_back_bit_by_bit(tmp_path: Path, answered: ScaleMap, version: Any) -> None:
    write_scale_map(tmp_path, answered, "print", version)
    read, print_ = read_scale_map(tmp_path)
    assert print_ == "print"
    assert read.grid == answered.grid
    assert dict(read.attributes) == dict(answered.attributes)
    np.testing.assert_array_equal(read.image, answered.image)
    np.testing.assert_array_equal(read.rung_mpp, answered.rung_mpp)
    np.testing.assert_array_equal(read.rung_interpolated, answered.rung_interpolated)
    assert read.rung_interpolated.dtype == bool
    assert set(read.curves) == set(answered.curves)
    for layer, values in answered.curves.items():
        np.testing.assert_array_equal(read.curves[layer], values)


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, state)
    read = checkpoint.read_checkpoint(path, type(state))
    assert (read.epoch, read.score, read.history) == (state.epoch, state.score, state.history)
    torch.testing.assert_close(read.model, state.model, rtol=0, atol=0)
    torch.testing.assert_close(read.optimizer["state"], state.optimizer["state"], rtol=0, atol=0)
    groups = [{**group, "betas": tuple(group["betas"])} for group in read.optimizer["param_groups"]]
    assert groups == state.optimizer["param_groups"]


def test_a_fresh_checkpoint_keeps_infinity_and_emptiness(tmp_path: Path, state: Any) -> None:
    fresh = type(state)()
    checkpoint.write_checkpoint(tmp_path / "c.safetensors", fresh)
    assert checkpoint.read_checkpoint(tmp_path / "c.safetensors", type(state)) == fresh


def test_a_checkpoint_of_another_training_is_refused_in_one_line(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, prediction.Prediction(1, 1, 1, "ok", "", 3, {}, ""))
    with pytest.raises(ArtifactError, match="checkpoint") as error:
        checkpoint.read_checkpoint(path, type(state))
    assert "\n" not in str(error.value)


def test_weights_are_no_checkpoint(tmp_path: Path, state: Any) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(ArtifactError, match="not a checkpoint") as error:
        checkpoint.read_checkpoint(tmp_path / "weights.safetensors", type(state))
    assert "\n" not in str(error.value)


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


def test_a_prediction_comes_back(tmp_path: Path, kinds: dict[str, Any]) -> None:
    assert prediction.read_prediction(tmp_path) is None
    kinds["prediction"].write(tmp_path, 0)
    read = prediction.read_prediction(tmp_path)
    assert read is not None
    assert read.estimate == (0.25, 0.2, 0.31)
    assert read.by_downsample == {"1": 0.26, "2": 0.24}
    assert read.mixed == "its left half differs"


def test_a_prediction_of_another_version_is_refused_in_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / prediction.NAME, {"path": "a.svs", "mpp": 0.25, "status": "ok"})
    with pytest.raises(
        ArtifactError, match=r"is not a prediction \(mpp_low: it is missing; .*delete it and run again"
    ) as error:
        prediction.read_prediction(tmp_path)
    assert "\n" not in str(error.value)


def test_an_abstention_gives_no_estimate(tmp_path: Path) -> None:
    said = prediction.Prediction(None, None, None, "abstained", "no tissue to look at", 0, {}, "")
    prediction.write_prediction(tmp_path, said)
    assert prediction.read_prediction(tmp_path) == said
    assert said.estimate is None


@given(st.lists(st.tuples(lines, lines, st.sampled_from(["ok", "empty", "failed"]), lines), max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_status_table_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.getbasetemp() / "status"
    expected = [status.StatusRow(*row) for row in rows]
    status.write_status(folder, expected)
    assert status.read_status(folder / "status.tsv") == expected


def test_an_audit_leaves_what_is_not_known_empty(tmp_path: Path, kinds: dict[str, Any]) -> None:
    kinds["audit"].write(tmp_path, 0)
    with (tmp_path / audit.NAME).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["flag"] for row in rows] == ["agrees", "missing"]
    assert (float(rows[0]["claimed_mpp"]), float(rows[0]["header_mpp"])) == (0.25, 0.5)
    assert rows[1]["claimed_mpp"] == rows[1]["header_mpp"] == rows[1]["mpp_high"] == ""


def test_the_mask_comes_back_and_the_pictures_open(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    mask = rng.random((20, 30)) < 0.5
    pictures.write_pictures(tmp_path, image, mask, image[:, ::-1].copy())
    np.testing.assert_array_equal(pictures.read_mask(tmp_path), mask)
    with Image.open(tmp_path / "overlay.png") as overlay:
        np.testing.assert_array_equal(np.asarray(overlay), image[:, ::-1])
    with Image.open(tmp_path / "thumbnail.jpg") as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == (60, 40)


def test_a_record_comes_back(tmp_path: Path) -> None:
    assert record.read_record(tmp_path, "search") is None
    for each in (record.Record("search", "ok", "", "print"), record.Record("search", "failed", "a: b", "")):
        record.write_record(tmp_path, each)
        assert record.read_record(tmp_path, "search") == each


def test_a_record_of_an_unknown_status_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "tile.json", {"stage": "tile", "status": "fine", "reason": "", "fingerprint": ""})
    with pytest.raises(ArtifactError, match=r"status: Input should be 'ok', 'empty' or 'failed'.*got 'fine'"):
        record.read_record(tmp_path, "tile")


def test_a_record_holds_no_time_and_no_absolute_path(tmp_path: Path) -> None:
    record.write_record(tmp_path, record.Record("tile", "ok", "", "print"))
    content = json.loads((tmp_path / "tile.json").read_text())
    assert len(content.pop("digest")) == 64
    assert content == {
        "stage": "tile", "status": "ok", "reason": "", "fingerprint": "print", "files": {}, "after": {},
        "version": SLIDE_STAGES["tile"].version,
    }  # fmt: skip
