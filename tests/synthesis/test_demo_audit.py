"""What a newcomer sees first: the audit of the demo's slides."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from wsi_scale.artifacts.audit import AuditRow
from wsi_scale.artifacts.regressor import shipped_regressor
from wsi_scale.config.load import load_config
from wsi_scale.config.models import Config
from wsi_scale.stages.magnification import audit_source
from wsi_scale.synthesis import DemoTruth, make_demo

ROOT = Path(__file__).parents[2]
#: A quarter of the demo's area: drawn and looked at in seconds.
SIZE_UM = 500.0


@pytest.fixture(scope="module")
def config() -> Config:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return load_config(ROOT / "configs" / "demo.yaml")


@pytest.fixture(scope="module")
def demo(config: Config, tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    return make_demo(tmp_path_factory.mktemp("demo"), config.demo.seed, size_um=SIZE_UM)


@pytest.fixture(scope="module")
def audit(demo: DemoTruth, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, AuditRow]:
    audited = audit_source(demo.table.parent, config, tmp_path_factory.mktemp("audit"), shipped_regressor(), None)
    return {slide.slide_id: slide.row for slide in audited if slide.row is not None}


def test_the_workflow_asks_the_regressor_that_the_audit_asks(config: Config) -> None:
    assert config.magnification.regressor is not None
    assert (ROOT / config.magnification.regressor).samefile(shipped_regressor())


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
