"""Several GPUs of one machine: all in one run, and one for each process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import torch

import wsi_scale as ws
from benchmarks.gpu.material import Bench
from benchmarks.gpu.record import Outcome
from wsi_scale.execution.gpus import own_gpu

#: A process that takes a GPU, names it, and keeps it until it is killed.
HOLDER = "import time; from wsi_scale.execution.gpus import own_gpu; print(own_gpu(), flush=True); time.sleep(600)"


def every_gpu(bench: Bench) -> Iterator[Outcome]:
    """Search on all GPUs and on one, in blocks of one tile, so that all have some."""
    one, every = (
        ws.search_scale(bench.tissue, bench.tiles, device=device, dtype="float32", block_tiles=1)
        for device in (("cuda", "cuda:all") if bench.device == "cuda" else ("cpu", "cpu"))
    )
    same = np.array_equal(one.image, every.image, equal_nan=True)
    yield Outcome("search on all GPUs: bytes that differ from those of one", int(not same), 0)


def processes(bench: Bench) -> Iterator[Outcome]:
    """Start two processes that take a GPU, then one more after the first was killed: none shares while one is free."""
    if bench.device != "cuda":
        return
    with ExitStack() as stack:
        first, second = _holder(stack), _holder(stack)
        yield _shared("two processes", own_gpu(), first[1], second[1])
        first[0].kill()
        first[0].wait()
        third = _holder(stack)
        yield _shared("a process after another was killed", own_gpu(), second[1], third[1])


def _shared(label: str, *gpus: str) -> Outcome:
    free = torch.cuda.device_count() - len(set(gpus))
    sharing = len(gpus) - len(set(gpus))
    return Outcome(f"{label}: share a GPU while another is free", min(free, sharing), 0)


def _holder(stack: ExitStack) -> tuple[subprocess.Popen[str], str]:
    process = stack.enter_context(subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    if process.stdout is None:
        raise RuntimeError("the process gives no output")
    return process, process.stdout.readline().strip()
