from pathlib import Path
from unittest.mock import Mock

import pytest

from wsi_scale.config.models import DemoConfig
from wsi_scale.jobs.demo import demo
from wsi_scale.synthesis import recipes


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Stand in for the drawing, which takes half a minute."""
    drawn = Mock(side_effect=lambda folder, seed: folder.mkdir(exist_ok=True))
    monkeypatch.setattr("wsi_scale.synthesis.demo.make_demo", drawn)
    return drawn


def test_slides_that_are_there_stay(drawing: Mock, tmp_path: Path) -> None:
    config = DemoConfig(folder=tmp_path / "slides", seed=3)

    assert demo(config) == demo(config) == config.folder
    drawing.assert_called_once_with(config.folder, 3)


def test_another_seed_draws_anew(drawing: Mock, tmp_path: Path) -> None:
    for seed in (3, 4):
        demo(DemoConfig(folder=tmp_path / "slides", seed=seed))

    assert drawing.call_count == 2


def test_other_recipes_draw_anew(drawing: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DemoConfig(folder=tmp_path / "slides", seed=3)
    demo(config)
    monkeypatch.setattr(recipes, "RECIPES", recipes.RECIPES[:2])

    demo(config)

    assert drawing.call_count == 2
