"""Each stage sees its own keys, and only what changes a result enters its fingerprint."""

import pytest

from tests.runs import configured
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES
from wsi_scale.config.models import Config
from wsi_scale.config.settings import InspectSettings, ReportSettings, SearchSettings, TileSettings, value_of

STAGES = SLIDE_STAGES | COHORT_STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_every_key_of_the_table_is_one_of_the_configuration(stage: str) -> None:
    config = configured()
    for key in STAGES[stage].keys:
        value_of(config, key)


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


def test_settings_hold_the_values_of_their_keys() -> None:
    config = configured("tiling.mpp=1.0", "tissue.method=none", "tissue.mask=m.png")
    settings = TileSettings.of(config)
    assert (settings.tiling, settings.method, settings.mask) == (config.tiling, "none", "m.png")
    assert value_of(config, "tiling.mpp") == 1.0
    assert value_of(config, "tiling") is config.tiling
    assert InspectSettings.keys() == ()
    assert InspectSettings.of(config) == InspectSettings()


def test_a_search_sees_all_that_the_calibration_it_may_have_to_make_does() -> None:
    assert set(COHORT_STAGES["calibrate"].keys) < set(SearchSettings.keys())


def test_what_enters_a_fingerprint_is_told_by_its_key() -> None:
    entered = TileSettings.of(configured()).by_value()
    assert set(entered) == {
        "tissue.method", "tissue.thumbnail_px", "tiling", "slides.brightfield_only", "slides.unreadable_share",
    }  # fmt: skip


def test_a_report_shows_every_section_but_places_and_training() -> None:
    keys = set(ReportSettings.keys())
    assert set(Config.model_fields) - keys == {"slides", "results", "training"}
    assert all(value_of(Config(), key) is not None or key == "weights" for key in keys)
