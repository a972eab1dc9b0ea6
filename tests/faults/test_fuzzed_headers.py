"""A header may say anything: no crash, no hang, no more than 2 GB, one line at most."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.fuzzing import MOST_BYTES

SEED = 21
#: A mutation that takes longer hangs (a sound file takes some hundredths of a second).
LIMIT_S = 20


def fuzz(folder: Path, start: int, stop: int) -> list[str]:
    """Try mutations in processes of their own; give what must not be, one line each."""
    faults: list[str] = []
    while start < stop:
        done, said = _child(folder, start, stop)
        faults += [line for line in said if "CRASH" in line]
        tried = [int(line.split()[0]) for line in said if line[0].isdigit()]
        if said and said[-1].startswith("peak"):
            peak = int(said[-1].split()[1])
            return faults + ([f"{peak} bytes used between {start} and {stop}"] if peak > MOST_BYTES else [])
        last = tried[-1] if tried else start - 1
        faults.append(f"{last + 1} {done}")
        start = last + 2
    return faults


def _child(folder: Path, start: int, stop: int) -> tuple[str, list[str]]:
    command = [sys.executable, "-m", "tests.faults.fuzzing", str(folder), str(SEED), str(start), str(stop)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S + 0.5 * (stop - start), check=False
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        text = output.decode() if isinstance(output, bytes) else output
        return "HANG", text.splitlines()
    return f"exit {done.returncode}: {done.stderr.strip()[-300:]}", done.stdout.splitlines()


def all_faults(folder: Path, count: int, chunk: int) -> list[str]:
    """Faults of the first ``count`` mutations, two processes at a time."""
    starts = range(0, count, chunk)
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda at: fuzz(folder / str(at), at, min(at + chunk, count)), starts)
        return [fault for part in parts for fault in part]


def test_mutated_headers_are_read_or_told(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("cases", 3_000)

    assert all_faults(tmp_path, 3_000, 1_500) == []


@pytest.mark.long
@pytest.mark.timeout(1100)
def test_twenty_thousand_mutated_headers_are_read_or_told(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("cases", 20_000)

    assert all_faults(tmp_path, 20_000, 2_000) == []
