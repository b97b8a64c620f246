"""Handlers with asyncCommunication: requests are tasks, and answers come over the side channel."""

import contextlib

import fake_server
import handler_worker
from handler_worker import write_model

HANDLER = """
import asyncio, collections, sys
from ts.handler_utils.utils import send_intermediate_predict_response
from ts.utils.util import PredictionException
class Handler:
    def initialize(self, context):
        self.loop = asyncio.get_event_loop()
        self.opened = collections.defaultdict(asyncio.Event)
        self.loop.run_until_complete(asyncio.sleep(0))
    async def handle(self, rows, context):
        order, _, name = bytes(rows[0]["body"]).decode().partition(" ")
        assert len(rows) == 1 and asyncio.get_running_loop() is self.loop
        if order == "open":
            self.opened[name].set()
        if order == "wait":
            await self.opened[name].wait()
        if order == "pieces":
            context.set_response_status(202)
            send_intermediate_predict_response([name], context.request_ids, "", 200, context)
        if order == "fail":
            raise PredictionException("no", 418)
        if order == "none":
            return []
        if order == "exit":
            sys.exit(3)
        context.set_response_header(0, "id", context.get_request_id(0))
        return [order + context.get_request_header(0, "h")]
"""
FUNCTION = """
loaded = []
async def handle(rows, context):
    if rows is None:
        loaded.append(context.model_name)
        return None
    return [loaded]
"""


@contextlib.contextmanager
def running(directory, source=HANDLER, **settings):
    write_model(directory, {"h.py": source}, {"handler": "h"})
    with handler_worker.running(
        directory, handler={"model_config": {"asyncCommunication": True, **settings}}
    ) as worker:
        yield worker


def begin(worker, order, request_id="id", **more):
    """Hands a request over; returns its key."""
    request = worker.request({"body": (order.encode(), "")}, {"h": "!"}, request_id=request_id)
    assert worker.predict({**request, **more}) == [None]
    return request["key"]


def next_answer(worker):
    response = worker.server.next_response()
    body = handler_worker.body(response) if response.tensors else b""
    return response.key, body, handler_worker.parameters(response)


def test_answers_come_as_requests_end(tmp_path):
    with running(tmp_path) as worker:
        first, second = begin(worker, "wait a", "id-1"), begin(worker, "wait b", "id-2")
        third = begin(worker, "open b", "id-3")
        for key, body, number in ((third, b"open!", 3), (second, b"wait!", 2)):
            assert next_answer(worker) == (key, body, {"headers": f'{{"id": "id-{number}"}}'})
        begin(worker, "open a")
        next_answer(worker)
        assert next_answer(worker)[:2] == (first, b"wait!")


def test_pieces_and_failures_are_of_their_request_alone(tmp_path):
    with running(tmp_path) as worker:
        key = begin(worker, "pieces x")
        assert next_answer(worker) == (key, b"x", {"status": 202})
        assert next_answer(worker) == (key, b"pieces!", {})
        for order, status in (("fail", 418), ("none", 503)):
            key = begin(worker, order)
            assert next_answer(worker) == (key, b"", {"status": status})


def test_a_cancelled_request_is_a_cancelled_task(tmp_path):
    with running(tmp_path) as worker:
        key = begin(worker, "wait for ever", cancel_slot=7)
        worker.server.map[7] = 1
        response = worker.server.next_response()
        assert (response.key, response.error["code"]) == (key, "CANCELLED")


def test_exit_and_end_of_the_worker(tmp_path):
    with running(tmp_path) as worker:
        with contextlib.suppress(EOFError):  # it may be gone before it has said that it took the request
            begin(worker, "exit")
        assert worker.server.process.wait(30) == 3
    with running(tmp_path, FUNCTION) as worker:
        begin(worker, "function")
        assert b'"m"' in next_answer(worker)[1]
        worker.server.finalize()
        assert worker.server.process.wait(30) == 0


def test_an_envelope_is_refused(tmp_path):
    write_model(tmp_path, {"h.py": HANDLER}, {"handler": "h"})
    given = {"model_config": {"asyncCommunication": True}, "service_envelope": "json"}
    with fake_server.FakeServer() as server:
        answer = server.load(**handler_worker.load_arguments(tmp_path, handler=given))
        assert "does not go with asyncCommunication" in answer["error"]["message"]
