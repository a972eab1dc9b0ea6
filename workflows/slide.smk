# A batch's jobs: each is a process that takes the batch's slides through one stage or several, because starting one
# costs more than a small slide's stages do. What became of a slide stands in its records and its log; a job's output
# says that it went through all of its slides.
BATCH = RESULTS / "jobs" / "{batch}"
LOGS = RESULTS / "logs" / "jobs" / "{batch}"
WORK = (
    "wsi-scale work {params.plan:q} {wildcards.batch:q} --stages {params.stages} {params.options:q}"
    " --workers {threads} {resources.retry} 2> {log:q}"
)


rule:
    name:
        "_".join(INSPECT)
    output:
        BATCH / f"{'_'.join(INSPECT)}.txt",
    log:
        LOGS / f"{'_'.join(INSPECT)}.log",
    conda:
        "envs/wsi-scale.yaml"
    container:
        IMAGE
    threads: threads_of(INSPECT)
    resources:
        mem_mb=memory_of(INSPECT),
        runtime=runtime_of(INSPECT),
        retry=retry_of,
    params:
        plan=STUDY.plan_path,
        stages=",".join(INSPECT),
        options=options_of(INSPECT),
    shell:
        WORK


rule:
    name:
        "_".join(TILE)
    input:
        BATCH / f"{'_'.join(INSPECT)}.txt",
        STUDY.cohort_files(TILE),
    output:
        BATCH / f"{'_'.join(TILE)}.txt",
    log:
        LOGS / f"{'_'.join(TILE)}.log",
    conda:
        "envs/wsi-scale.yaml"
    container:
        IMAGE
    threads: threads_of(TILE)
    resources:
        mem_mb=memory_of(TILE),
        runtime=runtime_of(TILE),
        gpu=GPU if "predict" in TILE else 0,
        retry=retry_of,
    params:
        plan=STUDY.plan_path,
        stages=",".join(TILE),
        options=options_of(TILE),
    shell:
        WORK


rule:
    name:
        "_".join(SEARCH)
    input:
        BATCH / f"{'_'.join(TILE)}.txt",
        STUDY.cohort_files(SEARCH),
    output:
        BATCH / f"{'_'.join(SEARCH)}.txt",
    log:
        LOGS / f"{'_'.join(SEARCH)}.log",
    conda:
        "envs/wsi-scale.yaml"
    container:
        IMAGE
    threads: threads_of(SEARCH)
    resources:
        mem_mb=memory_of(SEARCH),
        runtime=runtime_of(SEARCH),
        gpu=GPU,
        retry=retry_of,
    params:
        plan=STUDY.plan_path,
        stages=",".join(SEARCH),
        options=options_of([*SEARCH, "report"]),
    shell:
        WORK
