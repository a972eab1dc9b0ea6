"""docs/configuration.md and the schema say of every key what the models say."""

import re

import pytest

from benchmarks.configuration import PAGE, SCHEMA, renewed, schema
from wsi_scale.config.load import load_config
from wsi_scale.config.models import Config
from wsi_scale.config.values import Section

ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?:`(?P<default>.+)`|–) \| (?P<meaning>.+) \|$")


def keys(section: Section, prefix: str = "") -> dict[str, str]:
    """Return the meaning of each key of a configuration by its full name."""
    found: dict[str, str] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            found |= keys(value, f"{name}.")
        else:
            assert field.description, name
            found[prefix + name] = " ".join(field.description.split())
    return found


def rows() -> dict[str, tuple[str | None, str]]:
    """Return default and meaning of each key of the page by its full name."""
    found: dict[str, tuple[str | None, str]] = {}
    prefix = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            prefix = "" if line == "## Top level" else f"{line.removeprefix('## ')}."
        elif line.startswith("| `"):
            row = ROW.match(line)
            assert row, line
            assert prefix + row["key"] not in found
            found[prefix + row["key"]] = (row["default"], row["meaning"])
    return found


def test_it_has_every_key_with_its_meaning_and_no_other() -> None:
    assert {key: meaning for key, (_, meaning) in rows().items()} == keys(Config())


@pytest.mark.parametrize("key", keys(Config()))
def test_a_default_written_as_it_stands_there_changes_nothing(key: str) -> None:
    default, _ = rows()[key]
    assert load_config(None, [f"{key}={default or ''}"]) == Config()


def test_it_is_as_make_configuration_leaves_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page
    assert SCHEMA.read_text(encoding="utf-8") == schema()


def test_a_page_that_lacks_a_key_gets_it_and_keeps_its_words() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page.replace("| `seed` |", "| `sed` |").replace("`embedded`", "`vgg19`")) == page
