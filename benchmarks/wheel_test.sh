#!/usr/bin/env bash
# The wheel in an empty environment, away from the checkout: import, doctor, and a run on a demo slide.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=$(realpath "$(ls -t dist/wsi_scale-*.whl | head -n 1)")
constraints=$(realpath requirements.lock)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --constraint "$constraints" "$wheel"
cd "$folder"
export HOME="$folder/home"
mkdir "$HOME"
venv/bin/python -c "import wsi_scale; print('imported', wsi_scale.__version__)"
venv/bin/wsi-scale doctor
venv/bin/wsi-scale demo slides
venv/bin/wsi-scale run slides/demo-1_doubling.tiff -o out
test -s out/report.html && test -d out/scale.ome.zarr && test -d out/features.zarr && echo "the wheel is enough"
