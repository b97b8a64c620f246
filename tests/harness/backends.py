"""Which backends the build has; it says which runtimes it leaves out, and why."""

import pathlib

from harness import server


def directory():
    """The built backends, beside the program under test."""
    return pathlib.Path(server.program()).resolve().parent / "backends"


def built(name):
    """Whether the backend is there."""
    return (directory() / name / f"libtriton_{name}.so").exists()
