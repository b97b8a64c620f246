"""Catalogue 3.6: archives of models that mean harm, or are damaged."""

import concurrent.futures
import errno
import io
import json
import os
import struct
import tarfile
import zipfile

import pytest

from catalogue.conftest import running_server, unharmed
from harness import archives, control, io_faults, models, wait

HANDLER = "def handle(rows, context):\n    return [b'served'] * len(rows or [])\n"
GOOD = {"handler.py": HANDLER}


def zipped(entries, manifest=True):
    """`entries`: (name or ZipInfo, content)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if manifest:
            archive.writestr("MAR-INF/MANIFEST.json", archives.manifest("m", "handler.py"))
            archive.writestr("handler.py", HANDLER)
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


def tarred(entries):
    """`entries`: (name, type, content)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.linkname = kind, len(content), "/etc/passwd"
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def unpacked(temporary):
    """What lies in directories that were made for models."""
    return [entry for root in temporary.glob("headrace-models-*") for entry in root.iterdir()]


def refused(controlled, archive, suffix="mar", because=""):
    """A load of the archive fails, says why, and leaves nothing."""
    directory = archives.add(controlled.repository, "archived", archive, suffix=suffix)
    before = unpacked(controlled.temporary)
    try:
        answer = control.load(controlled.server, "archived")
        assert answer.status in (400, 500) and because in answer.error, answer
        assert unpacked(controlled.temporary) == before
    finally:
        (directory / "1" / f"archived.{suffix}").unlink()


@pytest.mark.row(117)
@pytest.mark.parametrize(
    "name", ["../../marker", "{}/marker", "a/../../marker", "C:\\marker", "..\\marker", "nul\0inside"]
)
def test_path_that_leaves_the_archive_is_refused(controlled, tmp_path, name):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name.format(tmp_path)  # past the cleaning of the constructor
    refused(controlled, zipped([(info, "marker")]), because="entry")
    assert not any(controlled.temporary.rglob("marker")) and not any(tmp_path.iterdir())
    if "\0" not in name:
        refused(controlled, tarred([(name.format(tmp_path), tarfile.REGTYPE, b"marker")]), suffix="tgz")
    assert not any(controlled.temporary.rglob("marker")) and not any(tmp_path.iterdir())


@pytest.mark.row(118)
@pytest.mark.parametrize("mode", [0o120777, 0o60644, 0o20644, 0o10644, 0o104755, 0o102755], ids=oct)
def test_link_or_special_file_in_a_zip_is_refused(controlled, mode):
    info = zipfile.ZipInfo("entry")
    info.create_system, info.external_attr = 3, mode << 16
    refused(controlled, zipped([(info, "/etc"), ("entry/passwd", "x")]), because="entry 'entry'")


@pytest.mark.row(118)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_link_or_special_file_in_a_tar_is_refused(controlled, kind):
    refused(
        controlled,
        tarred([("m/entry", kind, b""), ("m/entry/passwd", tarfile.REGTYPE, b"x")]),
        suffix="tgz",
        because="'m/entry'",
    )


@pytest.mark.row(119)
def test_bombs_are_stopped_at_the_limits(controlled):
    zeros = bytes(64 << 20)
    refused(controlled, zipped([(f"zeros{i}", zeros) for i in range(4)]), because="200 times its size")
    refused(controlled, zipped([(f"{i}", b"") for i in range(10_000)]), because="archive-entry-count-max")
    # Two entries of the directory that share their data.
    shared = bytearray(zipped([("a", b"x" * 1000), ("b", b"x" * 1000)]))
    first, second = [match for match in range(len(shared)) if shared[match : match + 4] == b"PK\x01\x02"][-2:]
    shared[second + 42 : second + 46] = shared[first + 42 : first + 46]
    refused(controlled, bytes(shared), because="damaged")


def patched(data, signature, offset, value, last=True):
    """`value` written `offset` bytes behind the last (or first) `signature`."""
    at = data.rfind(signature) if last else data.find(signature)
    return data[: at + offset] + value + data[at + offset + len(value) :]


@pytest.mark.row(120)
@pytest.mark.parametrize(
    "change",
    [
        lambda data: patched(data, b"PK\x03\x04", 30, b"X"),  # another name in the entry's own header
        lambda data: patched(data, b"PK\x03\x04", 22, b"\x01"),  # another size there
        lambda data: patched(data, b"PK\x01\x02", 24, b"\x01"),  # and in the directory
        lambda data: patched(data, b"PK\x01\x02", 20, b"\xff" * 8),  # 64-bit sizes that nobody gives
        lambda data: patched(data, b"PK\x01\x02", 8, b"\x01"),  # encrypted
        lambda data: patched(patched(data, b"PK\x01\x02", 10, b"\x0e"), b"PK\x03\x04", 8, b"\x0e"),  # LZMA
        lambda data: patched(data, b"PK\x05\x06", 20, b"\xff\xff") + bytes(65535),  # a comment of 64 KiB
    ],
    ids=["name", "size", "directory-size", "zip64", "encrypted", "method", "comment"],
)
def test_headers_that_lie_are_refused(controlled, change):
    refused(controlled, change(zipped([("last", b"content")])))


@pytest.mark.row(120)
def test_zip64_sizes_beyond_all_limits_are_refused(controlled):
    data = bytearray(zipped([("last", b"content")]))
    at = data.rfind(b"PK\x01\x02")
    end = data.rfind(b"PK\x05\x06")
    extra = struct.pack("<HHQQ", 1, 16, 2**64 - 1, 2**64 - 1)
    data[at + 20 : at + 28] = b"\xff" * 8
    data[at + 30 : at + 32] = struct.pack("<H", len(extra))
    entry_end = at + 46 + len("last")
    data[end + 12 : end + 16] = struct.pack("<I", struct.unpack("<I", data[end + 12 : end + 16])[0] + len(extra))
    data[entry_end:entry_end] = extra
    refused(controlled, bytes(data))


@pytest.mark.row(121)
@pytest.mark.parametrize(
    "first, second", [("x", "x"), ("x", "X"), ("d/x", "D/y"), ("\u00e9", "e\u0301"), ("\u0416", "\u0436"), ("x", "x/y")]
)
def test_names_that_could_be_taken_for_one_another_are_refused(controlled, first, second):
    with pytest.warns(UserWarning) if first == second else _nothing():
        archive = zipped([(first, b"1"), (second, b"2")])
    refused(controlled, archive, because="entry")


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


@pytest.mark.row(122)
@pytest.mark.parametrize("suffix, make", [("mar", archives.mar), ("tgz", archives.tgz)])
def test_archive_that_is_cut_short_is_refused(controlled, suffix, make):
    whole = make("m", {**GOOD, "weights": os.urandom(2000)}, "handler.py")
    for percent in range(0, 100):
        refused(controlled, whole[: len(whole) * percent // 100], suffix=suffix)


def with_manifest(text, **files):
    return zipped([("MAR-INF/MANIFEST.json", text), *files.items()], manifest=False)


def manifest_with(**more):
    return json.dumps({"model": {"modelName": "m", "handler": "handler.py", **more}})


@pytest.mark.row(123)
@pytest.mark.parametrize(
    "archive, because",
    [
        (zipped([("handler.py", HANDLER)], manifest=False), "holds no MAR-INF/MANIFEST.json"),
        (with_manifest(" " * (10 << 20)), "the limit is"),
        (with_manifest('{"model": ' + "[" * 5000 + "]" * 5000 + "}"), "MANIFEST.json"),
        (with_manifest("no json"), "no JSON object"),
        (with_manifest(manifest_with(configFile="../../etc/passwd")), "'configFile'"),
        (with_manifest(manifest_with(configFile="/etc/passwd")), "'configFile'"),
        (with_manifest(manifest_with(serializedFile="../../etc/passwd")), "'serializedFile'"),
        (with_manifest(manifest_with(modelName="../x")), "'modelName'"),
        (with_manifest(manifest_with(handler="os:system")), "neither a file of the model nor a default handler"),
    ],
    ids=["missing", "large", "deep", "broken", "config-up", "config-absolute", "weights", "name", "handler"],
)
def test_manifest_that_is_wrong_is_refused(controlled, archive, because):
    refused(controlled, archive, because=because)


@pytest.mark.row(124)
@pytest.mark.parametrize(
    "yaml, because",
    [
        ("a: !!python/object/apply:os.system ['touch marker']", "tag"),
        (
            "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 10)}]\n" for i in range(10)),
            "more than 100000 values",
        ),
        ("a: [" * 500, "model-config.yaml:"),
        ("- not\n- a map", "one map"),
    ],
    ids=["tag", "laughs", "deep", "list"],
)
def test_settings_that_mean_harm_are_refused(controlled, yaml, because):
    refused(
        controlled,
        archives.mar("m", {**GOOD, "model-config.yaml": yaml}, "handler.py", configFile="model-config.yaml"),
        because=because,
    )


@pytest.mark.row(125)
def test_requirements_are_not_installed_and_the_log_says_so(controlled):
    files = {**GOOD, "requirements.txt": "a-package-that-is-nowhere==1.0\n"}
    archives.add(
        controlled.repository, "needy", archives.mar("needy", files, "handler.py", requirementsFile="requirements.txt")
    )
    control.must_load(controlled.server, "needy")
    controlled.server.wait_line("'needy'.*'requirements.txt' is not installed")
    control.must_unload(controlled.server, "needy")
    wait.until(lambda: not unpacked(controlled.temporary), "the unpacked archive has gone")


@pytest.mark.row(126)
def test_disk_that_fills_during_unpacking_leaves_nothing_and_the_old_version_serves(tmp_path):
    faults = io_faults.IoFaults(tmp_path)
    repository = models.standard(tmp_path / "repository")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    archives.add(repository, "archived", archives.mar("archived", GOOD, "handler.py"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**faults.environment(), "TMPDIR": str(temporary)}.items():
            patch.setenv(name, value)
        context = running_server(repository, "--model-control-mode=explicit", "--load-model=*")
        triple = context.__enter__()  # pylint: disable=unnecessary-dunder-call
    try:
        with unharmed(*triple) as server:
            before = unpacked(temporary)
            assert len(before) == 1
            archives.add(
                repository,
                "archived",
                archives.mar("archived", {**GOOD, "more": os.urandom(1 << 20)}, "handler.py"),
                version=2,
            )
            for nth in (1, 3, 6):
                faults.arm(temporary, nth, errno.ENOSPC)
                answer = control.load(server, "archived")
                assert faults.disarm(), "the fault was hit"
                assert answer.status in (400, 500, 503) and "No space left" in answer.error, answer
                assert unpacked(temporary) == before
                assert control.ready_versions(server, "archived") == {"1"}
            control.must_load(server, "archived")
            assert control.ready_versions(server, "archived") == {"2"}
            control.must_unload(server, "archived")
    finally:
        faults.disarm()
        context.__exit__(None, None, None)


@pytest.mark.row(127)
def test_loads_of_one_archive_at_once_leave_one_directory(controlled):
    archives.add(controlled.repository, "twice", archives.mar("twice", GOOD, "handler.py"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: control.load(controlled.server, "twice"), range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    wait.until(lambda: len(unpacked(controlled.temporary)) == 1, "one directory is left")
    control.must_unload(controlled.server, "twice")
    wait.until(lambda: not unpacked(controlled.temporary), "the directory has gone")
