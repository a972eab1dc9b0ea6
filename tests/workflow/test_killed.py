"""A run that is killed in the middle, and what comes after it."""

import pytest

from tests.workflow.conftest import ODD_BATCH, ODD_ID, Killed, Run

GOOD = ("a__same", ODD_ID)


def test_the_run_was_killed_in_the_middle_and_left_orphans(killed: Killed) -> None:
    assert not killed.finished
    assert any(" --stages predict,search,extract " in command for command in killed.orphans)


def test_a_plain_rerun_ends_well(killed: Killed) -> None:
    assert killed.rerun.code == 0, killed.rerun.output[-2000:]
    assert killed.rerun.errors == []
    assert "2 slides: 2 ok" in killed.rerun.output


@pytest.mark.parametrize("slide_id", GOOD)
def test_the_rerun_with_two_workers_leaves_the_bytes_of_a_quiet_run_with_one(
    first: Run, killed: Killed, slide_id: str
) -> None:
    assert killed.rerun.of_slide(slide_id) == first.of_slide(slide_id)
    assert len(killed.rerun.of_slide(slide_id)) > 20


def test_the_cohorts_files_are_the_same_too(first: Run, killed: Killed) -> None:
    for name in ("calibration.json", "regressor.safetensors"):
        assert killed.rerun.files[name] == first.files[name]


def test_another_section_features_computes_features_and_the_report_alone(killed: Killed, other_features: Run) -> None:
    assert other_features.code == 0
    assert other_features.jobs == {
        "": {"report"},
        "a__same": {"predict_search_extract"},
        ODD_BATCH: {"predict_search_extract"},
    }

    def rest(run: Run) -> dict[str, tuple[int, int]]:
        written = (
            "features.zarr",
            "extract.json",
            "predict_search_extract.txt",
            "report.html",
            "status.tsv",
            "slides.tsv",
            "audit.tsv",
            ".wsi-scale.lock",
            "runs.json",
        )
        return {
            name: stamp
            for name, stamp in run.stamps.items()
            if not name.startswith(("logs/", "benchmarks/")) and not set(written) & set(name.split("/"))
        }

    assert len(rest(killed.rerun)) > 36
    assert rest(other_features) == rest(killed.rerun)


def test_the_features_are_those_of_the_new_section(killed: Killed, other_features: Run) -> None:
    name = "features.zarr/features/zarr.json"

    for slide_id in GOOD:
        assert other_features.of_slide(slide_id)[name] != killed.rerun.of_slide(slide_id)[name]


def test_what_is_gone_or_has_changed_is_made_again(other_features: Run, changed: Run) -> None:
    assert changed.code == 0
    # The map of one slide was deleted, the file of the other replaced.
    assert changed.jobs["a__same"] == {"predict_search_extract"}
    assert changed.of_slide("a__same") == other_features.of_slide("a__same")
    assert changed.jobs[ODD_BATCH] == {"inspect", "tile", "predict_search_extract"}
    assert changed.of_slide(ODD_ID)["tiles.parquet"] != other_features.of_slide(ODD_ID)["tiles.parquet"]
