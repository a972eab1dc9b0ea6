from snakemake.utils import min_version

min_version("9.0")


configfile: workflow.source_path("configs/default.yaml")


report: "workflows/report/workflow.rst"


include: "workflows/setup.smk"
include: "workflows/cohort.smk"
include: "workflows/slide.smk"


rule all:
    default_target: True
    input:
        RESULTS / "report.html",
        # Named here so that a mark that is missing is made again, though what follows from it is there.
        STUDY.marks(INSPECT),
        STUDY.marks(TILE),
        STUDY.marks(SEARCH),
