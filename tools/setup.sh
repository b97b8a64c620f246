#!/usr/bin/env bash
# Installs what Headrace needs to build, run its demo and run its tests on Debian 12, and nothing twice:
#   1. Debian packages (needs root or sudo only when one is missing),
#   2. two development packages that only Debian testing has, unpacked (not installed) into build/deps,
#   3. a virtual environment build/venv with the wheels pinned in tools/requirements-*.txt.
# Usage: tools/setup.sh [--tests] [--optimize] [--without RUNTIME[,RUNTIME...]]      RUNTIME: onnxruntime, openvino, torch
# A runtime that is left out leaves its backend out of the build; CMake says so. --tests adds what only the tests
# need and is large: the whole of PyTorch, which makes their models. --optimize adds what `headrace optimize` can use:
# the whole of PyTorch and the wheels of tools/requirements-optimize.txt.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build"
deps="$build/deps"
venv="$build/venv"
without=",${HEADRACE_WITHOUT:-},"
tests=0
optimize=0

debian_packages=(
  g++ mold cmake make ninja-build ccache clang-format curl ca-certificates
  libspdlog-dev libfmt-dev libyaml-cpp-dev libcli11-dev libsimdjson-dev nlohmann-json3-dev zlib1g-dev
  libcurl4-openssl-dev libre2-dev libnghttp2-dev libssl-dev pkg-config openssl nghttp2-client libxxhash-dev libarchive-dev libzip-dev
  libjpeg62-turbo-dev libpng-dev libwebp-dev
  libprotobuf-dev protobuf-compiler libgtest-dev libgmock-dev
  python3 python3-venv
)

say() { printf '[setup] %s\n' "$*"; }
fail() {
  printf '[setup] FAILED: %s\n' "$*" >&2
  exit 1
}

while (($#)); do
  case "$1" in
    --without) without+="${2:?--without takes a runtime name},"; shift 2 ;;
    --without=*) without+="${1#*=},"; shift ;;
    --tests) tests=1; shift ;;
    --optimize) optimize=1; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail "unknown argument '$1'; try --help" ;;
  esac
done

wanted() { [[ "$without" != *",$1,"* ]]; }

# Runs a command with its output kept in a log; shows the log's end only when the command fails.
logged() {
  local log="$build/setup.log"
  if ! "$@" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    return 1
  fi
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

install_debian_packages() {
  command -v dpkg-query >/dev/null || fail "this is not Debian; install by hand: ${debian_packages[*]}"
  local missing=() package
  for package in "${debian_packages[@]}"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
      missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    say "Debian packages: all ${#debian_packages[@]} are there"
    return
  fi
  if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
    fail "root or sudo is needed once; as root run: apt-get install ${missing[*]}"
  fi
  say "Debian packages: installing ${missing[*]}"
  # An unreachable third-party source must not stop the install; a missing package does, just below.
  logged as_root env DEBIAN_FRONTEND=noninteractive apt-get update ||
    say "apt-get update had errors (above); trying with the package lists at hand"
  logged as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install: ${missing[*]} (apt says why, above; is the machine offline?)"
}

# The Debian mirror of this machine's own apt sources, whichever of the two source formats it uses.
debian_mirror() {
  local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
  local uris
  uris="$(cat "${files[@]}" 2>/dev/null | sed -n \
    -e 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' \
    -e 's/^deb[[:space:]]\(\[[^]]*\][[:space:]]*\)\{0,1\}[[:space:]]*\([^[:space:]]*\).*/\2/p')" || true  # one of the files may be missing
  # A mirror of the main archive is served under .../debian (or listed in a file of that name); security
  # archives and vendors are not. apt itself knows mirrors of other names once it has read their lists.
  grep -E '/debian(/|\.list)?$' <<<"$uris" | grep -v -i security | head -n 1 | grep . ||
    apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 2>/dev/null | head -n 1 || true
}

unpacked_file() {
  case "$1" in
    libllhttp-dev) echo "$deps/usr/include/llhttp.h" ;;
    libonnxruntime-dev) echo "$deps/usr/include/onnxruntime/onnxruntime_c_api.h" ;;
  esac
}

unpack_testing_packages() {
  local packages=(libllhttp-dev) needed=() package
  if wanted onnxruntime; then packages+=(libonnxruntime-dev); fi
  for package in "${packages[@]}"; do
    [[ -e "$(unpacked_file "$package")" ]] || needed+=("$package")
  done
  if ((${#needed[@]} == 0)); then
    say "unpacked packages: ${packages[*]} are there"
    return
  fi
  local mirror
  mirror="$(debian_mirror)"
  [[ -n "$mirror" ]] || fail "no Debian mirror in /etc/apt/sources.list*; add one, or unpack ${needed[*]} into build/deps by hand"
  say "unpacked packages: taking ${needed[*]} from Debian testing into build/deps"
  local apt="$build/apt"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$deps"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror testing main" \
    >"$apt/testing.list"
  local options=(-o "Dir::Etc::sourcelist=$apt/testing.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
    -o Acquire::Retries=3)
  logged apt-get "${options[@]}" update ||
    fail "could not read the package list of Debian testing (apt says why, above; is the machine offline?)"
  (cd "$apt" && logged apt-get "${options[@]}" download "${needed[@]}") ||
    fail "could not download ${needed[*]} from Debian testing"
  for package in "${needed[@]}"; do
    logged dpkg -x "$apt/$package"_*.deb "$deps" || fail "could not unpack $package"
    [[ -e "$(unpacked_file "$package")" ]] ||
      fail "$package of Debian testing no longer holds ${package#lib} headers where they were expected"
    say "unpacked packages: $(basename "$apt/$package"_*.deb)"
  done
  rm -rf "$apt"
}

requirement_files() {
  local name
  for name in build demo test; do echo "$root/tools/requirements-$name.txt"; done
  if wanted onnxruntime; then echo "$root/tools/requirements-onnxruntime.txt"; fi
  if wanted openvino; then echo "$root/tools/requirements-openvino.txt"; fi
}

# Those whose wheels are installed without the requirements that they name themselves.
bare_requirement_files() {
  echo "$root/tools/requirements-data.txt"
  if (($1)); then echo "$root/tools/requirements-test-data.txt"; fi
  if wanted torch; then
    echo "$root/tools/requirements-torch.txt"
    if (($1)); then echo "$root/tools/requirements-test-torch.txt"; fi
  fi
}

# Stands for what is installed with ($1 = 1) or without what only the tests need.
stamp_of() {
  { requirement_files; bare_requirement_files "$1"; } | xargs -d '\n' cat | sha256sum | cut -d' ' -f1
}

install_wheels() {
  local files=() bare=() file stamp="$venv/.headrace-stamp" found
  mapfile -t files < <(requirement_files)
  mapfile -t bare < <(bare_requirement_files "$tests")
  found="$(cat "$stamp" 2>/dev/null)" || true
  # What the tests need besides does no harm to a run without them.
  if [[ -x "$venv/bin/python" ]] && { [[ "$found" == "$(stamp_of 1)" ]] || [[ "$found" == "$(stamp_of "$tests")" ]]; }; then
    say "Python wheels: up to date in build/venv"
    return
  fi
  # A moved checkout leaves an environment whose interpreter link no longer runs.
  if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "Python wheels: making build/venv"
    rm -rf "$venv"
    local python=/usr/bin/python3
    [[ -x "$python" ]] || python=python3
    logged "$python" -m venv "$venv" || fail "could not make a virtual environment (python3-venv)"
  fi
  local pip=("$venv/bin/python" -m pip install --no-input --disable-pip-version-check --quiet)
  for file in "${files[@]}"; do
    say "Python wheels: $(basename "$file")"
    logged "${pip[@]}" -r "$file" ||
      fail "pip could not install $(basename "$file"); $(wheel_advice "$file")"
  done
  for file in "${bare[@]}"; do
    say "Python wheels: $(basename "$file")"
    logged "${pip[@]}" --no-deps -r "$file" ||
      fail "pip could not install $(basename "$file"); $(wheel_advice "$file")"
  done
  local runtime
  for runtime in onnxruntime openvino torch; do
    if ! wanted "$runtime"; then logged "$venv/bin/python" -m pip uninstall -y --quiet "$runtime"; fi
  done
  stamp_of "$tests" >"$stamp"
}

# Not counted in the stamp above: it comes on request and stays.
install_optimize_wheels() {
  local file="$root/tools/requirements-optimize.txt" torch="$root/tools/requirements-test-torch.txt"
  local stamp="$venv/.headrace-optimize-stamp" found
  found="$(cat "$stamp" 2>/dev/null)" || true
  if [[ "$found" == "$(cat "$file" "$torch" | sha256sum | cut -d' ' -f1)" ]]; then
    say "Python wheels: what headrace optimize uses is up to date"
    return
  fi
  local pip=("$venv/bin/python" -m pip install --no-input --disable-pip-version-check --quiet --no-deps)
  say "Python wheels: $(basename "$file")"
  if wanted torch; then
    logged "${pip[@]}" -r "$torch" || fail "pip could not install $(basename "$torch"); $(wheel_advice "$torch")"
  fi
  logged "${pip[@]}" -r "$file" || fail "pip could not install $(basename "$file"); $(wheel_advice "$file")"
  cat "$file" "$torch" | sha256sum | cut -d' ' -f1 >"$stamp"
}

wheel_advice() {
  case "$1" in
    *onnxruntime*) echo "run again with --without onnxruntime (make: WITHOUT=onnxruntime) to build without that backend" ;;
    *openvino*) echo "run again with --without openvino (make: WITHOUT=openvino) to build without that backend" ;;
    *torch*) echo "run again with --without torch (make: WITHOUT=torch) to build without that backend" ;;
    *) echo "check the network and run again" ;;
  esac
}

mkdir -p "$build"
# Two runs in one checkout would unpack and install over each other.
exec 9>"$build/.setup.lock"
if command -v flock >/dev/null; then flock 9; fi
install_debian_packages
unpack_testing_packages
install_wheels
if ((optimize)); then install_optimize_wheels; fi
say "done"
