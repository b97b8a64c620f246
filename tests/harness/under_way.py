"""Requests that are under way at the same time, each on a connection of its own."""

import json

from harness import prometheus, raw_http, wait


def request(model, values, parameters=None, batched=True):
    """An inference request of one FP32 tensor INPUT0."""
    shape = [1, len(values)] if batched else [len(values)]
    document = {"inputs": [{"name": "INPUT0", "shape": shape, "datatype": "FP32", "data": values}]}
    if parameters:
        document["parameters"] = parameters
    return raw_http.request("POST", f"/v2/models/{model}/infer", json.dumps(document).encode())


class Asked:
    """Requests on connections of their own, all under way."""

    def __init__(self, server, requests=()):
        self._server = server
        self.connections = []
        for one in requests:
            self.ask(one)

    def ask(self, one):
        """One more."""
        connection = raw_http.Connection(self._server)
        connection.send(one)
        self.connections.append(connection)
        return connection

    def answers(self):
        return [connection.read() for connection in self.connections]

    def order(self):
        """The places of the requests, in the order in which their answers come, one at a time."""
        places = {connection.socket: i for i, connection in enumerate(self.connections)}
        order = []
        while len(order) < len(places):
            pending = [one for one, place in places.items() if place not in order]
            order += sorted(places[one] for one in wait.readable(pending, 20))
        return order

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()


def metric(server, name, model, **labels):
    return prometheus.scrape(server).value(name, model=model, **labels)


def wait_queued(server, model, count):
    """Until so many requests wait."""
    wait.until(lambda: metric(server, "nv_inference_pending_request_count", model) == count, f"{count} are queued")


def occupy(server, model, batched=True):
    """A request that keeps the model's only instance busy."""
    blocker = Asked(server, [request(model, [0.0], batched=batched)])
    wait.until(lambda: metric(server, "headrace_requests_in_flight", model) == 1, "the instance is busy")
    wait_queued(server, model, 0)
    return blocker
