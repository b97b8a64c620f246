"""What is told while it runs: one repainted line on a terminal, plain lines elsewhere; always on stderr."""

import os
import sys
import time
from typing import TextIO

from headrace_optimize.trial import Trial


def may_colour(stream: TextIO) -> bool:
    """A terminal, and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Progress:
    """Not for several threads."""

    def __init__(self, quiet: bool, stream: TextIO = sys.stderr):
        self._quiet = quiet
        self._stream = stream
        self._repaints = stream.isatty()
        self._painted = False
        self._start = time.monotonic()

    def _line(self, text: str) -> None:
        if self._painted:
            self._stream.write("\r\x1b[K")
            self._painted = False
        self._stream.write(text + "\n")
        self._stream.flush()

    def phase(self, text: str) -> None:
        """What is being done now."""
        if self._quiet:
            return
        elapsed = time.monotonic() - self._start
        if self._repaints:
            self._stream.write(f"\r\x1b[K[{elapsed:5.0f} s] {text} ...")
            self._stream.flush()
            self._painted = True
        else:
            self._line(f"[{elapsed:5.0f} s] {text}")

    def trial(self, found: Trial) -> None:
        """A result."""
        if self._quiet:
            return
        if found.measured is None:
            self._line(f"  {found.name}: {found.verdict}: {found.reason}")
            return
        factor = f", {found.speed_up.mid:.2f} x" if found.speed_up else ""
        reason = f" ({found.reason})" if found.reason else ""
        rate = found.measured.rate
        self._line(f"  {found.name}: {rate.mid:.1f}/s{factor}, {found.verdict}{reason}")

    def warn(self, text: str) -> None:
        """Also when quiet."""
        self._line(f"warning: {text}")

    def done(self) -> None:
        """Leaves the line."""
        if self._painted:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._painted = False
