#!/usr/bin/env bash
# Resolve what tests/interop/requirements.py lists into tests/interop/requirements.lock, in an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" tests/interop/requirements.py >"$folder/requirements.in"
"$1" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --requirement "$folder/requirements.in"
{
  echo "# Exact versions of the viewers' libraries and of what reads results: Linux x86_64, Python 3.11."
  echo "# Made anew with \`make lock-interop\` from tests/interop/requirements.py."
  "$folder/venv/bin/python" -m pip freeze --exclude wsi-scale
} >tests/interop/requirements.lock
