"""Handlers whose requests are executed until they say that it is enough, and handlers that end sequences."""

import contextlib
import json

import pytest

import handler_worker
from handler_worker import body, write_model
from headrace_worker import wire

# Counts down from what the request says; keeps it by request, since the content comes once.
COUNT = """
class Handler:
    def initialize(self, context):
        self.left = {}
    def handle(self, rows, context):
        out, stops = [], []
        for index, row in enumerate(rows):
            key = context.get_request_id(index)
            if row:
                self.left[key] = int(row["body"])
            self.left[key] -= 1
            if self.left[key] < -5:
                raise ValueError("never to be seen")
            out.append(f"{sorted(row)} {self.left[key]} {len(rows)}")
            stops.append(lambda result, left=self.left[key]: None if left == -5 else left <= 0)
        context.stopping_criteria = stops
        return out
"""
ITERATIVE = {"sequence_batching": {"iterative_sequence": True, "oldest": {}}}


@contextlib.contextmanager
def counting(directory, **more):
    write_model(directory, {"count.py": COUNT}, {"handler": "count.py"})
    with handler_worker.running(directory, batch_size=4, more_config=ITERATIVE, **more) as worker:
        yield worker


def step(worker, *requests):
    """One execution: what each request was answered, as (text or None, flags), and its pieces before."""
    worker.server.start_execute(*requests)
    pieces = {request["key"]: [] for request in requests}
    while True:
        kind, message = worker.server.next_message(wire.RESPONSE, wire.CONTROL)
        if kind == wire.CONTROL:
            question = json.loads(message)
            assert question["op"] == "sync"
            worker.server.reply(question["id"], True)
            break
        for response in worker.server.parse_responses(message):
            assert response.flags == 0
            pieces[response.key].append(body(response).decode())
    answers, _ = worker.server.end_execute()
    found = []
    for request in requests:
        answer = answers[request["key"]]
        text = body(answer).decode() if answer.tensors else None
        found.append((pieces[request["key"]], text, answer.flags))
    return found


def again(request, key):
    return {**request, "key": key, "flags": 2}


def test_unfinished_requests_are_rescheduled_and_their_content_comes_once(tmp_path):
    with counting(tmp_path) as worker:
        two = {**worker.request({"body": (b"2", "")}, request_id="a"), "flags": 3}
        one = {**worker.request({"body": (b"1", "")}, request_id="b"), "flags": 3}
        assert step(worker, two, one) == [
            (["['body'] 1 2"], None, wire.RESCHEDULED),
            ([], "['body'] 0 2", wire.FINAL),
        ]
        # Another one joins, and the first leaves.
        three = {**worker.request({"body": (b"3", "")}, request_id="c"), "flags": 3}
        assert step(worker, again(two, 77), three) == [
            ([], "[] 0 2", wire.FINAL),
            (["['body'] 2 2"], None, wire.RESCHEDULED),
        ]


def test_request_that_stops_at_once_has_one_plain_answer(tmp_path):
    with counting(tmp_path) as worker:
        request = {**worker.request({"body": (b"1", "")}, request_id="a"), "flags": 3}
        (answer,) = worker.predict(request)
        assert (body(answer), answer.flags) == (b"['body'] 0 1", wire.FINAL)


def test_criterion_that_says_none_ends_its_request(tmp_path):
    with counting(tmp_path) as worker:
        request = {**worker.request({"body": (b"-4", "")}, request_id="a"), "flags": 3}
        (answer,) = worker.predict(request)
        assert (body(answer), answer.flags) == (b"['body'] -5 1", wire.FINAL)


def test_step_that_another_worker_has_begun_comes_with_its_content(tmp_path):
    with counting(tmp_path) as worker:
        request = again(worker.request({"body": (b"1", "")}, request_id="a"), 5000)
        (answer,) = worker.predict(request)
        assert body(answer) == b"['body'] 0 1"


ENDS = """
def handle(rows, context):
    if rows is None:
        return None
    for index, row in enumerate(rows):
        if bytes(row["body"]) == b"end":
            context.set_response_header(index, context.header_key_sequence_end, context.get_sequence_id(index))
        if bytes(row["body"]) == b"end all":
            context.set_response_header(index, context.header_key_sequence_end, "s1;s2")
    return [context.get_sequence_id(index) for index in range(len(rows))]
"""


@pytest.mark.parametrize(
    "texts, ended",
    [((b"go on", b"go on"), (0, 0)), ((b"end", b"go on"), (1, 0)), ((b"end all", b"go on"), (1, 1))],
)
def test_header_of_an_answer_ends_the_sequences_that_it_names(tmp_path, texts, ended):
    write_model(tmp_path, {"ends.py": ENDS}, {"handler": "ends.py"})
    with handler_worker.running(tmp_path, batch_size=2) as worker:
        requests = [
            worker.request({"body": (text, "")}, headers={"ts_request_sequence_id": f"s{number}"})
            for number, text in enumerate(texts, start=1)
        ]
        answers = worker.predict(*requests)
        assert [body(answer) for answer in answers] == [b"s1", b"s2"]
        assert [answer.flags for answer in answers] == [wire.FINAL | (wire.ENDS_SEQUENCE if one else 0) for one in ended]


def test_names_of_the_headers_come_from_the_environment(tmp_path):
    write_model(tmp_path, {"ends.py": ENDS}, {"handler": "ends.py"})
    names = {"TS_REQUEST_SEQUENCE_ID": "X-Seq", "TS_REQUEST_SEQUENCE_END": "X-End"}
    with handler_worker.running(tmp_path, environment=names) as worker:
        (answer,) = worker.predict(worker.request({"body": (b"end", "")}, headers={"X-Seq": "s9"}))
        assert body(answer) == b"s9"
        assert answer.flags == wire.FINAL | wire.ENDS_SEQUENCE
