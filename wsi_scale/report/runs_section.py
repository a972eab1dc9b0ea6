"""How results were made: commands, machines, times and rates, as the report shows them."""

import shlex
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from wsi_scale.artifacts.runs import Machine, Made, StageRun
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.units import as_duration

#: Commands that a page names; a cohort has one for each slide.
MOST_COMMANDS = 6

#: Unit of work → how much of it is written as one, and how that is called.
_UNITS = {"tiles": (1.0, "tiles"), "views": (1.0, "views"), "pixels": (1e6, "Mpx"), "scenes": (1.0, "scenes")}


def lay_slide_runs(made: Sequence[Made]) -> dict[str, Any]:
    """Say how the results of one slide were made; empty where that is not known.

    Returns
    -------
    dict
        ``columns`` and ``rows`` of a table, ``commands``, ``machines`` and ``versions`` (name → one or several).
    """
    if not made:
        return {}
    rows = [
        [found.stage.stage, _when(found.stage), *_amounts([found.stage]), _device(found.stage), found.run.machine.host]
        for found in made
    ]
    columns = ["Stage", "Started (UTC)", *_AMOUNTS, "Device", "Host"]
    return {"columns": columns, "rows": rows, "note": ""} | _circumstances(made)


def lay_cohort_runs(made: Sequence[Made]) -> dict[str, Any]:
    """Say how the results of all slides were made, by stage; as :func:`lay_slide_runs`."""
    if not made:
        return {}
    rows = []
    for stage in SLIDE_STAGES:
        done = [found.stage for found in made if found.stage.stage == stage]
        if done:
            middle = as_duration(median(one.seconds for one in done))
            devices = "; ".join(dict.fromkeys(filter(None, map(_device, done))))
            rows.append([stage, str(len(done)), middle, *_amounts(done), devices])
    first, last = min(found.stage.started for found in made), max(found.run.ended for found in made)
    note = f"Time, CPU time and work of all slides together, computed between {_text(first)} and {_text(last)} UTC."
    columns = ["Stage", "Slides", "Time, median slide", *_AMOUNTS, "Device"]
    return {"columns": columns, "rows": rows, "note": note} | _circumstances(made)


_AMOUNTS = ("Time", "CPU time", "Work", "Rate", "Peak memory")


def _amounts(done: Sequence[StageRun]) -> list[str]:
    """Time, processor time, work, rate and peak memory of a stage on some slides."""
    seconds = sum(one.seconds for one in done)
    unit = next((name for name in _UNITS if any(name in one.work for one in done)), None)
    work = rate = ""
    if unit is not None:
        size, name = _UNITS[unit]
        count = sum(one.work.get(unit, 0) for one in done) / size
        work = f"{count:,.0f} {name}".replace(",", "\u202f") if size == 1 else f"{count:.1f} {name}"
        rate = f"{count / seconds:.1f} {name}/s" if seconds else ""
    memory = f"{max(one.peak_memory_mb for one in done) / 1e3:.2f} GB"
    if gpu := max(one.peak_gpu_memory_mb for one in done):
        memory += f", GPU {gpu / 1e3:.2f} GB"
    return [as_duration(seconds), as_duration(sum(one.cpu_seconds for one in done)), work, rate, memory]


def _circumstances(made: Sequence[Made]) -> dict[str, Any]:
    runs = list({found.run.run: found.run for found in made}.values())
    commands = list(dict.fromkeys(shlex.join(run.command) for run in runs))
    left_out = len(commands) - MOST_COMMANDS
    shown = [*commands[:MOST_COMMANDS], *([f"… and {left_out} more"] if left_out > 0 else [])]
    machines = list(dict.fromkeys(_machine_words(run.machine) for run in runs))
    names = dict.fromkeys(name for run in runs for name in run.versions)
    versions = {name: _listed(run.versions.get(name) for run in runs) for name in names}
    return {"commands": shown, "machines": machines, "versions": versions}


def _listed(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def _machine_words(machine: Machine) -> str:
    gpus = f"; {', '.join(machine.gpus)}" if machine.gpus else ""
    memory = f"{machine.memory_mb / 1e3:.0f} GB of memory"
    return f"{machine.host}: {machine.cpu}, {machine.cores} cores, {memory}{gpus}; {machine.system}"


def _device(done: StageRun) -> str:
    return ", ".join(filter(None, (done.device, done.dtype)))


def _when(done: StageRun) -> str:
    return _text(done.started)


def _text(moment: str) -> str:
    """Write a moment for people.

    >>> _text("2026-11-30T12:34:56Z")
    '2026-11-30 12:34'
    """
    return moment[:16].replace("T", " ")
