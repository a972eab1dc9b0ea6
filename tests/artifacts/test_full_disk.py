"""A full disk: no file of the child process may grow beyond a few bytes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = """
import importlib.util, json, resource, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("kinds", sys.argv[1])
kinds = importlib.util.module_from_spec(spec)
sys.modules["kinds"] = kinds
spec.loader.exec_module(kinds)
root = Path(sys.argv[2])
answers = {}
for number, (name, kind) in enumerate(kinds.KINDS.items()):
    folder = root / str(number)
    kind.write(folder, 1)
    before = kinds.digest_of(folder)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        kind.write(folder, 2)
        error = None
    except Exception as raised:
        error = raised
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    same = kinds.digest_of(folder) == before
    answers[name] = (type(error).__name__, str(error), same, str(folder))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def on_a_full_disk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each writer answered and whether the old content is still there, from one child process."""
    here = Path(__file__).with_name("conftest.py")
    command = [sys.executable, "-c", CHILD, str(here), str(tmp_path_factory.mktemp("full"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_writer_says_in_one_line_that_the_disk_is_full(on_a_full_disk: dict[str, Any]) -> None:
    for name, (error, text, _, folder) in on_a_full_disk.items():
        assert error == "ArtifactError", (name, error, text)
        assert "\n" not in text
        assert folder in text
        assert "File too large" in text


def test_no_writer_harms_the_old_content_or_leaves_a_part(on_a_full_disk: dict[str, Any]) -> None:
    assert {name: same for name, (_, _, same, _) in on_a_full_disk.items() if not same} == {}
