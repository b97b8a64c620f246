"""The data region: the shared memory that tensors cross in.

One memory file, mapped whole. [0, 4096) holds a byte per cancellable request, [4096, middle) is written by the server,
[middle, end) by the worker: first the number of EXECUTEs that it has begun, from middle + 64 on its blocks. A block of the server is given back when nothing here refers to it any more; the numpy arrays
of this module say when.
"""

import mmap
import os
import weakref

from headrace_worker import arena as arena_module
from headrace_worker import errors

SLOTS = 4096


class Region:
    """The mapping, and the blocks of both halves. Lives as long as the process: views may outlast everything else."""

    def __init__(self, descriptor):
        self._numpy = None
        self.map = None
        self.attach(descriptor)

    def attach(self, descriptor):
        """Maps it; in a copy of a template, in place of the template's."""
        if self.map is not None:
            self.begun.release()
            self.memory.release()
            self.map.close()
            os.close(self._descriptor)
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        if self.size < 3 * SLOTS:
            raise errors.WireError(f"the data region has {self.size} bytes")
        self.map = mmap.mmap(descriptor, self.size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.memory = memoryview(self.map)
        self.middle = self.size // 2
        begin = arena_module.aligned(self.middle + arena_module.ALIGNMENT)
        self.arena = arena_module.Arena(begin, self.size & -arena_module.ALIGNMENT)
        # begun[0]: how many EXECUTEs have been begun.
        self.begun = self.memory[self.middle : self.middle + 8].cast("Q")
        self._watched = {}  # offset -> weak reference to the array over the block there

    def check(self, data):
        """Compares with what LOAD says of the region: {"size", "middle"}."""
        if data and (data.get("size", self.size), data.get("middle", self.middle)) != (self.size, self.middle):
            raise errors.WireError(f"the data region has {self.size} bytes and not those of LOAD: {data}")

    def cancelled(self, slot):
        """Whether the server has cancelled the request of this slot (0xFFFFFFFF: it cannot)."""
        return slot < SLOTS and self.map[slot] != 0

    def body(self, offset, size):
        """The bytes of a message that the server has put into its half."""
        if size > self.middle or not SLOTS <= offset <= self.middle - size:
            raise errors.WireError(f"a body of {size} bytes at {offset} lies outside of the server's half")
        return self.memory[offset : offset + size]

    def array(self, offset, size):
        """A block of the server as a numpy array of bytes. Its views keep it alive, so its end is the end of all use.

        Its base must be the mapping and not an array: numpy would let a view refer to that and not to the block.
        """
        if self._numpy is None:
            import numpy

            self._numpy = numpy
        return self._numpy.ndarray((size,), "u1", self.map, offset)

    def watch(self, array, offset, unused):
        """Calls `unused(offset)` once when `array` (of `array()`) has gone, on whatever thread lets it go."""

        def gone(_):
            if self._watched.pop(offset, None) is not None:
                unused(offset)

        self._watched[offset] = weakref.ref(array, gone)
