"""text_classifier without Python: the same answers as the Python handler's, for the same archive."""

import collections
import concurrent.futures
import io
import json
import sys

import pytest
import requests

torch = pytest.importorskip("torch")

from harness import archives
from harness import server as server_module

_LIMIT_S = 120
_WORDS = "the a cannot stop would not cafe naive good bad very film well known x as so is it they have won you all".split()
_VOCABULARY = {"<unk>": 1, **{word: 2 + i for i, word in enumerate(_WORDS)}}
_VOCABULARY.update({f"{a} {b}": len(_VOCABULARY) + i for i, (a, b) in enumerate(zip(_WORDS, _WORDS[1:]))})
_LABELS = {"0": "World", "1": ["w2", 'Sports "\u00e4"'], "2": "Business", "3": "Sci/Tec"}
_TEXTS = [
    "The good, the bad & the very well-known film.",
    "<b>Can't</b> stop! They've won, haven't they?",
    "They\u2019ve won \u2014 it\u2019s so",
    "Caf\u00e9 na\u00efve &amp; caf\u00e9 &lt;x&gt; &AMP; &#39;x&#x27;",
    "a<b>c 3 < 4 <i\n> 5 > 4",
    "\ufb01lm \U0001d400 \u212a \u0130t \uff38 \u00bd",
    "\u4e2d\u6587 \U0001f600",
    "...",
    " \t\n",
    "you all " * 2000,
    "".join(chr(point) for point in range(1, 0x2FF)),
    "y'all'd've ain't 'cause o'clock WON'T sha'n't",
    *(" ".join(_WORDS[(i * step) % len(_WORDS)] for i in range(12)) for step in range(1, 20)),
]


class _Bag(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.embedding = torch.nn.EmbeddingBag(100, 8)
        self.linear = torch.nn.Linear(8, len(_LABELS))

    def forward(self, text, offsets):
        return self.linear(self.embedding(text, offsets))


def _saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def _archive(name, vocabulary, settings=""):
    weights = io.BytesIO()
    torch.jit.save(torch.jit.script(_Bag().eval()), weights)
    files = {
        "weights.pt": weights.getvalue(),
        "source_vocab.pt": vocabulary,
        "index_to_name.json": json.dumps(_LABELS),
        "model-config.yaml": settings,
    }
    return archives.mar(
        name, files, "text_classifier", serializedFile="weights.pt", configFile="model-config.yaml"
    )


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    repository = tmp_path_factory.mktemp("texts")
    plain = _saved(_VOCABULARY)
    ordered = _saved(collections.OrderedDict(_VOCABULARY), _use_new_zipfile_serialization=False)
    for name, vocabulary, settings in (
        ("native", plain, ""),
        ("legacy", ordered, ""),
        ("python", plain, "native: false\n"),
        ("strange", _saved(collections.defaultdict(int, _VOCABULARY)), ""),
    ):
        archives.add(repository, name, _archive(name, vocabulary, settings))
    with server_module.Server(repository, f"--backend-config=handler,interpreter={sys.executable}") as server:
        yield server
        assert server.alive(), server.output()
        assert server.stop() == 0, server.output()


def _post(running, model, data, kind="text/plain"):
    return requests.post(
        f"http://{running.url}/predictions/{model}", data=data, headers={"Content-Type": kind}, timeout=_LIMIT_S
    )


def test_who_serves_which_archive_is_in_the_log(running):
    output = "\n".join(running.lines)
    for name in ("native", "legacy"):
        assert f"model '{name}' version 1: text_classifier is native" in output
    assert "model 'strange' version 1 is served by Python workers: its vocabulary 'source_vocab.pt'" in output
    assert "'collections.defaultdict' is no class that is read as data" in output


def test_texts_are_classified_as_by_the_python_handler(running):
    def ask(text):
        data = text.encode()
        answers = [_post(running, model, data) for model in ("python", "native", "legacy")]
        return [*answers, _post(running, "native", data, "application/octet-stream")]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, _TEXTS))
    different = set()
    for text, (python, *others) in zip(_TEXTS, found):
        assert python.status_code == 200, (text, python.text)
        expected = python.json()
        different.add(tuple(expected.values()))
        for answer in others:
            assert answer.status_code == 200, (text, answer.text)
            assert list(answer.json()) == list(expected) == ["World", 'Sports "\u00e4"', "Business", "Sci/Tec"]
            assert list(answer.json().values()) == pytest.approx(list(expected.values()), abs=1e-5), text
            assert [line.split(": ")[0] for line in answer.text.splitlines()] == [
                line.split(": ")[0] for line in python.text.splitlines()
            ]
    assert len(different) > 20


def test_what_is_no_text_is_refused(running):
    for data, kind in ((b"\xff\xfe", "application/octet-stream"), (b"[1]", "application/json"), (b"", "text/plain")):
        # TorchServe says 503 to all three, and only in its log why.
        assert _post(running, "native", data, kind).status_code == 400, data
    assert _post(running, "native", b'"good film"', "application/json").status_code == 200
