"""The one table of stages, and what follows from it."""

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES, is_artefact, writer_of
from wsi_scale.cli.main import app
from wsi_scale.config.models import Config
from wsi_scale.config.settings import StageSettings
from wsi_scale.jobs.study import open_study
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.extract import extract
from wsi_scale.stages.fit import fit
from wsi_scale.stages.predict import predict
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile

REPOSITORY = Path(__file__).parents[2]
STAGES = SLIDE_STAGES | COHORT_STAGES
FUNCTIONS = {"predict": predict, "tile": tile, "search": search, "extract": extract, "calibrate": calibrate, "fit": fit}


@pytest.mark.parametrize("stage", FUNCTIONS)
def test_a_stages_function_sees_its_own_settings_and_no_configuration(stage: str) -> None:
    hints = get_type_hints(FUNCTIONS[stage])
    assert STAGES[stage].settings in hints.values()
    assert Config not in hints.values()
    assert [hint for hint in hints.values() if inspect.isclass(hint) and issubclass(hint, StageSettings)] == [
        STAGES[stage].settings
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_command_of_its_name(stage: str) -> None:
    assert stage in typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", COHORT_STAGES)
def test_a_stage_of_the_cohort_has_a_rule_of_its_name(stage: str) -> None:
    rules = (REPOSITORY / "workflows" / "cohort.smk").read_text()
    (rule,) = re.findall(rf"^rule {stage}:\n((?:    .*\n|\n)*)", rules, re.MULTILINE)
    assert f"wsi-scale {stage} " in rule
    assert STAGES[stage].keys == () or f'settings_of("{stage}")' in rule
    assert "benchmark:" not in rule


@pytest.mark.parametrize("mpp", ["metadata", "estimate"])
def test_a_stage_of_a_slide_is_in_one_job_after_those_it_waits_for(mpp: str, tmp_path: Path) -> None:
    config = {"slides": {"path": str(REPOSITORY), "mpp": mpp}, "results": str(tmp_path)}
    jobs = open_study(config, starts=False, needs_slides=False).jobs()
    order = [stage for job in jobs for stage in job]
    assert sorted(order) == sorted(SLIDE_STAGES)
    for stage, spec in SLIDE_STAGES.items():
        # An estimated mpp is known before tiles are laid; else `tile` only takes an estimate that is there.
        after = set(spec.after) - ({"predict"} if mpp == "metadata" and stage == "tile" else set())
        assert after <= set(order[: order.index(stage)])


def test_stages_come_after_those_they_wait_for() -> None:
    for number, spec in enumerate(SLIDE_STAGES.values()):
        assert set(spec.after) <= set(list(SLIDE_STAGES)[:number])


def test_every_artefact_has_one_writer() -> None:
    names = [name for spec in SLIDE_STAGES.values() for name in (spec.record, *spec.artefacts)]
    assert len(names) == len(set(names))
    assert all(map(is_artefact, names))
    assert all(map(is_artefact, ("report.html", "runs.json")))
    assert not is_artefact("notes.txt")
    assert writer_of("features.zarr").name == "extract"
