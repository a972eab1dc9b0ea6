"""A SLURM on one machine: Debian's munged, slurmctld and slurmd, with all that they write in one folder.

``python -m tests.cluster.slurm start`` installs the packages where they are missing (as root), starts the three, and
prints what a shell must export to use them; ``status`` and ``stop`` do what they say. Nothing else of the machine is
changed. What a crash has left is ended by the next ``start`` or ``stop``. It keeps no accounts of jobs.
"""

import argparse
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import psutil

FOLDER = Path(gettempdir()) / f"wsi-scale-slurm-{os.getuid()}"
PACKAGES = ("slurm-wlm", "munge")
DAEMONS = ("munged", "slurmctld", "slurmd")
#: Daemons stand there, also where a user's PATH does not name it.
PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"

#: Cores, MB and GPUs that the node claims to have, whatever this machine has.
CPUS, MEMORY_MB, GPUS = 8, 64000, 2

#: Limits of memory and time are kept: a job beyond them is killed. Finished jobs can be looked at for an hour.
CONFIGURATION = """\
ClusterName=wsi-scale-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2
MessageTimeout=5
MinJobAge=3600
KillWait=3
UnkillableStepTimeout=180
OverTimeLimit=0
ReturnToService=2
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
#: Devices that stand in for GPUs.
STAND_INS = ("/dev/null", "/dev/zero")
#: Jobs of Snakemake call srun without SLURM_CONF.
SRUN = """#!/bin/sh
SLURM_CONF='{folder}/slurm.conf' exec '{srun}' "$@"
"""


@dataclass(frozen=True)
class ClusterJob:
    """What SLURM knows of a job.

    Attributes
    ----------
    number
        Its id, which its processes have in their environment.
    task
        Its id as commands take it: 12_3 for a task of an array, because 12 would be the whole array.
    state
        SLURM's own word, such as ``RUNNING`` or ``OUT_OF_MEMORY``.
    cores, memory_mb, minutes, gpus
        What it asked for.
    comment
        Rule and wildcards, of a job of Snakemake.
    """

    number: str
    task: str
    state: str
    cores: int
    memory_mb: int
    minutes: int
    gpus: int
    comment: str


@dataclass(frozen=True)
class Slurm:
    """A SLURM on this machine, running or not, by its folder."""

    folder: Path = FOLDER

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process that uses it."""
        path = f"{self.folder / 'bin'}{os.pathsep}{PATH}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """Run one of SLURM's commands; its output."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def start(self) -> None:
        """End what an earlier start has left, and start all three anew, without jobs."""
        install()
        self.stop()
        self._write_files()
        where = self.folder
        files = [f"--{kind}-file={where / name}" for kind, name in (("key", "munge.key"), ("pid", "munged.pid"))]
        files += [f"--seed-file={where / 'munge.seed'}", f"--log-file={where / 'munged.log'}"]
        self._daemon("munged", *files, f"--socket={where / 'munge.socket'}")
        self.start_controller()
        self._daemon("slurmd", "-N", "node", "-f", str(where / "slurm.conf"))
        wait_for(lambda: self.state() == "idle", 30, f"SLURM does not start; see {where}/*.log")

    def start_controller(self) -> None:
        """Start slurmctld; jobs that it knew go on."""
        self._daemon("slurmctld", "-f", str(self.folder / "slurm.conf"))

    def stop_controller(self) -> None:
        """End slurmctld alone; jobs that run go on."""
        for process in self._running("slurmctld"):
            process.terminate()
            process.wait(30)

    def stop(self) -> None:
        """End all jobs and the three, and remove the folder."""
        with suppress(RuntimeError, TimeoutError, subprocess.TimeoutExpired, FileNotFoundError):
            if any(self._running("slurmctld")):
                self.run("scancel", "--user", getpass.getuser())
                wait_for(lambda: not self.run("squeue", "--noheader"), 20, "jobs do not end")
        ours = [*self._ours(), *(process for name in DAEMONS for process in self._running(name))]
        _end({child for process in ours for child in _with_children(process)})
        if (self.folder / "slurm.conf").exists():
            shutil.rmtree(self.folder)

    def state(self) -> str:
        """State of the node in one word; "down" where SLURM does not run."""
        with suppress(RuntimeError, FileNotFoundError):
            return self.run("sinfo", "--noheader", "--format=%T").strip()
        return "down"

    def jobs(self) -> list[ClusterJob]:
        """Every job since the start, in order."""
        keys = ("JobID", "JobArrayID", "State", "NumCPUs", "MinMemory", "TimeLimit", "tres-per-job", "Comment")
        table = self.run("squeue", "--states=all", "--noheader", "-O", ",".join(f"{key}:|" for key in keys))
        rows = [line.split("|") for line in table.splitlines()]
        found = [
            ClusterJob(number, task, state, int(cores), _mb(memory), _minutes(limit), _gpus(tres), comment)
            for number, task, state, cores, memory, limit, tres, comment, *_ in rows
        ]
        return sorted(found, key=lambda job: int(job.number))

    def processes(self, job: ClusterJob) -> list[psutil.Process]:
        """Processes of a running job."""
        return [process for process in psutil.process_iter() if _has(process, {"SLURM_JOB_ID": job.number})]

    def _write_files(self) -> None:
        where = self.folder
        where.mkdir(mode=0o755)
        text = CONFIGURATION.format(
            folder=where, host=socket.gethostname().partition(".")[0], user=getpass.getuser(), ports=free_ports(2),
            cpus=CPUS, memory_mb=MEMORY_MB, gpus=GPUS,
        )  # fmt: skip
        (where / "slurm.conf").write_text(text)
        for name in ("state", "spool", "bin"):
            (where / name).mkdir(mode=0o755)
        (where / "munge.key").write_bytes(secrets.token_bytes(128))
        (where / "munge.key").chmod(0o400)
        (where / "gres.conf").write_text("".join(f"NodeName=node Name=gpu File={name}\n" for name in STAND_INS[:GPUS]))
        (where / "bin" / "srun").write_text(SRUN.format(folder=where, srun=shutil.which("srun")))
        (where / "bin" / "srun").chmod(0o755)

    def _daemon(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=PATH) or name
        done = subprocess.run(
            [program, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name} does not start: {done.stderr.strip()}")

    def _running(self, name: str) -> Iterator[psutil.Process]:
        """Yield the daemon that its file names, if it still runs."""
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int((self.folder / f"{name}.pid").read_text()))
            if str(self.folder) in " ".join(process.cmdline()):
                yield process

    def _ours(self) -> list[psutil.Process]:
        """What runs in the name of this folder: what slurmd has started, and jobs that slipped away from it."""
        variables = {"SLURM_CONF": self.environment["SLURM_CONF"], "SLURM_JOB_NUM_NODES": "1"}
        return [each for each in psutil.process_iter() if _is_at(each, self.folder) or _has(each, variables)]


def install() -> None:
    """Install what is missing, by apt."""
    missing = [name for name in (*DAEMONS, "srun") if shutil.which(name, path=PATH) is None]
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    if os.getuid() or shutil.which("apt-get") is None:
        raise RuntimeError(f"{', '.join(missing)} not found; install SLURM and munge: {' '.join(command)}")
    subprocess.run(
        command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL, check=True
    )


def wait_for(holds: Callable[[], object], limit_s: float, otherwise: str, every_s: float = 0.5) -> None:
    """Wait until something holds; TimeoutError with a line otherwise."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(every_s)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _has(process: psutil.Process, variables: Mapping[str, str]) -> bool:
    """Whether a process has these variables in its environment."""
    with suppress(psutil.Error, OSError):
        return bool(variables.items() <= process.environ().items())
    return False


def _is_at(process: psutil.Process, folder: Path) -> bool:
    """Whether a process is one of SLURM's that works in a folder; these wipe out their environment."""
    with suppress(psutil.Error, OSError):
        return bool(process.name().startswith("slurm") and process.cwd().startswith(str(folder)))
    return False


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return [process]


def _end(processes: set[psutil.Process]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(processes, timeout=10)


def _mb(text: str) -> int:
    """MB of SLURM's own way to write memory, such as 4000M or 4G."""
    return int(float(text[:-1]) * {"K": 1 / 1024, "M": 1, "G": 1024}[text[-1]]) if text[-1].isalpha() else int(text)


def _minutes(text: str) -> int:
    """Whole minutes of D-HH:MM:SS; a large number where there is no limit."""
    if not text[0].isdigit():
        return sys.maxsize
    days, _, clock = text.rpartition("-")
    parts = [0, 0, *map(int, clock.split(":"))][-3:]
    return int(days or 0) * 1440 + parts[0] * 60 + parts[1]


def _gpus(text: str) -> int:
    """GPUs of gres:gpu:1; 0 of N/A."""
    return int(text.rpartition(":")[2]) if "gpu" in text else 0


def main(command: str) -> None:
    """Start, look at or stop it."""
    slurm = Slurm()
    if command == "start":
        slurm.start()
        sys.stdout.write(f"export SLURM_CONF={slurm.folder}/slurm.conf PATH={slurm.folder}/bin:$PATH\n")
    elif command == "stop":
        slurm.stop()
    else:
        sys.stdout.write(f"{slurm.state()}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.slurm", description=__doc__)
    parser.add_argument("command", choices=("start", "status", "stop"))
    main(parser.parse_args().command)
