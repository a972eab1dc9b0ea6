# The six trainings of the embedded network: the shipped one, and five that figures need (each blind to its cases).
#     WSI_SCALE_DATA=… snakemake --snakefile workflows/experiments/backbones.smk --cores 2
# Resumable: a training that was stopped goes on from its last epoch.
import json
import os
import sys
from pathlib import Path

# Jobs are to find this environment's wsi-scale also where it was not activated; a conda environment comes before it.
FOLDERS = [str(Path(sys.executable).parent), *os.get_exec_path()]
os.environ.update(PATH=os.pathsep.join(FOLDERS))

DATA = Path(os.environ.get("WSI_SCALE_DATA", "data"))
FIELDS = [
    DATA / folder / "crops.tsv" for folder in ("tissue", "tissue_wide", "tissue_more")
]
FOLDER = Path(config.get("folder", "results/backbones"))
KEPT_OUT = {"shipped": "configs/kept_out.tsv"} | {
    name: f"configs/splits/{name}.tsv"
    for name in ("without-gt450", "without-at2", "fold-1", "fold-2", "fold-3")
}


rule all:
    input:
        expand(str(FOLDER / "{split}" / "embedded.safetensors"), split=list(KEPT_OUT)),


rule train:
    input:
        kept_out=lambda wildcards: KEPT_OUT[wildcards.split],
        config="configs/embedded.yaml",
    output:
        FOLDER / "{split}" / "embedded.safetensors",
        FOLDER / "{split}" / "embedded.regressor.safetensors",
    log:
        FOLDER / "logs" / "{split}.log",
    benchmark:
        FOLDER / "logs" / "{split}.tsv"
    conda:
        "../envs/wsi-scale.yaml"
    threads: workflow.cores
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        folder=lambda wildcards: FOLDER / wildcards.split,
        teacher=json.dumps(str(FOLDER / "teacher.npz")),
        fields=json.dumps([str(table) for table in FIELDS]),
    shell:
        "wsi-scale train --output {params.folder:q} --config {input.config:q}"
        " --set training.teacher_responses={params.teacher:q} --set execution.workers={threads} --set training.kept_out={input.kept_out:q} --set training.fields={params.fields:q} 2> {log:q}"
