"""A user's mistake is one line and exit 1, a wrong call exit 2."""

from pathlib import Path

import pytest
import torch

from tests.runs import error_line, in_child, wsi_scale


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "slide.svs"),
        ("nonsense",),
        ("inspect", "slide.svs", "--mpp", "fine"),
        ("tile", "slide.svs", "-o", "out", "--bogus"),
        ("demo", "folder", "--seed", "-1"),
        ("magnification",),
        ("magnification", "predict"),
        ("magnification", "audit", "a", "b"),
        ("audit", "slide.svs", "-o", "out"),
        ("weights", "nonsense"),
    ],
)
def test_a_wrong_call_exits_2_with_the_usage(arguments: tuple[str, ...]) -> None:
    result = wsi_scale(*arguments)

    assert result.exit_code == 2
    assert "Usage:" in result.output


@pytest.mark.parametrize("command", ["run", "inspect", "predict", "tile", "search", "extract"])
def test_a_folder_of_slides_is_no_slide_and_the_line_says_how_to_run_all(
    small_slide: Path, tmp_path: Path, command: str
) -> None:
    study = tmp_path / "my study"
    study.mkdir()
    for name in ("a.tiff", "b.tiff"):
        (study / name).symlink_to(small_slide)

    line = error_line(wsi_scale(command, study, "-o", tmp_path / "out"))

    assert line == (
        f"error: {study} is a folder that holds 2 slides; give one of them, or run all of them with "
        f"`wsi-scale workflow --config 'slides={study}'`"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["inspect a.svs --mpp", "prune channels vgg19 --keep-fraction"])
def test_a_number_with_a_comma_is_told_with_a_point(option: str) -> None:
    result = wsi_scale(*option.split(), "0,25")
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "'0,25' is not a number; write 0.25, with a point" in said


def test_a_folder_of_one_slide_or_none_says_so(small_slide: Path, tmp_path: Path) -> None:
    assert f"{tmp_path}: no slides found" in error_line(wsi_scale("inspect", tmp_path))
    (tmp_path / "a.tiff").symlink_to(small_slide)
    assert error_line(wsi_scale("inspect", tmp_path)).endswith(f"give the slide itself: {tmp_path / 'a.tiff'}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("inspect none.svs", "there is no slide none.svs; check the path"),
        ("inspect {slide} --mpp -1", "mpp -1.0: give µm per pixel between 0.05 and 50"),
        ("inspect {slide} --mpp nan", "mpp nan: give µm per pixel between 0.05 and 50"),
        ("tile {slide} -o {new}", "`tile` needs `wsi-scale inspect` first"),
        ("search {slide} -o {new}", "`search` needs `wsi-scale inspect` first"),
        ("run {slide} -o {new} --config {new}.yaml", "cannot read configuration"),
        ("run {slide} -o {new} --config {slide}", "is not YAML"),
        ("run {slide} -o {new} --set tilling.mpp=1", "unknown key tilling; did you mean tiling?"),
        ("run {slide} -o {new} --set tiling.mp=1", "unknown key tiling.mp; did you mean tiling.mpp?"),
        ("run {slide} -o {new} --set tiling.mpp", "write section.key=value"),
        ("run {slide} -o {new} --set tiling.mpp=big", "tiling.mpp: Input should be a valid number"),
        ("run {slide} -o {new} --set tiling.mpp=0,5", "(got '0,5'); write 0.5, with a point"),
        ("run {slide} -o {new} --set tiling.overlap_px=300", "overlap_px (300) must be smaller than tile_px (224)"),
        ("run {slide} -o {new} --set search.coarsest_mpp=0.3", "coarsest_mpp must be at least twice finest_mpp"),
        ("search {slide} -o {done} --set network=vgg99", "'vgg99': neither a network file nor one of embedded, vgg19"),
        ("search {slide} -o {done} --set search.layers=[C9_9]", "embedded has no layer C9_9; it has C1_1"),
        ("calibrate vgg99", "'vgg99': neither a network file nor one of"),
        ("calibrate embedded --set search.finest_mpp=1.9 --set search.coarsest_mpp=4", "a search needs 5"),
        ("predict {slide} -o {done} --regressor {slide}", "is not a regressor file"),
        ("predict {slide} -o {done} --regressor {new}", "cannot read"),
        ("tile {slide} -o {done} --set tissue.mask={new}.png", "tissue.mask: there is no"),
        ("tile {slide} -o {done} --set tissue.mask={text}", "the mask cannot be read"),
        ("tile {slide} -o {done} --regions {new}.geojson", "tissue.regions: there is no"),
        ("tile {slide} -o {done} --regions {text}", "this is not GeoJSON with outlined regions"),
        ("extract {slide} -o {done} --slide-id other", "holds results of small, not of"),
        ("export {done}", "nothing to export; give --anndata FILE.h5ad, --h5 FILE.h5 or --spatialdata STORE.zarr"),
        ("export {new} --anndata {new}.h5ad", "is not there; give a folder of results"),
        ("export {slide} --h5 {new}.h5", "is a file; give a folder of results"),
        ("export {done} --h5 {new}.hdf", "name a file that ends in .h5 or .hdf5"),
        ("view {new} --no-browser", "is not there; give a folder of results"),
        ("run {slide} -o {new} --regions {text}", "this is not GeoJSON with outlined regions"),
        ("export {done} --h5 {new}.h5 --features-mpp 0.7", "no features at 0.7 µm/px; choose of 0.5, 1, 2, optimal"),
        ("export {folder} --h5 {new}", "holds no results of slides"),
        ("report {folder}", "holds no results of slides"),
        ("report {done} --slides {new}", "there is no such file or folder"),
        ("status {folder}", "holds no results of slides"),
        ("work {new}.json batch-0001 --stages inspect", "cannot read"),
        ("sheet {folder}", "no slides found; looked for .svs"),
        ("sheet {slide} -o {text}", "exists; choose another name with -o"),
        ("magnification predict {new}", "there is no such file or folder"),
        ("magnification predict {folder}", "no slides found; looked for .svs"),
        ("magnification predict {slide} --regressor {slide}", "is not a regressor file"),
        ("magnification predict {slide} --network vgg99", "'vgg99': neither a network file nor one of"),
        ("magnification audit {new} -o {folder}", "there is no such file or folder"),
        ("magnification audit {slide} -o {new} --regressor {new}", "is not a regressor file"),
        ("fit {new} -o {folder}", "there is no such file or folder"),
        ("weights verify vgg99", "'vgg99': neither a network file nor one of"),
        ("weights import vgg99 {text}", "vgg99"),
        ("weights import vgg19 {text}", "cannot read weights"),
        ("train -o {new}", "training.fields"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(
    small_slide: Path, finished_copy: Path, tmp_path: Path, arguments: str, said: str
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    text = tmp_path / "text.txt"
    text.write_text("nothing\n")
    places = {"slide": small_slide, "done": finished_copy, "new": tmp_path / "new", "folder": folder, "text": text}

    result = wsi_scale(*(part.format(**places) for part in arguments.split()))

    assert said.format(**places) in error_line(result)
    assert result.stderr.count("\n") == 1


def test_a_gpu_that_is_not_there_is_told(small_slide: Path, finished_copy: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")

    result = wsi_scale("search", small_slide, "-o", finished_copy, "--set", "execution.device=cuda")

    assert "torch finds no GPU here; use cpu or auto" in error_line(result)


def test_an_unreadable_slide_is_told_once_by_a_whole_run(tmp_path: Path) -> None:
    text = tmp_path / "letter.svs"
    text.write_text("Dear colleague\n" * 20)

    done = in_child("run", text, "--output", tmp_path / "out")

    assert error_line(done).startswith("error: letter.svs: not a known slide or image format")
    assert [line.split(",")[0] for line in done.stderr.splitlines()[:-1]] == [
        "letter: inspect: failed",
        "letter: report: ok",
    ]
    assert (tmp_path / "out" / "report.html").exists()


def test_a_stage_that_need_only_record_its_failure_exits_0_and_tells_it_to_the_log(tmp_path: Path) -> None:
    text = tmp_path / "letter.svs"
    text.write_text("Dear colleague\n" * 20)

    result = wsi_scale("inspect", text, "--output", tmp_path / "out", "--record-only")

    assert result.exit_code == 0
    assert "letter.svs: not a known slide or image format" in result.stderr
    assert result.stdout == ""
