"""Failures that are told in one line."""

import errno


class OptimizeError(Exception):
    """Something that the user can mend: the text says what and how. Exit code 2."""


class UsageError(OptimizeError):
    """The command line does not fit the model. Exit code 1."""


class NotApplicable(OptimizeError):
    """A recipe that makes no sense for this model; no failure."""


_COMPILER_MARKS = ("InvalidCxxCompiler", "No working C++ compiler", "no C++ compiler", "g++: not found")


def in_one_line(error: BaseException) -> str:
    """What a failure of a library means, for a table: the cause and the remedy where they are known."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.filename or 'while writing'}): free some space, or say --work-dir"
    if "No space left on device" in text:
        return "the disk is full: free some space, or say --work-dir"
    if any(mark in text or mark in type(error).__name__ for mark in _COMPILER_MARKS):
        return "there is no C++ compiler, which AOTInductor needs: install g++, or name one in CXX"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, ModuleNotFoundError):
        return f"the Python package '{error.name}' is missing"
    if isinstance(error, OptimizeError):
        return shortened(text)
    return f"{type(error).__name__}: {shortened(text)}"


def shortened(text: str) -> str:
    """The first line, which says what was done, and the last, which often says what was wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    first, last = lines[0][:200], lines[-1][:200]
    return first if len(lines) == 1 else f"{first} ... {last}"
