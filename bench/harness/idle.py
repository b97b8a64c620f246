"""Idle keep-alive connections, and what they cost the process and the kernel."""

import pathlib
import selectors
import socket

from harness.servers import HOST

_REQUEST = b"GET /v2/health/live HTTP/1.1\r\nHost: bench\r\n\r\n"
_PAGE_BYTES = 4096


def open_connections(port, count, at_once=200):
    """`count` connections that have each had one answer and stay open; the sockets."""
    sockets = []
    while len(sockets) < count:
        group = [
            socket.create_connection((HOST, port), timeout=30)
            for _ in range(min(at_once, count - len(sockets)))
        ]
        for connection in group:
            connection.sendall(_REQUEST)
        for connection in group:
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"connection {len(sockets)} was not answered with 200")
        sockets += group
    return sockets


def count_open(sockets):
    """How many of the sockets the server has not closed: an idle one has nothing to read."""
    with selectors.DefaultSelector() as selector:
        for connection in sockets:
            selector.register(connection, selectors.EVENT_READ)
        return len(sockets) - len(selector.select(0))


def kernel_socket_bytes():
    """Bytes that the kernel holds for TCP sockets: their objects, where it says so, and buffers."""
    text = pathlib.Path("/proc/net/sockstat").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("TCP:")).split()
    total = int(line[line.index("mem") + 1]) * _PAGE_BYTES
    try:
        slabs = pathlib.Path("/proc/slabinfo").read_text(encoding="ascii").splitlines()
    except PermissionError:
        return total
    for slab in slabs[2:]:
        name, active, _, byte_size, *_ = slab.split()
        if name in ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "ep_item"):
            total += int(active) * int(byte_size)
    return total
