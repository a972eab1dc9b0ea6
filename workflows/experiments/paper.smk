# The experiments of Penkin et al. (2022) on photographs of known class, and on tissue. From the root of the repository:
#     WSI_SCALE_DATA=… snakemake --snakefile workflows/experiments/paper.smk --cores 2 [gain]
# Resumable: what a classifier has answered to a photograph is kept. Fewer photographs: --config photographs=20,
# of one network: --config photographs=vgg19=20
import os
import sys
from pathlib import Path


envvars:
    "WSI_SCALE_DATA",


# Jobs are to find this environment's python also where it was not activated; a conda environment comes before it.
FOLDERS = [str(Path(sys.executable).parent), *os.get_exec_path()]
os.environ.update(PATH=os.pathsep.join(FOLDERS))

BENCH = Path("results/bench")
PAPER = BENCH / "paper"
COUNT = ["--photographs", str(config["photographs"])] if "photographs" in config else []
# Figure of the paper → its name here, of those that are read from the passes of photographs.
FROM_PASSES = ("confidence", "curves", "kept", "estimates", "gain")


wildcard_constraints:
    figure="|".join(FROM_PASSES),


rule all:
    default_target: True
    input:
        BENCH / "paper.json",


rule passes:
    output:
        PAPER / "passes.json",
    log:
        PAPER / "logs" / "passes.log",
    benchmark:
        PAPER / "benchmarks" / "passes.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        sample=COUNT,
    shell:
        "python -m benchmarks.paper passes {params.sample:q} > {log:q} 2>&1"


rule figure:
    input:
        PAPER / "passes.json",
    output:
        PAPER / "{figure}.json",
        "docs/images/paper-{figure}.png",
    log:
        PAPER / "logs" / "{figure}.log",
    benchmark:
        PAPER / "benchmarks" / "{figure}.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        sample=COUNT,
    shell:
        "python -m benchmarks.paper {wildcards.figure} {params.sample:q} > {log:q} 2>&1"


rule attention:
    output:
        PAPER / "attention.json",
        "docs/images/paper-attention.png",
    log:
        PAPER / "logs" / "attention.log",
    benchmark:
        PAPER / "benchmarks" / "attention.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        sample=COUNT,
    shell:
        "python -m benchmarks.paper attention {params.sample:q} > {log:q} 2>&1"


rule tissue:
    output:
        PAPER / "tissue.json",
        "docs/images/paper-tissue.png",
    log:
        PAPER / "logs" / "tissue.log",
    benchmark:
        PAPER / "benchmarks" / "tissue.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=6000,
        runtime=60,
    shell:
        "python -m benchmarks.paper tissue > {log:q} 2>&1"


rule report:
    input:
        expand(
            str(PAPER / "{figure}.json"),
            figure=(*FROM_PASSES, "attention", "tissue"),
        ),
    output:
        BENCH / "paper.json",
    log:
        PAPER / "logs" / "report.log",
    benchmark:
        PAPER / "benchmarks" / "report.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=5,
    shell:
        "python -m benchmarks.paper report > {log:q} 2>&1"
