"""The scale map as other programs open it."""

import json
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import xarray
import zarr

from tests.artifacts.conftest import snippet
from wsi_scale.artifacts.scale_map import read_channels, read_scale_map, write_scale_map
from wsi_scale.errors import ArtifactError
from wsi_scale.results.scale_map import CHANNELS, ScaleMap
from wsi_scale.scale.covariant import CONFIDENCE_OCTAVES

Version = Literal["0.5", "0.4"]


@pytest.fixture(params=["0.5", "0.4"])
def version(request: pytest.FixtureRequest) -> Version:
    """Both versions of OME-Zarr."""
    return request.param


@pytest.fixture
def stored(tmp_path: Path, answered: ScaleMap, version: Version) -> Path:
    """A scale map on disk."""
    write_scale_map(tmp_path, answered, "print", version)
    return tmp_path / "scale.ome.zarr"


def test_ome_zarr_opens_it_with_labelled_channels(stored: Path, answered: ScaleMap) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    node, *_ = Reader(parse_url(stored, mode="r"))()
    assert node.metadata["channel_names"] == [
        "optimal_mpp", "confidence", "tissue_fraction", "finest_mpp", "dominant_radius_um",
    ]  # fmt: skip
    assert [axis["name"] for axis in node.metadata["axes"]] == ["c", "y", "x"]
    assert [axis.get("unit") for axis in node.metadata["axes"]] == [None, "micrometer", "micrometer"]
    (level,) = node.data
    np.testing.assert_array_equal(np.asarray(level), answered.image)


def test_ome_zarr_models_find_it_valid(stored: Path, version: Version) -> None:
    from ome_zarr_models.v04.image import Image as Image04
    from ome_zarr_models.v05.image import Image as Image05

    group = zarr.open_group(stored, mode="r")
    metadata = Image05.from_zarr(group).ome_attributes if version == "0.5" else Image04.from_zarr(group).attributes
    assert len(metadata.multiscales) == 1
    assert [axis.name for axis in metadata.multiscales[0].axes] == ["c", "y", "x"]


def test_ome_zarr_opens_the_reasons_as_labels_with_names_and_colours(stored: Path, answered: ScaleMap) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    (label,) = [n for n in Reader(parse_url(stored, mode="r"))() if n.zarr.basename() == "reason"]
    named = {code: properties["name"] for code, properties in label.metadata["properties"].items()}
    assert named == {
        0: "answered", 1: "glass", 2: "unreadable", 3: "no_optimum", 4: "beyond_ladder", 5: "not_searched",
    }  # fmt: skip
    assert set(label.metadata["color"]) == set(named)
    assert label.metadata["color"][0][3] == 0
    np.testing.assert_array_equal(np.asarray(label.data[0])[0], answered.reason)
    # It lies where the map lies.
    assert label.metadata["coordinateTransformations"] == [
        [{"type": "scale", "scale": [1.0, 84.0, 84.0]}, {"type": "translation", "translation": [0.0, 56.0, 56.0]}]
    ]


def test_ome_zarr_models_find_the_labels_valid(stored: Path, version: Version) -> None:
    from ome_zarr_models.v04.image_label import ImageLabel as Label04
    from ome_zarr_models.v04.labels import Labels as Labels04
    from ome_zarr_models.v05.image_label import ImageLabel as Label05
    from ome_zarr_models.v05.labels import Labels as Labels05

    group, label = (zarr.open_group(stored, path=path, mode="r") for path in ("labels", "labels/reason"))
    if version == "0.5":
        listed, described = Labels05.from_zarr(group).attributes.ome, Label05.from_zarr(label).attributes.ome
    else:
        listed, described = Labels04.from_zarr(group).attributes, Label04.from_zarr(label).attributes
    assert listed.labels == ["reason"]
    assert described.image_label.source.image == "../../"
    assert [p.label_value for p in described.image_label.properties] == [0, 1, 2, 3, 4, 5]


def test_reasons_are_read_as_written(stored: Path, answered: ScaleMap) -> None:
    reason = read_scale_map(stored.parent)[0].reason
    np.testing.assert_array_equal(reason, answered.reason)
    assert reason.dtype == np.uint8


def test_it_lies_on_the_slide(stored: Path, answered: ScaleMap, version: Version) -> None:
    attributes: Any = zarr.open_group(stored, mode="r").attrs
    metadata = attributes["ome"] if version == "0.5" else attributes
    scale, translation = metadata["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    grid = answered.grid
    # A pixel of the map is one step of the grid, and the first lies at the centre of the first tile.
    assert scale == {"type": "scale", "scale": [1.0, grid.step_um, grid.step_um]}
    half_um = 224 * 0.5 / 2
    assert translation == {"type": "translation", "translation": [0.0, half_um, half_um]}


def test_channels_can_be_found_by_label(stored: Path, version: Version) -> None:
    attributes: Any = zarr.open_group(stored, mode="r").attrs
    channels = (attributes["ome"] if version == "0.5" else attributes)["omero"]["channels"]
    assert tuple(channel["label"] for channel in channels) == CHANNELS
    for channel in channels:
        window = channel["window"]
        assert window["min"] <= window["start"] < window["end"] <= window["max"]


def test_the_store_says_what_each_channel_is_in_words(stored: Path) -> None:
    attributes: Any = zarr.open_group(stored, mode="r").attrs
    told = attributes["wsi_scale"]["channels"]
    assert tuple(told) == CHANNELS
    assert [each["unit"] for each in told.values()] == ["µm/px", "1", "1", "µm/px", "µm"]
    assert f"exp(−spread / {CONFIDENCE_OCTAVES:g})" in told["confidence"]["meaning"]


def test_xarray_opens_the_curves_as_the_documentation_says(
    stored: Path, answered: ScaleMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stored.parent)
    opened: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(snippet("scale.ome.zarr"), opened)
    curves = opened["curves"].load()
    assert curves.dims == ("layer", "row", "col", "rung")
    for layer, values in answered.curves.items():
        np.testing.assert_array_equal(curves.sel(layer=layer).values, values)
    np.testing.assert_array_equal(curves.coords["rung"].values, answered.rung_mpp)
    np.testing.assert_array_equal(curves.attrs["interpolated"], answered.rung_interpolated)


def test_xarray_and_zarr_open_the_whole_store(stored: Path, answered: ScaleMap) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(stored, consolidated=False).load()
    assert opened["0"].dims == ("c", "y", "x")
    np.testing.assert_array_equal(opened["0"].values, answered.image)
    curves: Any = zarr.open_group(stored, mode="r")["curves"]
    assert curves.attrs["layers"] == ["C2_2", "C3_4"]
    np.testing.assert_array_equal(curves[1], answered.curves["C3_4"])


def test_what_was_not_computed_is_nan_for_every_reader(stored: Path) -> None:
    curves: Any = zarr.open_group(stored, mode="r")["curves"]
    assert np.isnan(curves.fill_value)


def test_a_reader_of_zarr_2_needs_json_and_zlib_alone(tmp_path: Path, answered: ScaleMap) -> None:
    write_scale_map(tmp_path, answered, "print", "0.4")
    expected = {
        "0": answered.image,
        "labels/reason/0": answered.reason[None],
        "curves": np.stack([answered.curves["C2_2"], answered.curves["C3_4"]]),
    }
    for path, values in expected.items():
        array = tmp_path / "scale.ome.zarr" / path
        told = json.loads((array / ".zarray").read_text())
        assert (told["zarr_format"], told["compressor"]["id"], told["filters"], told["order"]) == (2, "zlib", None, "C")
        assert (told["chunks"], told["dimension_separator"]) == (told["shape"], "/")
        chunk = zlib.decompress(array.joinpath(*["0"] * values.ndim).read_bytes())
        np.testing.assert_array_equal(np.frombuffer(chunk, told["dtype"]).reshape(told["shape"]), values)


def rewrite(stored: Path, version: Version, change: Callable[[dict[str, Any], np.ndarray], np.ndarray]) -> None:
    """Change the OME metadata and the channels of a map, as another version might write them."""
    root: Any = zarr.open_group(stored, mode="r+")
    attributes = dict(root.attrs)
    metadata = attributes["ome"] if version == "0.5" else attributes
    image = change(metadata["omero"], root["0"][:])
    root.attrs.update(attributes)
    root.create_array("0", data=image, chunks=image.shape, overwrite=True, **(
        {"dimension_names": ("c", "y", "x")} if version == "0.5"
        else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    ))  # fmt: skip


def test_channels_that_a_later_version_adds_or_moves_change_nothing(
    stored: Path, answered: ScaleMap, version: Version
) -> None:
    def change(omero: dict[str, Any], image: np.ndarray) -> np.ndarray:
        added = {**omero["channels"][0], "label": "nuclear_density"}
        omero["channels"] = [added, *omero["channels"][::-1]]
        return np.concatenate([np.full_like(image[:1], 7), image[::-1]])

    rewrite(stored, version, change)
    read, _ = read_scale_map(stored.parent)
    np.testing.assert_array_equal(read.image, answered.image)
    for number, label in enumerate(CHANNELS):
        np.testing.assert_array_equal(read.channel(label), answered.image[number])


def test_a_map_without_one_of_the_channels_is_refused_in_one_line(stored: Path, version: Version) -> None:
    def change(omero: dict[str, Any], image: np.ndarray) -> np.ndarray:
        omero["channels"][1]["label"] = "trust"
        return image

    rewrite(stored, version, change)
    with pytest.raises(ArtifactError, match=r"is not a scale map.*confidence.*run `wsi-scale search` again") as error:
        read_scale_map(stored.parent)
    assert "\n" not in str(error.value)


def test_a_map_whose_layers_are_not_those_of_its_curves_is_refused(stored: Path) -> None:
    curves: Any = zarr.open_group(stored, mode="r+")["curves"]
    curves.attrs["layers"] = ["C2_2"]
    with pytest.raises(ArtifactError, match="is not a scale map"):
        read_scale_map(stored.parent)


def test_every_version_is_of_its_zarr_format(stored: Path, version: Version) -> None:
    assert zarr.open_group(stored, mode="r").metadata.zarr_format == (3 if version == "0.5" else 2)
    assert (stored / ".zgroup").exists() == (version == "0.4")


def test_a_map_without_any_answer_can_be_written(tmp_path: Path, answered: ScaleMap, version: Version) -> None:
    answered.image[:] = np.nan
    write_scale_map(tmp_path, answered, "print", version)
    attributes: Any = zarr.open_group(tmp_path / "scale.ome.zarr", mode="r").attrs
    channels = (attributes["ome"] if version == "0.5" else attributes)["omero"]["channels"]
    assert channels[0]["window"]["start"] < channels[0]["window"]["end"]


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


def test_channels_that_are_read_alone_are_those_of_the_whole_map(stored: Path, answered: ScaleMap) -> None:
    radius, optimal = read_channels(stored.parent, ("dominant_radius_um", "optimal_mpp"))

    np.testing.assert_array_equal(radius, answered.dominant_radius_um)
    np.testing.assert_array_equal(optimal, answered.optimal_mpp)
