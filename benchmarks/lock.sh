#!/usr/bin/env bash
# Resolve pyproject.toml anew into requirements.lock, in an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet 'torch==2.14.1' 'torchvision==0.29.1' '.[dev,slurm]'
{
  echo "# Exact versions of everything that \`make install\` installs: Linux x86_64, Python 3.11 (torch and torchvision are"
  echo "# the CUDA builds that the package index offers there; they also run without a GPU)."
  echo "# Made anew with \`make lock\` from pyproject.toml."
  "$folder/venv/bin/python" -m pip freeze --exclude wsi-scale
} >requirements.lock
