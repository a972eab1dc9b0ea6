"""What a newcomer sees first: the audit of the demo's slides."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from wsi_scale.artifacts.regressor import read_regressor
from wsi_scale.config.load import load_config
from wsi_scale.config.settings import FitSettings, PredictSettings
from wsi_scale.jobs.audit import audit as audit_cohort
from wsi_scale.jobs.cohort import jobs_of
from wsi_scale.results.audit import AuditRow
from wsi_scale.stages.fit import fit
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.predict import predict
from wsi_scale.synthesis import DemoTruth, make_demo

ROOT = Path(__file__).parents[2]
#: A quarter of the demo's area: drawn and looked at in seconds.
SIZE_UM = 500.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    return make_demo(tmp_path_factory.mktemp("demo"), 7, size_um=SIZE_UM)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def audit(demo: DemoTruth, results: Path) -> Mapping[str, AuditRow]:
    """Audit the demo as its workflow does: by the regressor that its own slides are fitted to."""
    config = load_config(ROOT / "configs" / "demo.yaml", [])
    jobs = jobs_of(demo.table.parent, results)
    for job in jobs:
        inspect(job)
    regressor = fit(jobs, FitSettings.of(config), results / "regressor.safetensors")
    for job in jobs:
        predict(job, PredictSettings.of(config), regressor)
    return {row.slide_id: row for row in audit_cohort(jobs, results)}


def test_the_slide_whose_header_lies_teaches_the_others_nothing(audit: Mapping[str, AuditRow], results: Path) -> None:
    header = read_regressor(results / "regressor.safetensors").header

    assert audit
    assert header["source"] == "cohort"
    assert "demo-5_header-2x" not in header["fold_of"]


def test_five_slides_or_more_get_an_estimate_and_each_holds_the_truth(
    demo: DemoTruth, audit: Mapping[str, AuditRow]
) -> None:
    answered = {slide_id: row for slide_id, row in audit.items() if row.mpp is not None}

    assert len(answered) >= 5
    for slide in demo.slides:
        if (row := answered.get(slide.slide_id)) is not None:
            assert row.mpp_low is not None
            assert row.mpp_high is not None
            assert row.mpp_low <= slide.true_mpp <= row.mpp_high, slide.slide_id


def test_only_the_header_that_lies_is_flagged(audit: Mapping[str, AuditRow]) -> None:
    against = {slide_id: row.flag for slide_id, row in audit.items() if row.flag in ("off_2x", "off_10x", "mixed")}

    assert against == {"demo-5_header-2x": "off_2x"}


def test_glass_gets_no_estimate_and_a_reason(audit: Mapping[str, AuditRow]) -> None:
    row = audit["demo-7_glass"]

    assert row.mpp is None
    assert "tissue" in row.reason
