#!/usr/bin/env bash
# Runs every check and test, each as a named step with its time; goes on after a failed step where the
# next one does not need it, and ends with a summary: tools/test.sh [STEP...]
# The steps, in order, are the last lines of this file.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs="$(nproc)"
python="$PWD/build/venv/bin/python"
wanted=" $* "
summary=()
failed=0

# Runs a step: step NAME [--needs NAME] COMMAND...; a step whose need failed is left out and counts as failed.
declare -A state
step() {
  local name="$1" need=""
  shift
  if [[ "$1" == --needs ]]; then need="$2"; shift 2; fi
  if [[ "$wanted" != "  " && "$wanted" != *" $name "* ]]; then return; fi
  if [[ -n "$need" && "${state[$need]:-}" == failed ]]; then
    state[$name]=failed
    failed=$((failed + 1))
    summary+=("$(printf '%-22s left out, %s failed' "$name" "$need")")
    return
  fi
  printf '\n[test] %s\n' "$name"
  local started=$SECONDS verdict=passed
  flaky=""
  if ! "$@"; then
    verdict=failed
    failed=$((failed + 1))
  fi
  state[$name]=$verdict
  summary+=("$(printf '%-22s %s in %d s%s' "$name" "$verdict" $((SECONDS - started)) "${flaky:+, FLAKY: $flaky}")")
  printf '[test] %s\n' "${summary[-1]}"
}

# What failed is run once more, alone. A test that passes then is named in the summary as flaky: it is to be mended, but
# one of some thousands is no reason to call the tree broken. What a sanitizer has found is never let off.
sanitizer_reports='ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error: '
flaky_max=5

# Fails if FILE, the output of the first run, rules a second one out: second_chance FILE COUNT.
second_chance() {
  if grep -qE "$sanitizer_reports" "$1"; then
    echo "[test] a sanitizer has found something: no second run"
    return 1
  fi
  (($2 >= 1 && $2 <= flaky_max))
}

# The unit tests of a preset; further arguments are ctest's. `launcher` is what ctest is started through.
launcher=()
unit_tests() {
  local preset="$1" log="build/$1/Testing/Temporary"
  shift
  "${launcher[@]}" ctest --preset "$preset" -j "$jobs" --timeout 300 --no-tests=error "$@" && return
  second_chance "$log/LastTest.log" "$(wc -l < "$log/LastTestsFailed.log")" || return 1
  local names
  names="$(cut -d: -f2 "$log/LastTestsFailed.log" | paste -sd' ')"
  "${launcher[@]}" ctest --preset "$preset" --rerun-failed --timeout 300 "$@" || return 1
  flaky="$names"
}

# End-to-end tests against the program of a preset; further arguments are pytest's.
end_to_end() {
  local cache="$PWD/build/$1/pytest" log="build/$1/end_to_end.log"
  local pytest=("$python" -m pytest -q -o "cache_dir=$cache" "${@:2}" tests)
  rm -rf "$cache"
  # A file at a time on each core: much of a test's time is waiting for a program that starts or ends.
  HEADRACE_BINARY="$PWD/build/$1/headrace" timeout 1500 "${pytest[@]}" -n "$jobs" --dist loadfile 2>&1 | tee "$log"
  local verdict=${PIPESTATUS[0]} names
  ((verdict == 0)) && return
  # Without names of tests (a file that cannot be imported, processes that collect different tests) there is nothing to repeat.
  names="$("$python" -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' "$cache/v/cache/lastfailed" | grep ::)"
  ((verdict == 1)) && second_chance "$log" "$(grep -c . <<< "$names")" || return 1
  HEADRACE_BINARY="$PWD/build/$1/headrace" timeout 600 "${pytest[@]}" --last-failed --last-failed-no-failures=none || return 1
  flaky="$(paste -sd' ' <<< "$names")"
}

demo_repository() { "$python" demo/make_repository.py build/demo-repository; }

demo() { "$python" demo/round_trip.py build/release/headrace build/demo-repository; }

tool_tests() { "$python" -m pytest -q -p no:cacheprovider tools demo python; }

# A sanitizer that finds something must fail the test that met it, with all its stacks.
export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:${TSAN_OPTIONS:-}"
# The thread sanitizer of this compiler cannot place its shadow where addresses are randomised widely.
fixed_addresses=()
if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_addresses=(setarch "$(uname -m)" -R); fi
build_tsan() {
  "${fixed_addresses[@]}" tools/build.sh tsan base_test telemetry_test net_test engine_test engine_simulator
}
unit_tsan() {
  local -a launcher=("${fixed_addresses[@]}")
  unit_tests tsan -L "$thread_labels"
}
# They watch the tools at work on a release program; the sanitizers have the unit tests of what the tools read (src/load).
tools_tests=('*/test_bench*.py' '*/test_tune*.py' '*/test_optimize*.py' '*/test_top.py')
thread_labels='^(base|telemetry|net|engine)$'

step format tools/check_format.sh
step layers tools/check_layers.py
step tools tool_tests
step models demo_repository
# Optimised, those unit tests are run whose code the sanitizers switch off, and those of the tools (PLAIN_TESTS); all others
# follow under the sanitizers.
step build-release tools/build.sh release programs base_test tensor_test image_test bench_test top_test tune_test
step headers --needs build-release tools/build.sh release check_headers
step unit-release --needs build-release unit_tests release -L '^(base|tensor|image|bench|top|tune)$'
step end-to-end-release --needs build-release end_to_end release
step demo --needs build-release demo
step build-asan tools/build.sh asan
step unit-asan --needs build-asan unit_tests asan
step end-to-end-asan --needs build-asan end_to_end asan "${tools_tests[@]/#/--ignore-glob=}"
step build-tsan build_tsan
step unit-tsan --needs build-tsan unit_tsan

printf '\n[test] summary, %d min %d s in all\n' $((SECONDS / 60)) $((SECONDS % 60))
printf '  %s\n' "${summary[@]}"
if ((failed)); then
  printf '[test] FAILED: %d step(s)\n' "$failed"
  exit 1
fi
printf '[test] all passed\n'
