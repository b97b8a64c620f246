#!/usr/bin/env python3
"""Turns abi/triton.yaml into what a host and a plug-in are compiled against.

    generate.py TABLE OUTPUT_DIR

writes into OUTPUT_DIR:
    include/triton_abi.h       the C header (C99 and C++), for the host and for backends
    triton_abi.exports         for -Wl,--dynamic-list: the entries that the program exports
    triton_abi.map             for -Wl,--version-script: the entries that libtritonserver.so exports, and nothing else
    triton_abi_stub.c          every server-provided entry, to link backends against; never called
    triton_abi_empty.c         nothing: the library that satisfies DT_NEEDED libtritonserver.so at run time
    triton_abi_unsupported.cc  answers of the entries that are not implemented
    triton_abi_check.{c,cc}    static assertions on the enum values, for both languages
    abi_coverage.md            which entries are implemented, by family and by who names them

A table that names an unknown type, a name twice, or a key that nobody reads is refused.
"""

import argparse
import pathlib
import re
import sys

import yaml

BUILTIN_TYPES = {
    "void", "bool", "char", "int", "unsigned int", "double", "size_t",
    "uint32_t", "uint64_t", "int32_t", "int64_t",
}
ERROR_TYPE = "TRITONSERVER_Error*"
PROVIDERS = ("server", "backend", "batcher", "cache", "agent")
KEYS = {
    "handles": {"name", "doc"},
    "enums": {"name", "doc", "values"},
    "callbacks": {"name", "doc", "returns", "params"},
    "families": {"family", "doc", "provided_by", "entries"},
    "entries": {"name", "returns", "params", "implemented", "used_by", "since"},
}
PREFIX = re.compile(r"TRITON(SERVER|BACKEND|CACHE|REPOAGENT)_\w+")


class TableError(Exception):
    """The table contradicts itself."""


class Entry:
    """One function or callback of the table."""

    def __init__(self, raw, family=None):
        self.name = raw["name"]
        self.returns = raw.get("returns", ERROR_TYPE)
        self.params = [split_declaration(p) for p in raw.get("params") or []]
        self.implemented = bool(raw.get("implemented", False))
        self.used_by = raw.get("used_by", [])
        self.since = raw.get("since")
        self.provided_by = family["provided_by"] if family else None


def split_declaration(text):
    match = re.fullmatch(r"(.+?[\s*])(\w+)", text)
    if not match:
        raise TableError(f"'{text}' is not a type and a name")
    return match.group(1).strip(), match.group(2)


def base_type(type_text):
    return " ".join(re.sub(r"\bconst\b|\*", " ", type_text).split())


class Table:
    """The checked table."""

    def __init__(self, raw):
        self.versions = raw["versions"]
        self.handles = raw["handles"]
        self.enums = raw["enums"]
        self.callbacks = [Entry(c) for c in raw["callbacks"]]
        self.callback_docs = {c["name"]: c["doc"] for c in raw["callbacks"]}
        self.families = raw["functions"]
        self.entries = {f["family"]: [Entry(e, f) for e in f["entries"]] for f in self.families}
        self._check_keys(raw)
        self._check_names()
        self._check_types()

    def all_entries(self):
        return [entry for entries in self.entries.values() for entry in entries]

    def server_entries(self):
        return [e for e in self.all_entries() if e.provided_by == "server"]

    def handle_names(self):
        return {h["name"] for h in self.handles}

    def _check_keys(self, raw):
        groups = {"handles": raw["handles"], "enums": raw["enums"], "callbacks": raw["callbacks"],
                  "families": raw["functions"],
                  "entries": [e for f in raw["functions"] for e in f["entries"]]}
        for kind, items in groups.items():
            for item in items:
                unknown = set(item) - KEYS[kind]
                if unknown:
                    raise TableError(f"{kind}: unknown keys {sorted(unknown)} in {item}")
        for family in raw["functions"]:
            if family["provided_by"] not in PROVIDERS:
                raise TableError(f"family {family['family']}: provided_by {family['provided_by']}")

    def _check_names(self):
        names = [h["name"] for h in self.handles] + [e["name"] for e in self.enums]
        names += [value for e in self.enums for value in e["values"]]
        names += [c.name for c in self.callbacks] + [e.name for e in self.all_entries()]
        seen = set()
        for name in names:
            if not PREFIX.fullmatch(name):
                raise TableError(f"'{name}' has no prefix of the interface")
            if name in seen:
                raise TableError(f"'{name}' is declared twice")
            seen.add(name)

    def _check_types(self):
        known = BUILTIN_TYPES | self.handle_names() | {e["name"] for e in self.enums}
        known |= {c.name for c in self.callbacks}
        for entry in self.callbacks + self.all_entries():
            for type_text in [entry.returns] + [t for t, _ in entry.params]:
                if base_type(type_text) not in known:
                    raise TableError(f"{entry.name}: unknown type '{type_text}'")
            if entry.implemented and entry.provided_by not in ("server", None):
                raise TableError(f"{entry.name}: a plug-in provides it, the host cannot implement it")


class Emitter:
    """Writes C text from a checked table."""

    def __init__(self, table):
        self.table = table
        self.handles = table.handle_names()

    def c_type(self, type_text):
        return re.sub(r"\w+", lambda m: f"struct {m[0]}" if m[0] in self.handles else m[0], type_text)

    def params(self, entry, named=True):
        if not entry.params:
            return "void"
        return ", ".join(f"{self.c_type(t)} {n}" if named else self.c_type(t) for t, n in entry.params)

    def prototype(self, entry, named=True):
        return f"{self.c_type(entry.returns)} {entry.name}({self.params(entry, named)})"

    def header(self):
        out = ["/* Generated by abi/generate.py from abi/triton.yaml; do not edit.",
               "   The C interface between a Triton-compatible server and its plug-ins. */",
               "#ifndef TRITON_ABI_H_", "#define TRITON_ABI_H_", "",
               "#include <stdbool.h>", "#include <stddef.h>", "#include <stdint.h>", "",
               "#ifdef __cplusplus", 'extern "C" {', "#endif", "",
               '#define TRITON_ABI_EXPORT __attribute__((visibility("default")))', ""]
        for prefix, (major, minor) in self.table.versions.items():
            out.append(f"#define {prefix}_API_VERSION_MAJOR {major}")
            out.append(f"#define {prefix}_API_VERSION_MINOR {minor}")
        out.append("")
        for handle in self.table.handles:
            out += [f"/* {handle['doc']} */", f"struct {handle['name']};"]
        out.append("")
        for enum in self.table.enums:
            out += [f"/* {enum['doc']} */", f"typedef enum {enum['name']}_enum {{"]
            out += [f"  {name} = {value}," for name, value in enum["values"].items()]
            out[-1] = out[-1].rstrip(",")
            out += [f"}} {enum['name']};", ""]
        for callback in self.table.callbacks:
            out += [f"/* {self.table.callback_docs[callback.name]} */",
                    f"typedef {self.c_type(callback.returns)} (*{callback.name})({self.params(callback)});", ""]
        for family in self.table.families:
            out += [f"/* {family['family']} ({family['provided_by']}): {family['doc']} */"]
            for entry in self.table.entries[family["family"]]:
                if entry.since is not None:
                    out.append(f"/* since minor version {entry.since} */")
                out.append(f"TRITON_ABI_EXPORT {self.prototype(entry)};")
            out.append("")
        out += ["#ifdef __cplusplus", "}", "#endif", "", "#endif /* TRITON_ABI_H_ */"]
        return out

    def exports(self):
        return ["{"] + [f"  {e.name};" for e in self.table.server_entries()] + ["};"]

    def version_script(self):
        return ["{", "global:"] + [f"  {e.name};" for e in self.table.server_entries()] + ["local: *;", "};"]

    def stub(self):
        out = ["/* Generated: symbols for the linker only. The host of a plug-in has the real ones. */",
               '#include "triton_abi.h"', ""]
        for entry in self.table.server_entries():
            body = "" if entry.returns == "void" else f" return {self.zero(entry, cpp=False)}; "
            out.append(f"{self.prototype(entry)} {{{body}}}")
        return out

    def zero(self, entry, cpp):
        if entry.returns.endswith("*"):
            return "nullptr" if cpp else "NULL"
        if entry.returns == "bool":
            return "false"
        return f"static_cast<{entry.returns}>(0)" if cpp else f"({entry.returns})0"

    def unsupported(self):
        out = ["// Generated: what this server answers for entries that it does not implement.",
               '#include "triton_abi.h"', "",
               "namespace {", "",
               "[[maybe_unused]] TRITONSERVER_Error* Unsupported(const char* message) {",
               "  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNSUPPORTED, message);", "}", "",
               "}  // namespace", "", 'extern "C" {', ""]
        for entry in self.table.server_entries():
            if entry.implemented:
                continue
            if entry.returns == ERROR_TYPE:
                body = f' return Unsupported("{entry.name} is not supported by this server"); '
            elif entry.returns == "void":
                body = ""
            else:
                body = f" return {self.zero(entry, cpp=True)}; "
            out.append(f"{self.prototype(entry, named=False)} {{{body}}}")
        return out + ["", '}  // extern "C"']

    def check(self):
        out = ["/* Generated: the header's values, asserted in both languages. */", '#include "triton_abi.h"', "",
               "#ifdef __cplusplus", "#define TRITON_ABI_ASSERT(condition) static_assert(condition, #condition)",
               "#else", "#define TRITON_ABI_ASSERT(condition) _Static_assert(condition, #condition)", "#endif", ""]
        for enum in self.table.enums:
            out.append(f"TRITON_ABI_ASSERT(sizeof({enum['name']}) == sizeof(int));")
            out += [f"TRITON_ABI_ASSERT({name} == {value});" for name, value in enum["values"].items()]
        return out

    def coverage(self):
        server = self.table.server_entries()
        out = ["# Coverage of the Triton interface", "",
               f"{sum(e.implemented for e in server)} of {len(server)} server-provided entries are implemented; the rest",
               'answer "unsupported". Named by the stock backends: '
               f"{self.ratio(server, 'stock')}; by the stock Python backend: {self.ratio(server, 'python')}.", "",
               "| entry | family | provided by | named by | implemented |", "|---|---|---|---|---|"]
        for family in self.table.families:
            for entry in self.table.entries[family["family"]]:
                done = "yes" if entry.implemented else "no"
                if entry.provided_by != "server":
                    done = "declared"
                out.append(f"| `{entry.name}` | {family['family']} | {entry.provided_by} | "
                           f"{', '.join(entry.used_by)} | {done} |")
        return out

    @staticmethod
    def ratio(entries, user):
        named = [e for e in entries if user in e.used_by]
        return f"{sum(e.implemented for e in named)} of {len(named)}"


def write_if_changed(path, lines):
    """Keeps time stamps of unchanged files, so that nothing is rebuilt for nothing."""
    text = "\n".join(lines) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def load(path):
    with open(path, encoding="utf-8") as table_file:
        return Table(yaml.safe_load(table_file))


def generate(table, out_dir):
    emitter = Emitter(table)
    write_if_changed(out_dir / "include" / "triton_abi.h", emitter.header())
    write_if_changed(out_dir / "triton_abi.exports", emitter.exports())
    write_if_changed(out_dir / "triton_abi.map", emitter.version_script())
    write_if_changed(out_dir / "triton_abi_stub.c", emitter.stub())
    write_if_changed(out_dir / "triton_abi_empty.c",
                     ["/* Generated: satisfies DT_NEEDED libtritonserver.so; the program has the symbols. */",
                      "typedef int triton_abi_empty;"])
    write_if_changed(out_dir / "triton_abi_unsupported.cc", emitter.unsupported())
    write_if_changed(out_dir / "triton_abi_check.c", emitter.check())
    write_if_changed(out_dir / "triton_abi_check.cc", emitter.check())
    write_if_changed(out_dir / "abi_coverage.md", emitter.coverage())


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("output_dir", type=pathlib.Path)
    args = parser.parse_args(argv)
    try:
        generate(load(args.table), args.output_dir)
    except TableError as error:
        print(f"{args.table}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
