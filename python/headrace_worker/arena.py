"""Which bytes of the worker's half of the data region are free."""

import bisect
import threading

from headrace_worker import errors

ALIGNMENT = 64


def aligned(size):
    """`size` rounded up to whole blocks."""
    return (size + ALIGNMENT - 1) & -ALIGNMENT


class Arena:
    """Blocks within [begin, end): first fit over a sorted list of free spans, which grow together again. Thread-safe.

    Cost: a few microseconds; what answers an EXECUTE takes a chunk that is kept instead (`batch.CallSpace`).
    """

    def __init__(self, begin, end):
        self._begin = begin
        self._end = end
        self._spans = [(begin, end)]  # sorted, apart from each other
        self._used = {}  # offset -> size
        self._changed = threading.Condition(threading.Lock())
        self._closed = False

    @property
    def size(self):
        """Bytes in use or free."""
        return self._end - self._begin

    def allocate(self, size, wait=False):
        """The offset of a block of `size` bytes. Without room: waits for `release` if asked to and if it could ever fit,
        else raises RegionFull."""
        size = max(aligned(size), ALIGNMENT)
        if size > self._end - self._begin:
            raise errors.RegionFull(
                f"a tensor of {size} bytes does not fit into the {self._end - self._begin} bytes that a worker may use; "
                "set a larger data-byte-size for the backend"
            )
        with self._changed:
            while True:
                offset = self._take(size)
                if offset is not None:
                    return offset
                if not wait:
                    raise errors.RegionFull(
                        f"no {size} bytes are free in the {self._end - self._begin} bytes that a worker may use; "
                        "set a larger data-byte-size for the backend"
                    )
                if self._closed:
                    raise errors.ChannelClosed("the worker is ending")
                self._changed.wait()

    def _take(self, size):
        for i, (begin, end) in enumerate(self._spans):
            if end - begin >= size:
                if end - begin == size:
                    del self._spans[i]
                else:
                    self._spans[i] = (begin + size, end)
                self._used[begin] = size
                return begin
        return None

    def release(self, offset):
        """Frees a block; False when none of that offset is in use."""
        with self._changed:
            size = self._used.pop(offset, None)
            if size is None:
                return False
            begin, end = offset, offset + size
            i = bisect.bisect_left(self._spans, (begin, end))
            if i < len(self._spans) and self._spans[i][0] == end:
                end = self._spans.pop(i)[1]
            if i and self._spans[i - 1][1] == begin:
                i -= 1
                begin = self._spans.pop(i)[0]
            self._spans.insert(i, (begin, end))
            self._changed.notify_all()
            return True

    def close(self):
        """Nobody will release any more: who waits gets ChannelClosed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def used(self):
        """Bytes in use."""
        with self._changed:
            return sum(self._used.values())
