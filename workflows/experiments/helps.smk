# Does the scale search help a task? From the root of the repository:
#     WSI_SCALE_DATA=… snakemake --snakefile workflows/experiments/helps.smk --cores 2
# Resumable: what a network answered is kept.
import os
import sys
from pathlib import Path

# Jobs are to find this environment's python also where it was not activated; a conda environment comes before it.
FOLDERS = [str(Path(sys.executable).parent), *os.get_exec_path()]
os.environ.update(PATH=os.pathsep.join(FOLDERS))

HELPS = Path("results/bench/helps")
NETWORKS = ["embedded", "squeezenet1_1", "vgg19"]
PARTS = [
    f"{question}-{network}"
    for question in ("wrong-mpp", "optimal")
    for network in NETWORKS
]
PARTS += ["radius-embedded", "radius-vgg19"]
FIGURES = ["optimal", "radius"] + [f"wrong-mpp-{network}" for network in NETWORKS]


rule all:
    default_target: True
    input:
        expand("docs/images/helps-{figure}.png", figure=FIGURES),


rule part:
    output:
        HELPS / "{part}.json",
    log:
        HELPS / "logs" / "{part}.log",
    benchmark:
        HELPS / "benchmarks" / "{part}.tsv"
    wildcard_constraints:
        part="|".join(PARTS),
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m benchmarks.helps {wildcards.part} > {log:q} 2>&1"


rule report:
    input:
        expand(HELPS / "{part}.json", part=PARTS),
    output:
        expand("docs/images/helps-{figure}.png", figure=FIGURES),
    log:
        HELPS / "logs" / "report.log",
    benchmark:
        HELPS / "benchmarks" / "report.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=5,
    shell:
        "python -m benchmarks.helps report > {log:q} 2>&1"
