"""A worker that keeps or breaks the rules, as the model's name says: once. The next one of the model keeps them.

Answers each request with its first input as output 0.
"""

import fcntl
import json
import mmap
import os
import pathlib
import select
import socket
import struct
import termios
import time

_MAGIC = 0x31575248
_HELLO, _LOAD, _LOADED, _EXECUTE, _EXECUTED, _COMPLETE, _CONFIG, _FINALIZE, _FINALIZED = range(1, 10)
_PREPARE, _PREPARED, _FORK, _FORKED = range(10, 14)
_RESPONSE, _RELEASE, _DROPPED, _LOG = 16, 17, 18, 19

call = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=3)
side = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=4)


def send(channel, kind, body=b"", flags=0):
    channel.send(struct.pack("<IHHQQ", _MAGIC, kind, flags, len(body), 0) + body)


def receive():
    packet = call.recv(1 << 17)
    if not packet:
        os._exit(0)
    _, kind, flags, size, offset = struct.unpack_from("<IHHQQ", packet)
    if flags & 0x8000:
        with mmap.mmap(5, 0, access=mmap.ACCESS_READ) as region:
            return kind, region[offset : offset + size]
    return kind, packet[24:]


def requests(body):
    """(key, first tensor's offset, size, dtype, dims) of each."""
    count, _, _, _ = struct.unpack_from("<IIQQ", body)
    at, found = 24, []
    for _ in range(count):
        key, _, _, _, _, tensors, extras = struct.unpack_from("<QQQIIII", body, at)
        at += 40
        first = None
        for _ in range(tensors):
            offset, size, name, dtype, rank, name_size, _ = struct.unpack_from("<QQHBBHH", body, at)
            dims = struct.unpack_from(f"<{rank}q", body, at + 24)
            at += 24 + 8 * rank + (name_size + 7) // 8 * 8
            first = first or (offset, size, dtype, dims)
        at += (extras + 7) // 8 * 8
        found.append((key, *first))
    return found


def response(key, offset, size, dtype, dims, final=1):
    tensor = struct.pack("<QQHBBHH", offset, size, 0, dtype, len(dims), 0, 0) + struct.pack(f"<{len(dims)}q", *dims)
    return struct.pack("<QIIII", key, final, 1, 0, 0) + tensor


def executed(responses, flags=1):
    send(call, _EXECUTED, struct.pack("<II", len(responses), 0) + b"".join(responses), flags)


def unread():
    """Bytes of packets that wait on the call channel."""
    size = bytearray(4)
    fcntl.ioctl(call, termios.FIONREAD, size)
    return int.from_bytes(size, "little")


def await_packet():
    select.select([call], [], [])


def await_two_packets():
    """Until more waits than the first packet, which stays unread."""
    first = len(call.recv(1 << 17, socket.MSG_PEEK))
    while unread() <= first:
        time.sleep(0.001)


def await_cancellation():
    with mmap.mmap(5, 0, access=mmap.ACCESS_READ) as region:
        while not any(region[:4096]):
            time.sleep(0.001)


def begin(count):
    """Says how many EXECUTEs have begun."""
    with mmap.mmap(5, 0) as region:
        struct.pack_into("<Q", region, len(region) // 2, count)


def counted(key):
    """A response whose output says how many packets wait; the bytes lie in this worker's half."""
    text = b"some" if unread() else b"none"
    with mmap.mmap(5, 0) as region:
        offset = len(region) // 2 + 64
        region[offset : offset + len(text)] = text
    return response(key, offset, len(text), 8, (1,))


def misbehave_beside_another(mode, right):
    """The same, of modes that want a second packet on its way."""
    if mode == "waits_for_another_exits":
        await_packet()
        os._exit(3)
    elif mode == "waits_for_another_hangs":
        await_packet()
        time.sleep(1000)
    elif mode == "answers_exits_with_another":
        await_packet()
        executed(right)
        os._exit(3)
    elif mode == "stops_receiving_with_another":
        await_packet()
        call.shutdown(socket.SHUT_RD)
        executed(right)
        os._exit(3)
    elif mode == "answers_the_one_behind":
        await_packet()
        _, behind = receive()
        executed([response(*requests(behind)[0])])
        time.sleep(1000)
    elif mode == "waits_for_another":
        await_packet()
        executed(right)
    elif mode == "waits_for_a_cancellation":
        await_cancellation()
        executed(right)
    else:
        return False
    return True


def misbehave(mode, asked):
    """True if the execution is answered by that."""
    key, offset, size, dtype, dims = asked[0]
    right = [response(*request) for request in asked]
    if misbehave_beside_another(mode, right):
        return True
    if mode == "foreign_key":
        executed([response(key + 4096, offset, size, dtype, dims)])
    elif mode == "twice":
        executed([right[0], right[0]])
    elif mode == "outside":
        executed([response(key, 1 << 40, size, dtype, dims)])
    elif mode == "cancel_bytes":
        executed([response(key, 0, size, dtype, dims)])
    elif mode == "wrong_size":
        executed([response(key, offset, size + 4, dtype, dims)])
    elif mode == "garbage":
        call.send(b"garbage")
    elif mode == "empty":
        call.send(struct.pack("<IHHQQ", _MAGIC, _EXECUTED, 0, 4, 0))
    elif mode == "body_outside":
        call.send(struct.pack("<IHHQQ", _MAGIC, _EXECUTED, 0x8000, 64, 0))
    elif mode == "out_of_turn":
        send(call, _FINALIZED, b"{}")
    elif mode == "two_answers":
        executed(right)
        executed(right)
    elif mode == "exit":
        os._exit(3)
    elif mode == "hang":
        time.sleep(1000)
    elif mode == "closes":
        call.close()
        time.sleep(1000)
    elif mode == "bad_release":
        send(side, _RELEASE, struct.pack("<IIQ", 1, 0, 12345))
        time.sleep(1000)
    elif mode == "side_garbage":
        side.send(b"garbage")
        time.sleep(1000)
    elif mode == "foreign_response":
        send(side, _RESPONSE, struct.pack("<IIQIIII", 1, 0, 1 << 60, 1, 0, 0, 0))
        time.sleep(1000)
    elif mode == "late":
        executed([])
        send(side, _RESPONSE, struct.pack("<II", 1, 0) + struct.pack("<QIIII", key, 1, 0, 0, 0))
    elif mode == "drops":
        executed([])
        send(side, _DROPPED, struct.pack("<IIQ", 1, 0, key))
    elif mode == "late_exit":
        executed([])
        os._exit(4)
    else:
        return False
    return True


def be_template(mode):
    """Makes no copy, and says something else."""
    if mode == "template_refuses":
        send(call, _PREPARED, b'{"error": {"code": "UNSUPPORTED", "message": "it has threads"}}')
        time.sleep(1000)
    send(call, _PREPARED, b"{}")
    kind, _ = receive()
    if kind == _FINALIZE:
        send(call, _FINALIZED, b"{}")
        os._exit(0)
    if mode == "template_dies":
        os._exit(7)
    elif mode == "template_is_its_own_copy":
        send(call, _FORKED, b"{}")
    elif mode == "template_fails":
        send(call, _FORKED, b'{"error": {"code": "UNAVAILABLE", "message": "no process"}}')
    elif mode == "template_names_a_stranger":
        stranger = os.fork()
        if stranger == 0:
            os.setpgid(0, 0)
            send(call, _FORKED, b"{}")
            time.sleep(1000)
    elif mode == "template_answers_out_of_turn":
        send(call, _EXECUTED, b"{}")
    be_template_again()


def be_template_again():
    while receive()[0] != _FINALIZE:
        send(call, _FORKED, b"[")
    send(call, _FINALIZED, b"{}")
    os._exit(0)


def main():
    send(call, _HELLO, b'{"protocol": 1, "pid": 1, "python": "3", "numpy": ""}')
    kind, body = receive()
    load = json.loads(body)
    mode = load["model_name"]
    if kind == _PREPARE:
        be_template(mode)
    if mode == "no_load":
        send(call, _LOADED, b'{"error": {"code": "INVALID_ARG", "message": "it does not load"}}')
        time.sleep(1000)
    if (pathlib.Path(load["model_directory"]) / "broken").exists():
        os._exit(6)
    if mode == "dies_early":
        os._exit(5)
    marker = pathlib.Path(load["model_directory"]) / "misbehaved"
    send(call, _LOADED, b"{}")
    begun = 0
    while True:
        if mode == "exits_with_two_unread" and not marker.exists():
            marker.touch()
            await_two_packets()
            os._exit(3)
        kind, body = receive()
        if kind == _FINALIZE:
            send(call, _FINALIZED, b"{}")
            os._exit(0)
        begun += 1
        begin(begun)
        asked = requests(body)
        if mode == "slow_twice":
            time.sleep(1.1)
        if mode == "counts_what_waits":
            time.sleep(0.01)
            executed([counted(request[0]) for request in asked])
            continue
        if not marker.exists():
            marker.touch()
            if misbehave(mode, asked):
                continue
        executed([response(*request) for request in asked])


main()
