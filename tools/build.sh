#!/usr/bin/env bash
# Configures and builds one CMake preset: tools/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset="${1:?usage: tools/build.sh PRESET [TARGET...]}"
shift
targets=()
if (($#)); then targets=(--target "$@"); fi

log="build/$preset.configure.log"
mkdir -p build
echo "[build] configuring $preset"
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  echo "[build] FAILED: could not configure the preset '$preset'" >&2
  exit 1
fi
# Which runtimes were found, and which backends are left out.
sed -n 's/^-- runtime /[build] /p' "$log"
echo "[build] building $preset"
if ! cmake --build --preset "$preset" "${targets[@]}"; then
  echo "[build] FAILED: could not build the preset '$preset'" >&2
  exit 1
fi
