"""``execution.json``: device and dtype of a cohort, chosen by its first run and the same for every slide.

``auto`` uses what the first machine has. Later machines use the same, so that all slides are computed alike, and none
is computed again because another machine continues the run.
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
    dtype: Literal["float32", "bfloat16", "float16"]


def write_execution(results: Path, settled: SettledExecution) -> None:
    """Write the chosen device and dtype."""
    write_json(results / NAME, asdict(settled))


def read_execution(results: Path) -> SettledExecution | None:
    """Read the chosen device and dtype; None before the first run.

    Raises
    ------
    ArtifactError
        The file is damaged.
    """
    path = results / NAME
    if not path.exists():
        return None
    what, remedy = "record of device and dtype", "delete it; the next run writes it again"
    return read_document(path, SettledExecution, what, remedy)
