# One job for all slides: the calibration of the network, the regressor, the report. They go by the run's own list.
REPORT_SETTINGS = STUDY.settings("report")


rule calibrate:
    output:
        RESULTS / "calibration.json",
    log:
        RESULTS / "logs" / "calibrate.log",
    conda:
        "envs/wsi-scale.yaml"
    container:
        IMAGE
    threads: CORES
    resources:
        mem_mb=cohort_memory("calibrate"),
        runtime=cohort_runtime("calibrate"),
        gpu=GPU,
    params:
        network=lambda wildcards: STUDY.config.network,
        settings=settings_of("calibrate"),
    shell:
        "wsi-scale calibrate {params.network:q} --output {output:q} {params.settings:q} 2> {log:q}"


rule fit:
    input:
        STUDY.marks(INSPECT),
    output:
        RESULTS / "regressor.safetensors",
    log:
        RESULTS / "logs" / "fit.log",
    conda:
        "envs/wsi-scale.yaml"
    container:
        IMAGE
    threads: CORES
    resources:
        mem_mb=cohort_memory("fit"),
        runtime=cohort_runtime("fit"),
        gpu=GPU,
    params:
        plan=STUDY.plan_path,
        results=RESULTS,
        settings=settings_of("fit"),
    shell:
        "wsi-scale fit {params.plan:q} --output {params.results:q} {params.settings:q} 2> {log:q}"


rule report:
    input:
        STUDY.marks(SEARCH),
    output:
        page=report(
            RESULTS / "report.html",
            caption="report/page.rst",
            category="Slides and their maps",
            labels={
                "content": "All slides, with maps and figures",
                "file": "report.html",
            },
        ),
        slides=report(
            RESULTS / "slides.tsv",
            caption="report/slides.rst",
            category="Tables",
            labels={"content": "Results in numbers", "file": "slides.tsv"},
        ),
        status=report(
            RESULTS / "status.tsv",
            caption="report/status.rst",
            category="Tables",
            labels={"content": "Status and reason", "file": "status.tsv"},
        ),
        audit=report(
            RESULTS / "audit.tsv",
            caption="report/audit.rst",
            category="Tables",
            labels={
                "content": "µm per pixel, claimed and estimated",
                "file": "audit.tsv",
            },
        ),
    log:
        RESULTS / "logs" / "report.log",
    conda:
        "envs/wsi-scale.yaml"
    container:
        IMAGE
    threads: 1
    resources:
        mem_mb=cohort_memory("report"),
        runtime=cohort_runtime("report"),
    params:
        plan=STUDY.plan_path,
        results=RESULTS,
        settings=settings_of("report"),
    shell:
        "wsi-scale report {params.results:q} --slides {params.plan:q} {params.settings:q} --record-only 2> {log:q}"


onstart:
    watch(RESULTS, STUDY.rows)


# A slide that failed is no rule's failure, but the run's.
onsuccess:
    if is_whole() and show_end():
        raise SystemExit(1)


# A job that was killed leaves no mark, so that no report follows: it is made here. After Ctrl-C the slides that are left
# have not failed, as a report would say.
onerror:
    if STOP.asked:
        show_stop()
    else:
        shell(
            "wsi-scale complete {RESULTS:q} --slides {STUDY.plan_path:q} {REPORT_SETTINGS:q}"
        )
        show_end()
