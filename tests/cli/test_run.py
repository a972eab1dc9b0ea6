"""`wsi-scale run`: one slide through everything, and again through nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs import MPP, contents, draw, error_line, stamps, wsi_scale
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.scale.published import SIGNED_SCALES
from wsi_scale.synthesis import write_pyramid

RECORDS = {f"{stage}.json" for stage in ("inspect", "predict", "tile", "search", "extract")}
#: What every command says that is given 0.25 µm/px for the small slide.
CONTRADICTION = (
    "warning: mpp 0.25 µm/px, as given by you, differs from 0.5 in the header (TIFF resolution tags); yours is used"
)
#: What says nothing of results.
NOTES = {".wsi-scale.lock", "runs.json"}


def test_a_run_leaves_everything_that_is_promised(finished: Path) -> None:
    left = {path.name for path in finished.iterdir()}

    assert left - NOTES == RECORDS | {
        *("slide.json", "prediction.json", "tiles.parquet", "tissue.png", "thumbnail.jpg", "overlay.png"),
        *("scale.ome.zarr", "tiles.geojson", "features.zarr", "report.html"),
    }  # fmt: skip
    assert all(json.loads((finished / name).read_text())["status"] == "ok" for name in RECORDS)
    # File systems of clusters count them; no store has more for more tiles or layers.
    assert len([path for path in finished.rglob("*") if path.is_file()]) <= 31


def test_a_second_run_does_nothing(small_slide: Path, finished_copy: Path) -> None:
    before, stamped = contents(finished_copy), stamps(finished_copy)

    result = wsi_scale("run", small_slide, "--output", finished_copy)

    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"small: {stage}: up to date" for stage in ("inspect", "predict", "tile", "search", "extract", "report")
    ]
    assert contents(finished_copy) == before
    after = stamps(finished_copy)
    assert {name for name in stamped if after[name] != stamped[name]} <= NOTES


def test_overwrite_computes_anew_and_leaves_the_same_bytes(small_slide: Path, finished_copy: Path) -> None:
    before, stamped = contents(finished_copy), stamps(finished_copy)

    wsi_scale("run", small_slide, "--output", finished_copy, "--overwrite")

    assert contents(finished_copy) == before
    after = stamps(finished_copy)
    assert {name for name in stamped if after[name] == stamped[name]} <= NOTES | RECORDS | {"slide.json"}


def test_another_setting_makes_anew_what_depends_on_it_and_nothing_else(small_slide: Path, finished_copy: Path) -> None:
    stamped = stamps(finished_copy)

    wsi_scale("run", small_slide, "-o", finished_copy, "--set", "features.mpps=[1.0]")

    after = stamps(finished_copy)
    changed = {name for name in stamped if after.get(name) != stamped[name]}
    assert {name.split("/")[0] for name in changed} - NOTES == {"features.zarr", "extract.json", "report.html"}
    assert read_features(finished_copy).mpps.tolist() == [1.0]


def test_a_network_can_be_named_without_set(small_slide: Path, finished_copy: Path) -> None:
    line = error_line(wsi_scale("run", small_slide, "-o", finished_copy, "--network", "none.safetensors"))
    assert "none.safetensors" in line


def test_the_published_search_draws_its_own_rungs(tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 240, 460)).save(tmp_path / "two tiles.png")

    result = wsi_scale(
        "run", tmp_path / "two tiles.png", "-o", tmp_path / "out", "--mpp", "0.5", "--set", "search.method=published",
        "--set", "features.mpps=[0.5]",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    found, _ = read_scale_map(tmp_path / "out")
    factors = 0.5 / found.image[0]
    assert found.image.shape == (5, 1, 2)
    assert np.isnan(found.dominant_radius_um).all()
    assert found.attributes["method"] == "published"
    assert len(found.rung_mpp) == len(SIGNED_SCALES) == 21
    assert found.rung_mpp[8] == 0.5
    assert ((factors >= 1 / 3 - 1e-6) & (factors <= 4)).all()


@pytest.mark.parametrize(("version", "file"), [("0.4", ".zattrs"), ("0.5", "zarr.json")])
def test_the_map_is_written_in_the_version_asked_for(
    small_slide: Path, finished_copy: Path, version: str, file: str
) -> None:
    before, _ = read_scale_map(finished_copy)
    result = wsi_scale("run", small_slide, "-o", finished_copy, "--set", f"map.ome_zarr_version={version}")

    assert result.exit_code == 0, result.output
    after, _ = read_scale_map(finished_copy)
    assert (finished_copy / "scale.ome.zarr" / file).exists()
    assert version in (finished_copy / "scale.ome.zarr" / file).read_text()
    np.testing.assert_array_equal(after.image, before.image)


def test_a_given_mpp_decides_the_grid(small_slide: Path, tmp_path: Path) -> None:
    for stage in ("inspect", "tile"):
        result = wsi_scale(stage, small_slide, "-o", tmp_path, "--mpp", "0.25")
        assert result.exit_code == 0, result.output
        assert result.stderr.splitlines() == [CONTRADICTION]

    table, _ = read_tiles(tmp_path)
    info = json.loads((tmp_path / "slide.json").read_text())
    assert (info["mpp"], info["mpp_source"]) == (0.25, "override")
    assert "differs from 0.5" in info["warnings"][0]
    assert (table.grid.rows, table.grid.cols, table.grid.mpp_source) == (2, 2, "override")
    assert table.x.tolist() == [0, 448, 0, 448]


def test_an_mpp_that_inspect_was_not_given_plays_no_part_and_the_command_says_so(
    small_slide: Path, tmp_path: Path
) -> None:
    wsi_scale("inspect", small_slide, "-o", tmp_path)

    told = wsi_scale("tile", small_slide, "-o", tmp_path, "--mpp", "0.25").stderr.splitlines()
    silent = wsi_scale("tile", small_slide, "-o", tmp_path).stderr

    assert told == [
        "warning: --mpp 0.25 is not used, because `wsi-scale inspect` ran without it; run that again with --mpp"
    ]
    assert silent == ""


def test_a_run_prints_what_is_odd_about_the_slide(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "glass.tiff", np.full((180, 180, 3), 241, np.uint8), MPP)

    result = wsi_scale("run", tmp_path / "glass.tiff", "-o", tmp_path / "out", "--mpp", "0.25")

    assert result.exit_code == 0, result.output
    said = result.stderr.splitlines()
    assert [line for line in said if line.startswith("warning:")] == [CONTRADICTION]
    assert said[1] == CONTRADICTION  # as soon as it is known
    assert "  warnings: 1, printed above and in the report" in result.stdout.splitlines()


def test_a_run_says_each_stage_and_ends_with_numbers(small_slide: Path, finished: Path, tmp_path: Path) -> None:
    result = wsi_scale("run", small_slide, "--output", tmp_path / "out")

    stages = [line.split(", ")[0] for line in result.stderr.splitlines()]
    assert stages == [f"small: {stage}: ok" for stage in ("inspect", "predict", "tile", "search", "extract", "report")]
    assert "20 tiles in" in result.stderr
    optimal, radius = (
        np.nanpercentile(read_scale_map(finished)[0].channel(name), (50, 25, 75))
        for name in ("optimal_mpp", "dominant_radius_um")
    )
    estimate = json.loads((finished / "prediction.json").read_text())["mixed"]
    assert result.stdout.splitlines() == [
        "small: ok",
        "  tiles: 20, 20 (100%) with an optimal mpp",
        "  optimal mpp: median {:.3g} µm/px, quartiles {:.3g} and {:.3g}".format(*optimal),
        "  dominant radius: median {:.3g} µm, quartiles {:.3g} and {:.3g}".format(*radius),
        f"  µm per pixel: mixed: header says 0.5 µm/px, but {estimate}",
        f"  report: {tmp_path / 'out' / 'report.html'}",
    ]


def test_a_quiet_run_says_nothing_but_errors(small_slide: Path, finished_copy: Path, tmp_path: Path) -> None:
    done = wsi_scale("run", "-q", small_slide, "--output", finished_copy, "--mpp", "0.5")
    failed = wsi_scale("run", "-q", small_slide, "--output", tmp_path / "out", "--set", "tiling.mpp=0.39")

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr.splitlines() == ["error: small: level 0 is 0.5 µm/px; set tiling.mpp to 0.5 or more"]


def test_tiles_finer_than_the_slide_are_refused_with_what_would_do(small_slide: Path, tmp_path: Path) -> None:
    wsi_scale("inspect", small_slide, "-o", tmp_path)

    result = wsi_scale("tile", small_slide, "-o", tmp_path, "--set", "tiling.mpp=0.39")
    assert error_line(result) == "error: level 0 is 0.5 µm/px; set tiling.mpp to 0.5 or more"

    result = wsi_scale("tile", small_slide, "-o", tmp_path, "--set", "tiling.mpp=0.4")
    assert result.exit_code == 0


def test_a_tile_larger_than_the_slide_leaves_an_empty_slide_with_a_reason(tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 200, 300)).save(tmp_path / "chip.png")

    result = wsi_scale("run", tmp_path / "chip.png", "-o", tmp_path / "out", "--mpp", "0.5")

    reason = "a tile (112 µm) is larger than the slide; lower tiling.tile_px or set tiling.edge=pad"
    assert result.exit_code == 0
    first, *numbers = result.stdout.splitlines()
    assert first == f"chip: empty ({reason})"
    assert not [line for line in numbers if "tiles" in line or "optimal" in line]
    records = [json.loads((tmp_path / "out" / f"{stage}.json").read_text()) for stage in ("tile", "search", "extract")]
    assert [(record["status"], record["reason"]) for record in records] == [("empty", reason)] * 3

    padded = wsi_scale("run", tmp_path / "chip.png", "-o", tmp_path / "out", "--mpp", "0.5", "--set", "tiling.edge=pad")
    assert padded.stdout.startswith("chip: ok")


def test_a_slide_without_mpp_fails_with_a_way_out_and_the_estimate(tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 400, 400)).save(tmp_path / "field.png")

    line = error_line(wsi_scale("run", tmp_path / "field.png", "-o", tmp_path / "out"))

    estimate = json.loads((tmp_path / "out" / "prediction.json").read_text())["mpp"]
    assert "no usable µm per pixel (mpp); give it with --mpp (Python: mpp= of open_slide or run)" in line
    assert f"estimated from its pixels: {estimate:.3g} µm/px" in line


def test_a_slide_that_is_gone_is_a_failed_record_where_only_that_is_asked_for(tmp_path: Path) -> None:
    gone = tmp_path / "gone.svs"
    assert "there is no slide" in error_line(wsi_scale("inspect", gone, "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()

    for stage in ("inspect", "predict", "tile"):
        result = wsi_scale(stage, gone, "-o", tmp_path / "out", "--record-only")
        assert result.exit_code == 0, result.output
        record = json.loads((tmp_path / "out" / f"{stage}.json").read_text())
        assert record["status"] == "failed"
        assert "gone.svs: cannot be read (No such file or directory); check the path" in record["reason"]
