# Where scale lives in a network's layers. From the root of the repository, with WSI_SCALE_DATA set:
#   snakemake -s workflows/experiments/scale_in_layers.smk --cores 2
# Evaluation backbones, where there are some: --config backbones=FOLDER (fold-1/embedded.safetensors, …).
import os
import sys
from pathlib import Path


envvars:
    "WSI_SCALE_DATA",


# Jobs are to find this environment's python also where it was not activated; a conda environment comes before it.
FOLDERS = [str(Path(sys.executable).parent), *os.get_exec_path()]
os.environ.update(PATH=os.pathsep.join(FOLDERS))

RESULTS = Path("results/bench")
IMAGES = Path("docs/images")
BACKBONES = ["--backbones", config["backbones"]] if "backbones" in config else []


rule all:
    default_target: True
    input:
        RESULTS / "scale_in_layers_photographs.tsv",
        RESULTS / "scale_in_layers_tissue.tsv",


rule photographs:
    output:
        RESULTS / "scale_in_layers_photographs.json",
        RESULTS / "scale_in_layers_photographs.tsv",
        IMAGES / "scale-in-layers-photographs.png",
        IMAGES / "scale-in-layers-photographs-size.png",
    log:
        RESULTS / "logs" / "scale_in_layers_photographs.log",
    benchmark:
        RESULTS / "benchmarks" / "scale_in_layers_photographs.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=8000,
        runtime=120,
    shell:
        "python -m benchmarks.scale_in_layers photographs > {log:q} 2>&1"


rule tissue:
    output:
        RESULTS / "scale_in_layers_tissue.json",
        RESULTS / "scale_in_layers_tissue.tsv",
        IMAGES / "scale-in-layers-tissue.png",
    log:
        RESULTS / "logs" / "scale_in_layers_tissue.log",
    benchmark:
        RESULTS / "benchmarks" / "scale_in_layers_tissue.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        backbones=BACKBONES,
    shell:
        "python -m benchmarks.scale_in_layers tissue {params.backbones:q} > {log:q} 2>&1"
