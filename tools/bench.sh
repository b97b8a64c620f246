#!/usr/bin/env bash
# Runs every benchmark of bench/ against the release program, one after the other: tools/bench.sh
# A benchmark is a program bench/run_*.py; each prints its own figures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export HEADRACE_BINARY="$PWD/build/release/headrace"
failed=()
for benchmark in bench/run_*.py; do
  [[ -e "$benchmark" ]] || { echo "[bench] bench/ holds no run_*.py"; exit 1; }
  echo "[bench] $benchmark"
  build/venv/bin/python "$benchmark" || failed+=("$benchmark")
done
if ((${#failed[@]})); then
  echo "[bench] FAILED: ${failed[*]}" >&2
  exit 1
fi
