#!/usr/bin/env python3
"""Checks that includes point down the layers, that no include cycle exists and that headers are guarded: check_layers.py [ROOT]

The order is _LAYERS below: a folder of src/ may include itself and the folders after it. Code below
backends/ may include its own folder, backends/common and what is no part of src/.
"""

import pathlib
import re
import sys

# From the top down. A folder of src/ that is missing here is an error, so that this list stays whole.
_LAYERS = (
    "cli",
    "tune",
    "top",
    "bench",
    "load",
    "capi",
    "server",
    "torchserve",
    "frontend",
    "store",
    "repository",
    "handler",
    "plugin",
    "worker",
    "tracing",
    "profiling",
    "scaling",
    "engine",
    "protocol",
    "net",
    "telemetry",
    "image",
    "tensor",
    "device",
    "base",
)
# Pairs that the order alone would allow: these two stay strangers, and so do their tests.
_FORBIDDEN = {
    ("engine", "protocol"): "the engine knows no wire format",
    ("engine", "net"): "the engine knows no transport",
    ("protocol", "net"): "codecs work on bytes, not on connections",
}
_SHARED_BACKEND_FOLDER = "common"

_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
_SUFFIXES = {".h", ".cc"}


class Source:
    """One file and the project files it includes, as (line number, text, path or None)."""

    def __init__(self, path, root):
        self.path = path
        self.includes = []
        text = path.read_text(encoding="utf-8", errors="replace")
        self.guards = re.findall(r"^#(?:ifndef|define) (\w+_H_)$", text, re.MULTILINE)[:2]
        for number, line in enumerate(text.splitlines(), start=1):
            match = _INCLUDE.match(line)
            if match:
                self.includes.append((number, match.group(1), _resolve(match.group(1), path, root)))


def _resolve(name, includer, root):
    """Returns the project file that `name` means, or None for a library's or the ABI's header.

    A header that the build makes from a .proto file stands for that file.
    """
    if name.endswith(".pb.h"):
        name = name.removesuffix(".pb.h") + ".proto"
    bases = (root / "src", root / "backends", root, includer.parent)
    trees = (root / "src", root / "backends")
    for base in bases:
        candidate = (base / name).resolve()
        if candidate.is_file() and any(candidate.is_relative_to(tree) for tree in trees):
            return candidate
    return None


def _area(path, root):
    """Returns ("src", folder) or ("backends", folder) of a file in one of the two trees."""
    parts = path.relative_to(root).parts
    return parts[0], parts[1]


def _reason_against(source_area, target_area):
    """Returns why a file of the one area must not include one of the other, or None."""
    (source_tree, source), (target_tree, target) = source_area, target_area
    if source_tree != target_tree:
        return f"{source_tree}/ and {target_tree}/ do not include each other"
    if source == target:
        return None
    if source_tree == "backends":
        if target == _SHARED_BACKEND_FOLDER:
            return None
        return f"a backend includes only its own folder and backends/{_SHARED_BACKEND_FOLDER}"
    if (source, target) in _FORBIDDEN:
        return _FORBIDDEN[source, target]
    if _LAYERS.index(source) > _LAYERS.index(target):
        return f"{source} lies below {target}"
    return None


def _read_sources(root):
    sources = {}
    for tree in ("src", "backends"):
        for path in sorted((root / tree).rglob("*")):
            if path.suffix in _SUFFIXES and len(path.relative_to(root).parts) > 2:
                sources[path.resolve()] = Source(path.resolve(), root)
    return sources


def _unknown_folders(root):
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in _LAYERS:
            yield f"src/{folder.name}: not in the list of layers in tools/check_layers.py"


def _wrong_includes(sources, root):
    for source in sources.values():
        source_area = _area(source.path, root)
        if source_area[0] == "src" and source_area[1] not in _LAYERS:
            continue
        for number, name, target in source.includes:
            place = f'{source.path.relative_to(root)}:{number}: #include "{name}"'
            if target is None:
                if name.split("/")[0] in _LAYERS:
                    yield f"{place}: no such file"
                continue
            target_area = _area(target, root)
            if target_area[0] == "src" and target_area[1] not in _LAYERS:
                continue
            reason = _reason_against(source_area, target_area)
            if reason:
                yield f"{place}: {reason}"


def _unguarded(sources, root):
    """Yields the headers whose guard is not the one that their path gives."""
    for path in sources:
        if path.suffix == ".h":
            parts = path.relative_to(root).with_suffix("").parts
            wanted = "_".join(("HEADRACE", *parts[parts[0] == "src" :], "H_")).upper()
            if sources[path].guards != [wanted, wanted]:
                yield f"{path.relative_to(root)}: the guard is not {wanted}"


def _cycles(sources, root):
    """Yields each include cycle that a depth-first walk meets, as one line."""
    done = set()
    for start in sources:
        if start in done:
            continue
        path, on_path = [start], {start}
        iterators = [iter(sources[start].includes)]
        while path:
            for _, _, target in iterators[-1]:
                if target in on_path:
                    ring = path[path.index(target) :] + [target]
                    yield "include cycle: " + " -> ".join(str(p.relative_to(root)) for p in ring)
                elif target in sources and target not in done:
                    path.append(target)
                    on_path.add(target)
                    iterators.append(iter(sources[target].includes))
                    break
            else:
                iterators.pop()
                done.add(path[-1])
                on_path.discard(path.pop())


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here
    sources = _read_sources(root)
    problems = [
        *_unknown_folders(root),
        *_wrong_includes(sources, root),
        *_unguarded(sources, root),
        *_cycles(sources, root),
    ]
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"layers: {len(problems)} problem(s) in {len(sources)} files")
    print(f"layers: {len(sources)} files, every include points down, no cycle, every header guarded")


if __name__ == "__main__":
    main()
