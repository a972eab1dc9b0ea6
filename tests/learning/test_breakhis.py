"""BreakHis from a folder: the published layout, what is skipped, and what is written."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs import configured, error_line, wsi_scale
from wsi_scale.cli.talk import print_json
from wsi_scale.errors import ConfigError, SlideError
from wsi_scale.learning.breakhis import BreakHisResult, PatientSplit, evaluate_breakhis, find_images
from wsi_scale.magnification.breakhis import MAGNIFICATIONS, relative_log2_mpp
from wsi_scale.synthesis.scene import Scene, render_scene

#: Folder and name of drawn slides; the last two are one patient.
SLIDES = (
    ("benign/SOB/adenosis/SOB_B_A_14-22549AB", "SOB_B_A-14-22549AB"),
    ("benign/SOB/fibroadenoma/SOB_B_F_14-25197", "SOB_B_F-14-25197"),
    ("malignant/SOB/papillary_carcinoma/SOB_M_PC_15-190EF", "SOB_M_PC-15-190EF"),
    ("malignant/SOB/mucinous_carcinoma/SOB_M_MC_14-10147", "SOB_M_MC-14-10147"),
    ("malignant/SOB/ductal_carcinoma/SOB_M_DC_14-13412", "SOB_M_DC-14-13412"),
    ("malignant/SOB/lobular_carcinoma/SOB_M_LC_14-13412", "SOB_M_LC-14-13412"),
)
#: µm per pixel of the drawn 40x images.
COARSEST_MPP = 2.4


def drawn_images() -> Iterator[tuple[str, str, Image.Image]]:
    for seed, (folder, slide) in enumerate(SLIDES):
        for magnification, octaves in zip(MAGNIFICATIONS, relative_log2_mpp(MAGNIFICATIONS), strict=True):
            scene = Scene(3.5, seed=seed, size_px=240, mpp=float(COARSEST_MPP * 2**octaves))
            yield f"{folder}/{magnification}X", f"{slide}-{magnification}-001", Image.fromarray(render_scene(scene))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree in the published layout, with files that do not belong to it."""
    root = tmp_path_factory.mktemp("BreaKHis_v1")
    for folder, name, image in drawn_images():
        place = root / "histology_slides" / "breast" / folder
        place.mkdir(parents=True)
        image.save(place / f"{name}.png")
    (root / "README.txt").write_text("read me")
    Image.new("RGB", (240, 240)).save(root / "photo.png")
    Image.new("RGB", (240, 240)).save(root / "SOB_B_A-14-22549AB-40-009.tif")
    return root


@pytest.fixture(scope="module")
def evaluated(published: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BreakHisResult, Path]:
    output = tmp_path_factory.mktemp("out")
    return evaluate_breakhis(published, configured(), split=PatientSplit(5), output=output), output


def test_images_of_the_published_layout_are_found_and_others_skipped(published: Path) -> None:
    images, skipped = find_images(published)

    assert len(images) == 24
    assert {name.magnification for name in images} == set(MAGNIFICATIONS)
    assert len(skipped) == 2
    assert any("photo.png" in line for line in skipped)


def test_a_flat_folder_gives_the_same_images_and_copies_count_once(published: Path, tmp_path: Path) -> None:
    images, _ = find_images(published)
    for number, path in enumerate(images.values()):
        (tmp_path / path.name).with_suffix((".PNG", ".png")[number % 2]).write_bytes(path.read_bytes())
    copies = tmp_path / "fold1" / "train"
    copies.mkdir(parents=True)
    first = next(iter(images.values()))
    (copies / first.name).write_bytes(first.read_bytes())

    flat, skipped = find_images(tmp_path)

    assert set(flat) == set(images)
    assert [line for line in skipped if line.endswith("is there twice")] == skipped
    assert len(skipped) == 1


def test_one_row_an_image_with_both_answers(evaluated: tuple[BreakHisResult, Path]) -> None:
    result, output = evaluated

    with (output / "breakhis.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))

    assert len(rows) == len(result.rows) == 24
    assert (result.patients, result.folds, result.skipped) == (5, 5, 2)
    fold_of = {(row["patient"], row["fold"]) for row in rows}
    assert len(fold_of) == 5
    assert {row["tumour_type"] for row in rows if row["patient"] == "13412"} == {"DC", "LC"}
    assert {row["path"].split("/")[0] for row in rows} == {"histology_slides"}
    assert {int(row[key]) for row in rows for key in ("untrained_class", "fitted_class")} <= set(MAGNIFICATIONS)


def test_figures_are_written_with_what_they_depend_on(evaluated: tuple[BreakHisResult, Path]) -> None:
    result, output = evaluated

    told = json.loads((output / "breakhis.json").read_text(encoding="utf-8"))

    assert (told["images"], told["patients"], told["folds"], told["seed"], told["skipped"]) == (24, 5, 5, 0, 2)
    assert len(told["digest"]) == 64
    for kind, scores in (("untrained", result.untrained), ("fitted", result.fitted)):
        assert told[kind]["chance"] == 0.25
        assert told[kind]["figures"]["kappa"]["value"] == scores.figures["kappa"].value


def test_a_head_fitted_on_other_patients_tells_drawn_scales(evaluated: tuple[BreakHisResult, Path]) -> None:
    figures = evaluated[0].fitted.figures

    assert figures["accuracy"].value >= 0.75
    assert figures["median_error_octaves"].value < 0.5


def test_the_same_folder_gives_the_same_bytes(
    published: Path, evaluated: tuple[BreakHisResult, Path], tmp_path: Path
) -> None:
    evaluate_breakhis(published, configured(), split=PatientSplit(5), output=tmp_path)

    for name in ("breakhis.tsv", "breakhis.json"):
        assert (tmp_path / name).read_bytes() == (evaluated[1] / name).read_bytes()


def test_images_of_another_size_are_told(evaluated: tuple[BreakHisResult, Path]) -> None:
    notes = evaluated[0].notes

    assert notes[-1].startswith("24 images are not 700 px wide")
    assert not any("folds instead of" in note for note in notes)


def test_the_command_prints_a_table_and_shrinks_its_folds(published: Path, tmp_path: Path) -> None:
    result = wsi_scale("magnification", "breakhis", published, "--folds", 9, "-o", tmp_path / "new" / "out")

    assert result.exit_code == 0, result.output
    first, *rest = result.stdout.splitlines()
    assert first == "24 images of 5 patients in 5 folds"
    assert "note: 5 folds instead of 9: 5 patients are too few" in rest
    for word in ("chance", "accuracy", "patient accuracy", "kappa", "recall 400", "median error octaves"):
        assert any(line.startswith(word) for line in rest), word
    assert (tmp_path / "new" / "out" / "breakhis.tsv").exists()


def test_it_is_told_as_json(evaluated: tuple[BreakHisResult, Path], capsys: pytest.CaptureFixture[str]) -> None:
    print_json(evaluated[0])

    told = json.loads(capsys.readouterr().out)
    assert (len(told["rows"]), told["patients"]) == (24, 5)
    assert told["rows"][0]["untrained_log2"] == pytest.approx(evaluated[0].rows[0].untrained_log2)
    assert told["fitted"]["figures"].keys() == evaluated[0].fitted.figures.keys()


def test_an_image_that_cannot_be_read_is_counted(published: Path, tmp_path: Path) -> None:
    for path in find_images(published)[0].values():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "SOB_B_A-14-22549AB-40-002.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.new("RGB", (230, 200)).save(tmp_path / "SOB_B_A-14-22549AB-40-003.png")

    result = evaluate_breakhis(tmp_path, configured())

    assert (len(result.rows), result.skipped) == (24, 2)
    assert any(note.startswith("2 images could not be read") for note in result.notes)


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    Image.new("RGB", (240, 240)).save(tmp_path / "photo.png")
    (tmp_path / "empty").mkdir()

    lines = [error_line(wsi_scale("magnification", "breakhis", tmp_path / name)) for name in ("none", "empty", ".")]
    folds = error_line(wsi_scale("magnification", "breakhis", tmp_path, "--folds", 1))

    assert "cannot be listed" in lines[0]
    assert "no slides found" in lines[1]
    assert "none of its 1 images is an image of BreakHis" in lines[2]
    assert "give at least 2" in folds


def test_too_few_patients_or_scales_are_refused(published: Path, tmp_path: Path) -> None:
    images = find_images(published)[0]
    for name, path in images.items():
        if name.patient in ("22549", "25197"):
            (tmp_path / path.name).write_bytes(path.read_bytes())

    with pytest.raises(SlideError, match=r"8 readable images of 2 patients at 4 magnifications; at least 3"):
        evaluate_breakhis(tmp_path, configured())
    with pytest.raises(ConfigError, match="at least 2"):
        evaluate_breakhis(tmp_path, configured(), split=PatientSplit(0))


@pytest.mark.data
def test_the_real_images_are_told_apart_better_than_by_chance(data_root: Path) -> None:
    result = evaluate_breakhis(data_root / "breakhis", configured())

    assert (len(result.rows), result.patients, result.folds, result.skipped, result.notes) == (17, 12, 5, 0, ())
    assert result.untrained.chance == pytest.approx(10 / 17)
    figures = result.untrained.figures
    assert figures["kappa"].value > 0.2
    assert figures["median_error_octaves"].value < 1
    assert np.isfinite([figure.value for figure in result.fitted.figures.values()]).all()
