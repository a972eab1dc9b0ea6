# Small networks from frozen VGG19, and how deep to tune: the larger runs, one job a network. From the root:
#     WSI_SCALE_DATA=… snakemake --snakefile workflows/experiments/transfer.smk --cores 2 [small_networks|fine_tuning]
# Resumable: a network that is there is kept. On a cluster: --profile profiles/slurm.
import os
import sys
from pathlib import Path


envvars:
    "WSI_SCALE_DATA",


# Jobs are to find this environment's python also where it was not activated; a conda environment comes before it.
FOLDERS = [str(Path(sys.executable).parent), *os.get_exec_path()]
os.environ.update(PATH=os.pathsep.join(FOLDERS))

BENCH = Path("results/bench")
SMALL = BENCH / "small_networks_full"
TUNED = BENCH / "fine_tuning_full"
TASKS = ("xray", "pcam", "mpp")
BLOCKS = {"vgg19": 5, "squeezenet1_1": 5, "embedded": 4}
# Blocks tuned from the top, and the lowest blocks kept where the rest is cut away.
DEPTHS = [
    f"{name}-{depth}"
    for name, blocks in BLOCKS.items()
    for depth in (
        *(f"top{count}" for count in range(blocks + 1)),
        *(f"first{count}" for count in range(1, blocks)),
    )
]
# What a variant starts from, or takes its shape from.
AFTER = {"channel+basis": "channel", "basis+channel": "basis", "scratch": "channel"}


wildcard_constraints:
    task="|".join(TASKS),
    seed=r"\d+",
    variant=r"[a-z+]+",
    architecture="|".join(BLOCKS),
    depth=r"(top|first)\d+",


rule all:
    default_target: True
    input:
        BENCH / "small_networks_full.json",
        BENCH / "fine_tuning_full.json",


rule small_networks:
    input:
        BENCH / "small_networks_full.json",


rule fine_tuning:
    input:
        BENCH / "fine_tuning_full.json",


rule small:
    input:
        lambda wildcards: (
            [
                SMALL
                / f"{wildcards.task}-{wildcards.seed}-{AFTER[wildcards.variant]}.json"
            ]
            if wildcards.variant in AFTER
            else []
        ),
    output:
        SMALL / "{task}-{seed}-{variant}.json",
    log:
        SMALL / "logs" / "{task}-{seed}-{variant}.log",
    benchmark:
        SMALL / "benchmarks" / "{task}-{seed}-{variant}.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=6000,
        runtime=240,
    shell:
        "python -m benchmarks.transfer small --full --job {wildcards.task} {wildcards.seed} {wildcards.variant} > {log:q} 2>&1"


rule tune:
    output:
        TUNED / "{task}-{architecture}-{depth}-{seed}.json",
    log:
        TUNED / "logs" / "{task}-{architecture}-{depth}-{seed}.log",
    benchmark:
        TUNED / "benchmarks" / "{task}-{architecture}-{depth}-{seed}.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=8000,
        runtime=240,
    shell:
        "python -m benchmarks.transfer tuning --full --job {wildcards.task} {wildcards.architecture} {wildcards.depth}"
        " {wildcards.seed} > {log:q} 2>&1"


rule small_table:
    input:
        expand(
            str(SMALL / "{task}-{seed}-{variant}.json"),
            task=TASKS,
            seed=range(5),
            variant=("frozen", "channel", "basis", "magnitude", *AFTER),
        ),
    output:
        BENCH / "small_networks_full.json",
    log:
        BENCH / "logs" / "small_networks_full.log",
    benchmark:
        BENCH / "benchmarks" / "small_networks_full.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "python -m benchmarks.transfer small --full > {log:q} 2>&1"


rule tuning_table:
    input:
        expand(
            str(TUNED / "{task}-{network}-{seed}.json"),
            task=TASKS,
            network=DEPTHS,
            seed=range(3),
        ),
    output:
        BENCH / "fine_tuning_full.json",
    log:
        BENCH / "logs" / "fine_tuning_full.log",
    benchmark:
        BENCH / "benchmarks" / "fine_tuning_full.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=8000,
        runtime=600,
    shell:
        "python -m benchmarks.transfer tuning --full > {log:q} 2>&1"
