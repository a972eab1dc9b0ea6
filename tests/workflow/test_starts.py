"""What cannot start says why in one line, and leaves nothing."""

import re
from pathlib import Path

import pytest

from tests.workflow.conftest import Snakemake

SHEET = """slide_id\tpath\tmpp
\tnone.svs\t0.5
a\tnone.svs\t0
a/b\t\tx
ok\tthere.tiff\t0.25
ok\tthere.tiff\t352
.hidden\tthere.tiff\t0.5
"""


def test_an_empty_folder(snakemake: Snakemake, tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()

    run = snakemake(tmp_path / "slides", tmp_path / "results")

    assert run.code == 1
    assert run.errors == [run.output.splitlines()[-1]]
    assert f"{tmp_path / 'slides'}: no slides found; looked for .svs" in run.errors[0]
    assert not run.results.exists()


def test_a_sheet_with_ten_faults_lists_them_all(snakemake: Snakemake, tmp_path: Path) -> None:
    (tmp_path / "there.tiff").write_bytes(b"")
    (tmp_path / "slides.tsv").write_text(SHEET)

    run = snakemake(tmp_path / "slides.tsv", tmp_path / "results")

    assert run.code == 1
    (line,) = run.errors
    assert "10 faults in the sample sheet" in line
    assert line.count("line ") >= 9
    assert not run.results.exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("tiling={mp: 1}",), "unknown key tiling.mp; did you mean tiling.mpp?"),
        (("features={mpps: [0]}", "network=3"), "features.mpps"),
    ],
)
def test_a_configuration_with_a_fault(
    snakemake: Snakemake, messy: Path, tmp_path: Path, values: tuple[str, ...], said: str
) -> None:
    run = snakemake(messy, tmp_path / "results", values=values)

    assert run.code == 1
    (line,) = run.errors
    assert said in line


@pytest.mark.parametrize("name", ["re{slide_id}sults", "re<rule>sults"])
def test_a_results_folder_that_snakemake_would_read_as_its_own(
    snakemake: Snakemake, messy: Path, tmp_path: Path, name: str
) -> None:
    run = snakemake(messy, tmp_path / name)

    assert run.code == 1
    (line,) = run.errors
    assert f"{name}: Snakemake gives {{}} and <> a meaning of their own; choose another folder" in line


def test_a_mask_named_after_the_slide_reaches_the_stage_as_it_is_written(
    snakemake: Snakemake, messy: Path, tmp_path: Path
) -> None:
    mask = 'tissue={mask: "masks/{slide_id}.png"}'

    run = snakemake(messy, tmp_path / "results", "--dry-run", "--printshellcmds", values=(mask,))

    assert run.code == 0, run.output
    tiles = [line for line in run.output.splitlines() if " --stages tile " in line]
    assert len(tiles) == 6
    assert all('--set=tissue.mask="masks/{slide_id}.png"' in line for line in tiles)


@pytest.mark.parametrize(("mpp", "rule"), [("metadata", "tile"), ("estimate", "predict_tile")])
def test_tiles_wait_for_an_estimate_where_the_configuration_asks_for_one(
    snakemake: Snakemake, small_slide: Path, tmp_path: Path, mpp: str, rule: str
) -> None:
    section = f'slides={{path: "{small_slide}", mpp: {mpp}}}'

    run = snakemake(small_slide, tmp_path / "results", "--dry-run", "--printshellcmds", values=(section,))

    assert run.code == 0, run.output
    results = tmp_path / "results"
    (tile,) = re.findall(rf"^rule {rule}:\n((?:    .*\n)*)", run.output, re.MULTILINE)
    (needed,) = re.findall(r"input: (.*)", tile)
    estimated = [str(results / "regressor.safetensors")] if mpp == "estimate" else []
    assert needed.split(", ") == [str(results / "jobs" / "small" / "inspect.txt"), *estimated]
    (told,) = [line for line in run.output.splitlines() if f" --stages {rule.replace('_', ',')} " in line]
    assert f'--set=slides.mpp="{mpp}"' in told


def test_a_network_that_is_not_there_ends_the_run_with_one_line(
    snakemake: Snakemake, small_slide: Path, tmp_path: Path
) -> None:
    run = snakemake(small_slide, tmp_path / "results", "--until", "calibrate", values=("network=vgg99",))

    assert run.code == 1
    (line,) = run.errors
    assert "network='vgg99': neither a network file nor one of embedded, vgg19" in line
