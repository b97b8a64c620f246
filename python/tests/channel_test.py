"""Tests of packets: what a channel takes, what it refuses, and bodies in the data region."""

import os
import socket

import pytest

from headrace_worker import channel as channel_module
from headrace_worker import errors, region, wire


@pytest.fixture(name="ends")
def _ends():
    """(the server's socket, the worker's channel, the region)"""
    data = os.memfd_create("region")
    os.ftruncate(data, 1 << 20)
    memory = region.Region(data)
    os.close(data)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = channel_module.Channel(theirs.detach(), memory)
    with ours:
        yield ours, channel, memory
    channel.close()


def _packet(kind=wire.EXECUTE, body=b"", flags=0, magic=wire.MAGIC, size=None, offset=0):
    return wire.HEAD.pack(magic, kind, flags, len(body) if size is None else size, offset) + body


def test_a_packet_comes_as_it_was_sent(ends):
    server, channel, _ = ends
    server.send(_packet(wire.LOAD, b"{}", 1))
    kind, flags, body, offset = channel.receive()
    assert (kind, flags, bytes(body), offset) == (wire.LOAD, 1, b"{}", 0)


def test_the_longest_inline_body_passes(ends):
    server, channel, _ = ends
    server.send(_packet(body=b"x" * wire.INLINE_LIMIT))
    assert len(channel.receive()[2]) == wire.INLINE_LIMIT


def test_a_body_in_the_region_is_read_there(ends):
    server, channel, memory = ends
    memory.memory[8192:8196] = b"body"
    server.send(_packet(flags=wire.BODY_IN_REGION, size=4, offset=8192))
    _, _, body, offset = channel.receive()
    assert (bytes(body), offset) == (b"body", 8192)


def test_a_long_body_is_sent_through_the_region(ends):
    server, channel, memory = ends
    content = os.urandom(100_000)
    offset = channel.send(wire.EXECUTED, content, 1)
    magic, kind, flags, size, place = wire.HEAD.unpack(server.recv(200_000))
    assert (magic, kind, flags, size) == (wire.MAGIC, wire.EXECUTED, 1 | wire.BODY_IN_REGION, 100_000)
    assert place == offset >= memory.middle
    assert bytes(memory.memory[place : place + size]) == content


@pytest.mark.parametrize(
    "packet",
    [
        b"x",
        bytes(23),
        _packet(magic=1),
        _packet(body=b"abc", size=2),
        _packet(body=b"abc", size=4),
        _packet(size=1 << 63),
        _packet(offset=64),
        _packet(body=b"x" * (wire.INLINE_LIMIT + 1)),
        _packet(body=b"abc", flags=wire.BODY_IN_REGION, offset=8192),
        _packet(flags=wire.BODY_IN_REGION, size=4, offset=0),
        _packet(flags=wire.BODY_IN_REGION, size=4, offset=(1 << 19) - 2),
        _packet(flags=wire.BODY_IN_REGION, size=4, offset=(1 << 64) - 8),
        _packet(flags=wire.BODY_IN_REGION, size=(1 << 64) - 1, offset=8192),
    ],
)
def test_a_damaged_packet_is_refused(ends, packet):
    server, channel, _ = ends
    server.send(packet)
    with pytest.raises(errors.WireError):
        channel.receive()


def test_the_end_of_the_other_side_is_told(ends):
    server, channel, _ = ends
    server.close()
    with pytest.raises(errors.ChannelClosed):
        channel.receive()
    with pytest.raises(errors.ChannelClosed):
        channel.send(wire.HELLO)
