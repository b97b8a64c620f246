"""Row 161: a client that floods a model leaves the others their shares."""

import collections
import selectors
import socket
import subprocess
import time

import pytest

from harness import models, prometheus, wait
from harness import server as server_module
from harness.under_way import metric, request

POLITE = 20
FLOOD = 63  # what the flooding client has under way
ANSWERS = 1050
QUEUE_MAX = 8


def _repository(directory):
    batching = "dynamic_batching { %s }\n"
    execute = models.parameter("execute_delay_ms", 2)
    models.add(directory, "busy", models.identity_config([("FP32", [-1])], 1, batching % "" + execute))
    models.add(directory, "busy_batches", models.identity_config([("FP32", [-1])], 4, batching % "" + execute))
    small = batching % f"default_queue_policy {{ max_queue_size: {QUEUE_MAX} }}" + models.parameter("execute_delay_ms", 20)
    models.add(directory, "small_queue", models.identity_config([("FP32", [-1])], 1, small))
    models.add(directory, "unbatched", models.identity_config([("FP32", [-1])], extra=execute))
    return directory


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return _repository(tmp_path_factory.mktemp("fair"))


@pytest.fixture(scope="module")
def server(repository):
    with server_module.Server(repository, "--client-header=X-Client") as running:
        yield running
        assert running.stop() == 0, running.output()


class Client:
    """A connection that asks again as soon as it has its answer."""

    def __init__(self, server, address, message):
        self.message = message
        self.socket = socket.create_connection((server.host, server.port), 30, source_address=(address, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def ask(self):
        self.socket.sendall(self.message)

    def take(self):
        """The status of an answer that is whole, or None."""
        self.buffer += self.socket.recv(65536)
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return None
        self.buffer = body[length:]
        return int(head.split(b" ")[1])


def _shares(server, clients, answer_count):
    """Answers by client name and status, of clients that all ask all the time, (name, Client), until so many went well."""
    counts = collections.Counter()
    with selectors.DefaultSelector() as selector:
        for name, client in clients:
            selector.register(client.socket, selectors.EVENT_READ, (name, client))
            client.ask()
        deadline = time.monotonic() + 60
        while sum(count for (_, status), count in counts.items() if status == 200) < answer_count:
            assert time.monotonic() < deadline and server.alive(), counts
            for key, _ in selector.select(1):
                name, client = key.data
                if (status := client.take()) is not None:
                    counts[name, status] += 1
                    client.ask()
    for _, client in clients:
        client.socket.close()
    return counts


def _is_balanced(page):
    """Requests may still come out of the closed connections."""
    received = page.value("headrace_requests_received_total", model="small_queue")
    failed = page.total("nv_inference_request_failure", model="small_queue")
    return received == page.value("nv_inference_request_success", model="small_queue") + failed


def _check_shares(counts, polite):
    total = sum(counts.values())
    fair = total / (len(polite) + 1)
    shares = {name: counts[name, 200] / fair for name in polite}
    assert min(shares.values()) >= 0.9, (shares, counts)
    assert all(status == 200 for _, status in counts), counts


@pytest.mark.row(161)
@pytest.mark.parametrize("model", ["busy", "busy_batches", "unbatched"])
def test_polite_clients_keep_their_shares_beside_a_flood(server, model):
    message = request(model, [1.0], batched=model != "unbatched")
    clients = [("flood", Client(server, "127.0.0.1", message)) for _ in range(FLOOD)]
    polite = [f"127.0.0.{2 + i}" for i in range(POLITE)]
    # As many of each as a batch may have: else nobody could use a turn up.
    each = 4 if model == "busy_batches" else 1
    clients += [(address, Client(server, address, message)) for address in polite for _ in range(each)]
    _check_shares(_shares(server, clients, ANSWERS * each), polite)
    wait.until(lambda: metric(server, "headrace_requests_in_flight", model) == 0, "nothing is left")


@pytest.mark.row(161)
def test_clients_behind_one_address_are_told_apart_by_a_header(server):
    def message(name):
        return request("busy", [1.0]).replace(b"\r\n", b"\r\nX-CLIENT: " + name.encode() + b"\r\n", 1)

    clients = [("flood", Client(server, "127.0.0.1", message("flood"))) for _ in range(FLOOD)]
    polite = [f"polite{i}" for i in range(5)]
    clients += [(name, Client(server, "127.0.0.1", message(name))) for name in polite]
    _check_shares(_shares(server, clients, 300), polite)


@pytest.mark.row(161)
def test_a_flood_that_fills_the_queue_does_not_keep_others_out(server):
    message = request("small_queue", [1.0])
    clients = [("flood", Client(server, "127.0.0.1", message)) for _ in range(3 * QUEUE_MAX)]
    clients += [("polite", Client(server, "127.0.0.2", message))]
    counts = _shares(server, clients, 60)
    # Those that are refused ask again at once; what is answered goes by turns. A busy machine lets the one connection of the
    # polite client miss some of its turns; without turns it would have one answer in 25.
    assert counts["polite", 503] == 0 and counts["flood", 503] > 0, counts
    assert counts["polite", 200] >= 0.25 * counts["flood", 200], counts
    wait.until(lambda: metric(server, "headrace_requests_in_flight", "small_queue") == 0, "nothing is left")
    wait.until(lambda: _is_balanced(prometheus.scrape(server)), "everything that came was answered, and counted once")


def test_turns_can_be_turned_off(repository):
    with server_module.Server(repository, "--fair-queues=false") as running:
        message = request("busy", [1.0])
        clients = [("flood", Client(running, "127.0.0.1", message)) for _ in range(FLOOD)]
        clients += [("polite", Client(running, "127.0.0.2", message))]
        counts = _shares(running, clients, 320)
        assert counts["polite", 200] <= 10, counts
        assert running.stop() == 0


def test_a_name_that_is_no_header_is_refused():
    result = subprocess.run(
        [server_module.program(), "serve", "--client-header=a b"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode != 0
    assert "--client-header (flag): expected the name of a header, got 'a b'" in result.stderr
