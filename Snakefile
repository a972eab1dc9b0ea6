from snakemake.utils import min_version

min_version("9.0")


configfile: "configs/default.yaml"


include: "workflows/setup.smk"
include: "workflows/cohort.smk"
include: "workflows/slide.smk"


rule all:
    default_target: True
    input:
        RESULTS / "finished.txt",
        # Named here so that a record that is missing is made again, though what follows from it is there.
        STUDY.all_records(),
