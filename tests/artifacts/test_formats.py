"""The layout on disk: how many files it has, and what becomes of that of other versions."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr

from tests.artifacts.conftest import make_grid, make_map
from wsi_scale.artifacts.features import read_features, writing_features
from wsi_scale.artifacts.scale_map import read_scale_map, write_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.errors import ArtifactError
from wsi_scale.results.scale_map import CHANNELS, Reason

Digest = Callable[[Path], str]

#: What version 0.1 wrote of the kinds of artefacts with seed 0; its layout carried no number.
FORMAT_1 = Path(__file__).with_name("format_1.zip")
#: Folder of the archive, and the stage that writes the kind.
KEPT = {
    "scale map 0.5": ("0.5", "search"),
    "scale map 0.4": ("0.4", "search"),
    "features": ("0.5", "extract"),
    "tiles": ("0.5", "tile"),
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artefacts in the layout before; not to be changed."""
    folder = tmp_path_factory.mktemp("format_1")
    with zipfile.ZipFile(FORMAT_1) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(params=KEPT)
def name(request: pytest.FixtureRequest) -> str:
    """Each kind of artefact whose layout carries a number."""
    return request.param


@pytest.fixture
def kept(earlier: Path, name: str, tmp_path: Path) -> Path:
    """A folder in the layout before, to be changed."""
    return shutil.copytree(earlier / KEPT[name][0], tmp_path / "kept")


def renumber(path: Path, number: int) -> None:
    """Give an artefact the number of another layout."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        header = json.loads(table.schema.metadata[b"wsi_scale"]) | {"format": number}
        pq.write_table(table.replace_schema_metadata({b"wsi_scale": json.dumps(header)}), path)
    else:
        root = zarr.open_group(path, mode="r+", use_consolidated=False)
        root.attrs["wsi_scale"] = {**root.attrs["wsi_scale"], "format": number}  # type: ignore[dict-item]


def files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_map_holds_the_values_of_the_layout_before(earlier: Path, tmp_path: Path, version: Any) -> None:
    write_scale_map(tmp_path, make_map(), "print 0", version)
    read, print_ = read_scale_map(tmp_path)
    before: Any = zarr.open_group(earlier / version / "scale.ome.zarr", mode="r")
    assert print_ == before.attrs["wsi_scale"]["fingerprint"]
    assert list(read.curves) == ["C2_2", "C3_4"]
    pairs = {
        "0": read.image[:3],  # what came later follows
        "labels/reason/0": read.reason[None],
        "curves/C2_2": read.curves["C2_2"],
        "curves/C3_4": read.curves["C3_4"],
        "curves/mpp": read.rung_mpp,
        "curves/interpolated": read.rung_interpolated,
    }
    for path, values in pairs.items():
        np.testing.assert_array_equal(values, before[path][:])
        assert values.dtype == before[path].dtype


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_image_and_labels_lie_as_before(earlier: Path, tmp_path: Path, version: Any) -> None:
    write_scale_map(tmp_path, make_map(), "print 0", version)
    same = [file for file in files(earlier / version / "scale.ome.zarr") if file.startswith(("0/", "labels/"))]
    assert same == [file for file in files(tmp_path / "scale.ome.zarr") if file.startswith(("0/", "labels/"))]
    for file in (file for file in same if file.split("/")[-1] in ("zarr.json", ".zarray", ".zattrs", ".zgroup")):
        told, told_before = (
            json.loads((folder / "scale.ome.zarr" / file).read_text()) for folder in (tmp_path, earlier / version)
        )
        if file in ("0/zarr.json", "0/.zarray"):
            # Channels came later.
            told, told_before = (
                {k: v for k, v in each.items() if "shape" not in k and "chunk" not in k} for each in (told, told_before)
            )
        assert told == told_before, file


def test_features_hold_the_values_of_the_layout_before(earlier: Path, tmp_path: Path, kinds: dict[str, Any]) -> None:
    kinds["features"].write(tmp_path, 0)
    read = read_features(tmp_path)
    before: Any = zarr.open_group(earlier / "0.5" / "features.zarr", mode="r")
    assert read.attributes == before.attrs["wsi_scale"]
    for path in ("features", "features_optimal", "padded_share"):
        np.testing.assert_array_equal(getattr(read, path), before[path][:])
    np.testing.assert_array_equal(read.mpps, before["mpp"][:])


def test_tiles_for_qupath_are_as_before(earlier: Path, tmp_path: Path, kinds: dict[str, Any]) -> None:
    kinds["geojson"].write(tmp_path, 0)
    before = json.loads((earlier / "0.5" / "tiles.geojson").read_text())
    written = json.loads((tmp_path / "tiles.geojson").read_text())
    for feature in written["features"]:
        for later in ("finest_mpp", "dominant_radius_um"):
            feature["properties"]["measurements"].pop(later, None)
    assert written == before


@pytest.mark.parametrize("number", [None, 1, 3])
def test_another_layout_is_refused_in_one_line(
    kept: Path, name: str, kinds: dict[str, Any], number: int | None
) -> None:
    path, stage = kinds[name].path(kept), KEPT[name][1]
    if number is not None:
        kinds[name].write(kept, 0)
        renumber(path, number)
    with pytest.raises(ArtifactError) as error:
        kinds[name].read(kept)
    assert str(error.value) == (
        f"{path} has the layout of another version (format {number or 1}; this version reads 2); "
        f"run `wsi-scale {stage}` again"
    )


@pytest.mark.parametrize("damaged", [False, True])
def test_the_layout_before_is_known_as_our_own_and_replaced(
    kept: Path, name: str, kinds: dict[str, Any], damaged: bool, tmp_path: Path, digest: Digest
) -> None:
    path = kinds[name].path(kept)
    for file in (path / told for told in ("zarr.json", ".zattrs") if damaged):
        if file.exists():
            file.write_bytes(b"\x00\xff garbage")
    kinds[name].write(kept, 0)
    kinds[name].write(tmp_path / "fresh", 0)
    for other in {entry.name for entry in kept.iterdir()} - {path.name}:
        shutil.rmtree(kept / other) if (kept / other).is_dir() else (kept / other).unlink()
    assert digest(kept) == digest(tmp_path / "fresh")


@pytest.mark.parametrize(("version", "count"), [("0.5", 9), ("0.4", 15)])
def test_a_map_has_the_same_files_whatever_it_holds(tmp_path: Path, version: Any, count: int) -> None:
    found = set()
    for number, (side, layers) in enumerate(((2, 2), (20, 2), (2, 16), (20, 16))):
        grid = replace(make_grid(), rows=side, cols=side)
        for answered in (True, False):
            written = replace(
                make_map(),
                grid=grid,
                image=np.full((len(CHANNELS), side, side), 0.5 if answered else np.nan, np.float32),
                reason=np.full((side, side), Reason.ANSWERED if answered else Reason.UNREADABLE, np.uint8),
                curves={
                    f"C{layer}": np.full((side, side, 6), layer if answered else np.nan, np.float32)
                    for layer in range(layers)
                },
            )
            folder = tmp_path / f"{number} {answered}"
            write_scale_map(folder, written, "print", version)
            assert set(read_scale_map(folder)[0].curves) == set(written.curves)
            found.add(tuple(files(folder / "scale.ome.zarr")))
    (same,) = found
    assert len(same) == count


def test_features_have_the_same_files_whatever_they_hold(tmp_path: Path) -> None:
    found = set()
    for tiles, mpps in ((4, 1), (400, 1), (2100, 3), (4, 0), (0, 1)):
        folder = tmp_path / f"{tiles} {mpps}"
        with writing_features(folder, tiles, np.arange(1.0, mpps + 1), 2, {"fingerprint": "print"}):
            pass
        assert read_features(folder).features.shape == (tiles, mpps, 2)
        found.add(tuple(files(folder / "features.zarr")))
    (same,) = found
    assert len(same) == 7


@pytest.mark.parametrize("store", ["scale map 0.5", "scale map 0.4", "features"])
def test_values_that_are_gone_are_told_in_one_line(kinds: dict[str, Any], store: str, tmp_path: Path) -> None:
    kinds[store].write(tmp_path, 0)
    path = kinds[store].path(tmp_path)
    chunks = [file for file in files(path) if file.split("/")[-1].isdigit()]
    assert len(chunks) == 3
    for chunk in chunks:
        (path / chunk).rename(tmp_path / "aside")
        with pytest.raises(ArtifactError, match="are missing") as error:
            kinds[store].read(tmp_path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)
        (tmp_path / "aside").rename(path / chunk)
    assert kinds[store].read(tmp_path)


def test_tiles_come_back_from_the_layout_of_today_alone(tmp_path: Path, kinds: dict[str, Any]) -> None:
    kinds["tiles"].write(tmp_path, 0)
    header = json.loads(pq.read_schema(tmp_path / "tiles.parquet").metadata[b"wsi_scale"])
    assert header["format"] == 2
    assert len(read_tiles(tmp_path)[0])
