"""The processes of one worker with `parallelType`: what torchrun would start, below the process that the server started.

That process is rank 0 and the only one that the server knows. The others load the same handler and are given every batch
(but for parallelType pp), so that all of them meet in its collective operations; what they return is dropped. They live
and end as one: if one ends, rank 0 does, the others follow (rank_main.py), and the server starts the next worker.

What crosses the channel to a rank: the object of LOAD, then lists of rows, and _PING; from it: _LOADED or the text of what
kept it from loading, then one _PONG for each _PING, which is behind all rows before it.
"""

import os
import socket
import subprocess
import sys
import threading
from multiprocessing import connection

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rank_main.py")
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TORCH_NUM_THREADS",
)
_LOADED, _PING, _PONG = "loaded", "ping", "pong"
_DEATH = 71  # the exit status of rank 0 when another rank has ended
_BLAME_S = 1.0  # how long a failure of rank 0 waits for one of another rank, which then is the cause


def environment(rank, count, port, threads):
    """The variables that torchrun sets for `rank` of `count`; `threads`: of its libraries."""
    found = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": count,
        "LOCAL_WORLD_SIZE": count,
        "GROUP_RANK": 0,
        "GROUP_WORLD_SIZE": 1,
        "ROLE_NAME": "default",
        "ROLE_RANK": rank,
        "ROLE_WORLD_SIZE": count,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "TORCHELASTIC_RESTART_COUNT": 0,
        "TORCHELASTIC_MAX_RESTARTS": 0,
        "TORCHELASTIC_RUN_ID": "headrace",
        **dict.fromkeys(_THREAD_VARIABLES, threads),
    }
    return {name: str(value) for name, value in found.items()}


def visible_gpus(first, count, listed, inherited):
    """CUDA_VISIBLE_DEVICES of a worker with `count` GPUs from number `first` on: the neighbours in `listed` (deviceIds) if
    it is there. `inherited`: the list that the numbers count in, "" for all."""
    if listed and first in listed:
        at = listed.index(first)
        numbers = listed[at : at + count]
    else:
        numbers = range(first, first + count)
    names = [name.strip() for name in inherited.split(",")] if inherited else []
    return ",".join(names[number] if number < len(names) else str(number) for number in numbers)


def _free_port():
    """One that nobody listens on, for the rendezvous of the ranks. Should somebody take it before they do, the worker
    fails, and the next one has another."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]
    except OSError as error:
        raise OSError(
            "the processes of a worker with parallelType meet on loopback, and this worker has no network "
            f"(--backend-config=handler,network=on): {error}"
        ) from error


class Ranks:
    """Ranks 1 to count - 1, seen from rank 0. The constructor starts them and puts rank 0 into the group's environment.

    Each has a thread that hears what it says and sees its end. The end of a rank ends this process from there, whatever
    its main thread waits for.
    """

    def __init__(self, load, folder):
        count, threads, port = folder.rank_count, folder.rank_thread_count, _free_port()
        # Of a pipeline rank 0 alone is given batches: it calls the others itself.
        self._all_predict = folder.settings.get("parallelType") != "pp"
        self._count = count
        self._changed = threading.Condition()
        self._loading = set(range(1, count))
        self._pong_count = {rank: 0 for rank in self._loading}
        self._ping_count = 0
        self._closing = False
        self._channels = []
        os.environ.update(environment(0, count, port, threads))
        for rank in range(1, count):
            self._start(rank, load, {**os.environ, **environment(rank, count, port, threads)})
        self._tell_loading()

    def _start(self, rank, load, variables):
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, _PROGRAM, str(theirs.fileno()), str(os.getpid())],
                env=variables,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        channel = connection.Connection(ours.detach())
        self._channels.append(channel)
        threading.Thread(
            target=self._follow, args=(rank, process, channel), name=f"headrace-rank-{rank}", daemon=True
        ).start()
        self._send(channel, load)

    def _tell_loading(self):
        """For the server: should this worker not be ready in time, this is what it has said last."""
        ranks = ", ".join(str(rank) for rank in sorted(self._loading)) or "none"
        print(f"of {self._count} ranks these have not loaded the handler yet, beside rank 0: {ranks}", flush=True)

    def _follow(self, rank, process, channel):
        said = ""
        try:
            while True:
                said = channel.recv()
                with self._changed:
                    if said == _LOADED:
                        self._loading.discard(rank)
                        self._tell_loading()
                    elif said == _PONG:
                        self._pong_count[rank] += 1
                    self._changed.notify_all()
        except (EOFError, OSError):
            pass
        status = process.wait()
        if self._closing:
            return
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        why = "" if said in ("", _LOADED, _PONG) else f" ({said})"
        print(
            f"rank {rank} of {self._count} (process {process.pid}) has ended with {how}{why}: the worker ends with it",
            flush=True,
        )
        os._exit(_DEATH)

    @staticmethod
    def _send(channel, message):
        try:
            channel.send(message)
        except OSError:
            threading.Event().wait()  # the rank's end is on its way to _follow, and this process's with it

    def wait_loaded(self):
        """Waits until all have loaded the handler."""
        with self._changed:
            self._changed.wait_for(lambda: not self._loading)

    def blame_the_dead(self):
        """Rank 0 has failed to load: gives the end of another rank, which may be why, the time to be seen first."""
        with self._changed:
            self._changed.wait_for(lambda: False, _BLAME_S)

    def send(self, taken):
        """Gives a batch of rows to all; before rank 0 begins with it."""
        if not self._all_predict:
            return
        rows = [(row.content, row.headers, row.request_id) for row in taken]
        for channel in self._channels:
            self._send(channel, rows)

    def wait_in_step(self):
        """The handler has failed on rank 0: waits until the others are through with that batch too, so that the next one
        does not find them in a collective operation of this one. If one has died, this process does so here; if one does
        not come back, the server's time limit ends them all."""
        self._ping_count += 1
        for channel in self._channels:
            self._send(channel, _PING)
        with self._changed:
            self._changed.wait_for(lambda: all(count >= self._ping_count for count in self._pong_count.values()))

    def close(self):
        """Lets the others end."""
        self._closing = True
        for channel in self._channels:
            # Its thread reads from it: the descriptor stays, the connection ends.
            with socket.socket(fileno=os.dup(channel.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)


def serve(channel, make):
    """The loop of another rank. `make(load)` loads the handler and returns a function of rows; `channel` ends with rank 0."""
    try:
        load = channel.recv()
        try:
            predict = make(load)
        except BaseException as error:
            channel.send(f"{type(error).__name__}: {error}")
            raise
        channel.send(_LOADED)
        while True:
            rows = channel.recv()
            if rows == _PING:
                channel.send(_PONG)
            else:
                predict(rows)
    except (EOFError, ConnectionError):
        return
