# A slide's jobs: each is one process that takes it through one stage or several, because starting one costs more than
# a small slide's stages do. A job's output are the stages' records; what went wrong stands in them. Where the process
# dies before it can write one, `died` does, and names the stages that are left for another process.
INSPECT, TILE, SEARCH = STUDY.jobs()
SLIDE = RESULTS / "slides" / "{slide_id}"
# The report puts the logs of a slide's jobs together: one a slide is left.
LOGS = RESULTS / "logs" / "jobs" / "{slide_id}"
# Who interrupts a run wants no other process.
RUN = (
    "trap 'exit 130' INT; left={params.stages};"
    ' while [ "$left" ]; do'
    ' wsi-scale run {params.slide:q} --stages "$left" {params.options:q} --record-only 2>> {log:q} && break'
    " || left=$(wsi-scale died {output:q} --exit-code $? --log {log:q}); done"
)


def records_of(stages):
    return [SLIDE / f"{stage}.json" for stage in stages]


rule:
    name:
        "_".join(INSPECT)
    output:
        records_of(INSPECT),
    log:
        LOGS / f"{INSPECT[-1]}.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        slide=slide_arguments,
        stages=",".join(INSPECT),
        options=options_of(INSPECT),
    shell:
        RUN


rule:
    name:
        "_".join(TILE)
    input:
        records_of(INSPECT),
        STUDY.cohort_files(TILE),
    output:
        records_of(TILE),
    log:
        LOGS / f"{TILE[-1]}.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=50,
        gpu=GPU if "predict" in TILE else 0,
    params:
        slide=slide_arguments,
        stages=",".join(TILE),
        options=options_of(TILE),
    shell:
        RUN


rule:
    name:
        "_".join(SEARCH)
    input:
        records_of(TILE),
        STUDY.cohort_files(SEARCH),
    output:
        records_of(SEARCH),
    log:
        LOGS / f"{SEARCH[-1]}.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: CORES
    resources:
        mem_mb=8000,
        runtime=500,
        gpu=GPU,
    params:
        slide=slide_arguments,
        stages=",".join(SEARCH),
        options=options_of(SEARCH),
    shell:
        RUN
