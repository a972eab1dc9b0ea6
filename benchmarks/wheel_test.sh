#!/usr/bin/env bash
# The wheel in an empty environment, away from the checkout: import, doctor, a run on a demo slide, and the workflow once
# Snakemake is there. Python 3.11 gets the versions of requirements.lock, others the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
constraints=$(realpath requirements.lock)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" wheel --no-deps --wheel-dir dist .
wheel=$(realpath "$(ls -t dist/wsi_scale-*.whl | head -n 1)")
install=("${pip[@]}" install)
if [[ $("$1" -c 'import sys; print(sys.version_info[:2])') == "(3, 11)" ]]; then install+=(--constraint "$constraints"); fi
"${install[@]}" "$wheel"
cd "$folder"
export HOME="$folder/home"
mkdir "$HOME"
unset PYTHONPATH
venv/bin/python -c "import wsi_scale; print('imported', wsi_scale.__version__)"
venv/bin/wsi-scale doctor
venv/bin/wsi-scale demo slides
venv/bin/wsi-scale run slides/demo-1_doubling.tiff -o out
test -s out/report.html && test -d out/scale.ome.zarr && test -d out/features.zarr && echo "the wheel is enough"
if venv/bin/wsi-scale workflow --version 2>said; then echo "it has Snakemake unasked" && exit 1; fi
grep "pip install 'wsi-scale\[workflow\]'" said
"${install[@]}" "$wheel[workflow]"
venv/bin/wsi-scale workflow --cores 2 --quiet --config slides=slides/demo-1_doubling.tiff results=results
test -s results/report.html && echo "and so it is for the workflow"
