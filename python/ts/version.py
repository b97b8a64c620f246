"""The version that handlers may look at."""

from ts import __version__


def version():
    return __version__
