"""Scripts by which a scheduler's job arrays compute a cohort, for those without Snakemake.

`jobs/array/job.sh` is the body of every job; `jobs/array/submit.sh` submits them: the arrays of the batches' jobs, the
calibration and the fit between them, and the report at the end. What is done already costs a moment, so that the same
script, submitted again, takes up what is missing.
"""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.job_mark import NAME as JOBS
from wsi_scale.artifacts.names import CALIBRATION
from wsi_scale.errors import ConfigError
from wsi_scale.jobs.batches import Needs
from wsi_scale.jobs.study import Study
from wsi_scale.version import __version__

Scheduler = Literal["slurm", "pbs", "lsf"]

#: Folder of the scripts, in that of the results.
NAME = f"{JOBS}/array"
#: Most tasks of an array: what SLURM and LSF allow where nobody has set another number. More are submitted as several.
MOST_TASKS = 1000


@dataclass(frozen=True)
class Submission:
    """A job, or an array of them, as it is submitted.

    Attributes
    ----------
    step
        What the body does: stages of batches, ``cohort`` or ``report``.
    after
        Steps that must have ended, well or not.
    tasks, first
        Number of tasks, 0 for a job that is no array; and how many batches earlier arrays of the step take.
    threads, needs
        Of each task.
    gpu
        Whether it asks for a GPU.
    """

    step: str
    after: tuple[str, ...]
    tasks: int
    threads: int
    needs: Needs
    gpu: bool
    first: int = 0

    @property
    def environment(self) -> str:
        """What the body is told, as assignments divided by commas."""
        step, cores = _plain(self.step), self.threads
        return f"WSI_SCALE_STEP={step},WSI_SCALE_CORES={cores},WSI_SCALE_FIRST={self.first}"


def write_scripts(study: Study, scheduler: Scheduler, *, cores: int, gpu: bool, options: str) -> Path:
    """Write the scripts of a planned study.

    Parameters
    ----------
    cores
        Of a job that passes the tiles of a slide that is alone in its batch.
    gpu
        Whether jobs that use a network ask for a GPU.
    options
        The user's own options of the submitting command, such as an account.

    Returns
    -------
    Path
        The script that submits all jobs.

    Raises
    ------
    ConfigError
        A quotation in the options does not end.
    ArtifactError
        They cannot be written.
    """
    try:
        shlex.split(options)
    except ValueError as error:
        raise ConfigError(f"--options {options!r}: {str(error).lower()}") from error
    folder = study.results.absolute() / NAME
    logs = study.results.absolute() / "logs" / "jobs" / "array"
    logs.mkdir(parents=True, exist_ok=True)
    jobs = [
        _SUBMIT[scheduler](job, options, folder / "job.sh", logs) for job in submissions(study, cores=cores, gpu=gpu)
    ]
    _write(folder / "batches.txt", "".join(f"{name}\n" for name in study.batches))
    _write(folder / "job.sh", _body(study, folder))
    told = f"submitted; the report is the last job. How far it is: {_quoted(['wsi-scale', 'status', study.results])}"
    _write(
        folder / "submit.sh",
        "\n".join([_head("Submit all jobs of the cohort: bash submit.sh"), *jobs, _quoted(["echo", told]), ""]),
    )
    return folder / "submit.sh"


def submissions(study: Study, *, cores: int, gpu: bool) -> list[Submission]:
    """All jobs in the order in which they are submitted; an array asks for what its largest batch needs."""
    found: list[Submission] = []
    before: tuple[str, ...] = ()
    computes = gpu and study.config.execution.device != "cpu"
    for stages in study.jobs():
        step = ",".join(stages)
        threads = max(study.threads(batch, cores) for batch in study.batches) if "search" in stages else 1
        asked = [study.needs(stages, batch, study.threads(batch, threads), 1) for batch in study.batches]
        needs = Needs(max(one.mem_mb for one in asked), max(one.runtime for one in asked))
        on_gpu = computes and not {"predict", "search"}.isdisjoint(stages)
        for first in range(0, len(study.batches), MOST_TASKS):
            tasks = min(MOST_TASKS, len(study.batches) - first)
            found.append(Submission(step, before, tasks, threads, needs, on_gpu, first))
        if stages == ("inspect",):
            found.append(Submission("cohort", (step,), 0, cores, _cohort_needs(study), computes))
        before = (step, "cohort")
    return [*found, Submission("report", before, 0, 1, study.cohort_needs("report", 1), gpu=False)]


def _cohort_needs(study: Study) -> Needs:
    """Sum up what the calibration and the fit ask for, one after the other."""
    both = [study.cohort_needs(stage, 1) for stage in ("calibrate", "fit")]
    return Needs(max(one.mem_mb for one in both), sum(one.runtime for one in both))


def _body(study: Study, folder: Path) -> str:
    """Write the body of every job; the variable of the array is that of whichever scheduler runs it."""
    plan, results = study.plan_path.absolute(), study.results.absolute()
    cases = [
        (_plain(",".join(stages)), f'wsi-scale work {_quoted([plan])} "$batch" --stages {",".join(stages)} '
         f'{_quoted(study.options((*stages, "report")))} --workers "${{WSI_SCALE_CORES:-1}}"')
        for stages in study.jobs()
    ]  # fmt: skip
    calibrate = ["calibrate", study.config.network, "--output", results / CALIBRATION, *study.settings("calibrate")]
    fit = ["fit", plan, "--output", results, *study.settings("fit")]
    report = ["report", results, "--slides", plan, *study.settings("report")]
    cases += [
        ("cohort", f"wsi-scale {_quoted(calibrate)}\n    wsi-scale {_quoted(fit)}"),
        ("report", f"wsi-scale {_quoted(report)}"),
    ]
    choices = "\n".join(f"  {step})\n    {line}\n    ;;" for step, line in cases)
    return f"""{_head("One job of the cohort; submit.sh says which, the scheduler which batch")}
cd {shlex.quote(str(Path.cwd()))}
export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"
task=${{SLURM_ARRAY_TASK_ID:-${{PBS_ARRAY_INDEX:-${{LSB_JOBINDEX:-1}}}}}}
if [ "$task" = 0 ]; then task=1; fi # LSF outside an array
task=$((task + ${{WSI_SCALE_FIRST:-0}}))
batch=$(sed -n "${{task}}p" {shlex.quote(str(folder / "batches.txt"))})
case "$WSI_SCALE_STEP" in
{choices}
  *)
    echo "error: WSI_SCALE_STEP=$WSI_SCALE_STEP is no job of this cohort; use submit.sh" >&2
    exit 2
    ;;
esac
"""


def _slurm(job: Submission, options: str, body: Path, logs: Path) -> str:
    after = ":".join(f"${_variable(step)}" for step in job.after)
    array = f" --array=1-{job.tasks}" if job.tasks else ""
    # A per cent sign in a folder's name is doubled, because the path is a pattern.
    log = f"{str(logs).replace('%', '%%')}/{'%x-%A_%a.log' if job.tasks else '%x-%j.log'}"
    return (
        f"{_assigned(job)}$(sbatch --parsable --job-name=wsi-scale-{_plain(job.step)}{array}"
        f" --cpus-per-task={job.threads} --mem={job.needs.mem_mb} --time={job.needs.runtime}"
        + (" --gpus=1" if job.gpu else "")
        + (f" --dependency=afterany:{after}" if after else "")
        + f" --output={shlex.quote(log)}"
        + f" --export=ALL,{job.environment} {options}".rstrip()
        # Where there are several clusters the name of one follows.
        + f" {shlex.quote(str(body))} | cut -d ';' -f 1)"
    )


def _pbs(job: Submission, options: str, body: Path, logs: Path) -> str:
    after = ":".join(f"${_variable(step)}" for step in job.after)
    # An array of one task is an error in PBS.
    array = f" -J 1-{job.tasks}" if job.tasks > 1 else ""
    chunk = f"select=1:ncpus={job.threads}:mem={job.needs.mem_mb}mb" + (":ngpus=1" if job.gpu else "")
    return (
        f"{_assigned(job)}$(qsub -N wsi-scale-{_plain(job.step)}{array} -l {chunk}"
        f" -l walltime={job.needs.runtime // 60}:{job.needs.runtime % 60:02}:00 -j oe -o {shlex.quote(f'{logs}/')}"
        + (f" -W depend=afterany:{after}" if after else "")
        + f" -v {job.environment} {options}".rstrip()
        + f" {shlex.quote(str(body))})"
    )


def _lsf(job: Submission, options: str, body: Path, logs: Path) -> str:
    name = f"wsi-scale-{_plain(job.step)}"
    after = " && ".join(f"ended(${{{_variable(step)}//:/) && ended(}})" for step in job.after)
    log = logs / (f"{name}-%J_%I.log" if job.tasks else f"{name}-%J.log")
    gpu = ' -gpu "num=1"' if job.gpu else ""
    waits = f' -w "{after}"' if after else ""
    return (
        f"{_assigned(job)}$({job.environment.replace(',', ' ')} bsub"
        f' -J "{name}{f"[1-{job.tasks}]" if job.tasks else ""}" -n {job.threads}'
        f' -R "span[hosts=1] rusage[mem={job.needs.mem_mb}MB]"'
        f" -M {job.needs.mem_mb}MB -W {job.needs.runtime}{gpu}{waits} -o {shlex.quote(str(log))} {options}".rstrip()
        + f" {shlex.quote(str(body))} | sed 's/[^<]*<\\([0-9]*\\)>.*/\\1/')"
    )


_SUBMIT: Mapping[str, Callable[[Submission, str, Path, Path], str]] = {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf}


def _head(purpose: str) -> str:
    return f"#!/bin/bash\n# {purpose}. Written by wsi-scale {__version__}.\nset -euo pipefail"


def _plain(step: str) -> str:
    """Name a step where commas divide values."""
    return step.replace(",", "-")


def _variable(step: str) -> str:
    return step.replace(",", "_")


def _assigned(job: Submission) -> str:
    """Begin an assignment to the step's variable: the ids of its jobs, divided by colons."""
    name = _variable(job.step)
    return f"{name}=${name}:" if job.first else f"{name}="


def _quoted(arguments: Sequence[object]) -> str:
    return shlex.join(map(str, arguments))


def _write(path: Path, text: str) -> None:
    with replacing_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")
    path.chmod(0o755 if path.suffix == ".sh" else 0o644)
