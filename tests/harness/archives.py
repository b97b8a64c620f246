"""Model archives of TorchServe's form, and repositories of them."""

import io
import json
import pathlib
import tarfile
import zipfile


def manifest(name, handler, version="1.0", **more):
    """MAR-INF/MANIFEST.json; `more`: serializedFile, modelFile, configFile..."""
    model = {"modelName": name, "modelVersion": version, "handler": handler, **more}
    return json.dumps(
        {"createdOn": "29/11/2026 12:00:00", "runtime": "python", "model": model, "archiverVersion": "0.12.0"}
    )


def mar(name, files, handler, **more):
    """The bytes of a .mar. `files`: {name in the archive: str or bytes}."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        archive.writestr("MAR-INF/MANIFEST.json", manifest(name, handler, **more))
    return out.getvalue()


def tgz(name, files, handler, **more):
    """The same as a gzipped tar, all in one folder."""
    out = io.BytesIO()
    files = {**files, "MAR-INF/MANIFEST.json": manifest(name, handler, **more)}
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for file, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def handler_mar(name, source, settings=None):
    """A .mar of one handler file and, if given, its model-config.yaml."""
    source = pathlib.Path(source)
    files = {source.name: source.read_text(encoding="utf-8")}
    more = {}
    if settings is not None:
        files["model-config.yaml"] = settings
        more["configFile"] = "model-config.yaml"
    return mar(name, files, source.name, **more)


def add(repository, name, archive, version=1, suffix="mar", config=None):
    """Puts the archive into a model repository; returns the model's directory."""
    directory = pathlib.Path(repository) / name
    (directory / str(version)).mkdir(parents=True, exist_ok=True)
    (directory / str(version) / f"{name}.{suffix}").write_bytes(archive)
    if config is not None:
        (directory / "config.pbtxt").write_text(config, encoding="utf-8")
    return directory


def war(name, spec, functions, handler="functions.py"):
    """The bytes of a .war. `spec`: YAML; `functions`: the source of its handler file."""
    out = io.BytesIO()
    manifest_json = {
        "createdOn": "30/11/2026 00:00:00",
        "workflow": {"workflowName": name, "specFile": "spec.yaml", "handler": handler},
        "archiverVersion": "0.2.15",
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(handler, functions)
        archive.writestr("spec.yaml", spec)
        archive.writestr("WAR-INF/MANIFEST.json", json.dumps(manifest_json))
    return out.getvalue()
