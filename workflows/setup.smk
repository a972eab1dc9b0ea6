import sys

from wsi_scale.jobs.study import open_study

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
STUDY = open_study(
    config,
    starts=workflow.is_main_process and not LOOKING,
    needs_slides=not NO_JOBS,
    goes_on=not workflow.is_main_process,
)
RESULTS = STUDY.results
CORES = workflow.cores or 1
GPU = 1 if STUDY.config.execution.device == "cuda" else 0


wildcard_constraints:
    slide_id="[^/]+",


# Functions, because Snakemake would read braces in plain values as wildcards.
def slide_arguments(wildcards):
    return STUDY.slide(wildcards.slide_id)


def settings_of(stage):
    return lambda wildcards: STUDY.settings(stage)


def options_of(stages):
    return lambda wildcards: STUDY.options(stages)
