"""The one table of stages, and what follows from it."""

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

from tests.runs import configured
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES, is_artefact, writer_of
from wsi_scale.cli.main import app
from wsi_scale.config.models import Config
from wsi_scale.config.settings import StageSettings, value_of
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
def test_every_key_of_the_table_is_one_of_the_configuration(stage: str) -> None:
    config = configured()
    for key in STAGES[stage].keys:
        value_of(config, key)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_command_and_a_rule_of_its_name(stage: str) -> None:
    rules = "".join((REPOSITORY / "workflows" / f"{name}.smk").read_text() for name in ("slide", "cohort"))
    assert stage in typer.main.get_command(app).commands  # type: ignore[attr-defined]
    (rule,) = re.findall(rf"^rule {stage}:\n((?:    .*\n|\n)*)", rules, re.MULTILINE)
    assert f"wsi-scale {stage} " in rule
    assert STAGES[stage].keys == () or f'settings_of("{stage}")' in rule
    assert "benchmark:" not in rule


def test_stages_come_after_those_they_wait_for() -> None:
    for number, spec in enumerate(SLIDE_STAGES.values()):
        assert set(spec.after) <= set(list(SLIDE_STAGES)[:number])


def test_every_artefact_has_one_writer() -> None:
    names = [name for spec in SLIDE_STAGES.values() for name in (spec.record, *spec.artefacts)]
    assert len(names) == len(set(names))
    assert all(map(is_artefact, names))
    assert not is_artefact("notes.txt")
    assert writer_of("features.zarr").name == "extract"


def test_paths_and_the_number_of_workers_enter_no_fingerprint() -> None:
    one = configured("tissue.mask=a.png", "weights=a.pth", "execution.workers=1", "magnification.regressor=a")
    other = configured("tissue.mask=b.png", "weights=b.pth", "execution.workers=2", "magnification.regressor=b")
    for spec in SLIDE_STAGES.values():
        assert spec.settings.of(one).by_value() == spec.settings.of(other).by_value()


@pytest.mark.parametrize(
    ("assignment", "stages"),
    [
        ("tiling.mpp=1.0", {"tile", "search"}),
        ("tissue.method=none", {"tile"}),
        ("slides.unreadable_share=0.5", {"predict", "tile", "search", "extract"}),
        ("search.finest_mpp=0.3", {"search"}),
        ("map.ome_zarr_version=0.4", {"search"}),
        ("features.mpps=[1.0]", {"extract"}),
        ("magnification.coverage=0.8", {"predict"}),
        ("magnification.fit_tiles_per_slide=3", set()),
    ],
)
def test_a_key_changes_the_stages_that_read_it(assignment: str, stages: set[str]) -> None:
    before, after = configured(), configured(assignment)
    changed = {
        name
        for name, spec in SLIDE_STAGES.items()
        if spec.settings.of(before).by_value() != spec.settings.of(after).by_value()
    }
    assert changed == stages
