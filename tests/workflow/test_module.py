"""The rules as a module of another workflow, and Snakemake's own report of them."""

import csv
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.runs import MPP, draw
from tests.workflow.conftest import REPOSITORY
from wsi_scale.synthesis import write_pyramid

SNAKEFILE = f"""
configfile: "study.yaml"

module wsi_scale:
    snakefile: "{REPOSITORY / "workflow" / "Snakefile"}"
    config: config["scales"]
    # prefix

use rule * from wsi_scale as scale_*

rule radii:
    input: rules.scale_report.output.slides
    output: "radii.txt"
    shell: "cut -f 1,2,8 {{input}} > {{output}}"

rule all:
    default_target: True
    input: "radii.txt"
"""
CONFIG = "scales: {slides: slides, results: scales, features: {mpps: [1.0], optimal: false}}\n"


def snakemake(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workflow of a user's own, with one small slide."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "slides").mkdir()
    write_pyramid(folder / "slides" / "one.tiff", draw(3.0, 300, 300), MPP)
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "study.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def dry(study: Path) -> subprocess.CompletedProcess[str]:
    """A dry run, before anything was computed."""
    return snakemake(study, "--dry-run")


@pytest.fixture(scope="module")
def ran(study: Path, dry: subprocess.CompletedProcess[str]) -> Path:
    """The workflow's folder after a real run."""
    assert not (study / "scales").exists(), dry.stdout
    done = snakemake(study)
    assert done.returncode == 0, done.stderr
    return study


def test_a_dry_run_shows_the_module_s_jobs_before_the_rule_that_needs_them(
    dry: subprocess.CompletedProcess[str],
) -> None:
    assert dry.returncode == 0, dry.stderr
    order = [dry.stdout.index(f"\nrule {name}:") for name in ("scale_inspect", "scale_fit", "scale_report", "radii")]
    assert order == sorted(order)


def test_a_rule_of_another_workflow_reads_the_module_s_results(ran: Path) -> None:
    with (ran / "radii.txt").open() as table:
        (row,) = csv.DictReader(table, delimiter="\t")
    assert (row["slide_id"], row["status"]) == ("one", "ok")
    assert 2.0 < float(row["dominant_radius_um"]) < 4.5


def test_snakemake_s_report_has_the_page_and_the_tables_with_their_captions(ran: Path) -> None:
    done = snakemake(ran, "--report", "report.zip")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(ran / "report.zip") as archive:
        front = archive.read("report/report.html").decode()
        kept = [archive.read(name) for name in archive.namelist()]
    for made in ("report.html", "slides.tsv", "status.tsv", "audit.tsv"):
        assert (ran / "scales" / made).read_bytes() in kept
    captions = sorted((REPOSITORY / "workflows" / "report").glob("*.rst"))
    said = [" ".join(caption.read_text(encoding="utf-8").split()[:4]) for caption in captions]
    assert len(said) == 5
    assert [words for words in said if words not in front] == []


def test_a_prefix_that_would_lead_the_commands_elsewhere_is_refused(study: Path, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("# prefix", 'prefix: "other"'))
    (tmp_path / "study.yaml").write_text(CONFIG)
    (tmp_path / "slides").symlink_to(study / "slides")

    done = snakemake(tmp_path, "--dry-run")

    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "module wsi_scale: prefix and replace_prefix cannot be used" in line
    assert "set results: FOLDER" in line
