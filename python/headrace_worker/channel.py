"""Packets over one socket of the worker: a head, and a body that follows it or lies in the data region."""

import array
import socket

from headrace_worker import errors, wire

_INT = array.array("i")


class Channel:
    """One end of a SOCK_SEQPACKET pair. One thread may receive, one at a time may send."""

    def __init__(self, descriptor, region):
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._region = region
        # One byte more than a packet may have, so that one that is too long is seen.
        self._buffer = bytearray(wire.HEAD.size + wire.INLINE_LIMIT + 1)
        self._view = memoryview(self._buffer)
        self._receive = self._socket.recv_into
        self._send = self._socket.send

    def receive(self):
        """(type, flags, body, offset); waits. The body is a view that holds until the next packet; offset is its place in
        the region, 0 when it came in the packet."""
        try:
            size = self._receive(self._buffer)
        except OSError as error:
            raise errors.ChannelClosed(str(error)) from None
        return self._parsed(size)

    def _parsed(self, size):
        if not size:
            raise errors.ChannelClosed("the server has closed the channel")
        if size < wire.HEAD.size:
            raise errors.WireError(f"a packet has {size} bytes")
        magic, kind, flags, body_size, offset = wire.HEAD.unpack_from(self._buffer)
        if magic != wire.MAGIC:
            raise errors.WireError(f"a packet begins with {magic:#x}")
        if flags & wire.BODY_IN_REGION:
            if size != wire.HEAD.size or body_size > wire.BODY_LIMIT:
                raise errors.WireError(f"a packet of {size} bytes names a body of {body_size} bytes")
            return kind, flags, self._region.body(offset, body_size), offset
        if size != wire.HEAD.size + body_size or body_size > wire.INLINE_LIMIT or offset:
            raise errors.WireError(f"a packet of {size} bytes says that its body has {body_size}")
        return kind, flags, self._view[wire.HEAD.size : size], 0

    def receive_with_descriptors(self, count):
        """(type, body, descriptors): a packet without a body in the region, and up to `count` descriptors that came with
        it, not inheritable."""
        room = socket.CMSG_SPACE(count * _INT.itemsize)
        try:
            size, ancillary, _, _ = self._socket.recvmsg_into([self._buffer], room, socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            raise errors.ChannelClosed(str(error)) from None
        descriptors = array.array(_INT.typecode)
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[: len(data) - len(data) % _INT.itemsize])
        kind, _, body, _ = self._parsed(size)
        return kind, body, descriptors.tolist()

    def send(self, kind, body=b"", flags=0):
        """Sends one packet; waits while the server reads slowly. A body above the inline limit goes through the region:
        returns its offset there, to be released when the server no more needs it, else 0."""
        size = len(body)
        offset = 0
        if size > wire.INLINE_LIMIT:
            if size > wire.BODY_LIMIT:
                raise ValueError(f"a message of {size} bytes is longer than {wire.BODY_LIMIT}")
            offset = self._region.arena.allocate(size, wait=True)
            self._region.memory[offset : offset + size] = body
            packet = wire.HEAD.pack(wire.MAGIC, kind, flags | wire.BODY_IN_REGION, size, offset)
        else:
            packet = wire.HEAD.pack(wire.MAGIC, kind, flags, size, 0) + body
        try:
            self._send(packet)
        except OSError as error:
            raise errors.ChannelClosed(str(error)) from None
        return offset

    def stop_receiving(self):
        """From now on the other side cannot send."""
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def close(self):
        self._socket.close()
