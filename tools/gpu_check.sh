#!/usr/bin/env bash
# Builds the backends against the PyTorch (and, if it is there, the ONNX Runtime) of one Python on a machine with a GPU,
# serves the same models on GPU and CPU from them, compares the answers and prints both sides' figures.
#   HEADRACE_GPU_PYTHON  the interpreter whose packages are used; default: build/venv's, else python3
#   HEADRACE_BINARY      the program; default: build/release/headrace
#   CMAKE_PREFIX_PATH    where fmt and nlohmann-json are, if not in the system
# Arguments go to bench/run_gpu.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf '[gpu-check] FAILED: %s\n' "$*" >&2
  exit 1
}

nvidia-smi -L >/dev/null 2>&1 || fail "nvidia-smi shows no GPU on this machine"
program="${HEADRACE_BINARY:-build/release/headrace}"
[[ -x "$program" ]] || fail "$program is not there; make build, or name one by HEADRACE_BINARY"
python="${HEADRACE_GPU_PYTHON:-build/venv/bin/python}"
[[ -x "$python" ]] || python="$(command -v python3)"
"$python" -c 'import torch; assert torch.cuda.is_available(), "PyTorch sees no GPU"' ||
  fail "the PyTorch of $python cannot use the GPU; name another interpreter by HEADRACE_GPU_PYTHON"
site="$("$python" -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parents[1])')"

cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEADRACE_BACKENDS_ONLY=ON -DHEADRACE_TESTS=OFF \
  -DHEADRACE_SITE="$site" >build/gpu.configure.log || { cat build/gpu.configure.log >&2; fail "could not configure"; }
sed -n 's/^-- runtime /[gpu-check] /p' build/gpu.configure.log
cmake --build build/gpu

[[ -d build/demo-repository ]] || "$python" demo/make_repository.py build/demo-repository
HEADRACE_BINARY="$program" HEADRACE_BACKENDS="$PWD/build/gpu/backends" \
  "$python" bench/run_gpu.py --python "$python" "$@"
