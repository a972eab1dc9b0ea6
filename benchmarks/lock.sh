#!/usr/bin/env bash
# Resolve pyproject.toml anew into requirements.lock; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --dry-run --ignore-installed --report "$folder/report.json" \
  'torch==2.14.1' 'torchvision==0.29.1' '.[dev,slurm]'
{
  echo "# Exact versions of everything that \`make install\` installs: Linux x86_64, Python 3.11 (torch and torchvision are"
  echo "# the CUDA builds that the package index offers there; they also run without a GPU)."
  echo "# Made anew with \`make lock\` from pyproject.toml."
  "$1" - "$folder/report.json" <<'END'
import json, sys

found = {item["metadata"]["name"]: item["metadata"]["version"] for item in json.load(open(sys.argv[1]))["install"]}
del found["wsi-scale"]
print(*(f"{name}=={found[name]}" for name in sorted(found, key=str.lower)), sep="\n")
END
} >requirements.lock
