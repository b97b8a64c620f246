"""One EXECUTE: its requests, the memory that they lie in, and the responses that go back with EXECUTED."""

from headrace_worker import errors, wire


class CallSpace:
    """Room in the worker's half for what an EXECUTED names: one chunk that is kept from call to call and grows.

    A later packet on the call channel frees it, so that a call takes its room by an addition.
    """

    _FIRST = 1 << 20
    # The first chunk takes no more of all room than this part.
    _PART = 8
    # A chunk up to this size is kept; what is larger is freed again after its call.
    _KEPT = 64 << 20

    def __init__(self, arena):
        self._arena = arena
        self._chunk = None
        self._chunk_end = 0
        self._next = 0
        self._others = []

    def reset(self):
        """The server has read all that was placed."""
        self._next = self._chunk if self._chunk is not None else 0
        if self._others:
            for offset in self._others:
                self._arena.release(offset)
            self._others.clear()

    def place(self, size):
        """The offset of `size` bytes that hold until the next call; RegionFull when there is no room."""
        offset = self._next
        following = offset + ((size + 63) & -64)
        if following <= self._chunk_end:
            self._next = following
            return offset
        return self._grow(size)

    def keep(self, offset):
        """Frees a block of the arena together with what this call has placed."""
        self._others.append(offset)

    def _grow(self, size):
        """A new, larger chunk; the old one is freed after the call."""
        larger = max(min(self._FIRST, self._arena.size // self._PART), 2 * (self._chunk_end - (self._chunk or 0)), 2 * size)
        if larger <= self._KEPT:
            try:
                offset = self._arena.allocate(larger)
            except errors.RegionFull:
                offset = None
            if offset is not None:
                if self._chunk is not None:
                    self._others.append(self._chunk)
                self._chunk, self._chunk_end = offset, offset + larger
                self._next = offset + ((size + 63) & -64)
                return offset
        offset = self._arena.allocate(size)
        self._others.append(offset)
        return offset


class Batch:
    """The requests of one EXECUTE and their answers. Used by the main thread until `execute` returns.

    requests: [wire.Request]. The bytes of their tensors are read by `read` (to be copied before `execute` returns) or as
    views of `block()`, which may live on.
    """

    __slots__ = ("requests", "offset", "size", "responses", "kept", "exit_status", "_region", "_space", "_block")

    def __init__(self, requests, offset, size, region, space):
        self.requests = requests
        self.offset = offset
        self.size = size
        self.responses = []
        self._region = region
        self._space = space
        self._block = None
        # What must live until EXECUTED has been sent.
        self.kept = []
        # The status that the process ends with after EXECUTED; None: it goes on.
        self.exit_status = None

    def block(self):
        """The block of this EXECUTE as a numpy array of bytes; `offset` is its place in the region."""
        if self._block is None:
            self._block = self._region.array(self.offset, self.size)
        return self._block

    def let_go_of_block(self):
        """The array of `block()`, or None; from now on only the model's views keep it."""
        block, self._block = self._block, None
        return block

    def read(self, offset, size):
        """The bytes of a tensor as a view, valid until `execute` returns."""
        return self._region.memory[offset : offset + size]

    def place(self, size):
        """Room for `size` bytes of an output; returns its offset in the region, to be written before `execute` returns."""
        return self._space.place(size)

    def write(self, data):
        """Copies bytes into the region; returns (offset, size)."""
        data = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        size = len(data)
        offset = self._space.place(size)
        self._region.memory[offset : offset + size] = data
        return offset, size

    def respond(self, key, tensors=(), extras=b"", flags=wire.FINAL):
        """Answers a request; `tensors` are of wire.pack_tensor, `extras` JSON text."""
        self.responses.append(wire.pack_response(key, flags, tensors, extras))

    def respond_error(self, key, code, message):
        """Answers a request with an error of `errors.CODES`; its text is capped."""
        self.responses.append(wire.pack_error(key, code, message))

    def fail(self, code, message):
        """Answers all requests with one error, whatever was answered before."""
        self.responses = [wire.pack_error(request.key, code, message) for request in self.requests]
