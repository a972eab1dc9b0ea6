# Does a network that is cut read mean nucleus area better than a whole one? From the root of the repository:
#     WSI_SCALE_DATA=… snakemake --snakefile workflows/experiments/nuclei.smk --cores 2
# Resumable: a fit that is there is kept.
import os
import sys
from pathlib import Path

# Jobs are to find this environment's python also where it was not activated; a conda environment comes before it.
FOLDERS = [str(Path(sys.executable).parent), *os.get_exec_path()]
os.environ.update(PATH=os.pathsep.join(FOLDERS))

BENCH = Path("results/bench")
NUCLEI = BENCH / "nuclei"


rule all:
    default_target: True
    input:
        BENCH / "nuclei.json",
        "docs/images/nuclei-full-vs-pruned.png",


rule frozen:
    output:
        NUCLEI / "frozen.json",
    log:
        NUCLEI / "logs" / "frozen.log",
    benchmark:
        NUCLEI / "benchmarks" / "frozen.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m benchmarks.nuclei frozen > {log:q} 2>&1"


rule finetuned:
    input:
        NUCLEI / "frozen.json",
    output:
        NUCLEI / "finetuned.json",
    log:
        NUCLEI / "logs" / "finetuned.log",
    benchmark:
        NUCLEI / "benchmarks" / "finetuned.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=6000,
        runtime=120,
    shell:
        "python -m benchmarks.nuclei finetuned > {log:q} 2>&1"


rule report:
    input:
        NUCLEI / "frozen.json",
        NUCLEI / "finetuned.json",
    output:
        BENCH / "nuclei.json",
        "docs/images/nuclei-full-vs-pruned.png",
    log:
        NUCLEI / "logs" / "report.log",
    benchmark:
        NUCLEI / "benchmarks" / "report.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=5,
    shell:
        "python -m benchmarks.nuclei report > {log:q} 2>&1"
