"""The side channel: what goes to the server and comes from it beside the calls.

Any thread sends; one thread, started when it is first needed, receives: it frees blocks, hands replies to who waits for
them, and answers readiness.
"""

import collections
import itertools
import threading

from headrace_worker import errors, wire


class _Waiter:
    """One question whose reply somebody waits for."""

    __slots__ = ("event", "reply")

    def __init__(self):
        self.event = threading.Event()
        self.reply = None


class SideChannel:
    """Sends and receives beside the calls. Thread-safe, and safe to use from a destructor or a weak reference's callback:
    what those have to say is queued and sent by whoever holds the lock."""

    def __init__(self, channel, region):
        self._channel = channel
        self._region = region
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._unused = collections.deque()  # offsets of the server's blocks
        self._dropped = collections.deque()  # keys of requests
        self._later = collections.deque()  # (type, body)
        self._waiting = {}  # id -> _Waiter
        self._calls = {}  # key -> function of (flags, tensors, extras), or of None when the channel has closed
        self._reader = None
        self._start_lock = threading.Lock()
        self._closed = False
        self._checking = threading.Lock()
        # The model's own check, or None when it has none. Runs on a thread of its own: it may take its time.
        self.is_ready = None

    # What is sent

    def send(self, kind, body=b""):
        """Sends one message; waits while the server reads slowly."""
        with self._lock:
            if self._closed:
                raise errors.ChannelClosed("the worker is ending")
            self._channel.send(kind, body)
        if self._unused or self._dropped or self._later:
            self._flush()

    def release(self, offset):
        """Tells the server that a block of its half is unused. Never waits for another thread."""
        self._unused.append(offset)
        self._flush()

    def drop(self, key):
        """Tells the server that nobody will answer this request. Never waits for another thread."""
        self._dropped.append(key)
        self._flush()

    def tell_later(self, kind, value):
        """A JSON message that has no reply. Never waits for another thread."""
        self._later.append((kind, wire.pack_json(value)))
        self._flush()

    def _flush(self):
        """Sends what is queued, unless another thread sends: that one looks at the queues after its own message."""
        while (self._unused or self._dropped or self._later) and not self._closed:
            if not self._lock.acquire(blocking=False):
                return
            try:
                self._send_queued(wire.RELEASE, self._unused)
                self._send_queued(wire.DROPPED, self._dropped)
                while self._later:
                    self._channel.send(*self._later.popleft())
            except errors.ChannelClosed:
                return
            finally:
                self._lock.release()

    def _send_queued(self, kind, queue):
        while queue:
            numbers = []
            while queue and len(numbers) < 4096:
                numbers.append(queue.popleft())
            self._channel.send(kind, wire.pack_numbers(numbers))

    def place(self, size):
        """Room in the worker's half for a tensor that this channel names: its offset. Waits for room; the server frees it
        by RELEASE."""
        self.start()
        return self._region.arena.allocate(size, wait=True)

    def write(self, data):
        """Copies the bytes of a tensor into a block of their own; returns (offset, size), (0, 0) for none."""
        return self.write_block(data) if len(data) else (0, 0)

    def write_block(self, data):
        """The same, with a block even for no bytes: what is no tensor is always released."""
        data = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        size = len(data)
        offset = self.place(size)
        self._region.memory[offset : offset + size] = data
        return offset, size

    def respond(self, key, tensors=(), extras=b"", flags=0):
        """Sends a response of a request; `tensors` are of wire.pack_tensor over blocks of `place` or `write`."""
        self.send(wire.RESPONSE, wire.pack_responses([wire.pack_response(key, flags, tensors, extras)]))

    def respond_error(self, key, code, message):
        """Ends a request with an error."""
        self.send(wire.RESPONSE, wire.pack_responses([wire.pack_error(key, code, message)]))

    def log(self, level, message, file="", line=0):
        """One line of the server's log; level is INFO, WARNING, ERROR or VERBOSE."""
        text = errors.capped(message)
        self.send(wire.LOG, wire.pack_json({"level": level, "message": text, "file": file, "line": line}))

    def next_number(self):
        """A number that this worker has not used for a call, a metric or a question yet."""
        return next(self._numbers)

    def tell(self, kind, value):
        """Sends a JSON message that has no reply."""
        self.send(kind, wire.pack_json(value))

    def ask(self, kind, value, name="id"):
        """Sends a JSON question, with its number as member `name`, and waits for its reply's value; CallError when the
        server refuses."""
        number = self.next_number()
        waiter = _Waiter()
        self._waiting[number] = waiter
        self.start()
        try:
            self.send(kind, wire.pack_json({**value, name: number}))
            waiter.event.wait()
        finally:
            self._waiting.pop(number, None)
        reply = waiter.reply
        if reply is None:
            raise errors.ChannelClosed("the worker is ending")
        if reply.get("error"):
            error = reply["error"]
            raise errors.CallError(error.get("code", "INTERNAL"), error.get("message", ""))
        return reply.get("value")

    def sync(self):
        """Waits until the server has done all that was sent before."""
        self.ask(wire.CONTROL, {"op": "sync"})

    def call(self, key, body, answered):
        """Sends a CALL; `answered(flags, tensors, extras)` is called on this channel's thread for each response, and with
        None, (), {} if the channel closes before the final one."""
        self._calls[key] = answered
        self.start()
        try:
            self.send(wire.CALL, body)
        except BaseException:
            self._calls.pop(key, None)
            raise

    def cancel_call(self, key):
        """Asks the server to cancel a call; its responses still come."""
        if key in self._calls:
            self.send(wire.CALL_CANCEL, wire.pack_key(key))

    # What is received

    def start(self):
        """Starts the thread that receives, if it does not run."""
        if self._reader is None:
            with self._start_lock:
                if self._reader is None:
                    self._reader = threading.Thread(target=self._read, name="headrace-side", daemon=True)
                    self._reader.start()

    def _read(self):
        try:
            while True:
                kind, _, body, offset = self._channel.receive()
                self._handle(kind, body)
                if offset:
                    self.release(offset)
        except errors.ChannelClosed:
            pass
        except errors.WireError as error:
            print(f"headrace worker: side channel: {error}", flush=True)
        finally:
            self.close()

    def _handle(self, kind, body):
        if kind == wire.RELEASE:
            for offset in wire.parse_offsets(body):
                if not self._region.arena.release(offset):
                    raise errors.WireError(f"a RELEASE names {offset}, where no block is")
        elif kind == wire.CALL_RESPONSE:
            key, flags, tensors, extras = wire.parse_call_response(body, self._region.middle)
            answered = self._calls.pop(key, None) if flags & wire.FINAL else self._calls.get(key)
            if answered is None:
                raise errors.WireError(f"a CALL_RESPONSE has the key {key}, which no call has")
            answered(flags, tensors, extras)
        elif kind == wire.REPLY:
            reply = wire.parse_json(body)
            waiter = self._waiting.get(reply.get("id"))
            if waiter is not None:
                waiter.reply = reply
                waiter.event.set()
        elif kind == wire.IS_READY:
            self._answer_readiness(wire.parse_json(body).get("id"))
        else:
            raise errors.WireError(f"a packet of type {kind} came on the side channel")

    def _answer_readiness(self, number):
        if self.is_ready is None:
            self.tell(wire.READINESS, {"id": number, "ready": True})
        elif not self._checking.acquire(blocking=False):
            error = errors.as_object("UNAVAILABLE", "the model's is_ready has not returned since the last time")
            self.tell(wire.READINESS, {"id": number, "ready": False, "error": error})
        else:
            threading.Thread(target=self._check, args=(number,), name="headrace-ready", daemon=True).start()

    def _check(self, number):
        answer = {"id": number}
        try:
            answer["ready"] = bool(self.is_ready())
        except BaseException as error:
            answer.update(ready=False, error=errors.as_object("INTERNAL", errors.describe(error)))
        finally:
            self._checking.release()
        try:
            self.tell(wire.READINESS, answer)
        except errors.ChannelClosed:
            pass

    def close(self):
        """Nothing is sent or received any more; who waits is told so."""
        self._closed = True
        self._region.arena.close()
        for waiter in list(self._waiting.values()):
            waiter.event.set()
        calls, self._calls = self._calls, {}
        for answered in calls.values():
            answered(None, (), {})

    def attach(self, channel):
        """In a copy of a template: begins anew over a channel of its own."""
        self._channel.close()
        self.__init__(channel, self._region)

    def forget(self):
        """In a forked child: the channel belongs to the parent."""
        self._closed = True
        self._channel.close()
