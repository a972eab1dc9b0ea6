"""The configurations in the repository."""

from pathlib import Path

import pytest
import yaml

from wsi_scale.config.load import load_config
from wsi_scale.config.models import Config

CONFIGS = Path(__file__).parents[2] / "configs"
TEMPLATE = CONFIGS.parent / "config" / "config.yaml"
FILES = [*sorted(CONFIGS.glob("*.yaml")), TEMPLATE]


def test_they_are_there() -> None:
    assert {"default.yaml", "demo.yaml", "embedded.yaml"} <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_is_valid(file: Path) -> None:
    assert isinstance(load_config(file), Config)


def test_the_default_one_says_what_the_package_does_anyway() -> None:
    config = load_config(CONFIGS / "default.yaml")
    assert config == Config()


def test_the_template_of_a_deployed_workflow_sets_only_which_slides() -> None:
    config = load_config(TEMPLATE)
    assert config.slides.path is not None
    assert config.model_copy(update={"slides": Config().slides}) == Config()


def test_the_demo_makes_its_own_slides_and_needs_no_weights() -> None:
    config = load_config(CONFIGS / "demo.yaml")
    assert config.network == "embedded"
    assert config.demo.folder == config.slides.path


def test_a_training_names_the_cases_it_keeps_out() -> None:
    content = yaml.safe_load((CONFIGS / "embedded.yaml").read_text(encoding="utf-8"))
    table = CONFIGS.parent / content["training"]["kept_out"]
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    assert header.split("\t")[0] == "case"
    cases = [row.split("\t")[0] for row in rows]
    assert cases
    assert len(cases) == len(set(cases))
