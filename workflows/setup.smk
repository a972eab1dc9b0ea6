import os
import shlex
import subprocess
import sys

from wsi_scale.jobs.stop import Stop
from wsi_scale.jobs.study import open_study
from wsi_scale.jobs.watch import watch

# A dry run, a lint, an unlock and a summary merely look: then nothing may be removed or made.
OPTIONS = {argument.partition("=")[0] for argument in sys.argv}
NO_JOBS = not OPTIONS.isdisjoint({"--lint", "--unlock"})
LOOKS = {
    "--summary",
    "-S",
    "--detailed-summary",
    "-D",
    "--dag",
    "--rulegraph",
    "--filegraph",
    "--list-rules",
    "--report",
}
LOOKING = NO_JOBS or workflow.output_settings.dryrun or not OPTIONS.isdisjoint(LOOKS)
# The commands get the folder of the results by its own name, which `prefix` does not change.
PATHS = workflow.modifier.path_modifier
if PATHS.prefix or PATHS.modifies_prefixes:
    raise SystemExit(
        f"error: module {workflow.modifier.namespace}: prefix and replace_prefix cannot be used with these rules;"
        " set results: FOLDER in the configuration of the module instead"
    )
STUDY = open_study(
    config,
    starts=workflow.is_main_process and not LOOKING,
    needs_slides=not NO_JOBS,
    goes_on=not workflow.is_main_process,
)
RESULTS = STUDY.results
INSPECT, TILE, SEARCH = STUDY.jobs()
# For `--sdm apptainer`; docs/container.md says how it is made.
IMAGE = os.getenv("WSI_SCALE_IMAGE", "wsi-scale.sif")
STOP = Stop(RESULTS)
if workflow.is_main_process and not LOOKING:
    STOP.listen()
AGAIN = STOP.command or shlex.join(["snakemake", *sys.argv[1:]])
# On a cluster a run has no cores of its own: a large slide's job asks for so many, whatever its node has.
CORES = 8 if workflow.remote_exec else workflow.resource_settings.cores or 8
DEVICE = STUDY.config.execution.device
# With `auto`, where the profile counts GPUs: `resources: gpu=4`.
GPU = int(
    DEVICE.startswith("cuda")
    or (DEVICE == "auto" and "gpu" in workflow.global_resources)
)


wildcard_constraints:
    batch="[^/]+",


# Functions, because Snakemake would read braces in plain values as wildcards.
def settings_of(stage):
    return lambda wildcards: STUDY.settings(stage)


def options_of(stages):
    return lambda wildcards: STUDY.options(stages)


def threads_of(stages):
    if "search" not in stages:
        return lambda wildcards: 1
    return lambda wildcards: STUDY.threads(wildcards.batch, CORES)


def memory_of(stages):
    return lambda wildcards, threads, attempt: STUDY.needs(
        stages, wildcards.batch, threads, attempt
    ).mem_mb


def runtime_of(stages):
    return lambda wildcards, threads, attempt: STUDY.needs(
        stages, wildcards.batch, threads, attempt
    ).runtime


def cohort_memory(stage):
    return lambda wildcards, attempt: STUDY.cohort_needs(stage, attempt).mem_mb


def cohort_runtime(stage):
    return lambda wildcards, attempt: STUDY.cohort_needs(stage, attempt).runtime


def retry_of(wildcards, attempt):
    # The run starts a job that failed again, not the Snakemake within the job, which inherits how often.
    if workflow.is_main_process and workflow.execution_settings is not None:
        os.environ.update(WSI_SCALE_RETRIES=str(workflow.execution_settings.retries))
    again = attempt <= int(os.getenv("WSI_SCALE_RETRIES", "0"))
    return "--may-retry" if again else "--no-may-retry"


def show_end():
    """Print what became of the slides; the exit code is that of the command."""
    return subprocess.call(["wsi-scale", "status", RESULTS, "--again", AGAIN])


def show_stop():
    """Say that a run was stopped, and how it goes on; `wsi-scale workflow` says so itself."""
    if STOP.command:
        raise SystemExit(130)
    subprocess.call(["wsi-scale", "status", RESULTS])
    print(f"stopped; give the same command again to go on: {AGAIN}", file=sys.stderr)


def is_whole():
    """Whether the run goes to its end, and not only to a rule or file that the user named."""
    settings = workflow.dag_settings
    return not (settings.targets or settings.until or settings.omit_from)
