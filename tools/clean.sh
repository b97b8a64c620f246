#!/usr/bin/env bash
# Removes the build trees and the demo repository; build/venv and build/deps stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rm -rf build/{release,debug,asan,tsan} build/*.log build/demo-repository{,.stamp,.part}
echo "[clean] build trees removed; 'rm -rf build' also removes what setup unpacked"
