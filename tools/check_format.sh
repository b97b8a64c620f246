#!/usr/bin/env bash
# Checks (default) or rewrites (--fix) the C++ files of the checkout with clang-format and .clang-format.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Files that git knows or would add; outside a git checkout, all below the source folders.
list_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- '*.cc' '*.h'
  else
    find src backends bench tests abi -name '*.cc' -o -name '*.h'
  fi
}

files=()
while IFS= read -r file; do
  if [[ -f "$file" ]]; then files+=("$file"); fi
done < <(list_files | sort -u)
if ((${#files[@]} == 0)); then
  echo "format: no files"
  exit 0
fi

each() { printf '%s\0' "${files[@]}" | xargs -0 -n 16 -P "$(nproc)" clang-format --style=file "$@"; }

if [[ "${1:-}" == --fix ]]; then
  each -i
  echo "format: ${#files[@]} files rewritten"
  exit 0
fi

# One line for each wrong file says enough; the tool itself shows every place.
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
if each --dry-run -Werror >"$log" 2>&1; then
  echo "format: ${#files[@]} files"
  exit 0
fi
grep -o '^[^ :]*\.\(cc\|h\):' "$log" | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\):$/\2: \1 place(s)/' || cat "$log"
echo "format: run 'make format' ($(clang-format --version))" >&2
exit 1
