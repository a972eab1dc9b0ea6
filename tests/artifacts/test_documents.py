"""Documents are JSON that people can read, and what is written is read again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.artifacts.documents import read_document, read_json, write_json
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(documents)
@settings(max_examples=50, deadline=None)
def test_any_document_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any" / "document.json"
    write_json(path, content)
    assert read_json(path) == content


def test_a_document_is_readable_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"slide_id": "Brustdrüse", "unit": "µm"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Brustdrüse" in text
    assert text.endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"mpp": float("nan")})
    assert not (tmp_path / "b.json").exists()


@dataclass(frozen=True)
class Claim:
    """A document with a text and a number."""

    __pydantic_config__ = STRICT

    name: str
    mpp: float


def read_claim(path: Path) -> Claim:
    return read_document(path, Claim, "claim", "make it again")


def test_a_document_is_read_as_its_kind(tmp_path: Path) -> None:
    write_json(tmp_path / "c.json", {"name": "0.25", "mpp": 1})
    assert read_claim(tmp_path / "c.json") == Claim("0.25", 1.0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"name": "a"}', "is not a claim (mpp: it is missing)"),
        (b'{"name": "a", "mpp": "0.25"}', "is not a claim (mpp: "),
        (b'{"name": 3, "mpp": 0.25}', "is not a claim (name: "),
        (b'{"name": "a", "mpp": NaN}', "is not a claim (mpp: "),
        (b'{"name": "a", "mpp": 0.25, "more": 1}', "is not a claim (more: "),
        (b'["a", 0.25]', "is not a claim ("),
        (b'{"name": "a", "mpp": 0.', "is damaged ("),
        (b"", "is damaged ("),
        (b'{"name": "\xff", "mpp": 1}', "is damaged ("),
    ],
    ids=lambda value: value.decode("latin-1") if isinstance(value, bytes) else "",
)
def test_whatever_else_stands_there_is_one_line_with_the_key_and_what_to_do(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(ArtifactError) as error:
        read_claim(tmp_path / "c.json")
    line = str(error.value)
    assert line.startswith(f"{tmp_path / 'c.json'} {told}")
    assert line.endswith("; make it again")
    assert "\n" not in line


def test_a_document_that_is_missing_says_which_stage_helps(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="No such file or directory; run the stage that writes it"):
        read_claim(tmp_path / "c.json")
