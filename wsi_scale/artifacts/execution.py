"""``execution.json``: device and dtype of a cohort, settled by its first run and the same for every slide.

``auto`` takes what the first machine has. The next machines go by that, so that no slide is computed otherwise than
the others, and none again because another machine took it up.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from wsi_scale.artifacts.documents import read_document, write_json
from wsi_scale.results.strict import STRICT

NAME = "execution.json"


@dataclass(frozen=True)
class SettledExecution:
    """Device and dtype of a cohort."""

    __pydantic_config__ = STRICT

    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]


def write_execution(results: Path, settled: SettledExecution) -> None:
    """Write what was settled."""
    write_json(results / NAME, asdict(settled))


def read_execution(results: Path) -> SettledExecution | None:
    """Read what was settled; None where nothing is yet.

    Raises
    ------
    ArtifactError
        The file is damaged.
    """
    path = results / NAME
    if not path.exists():
        return None
    return read_document(path, SettledExecution, "settled execution", "delete it: the next run settles it again")
