"""The program of ranks 1 and up of a worker (ranks.py): `<interpreter> rank_main.py DESCRIPTOR PARENT`."""

import ctypes
import logging
import os
import signal
import sys
from multiprocessing import connection

logger = logging.getLogger("headrace.rank")
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def _make(load):
    """Loads the handler of LOAD; returns what takes a batch."""
    from headrace_worker.handler_contract import archive, entry, metrics
    from ts.context import RequestProcessor
    from ts.metrics.metrics_store import MetricsStore

    folder = archive.ModelFolder(load)
    archive.keep_compiled_code()
    sys.path.insert(0, folder.directory)
    os.chdir(folder.directory)
    store = MetricsStore({}, folder.name)  # metrics are rank 0's
    store.declare((load.get("handler") or {}).get("metrics", metrics.DECLARED))
    context = folder.context(store)
    function, _ = entry.load_entry(folder.handler, folder.directory, context)
    handle = entry.wrap(function, folder.envelope)

    def predict(rows):
        context.request_ids = {index: request_id for index, (_, _, request_id) in enumerate(rows)}
        context.request_processor = [RequestProcessor(headers) for _, headers, _ in rows]
        context.metrics.request_ids = context.request_ids
        try:
            handle([content for content, _, _ in rows], context)
        except Exception as error:
            # Rank 0 has failed as well, or goes on without what this one would have dropped, or waits until the server
            # ends them all.
            logger.error("the handler has failed: %s", error, exc_info=error)

    return predict


def _main():
    # Whatever it is doing, it goes when rank 0 does.
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):
        return
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format=f"rank {os.environ['RANK']}: %(levelname)s %(message)s")
    from headrace_worker.handler_contract import ranks

    channel = connection.Connection(int(sys.argv[1]))
    os.set_inheritable(channel.fileno(), False)
    ranks.serve(channel, _make)


if __name__ == "__main__":
    _main()
