"""The machine that a process runs on, and what the process has used of it."""

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

#: ``ru_maxrss`` counts in this many bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended, all cores together."""
    return sum(os.times()[:4])


def peak_memory_mb() -> float:
    """Most memory that this process or one of its children has used so far, 10⁶ bytes."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most * _RSS_UNIT / 1e6, 1)


def peak_gpu_memory_mb() -> float:
    """Most memory of one GPU that this process has used for tensors so far, 10⁶ bytes; 0 without a GPU."""
    cuda = _cuda_in_use()
    used = [cuda.max_memory_allocated(number) for number in range(cuda.device_count())] if cuda else []
    return round(max(used, default=0) / 1e6, 1)


def memory_mb() -> int:
    """Memory of the machine, 10⁶ bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**6


def usable_cores() -> int:
    """Cores that this process may use; where the system does not tell, as on macOS, those of the machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def boot_id() -> str:
    """Id of the machine's last start.

    Raises
    ------
    OSError
        The system tells none.
    """
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text()
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]  # macOS
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout  # noqa: S603
    except subprocess.SubprocessError as error:
        raise OSError(f"the id of the machine's last start cannot be had: {error}") from error


def processor() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def gpus_in_use() -> tuple[str, ...]:
    """Names of the GPUs, where this process has used one."""
    cuda = _cuda_in_use()
    return tuple(cuda.get_device_name(number) for number in range(cuda.device_count())) if cuda else ()


def _cuda_in_use() -> Any:
    """``torch.cuda`` where this process has used a GPU, else None; torch is not loaded for it."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None
