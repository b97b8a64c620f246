"""Splits a batch, so that its parts are preprocessed, run and postprocessed at the same time."""

import queue
import threading

STAGES = ("preprocess", "inference", "postprocess")
_END = object()


class _Job:
    """One batch on its way through the stages."""

    def __init__(self, count):
        self.results = [None] * count
        self.left = count
        self.failure = None
        self.done = threading.Event()
        self.lock = threading.Lock()

    def finish(self, index, result):
        with self.lock:
            self.results[index] = result
            self.left -= 1
            if self.left == 0:
                self.done.set()

    def fail(self, error):
        with self.lock:
            self.failure = self.failure or error
        self.done.set()


class MicroBatching:
    """A handler replaces its `handle` with one of these:

        self.handle = MicroBatching(self, micro_batch_size=4, parallelism={"preprocess": 2})

    Every stage has threads of its own (`parallelism`, one unless said otherwise; it may be set again at any time) and
    a queue before it. A failure in a stage fails the batch with the stage's own exception."""

    def __init__(self, parent_handler, micro_batch_size=1, parallelism=None):
        if micro_batch_size < 1:
            raise ValueError("micro_batch_size must be at least 1")
        self.handler = parent_handler
        self.micro_batch_size = micro_batch_size
        self._queues = {stage: queue.Queue() for stage in STAGES}
        self._threads = {stage: [] for stage in STAGES}
        self._local = threading.local()
        self._parallelism = {}
        self.parallelism = parallelism or {}

    @property
    def parallelism(self):
        return dict(self._parallelism)

    @parallelism.setter
    def parallelism(self, value):
        unknown = set(value) - set(STAGES)
        if unknown:
            raise ValueError(f"parallelism: {', '.join(sorted(unknown))} is no stage; there are {', '.join(STAGES)}")
        wanted = {stage: int(value.get(stage, 1)) for stage in STAGES}
        for stage, count in wanted.items():
            if count < 1:
                raise ValueError(f"parallelism: {stage} needs at least one thread")
        for stage, count in wanted.items():
            threads = self._threads[stage] = [thread for thread in self._threads[stage] if thread.is_alive()]
            for _ in range(len(threads), count):
                thread = threading.Thread(target=self._run, args=(stage,), name=f"micro-batch {stage}", daemon=True)
                threads.append(thread)
                thread.start()
            for _ in range(count, self._parallelism.get(stage, count)):
                self._queues[stage].put(_END)  # whoever takes it ends
        self._parallelism = wanted

    def get_micro_batch_idx(self):
        """Within a stage: the number of the part that it works on."""
        return getattr(self._local, "index", None)

    def shutdown(self):
        """Ends the threads; what waits before them is finished first."""
        for stage in STAGES:
            for _ in range(self._parallelism.get(stage, 0)):
                self._queues[stage].put(_END)
            for thread in self._threads[stage]:
                thread.join()
            self._threads[stage] = []
        self._parallelism = {}

    def __call__(self, data, context):
        self.handler.context = context
        header = context.get_request_header
        if header(0, "describe") == "True":
            return [self.handler.describe_handle()]
        if header(0, "explain") == "True":
            return self.handler.explain_handle(self.handler.preprocess(data), data)
        return self.handle(data)

    def handle(self, data):
        size = self.micro_batch_size
        parts = [data[start : start + size] for start in range(0, len(data), size)]
        if not parts:
            return []
        job = _Job(len(parts))
        for index, part in enumerate(parts):
            self._queues["preprocess"].put((job, index, part))
        job.done.wait()
        if job.failure is not None:
            raise job.failure
        return [answer for part in job.results for answer in part]

    def _run(self, stage):
        following = dict(zip(STAGES, STAGES[1:])).get(stage)
        waiting = self._queues[stage]
        while (item := waiting.get()) is not _END:
            job, index, value = item
            if job.failure is not None:
                continue
            self._local.index = index
            try:
                value = getattr(self.handler, stage)(value)
            except BaseException as error:  # whatever it is belongs to the batch, and the thread goes on
                job.fail(error)
                continue
            if following is None:
                job.finish(index, value)
            else:
                self._queues[following].put((job, index, value))
