"""The published systems that the program is compared with: below the directory that HEADRACE_PEERS names, if it does."""

import os
import pathlib
import socket

from harness import server as server_module


def directory():
    """Nothing where the peers are not installed."""
    named = os.environ.get("HEADRACE_PEERS")
    path = pathlib.Path(named) if named else None
    return path if path and (path / "bin" / "tritonserver").exists() else None


def _packages():
    (packages,) = (directory() / "venv" / "lib").glob("python3*/site-packages")
    return packages


def backends():
    """The directory of the published backends."""
    return directory() / "backends"


def caches():
    """The directory of the published response caches."""
    return _packages() / "pytriton" / "tritonserver" / "caches"


def environment(links):
    """What the program needs to load published libraries of this package, which has given the libraries that they name
    names of its own: an empty libtritonserver under that name (made in `links`), and the others from the package."""
    libraries = next(_packages().glob("nvidia_pytriton.libs"))
    (renamed,) = libraries.glob("libtritonserver-*.so")
    empty = pathlib.Path(server_module.program()).resolve().parent / "lib" / "libtritonserver.so"
    link = pathlib.Path(links) / renamed.name
    if not link.exists():
        link.symlink_to(empty)
    return {
        "LD_LIBRARY_PATH": f"{links}:{libraries}",
        "PATH": f"{directory() / 'venv' / 'bin'}:{os.environ['PATH']}",
    }


def library():
    """The stock libtritonserver, under the name that the package gives it."""
    (path,) = next(_packages().glob("nvidia_pytriton.libs")).glob("libtritonserver-*.so")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def triton(repository, *options, environment_=None):
    """The stock Triton over the same repository. It opens no port 0 by itself."""
    return server_module.Server(
        repository,
        f"--http-port={free_port()}",
        f"--metrics-port={free_port()}",
        "--allow-grpc=false",
        *options,
        command=(str(directory() / "bin" / "tritonserver"),),
        environment=environment_,
    )
