"""The file of figures, on disk after each measurement: a run that is killed leaves what it has."""

import json
import math
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.execution.machine import usable_cores


class LeftOutError(Exception):
    """A figure cannot be measured here; the message is the reason."""


@dataclass
class Record:
    """What was measured on this machine.

    Attributes
    ----------
    path
        The file.
    content
        ``hardware``; ``cpu``, figure → value, null where ``left_out`` has the reason; ``cuda``, what `make gpu-check`
        measured, or null; ``measured``, what the figures are computed from: seconds (medians), tiles, counts.
    """

    path: Path
    content: dict[str, Any] = field(
        default_factory=lambda: {"hardware": {}, "cpu": {}, "cuda": None, "left_out": {}, "measured": {}}
    )

    @classmethod
    def kept(cls, path: Path) -> "Record":
        """Go on with what an earlier run measured, if it measured anything."""
        return cls(path, json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls(path)

    def describe(self, gpu: Path) -> None:
        """Note this machine, and what was measured on a GPU if it was."""
        self.content["hardware"] = hardware()
        if gpu.exists():
            card = json.loads(gpu.read_text(encoding="utf-8"))
            self.content["cuda"] = {"device": card["device"]} | card["figures"]
        self._write()

    def add(self, figures: dict[str, Any], measured: dict[str, Any], name: str) -> None:
        """Note figures, and what they were computed from under the name of their measurement."""
        for figure, value in figures.items():
            self.content["left_out"].pop(figure, None)
            self.content["cpu"][figure] = rounded(value)
        self.content["measured"][name] = rounded(measured)
        self._write()

    def leave_out(self, figure: str, reason: str, part: str | None = None) -> None:
        """Note that a figure, or the part of it that belongs to a network, has no value, and why."""
        if part is None:
            self.content["cpu"][figure] = None
        else:
            self.content["cpu"][figure][part] = None
        self.content["left_out"][figure] = reason
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(self.path) as part:
            part.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")


def hardware() -> dict[str, Any]:
    """Describe this machine: its CPU, and what computes on it."""
    import torch

    from wsi_scale.execution.compute import has_bfloat16

    return {
        "cpu": _model(),
        "cores": usable_cores(),
        "bfloat16": has_bfloat16("cpu"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _model() -> str:
    """Name of the CPU, as Linux writes it, with the widest instructions that count here."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    lines = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    wide = next((flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in lines.get("flags", "")), "")
    return f"{lines.get('model name', platform.machine())} {wide}".strip()


def rounded(value: Any) -> Any:
    """Four digits, so that the file reads well; None for what is no number."""
    if isinstance(value, dict):
        return {str(key): rounded(each) for key, each in value.items()}
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value
