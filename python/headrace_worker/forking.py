"""Templates: a process that has loaded its model once, and workers that are copies of it.

A copy shares the pages of what was loaded until one of the two writes to them. Two things make it a worker like any
other: it is a child of the server itself (CLONE_PARENT), which so sees its end and outlives the template with it; and
it has every thread of the template, since a template with more than one refuses.
"""

import ctypes
import gc
import os
import platform
import random
import signal
import sys

from headrace_worker import errors

# Numbers of (clone, set_robust_list, get_robust_list), and where clone has the address of the child's thread id.
_CALLS = {"x86_64": (56, 273, 274, 3), "aarch64": (220, 99, 100, 4)}
_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_PR_SET_PDEATHSIG, _PR_GET_TID_ADDRESS = 1, 40
_MARK = "HEADRACE_PROCESS"
_OPENBLAS_SETTERS = tuple(
    f"{prefix}openblas_set_num_threads{suffix}" for prefix in ("", "scipy_") for suffix in ("", "64_", "_64")
)


def _refused(why):
    return errors.CallError("UNSUPPORTED", why)


class Cloner:
    """Makes copies of this process. To be made before the model is loaded: what it looks up then, a model could change.

    Does what the C library's fork does, but for one flag that it does not offer: the copy's parent is this process's
    own. The handlers of pthread_atfork are not called; they are there for threads and the locks that those hold.
    Python's own (os.register_at_fork) are.
    """

    def __init__(self):
        """CallError UNSUPPORTED where there is no way."""
        numbers = _CALLS.get(platform.machine())
        if numbers is None or not sys.platform.startswith("linux"):
            raise _refused(f"processes of '{platform.machine()}' cannot be copied")
        self._clone, self._set_robust_list, get_robust_list, self._id_index = numbers
        # PyDLL: the lock of the interpreter is kept, as os.fork keeps it.
        library = ctypes.PyDLL(None, use_errno=True)
        self._prctl = library.prctl
        self._system_call = library.syscall
        self._system_call.restype = ctypes.c_long
        self._system_call.argtypes = [ctypes.c_long] * 7
        address, head, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
        failed = self._prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) != 0
        places = (ctypes.addressof(head), ctypes.addressof(size))
        if failed or self._system_call(get_robust_list, 0, *places, 0, 0, 0, 0) != 0 or not address.value:
            raise _refused("this kernel does not say what a copy of a process needs (PR_GET_TID_ADDRESS)")
        self._id_address, self._robust_list = address.value, (head.value or 0, size.value)
        library.getenv.restype = ctypes.c_void_p
        self._mark_address = library.getenv(_MARK.encode()) or 0
        self._mark_size = len(os.environ.get(_MARK, ""))
        self._server = os.getppid()

    def fork(self):
        """The copy's process id, 0 in the copy."""
        flags = _CLONE_PARENT | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID | signal.SIGCHLD
        arguments = [flags, 0, 0, 0, 0, 0]
        arguments[self._id_index] = self._id_address
        ctypes.pythonapi.PyOS_BeforeFork()
        made = self._system_call(self._clone, *arguments)
        if made == 0:
            self._system_call(self._set_robust_list, *self._robust_list, 0, 0, 0, 0)
            ctypes.pythonapi.PyOS_AfterFork_Child()
        else:
            ctypes.pythonapi.PyOS_AfterFork_Parent()
        if made < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return made

    def die_with_server(self):
        """In a copy: SIGKILL when the server's thread ends that has started the template."""
        if self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != self._server:
            os._exit(1)

    def set_mark(self, mark):
        """In a copy: replaces the mark in its environment as the kernel shows it, by which the server finds what a
        process has left behind: that of the template is not this one's."""
        if len(mark) != self._mark_size or not self._mark_address:
            raise ValueError(f"'{mark}' cannot take the place of the template's mark")
        ctypes.memmove(self._mark_address, mark.encode(), len(mark))
        os.environ[_MARK] = mark


def make_ready():
    """In a template that has loaded its model. CallError UNSUPPORTED says why it cannot be copied."""
    threads = _other_threads()
    if threads:
        raise _refused(
            f"the loaded model has {len(threads)} more thread{'s' if len(threads) > 1 else ''} "
            f"({', '.join(threads[:5])}), and threads do not survive a fork: start them in after_fork"
        )
    # What is collected later would write into the head of every object, and so unshare their pages.
    gc.collect()
    gc.freeze()


def _other_threads():
    """What the threads of this process but the first are called: as Python names them, else as the kernel does."""
    import threading

    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found = []
    for number in sorted(map(int, os.listdir("/proc/self/task"))):
        if number == os.getpid():
            continue
        name = names.get(number)
        if name is None:
            try:
                with open(f"/proc/self/task/{number}/comm", encoding="utf-8", errors="replace") as file:
                    name = file.read().strip()
            except OSError:  # it has ended
                continue
        found.append(f"'{name}'")
    return found


def settle(order, output):
    """In a copy: its processors, its environment and its threads as the server's order (the JSON of FORK) says; `output`
    takes the place of stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    if order.get("cpus"):
        os.sched_setaffinity(0, order["cpus"])
    os.environ.update(order.get("environment") or {})
    _set_name(order.get("name", ""))
    _reseed()
    _set_thread_count(os.environ.get("OMP_NUM_THREADS", ""))


def _set_name(name):
    with open("/proc/self/comm", "w", encoding="utf-8") as file:
        file.write(name[-15:] or "python")


def _reseed():
    """Copies would draw the same numbers."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.seed()


def _set_thread_count(text):
    """The libraries that are loaded have one thread each, as the template's environment said."""
    first = text.split(",")[0].strip()
    count = int(first) if first.isdigit() else 1
    if count <= 1:
        return
    torch = sys.modules.get("torch")
    # Another number is the model's own choice.
    if torch is not None and torch.get_num_threads() == 1:
        torch.set_num_threads(count)
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        paths = {line.split(maxsplit=5)[5].strip() for line in file if "openblas" in line}
    for path in paths:
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        except OSError:
            continue
        for setter in _OPENBLAS_SETTERS:
            if hasattr(library, setter):
                getattr(library, setter)(count)
                break
