# One job a slide and stage. A job's output is the stage's record; what went wrong stands in it. Where the process
# dies before it can write one, `died` does.
SLIDE = RESULTS / "slides" / "{slide_id}"
# The report puts the logs of a slide's jobs together: one a slide is left.
LOGS = RESULTS / "logs" / "jobs" / "{slide_id}"


rule inspect:
    output:
        SLIDE / "inspect.json",
    log:
        LOGS / "inspect.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        slide=slide_arguments,
    shell:
        "wsi-scale inspect {params.slide:q} --record-only 2> {log:q}"
        " || wsi-scale died {output:q} --exit-code $? --log {log:q}"


rule predict:
    input:
        record=SLIDE / "inspect.json",
        regressor=RESULTS / "regressor.safetensors",
    output:
        SLIDE / "predict.json",
    log:
        LOGS / "predict.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        slide=slide_arguments,
        settings=settings_of("predict"),
    shell:
        "wsi-scale predict {params.slide:q} {params.settings:q} --regressor {input.regressor:q}"
        " --record-only 2> {log:q}"
        " || wsi-scale died {output:q} --exit-code $? --log {log:q}"


rule tile:
    input:
        STUDY.before_tiles(SLIDE),
    output:
        SLIDE / "tile.json",
    log:
        LOGS / "tile.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        slide=slide_arguments,
        settings=settings_of("tile"),
    shell:
        "wsi-scale tile {params.slide:q} {params.settings:q} --record-only 2> {log:q}"
        " || wsi-scale died {output:q} --exit-code $? --log {log:q}"


rule search:
    input:
        record=SLIDE / "tile.json",
        calibration=RESULTS / "calibration.json",
        # A slide's jobs have one lock: none should wait for hours for another's.
        predicted=ancient(SLIDE / "predict.json"),
    output:
        SLIDE / "search.json",
    log:
        LOGS / "search.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: CORES
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=GPU,
    params:
        slide=slide_arguments,
        settings=settings_of("search"),
    shell:
        "wsi-scale search {params.slide:q} {params.settings:q} --calibration {input.calibration:q}"
        " --record-only 2> {log:q}"
        " || wsi-scale died {output:q} --exit-code $? --log {log:q}"


rule extract:
    input:
        SLIDE / "search.json",
    output:
        SLIDE / "extract.json",
    log:
        LOGS / "extract.log",
    conda:
        "envs/wsi-scale.yaml"
    threads: CORES
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=GPU,
    params:
        slide=slide_arguments,
        settings=settings_of("extract"),
    shell:
        "wsi-scale extract {params.slide:q} {params.settings:q} --record-only 2> {log:q}"
        " || wsi-scale died {output:q} --exit-code $? --log {log:q}"
