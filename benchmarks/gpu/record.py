"""What was checked and measured, on disk after each step: a run that is killed leaves what it has."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """A value that was checked.

    Attributes
    ----------
    name
        What was compared with what.
    value, tolerance
        It passes where the value is at most the tolerance; NaN does not.
    """

    name: str
    value: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance."""
        return self.value <= self.tolerance


@dataclass
class Record:
    """The file of results, written anew after each change.

    Attributes
    ----------
    path
        The file.
    content
        ``device``; ``checks``, each with name, passed, value, tolerance and perhaps a message; ``figures``;
        ``left_out``, name → why; ``steps``, name → seconds, of the steps that are done.
    """

    path: Path
    content: dict[str, Any] = field(
        default_factory=lambda: {"device": {}, "checks": [], "figures": {}, "left_out": {}, "steps": {}}
    )

    @classmethod
    def resumed(cls, path: Path) -> "Record":
        """Read what an earlier process left."""
        return cls(path, json.loads(path.read_text(encoding="utf-8")))

    def describe(self, device: dict[str, Any]) -> None:
        """Note the device and its software."""
        self.content["device"] = device
        self._write()

    def add(self, outcome: Outcome) -> None:
        """Note a check."""
        self._check(outcome.name, outcome.passed, outcome.value, outcome.tolerance)

    def fail(self, name: str, message: str) -> None:
        """Note a check, or a measurement, that could not be made."""
        self._check(name, passed=False, message=message)

    def measure(self, name: str, value: float) -> None:
        """Note a figure."""
        self.content["figures"][name] = _rounded(value)
        print(f"  {name}: {_rounded(value)}", flush=True)
        self._write()

    def leave_out(self, name: str, reason: str) -> None:
        """Note what cannot be made here, and why."""
        self.content["left_out"][name] = reason
        print(f"  left out: {name}: {reason}", flush=True)
        self._write()

    def finish(self, step: str, seconds: float) -> None:
        """Note that a step is done."""
        self.content["steps"][step] = round(seconds, 1)
        self._write()

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [check["name"] for check in self.content["checks"] if not check["passed"]]

    def _check(
        self, name: str, passed: bool, value: float | None = None, tolerance: float | None = None, message: str = ""
    ) -> None:
        check = {"name": name, "passed": passed, "value": _rounded(value), "tolerance": tolerance}
        self.content["checks"].append(check | ({"message": message} if message else {}))
        said = message or f"{check['value']} (at most {tolerance:g})"
        print(f"  {'ok    ' if passed else 'FAILED'} {name}: {said}", flush=True)
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")
        part.replace(self.path)


def _rounded(value: float | None) -> float | None:
    """Four digits, so that the file reads well; None for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
