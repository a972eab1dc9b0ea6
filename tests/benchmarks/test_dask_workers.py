"""`python -m benchmarks.dask_workers`, tried on a few drawn tiles."""

import json
import subprocess
import sys
from pathlib import Path


def test_one_worker_two_and_threads_write_the_same_bytes(tmp_path: Path) -> None:
    output = tmp_path / "dask.json"
    command = [sys.executable, "-m", "benchmarks.dask_workers", "--quick", "--columns", "2", "--rounds", "1"]
    done = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(output.read_text())
    assert measured["same_bytes"] is True
    assert measured["tiles"] == 4
    assert measured["two_workers_over_one"] > 0
    assert "the same bytes" in done.stdout
