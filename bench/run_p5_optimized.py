#!/usr/bin/env python3
"""P5's second half: the ResNet-18 archive after `headrace optimize`, against TorchServe with the same archive."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

from harness import program, requests, rounds, servers, wrk
from run_p5 import PATH, PHOTOGRAPH, first_answer_s, python, warm_up

_DESCRIPTION = """\
a 375 x 500 JPEG to a ResNet-18 TorchScript archive with image_classifier, after headrace optimize and a sweep
The archive is made by torch-model-archiver. TorchServe serves it at its defaults with one worker; Headrace with the
variant that optimize found the fastest, and the instances and the batch that a short sweep chooses. Both in turn at
1 and 8 connections, then Headrace at 16. Then the answers of both to crops of scikit-image's photographs: those that
int8 was calibrated on, and others. The classifier's last layer is fitted to them (make_classifier.py). HEADRACE_PYTHON
is an interpreter with torch and what the recipes need (nncf for int8).
"""
_HERE = pathlib.Path(__file__).resolve().parent
_SPEED_UP_MIN, _SPEED_UP_GOAL, _AGREEMENT_MIN = 5, 8, 0.99
_SWEEP_ROUNDS = 2
_SWEEP = ((1, 1), (2, 1), (2, 4), (2, 8), (1, 8))  # instances, batch
_NAME = "Headrace optimized"


def _more_options(parser):
    parser.add_argument("--recipes", default="openvino,int8", help="that are tried, besides what the sweep chooses")
    parser.add_argument("--sweep-seconds", type=int, default=2, help="for each of the sweep's settings")


def _run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)


def _make_archive(scratch, store):
    """With the pictures that the model knows, and others."""
    weights, labels = scratch / "resnet18.pt", scratch / "index_to_name.json"
    _run(python(), _HERE / "make_photographs.py", scratch / "calibration")
    _run(python(), _HERE / "make_photographs.py", scratch / "other", "--other")
    _run(python(), "-W", "ignore", _HERE / "make_classifier.py", scratch / "calibration", weights)
    labels.write_text(json.dumps({str(i): [f"n{i:08}", f"label {i}"] for i in range(1000)}), encoding="utf-8")
    archiver = [servers.peer("torch-model-archiver"), "--model-name", "resnet18", "--version", "1.0"]
    archiver += ["--serialized-file", weights, "--handler", "image_classifier", "--extra-files", labels]
    _run(*archiver, "--export-path", store)


def _optimize(model, pictures, recipes):
    command = [servers.headrace_program(), "optimize", f"--python={python()}", model, "--apply", "--inputs", pictures]
    _run(*command, "--recipes", recipes, "--no-singles", "--batches=1,8", "--seconds=2", "--quiet")


def _configure(model, instances, batch):
    batching = f"max_batch_size: {batch}\ndynamic_batching {{ }}\n" if batch > 1 else "max_batch_size: 1\n"
    text = f'backend: "handler"\n{batching}instance_group {{ count: {instances} kind: KIND_CPU }}\n'
    (model / "config.pbtxt").write_text(text, encoding="utf-8")


def _sweep(results, model, request, load, seconds):
    """Leaves the settings with the most requests per second at 8 connections in force."""
    rates = dict.fromkeys(_SWEEP, 0.0)
    for instances, batch in _SWEEP * _SWEEP_ROUNDS:
        _configure(model, instances, batch)
        with servers.headrace(model.parent) as server:
            first_answer_s(server, request)
            warm_up(server, request)
            rates[instances, batch] += load.run(server, 8, seconds).requests_per_s / _SWEEP_ROUNDS
    chosen = max(rates, key=rates.get)
    _configure(model, *chosen)
    told = ", ".join(f"{instances} x {batch}: {rate:.0f}/s" for (instances, batch), rate in rates.items())
    results.note(f"sweep, instances x batch at 8 connections: {told}; chosen {chosen[0]} x {chosen[1]}")


def _best_class(server, picture):
    _, body = requests.exchange(server, requests.Request(PATH, {"Content-Type": "image/jpeg"}, picture))
    answer = json.loads(body)
    return max(answer, key=answer.get)


def _agreement(results, sides, folder, what):
    files = sorted(folder.glob("*.jpg"))
    same = [len({_best_class(side, path.read_bytes()) for side in sides.values()}) == 1 for path in files]
    agreement = rounds.Spread.of([sum(same) / len(same)])
    results.verdict(f"the same best class on {len(files)} {what}", agreement, _AGREEMENT_MIN, at_most=False)


def _measure(options, results, scratch, stack):
    wrk.require()
    store, model, photograph = scratch / "store", scratch / "repository" / "resnet18", scratch / "photograph.jpg"
    store.mkdir()
    (model / "1").mkdir(parents=True)
    _run(python(), "-c", PHOTOGRAPH, photograph)
    _make_archive(scratch, store)
    shutil.copy(store / "resnet18.mar", model / "1")
    _optimize(model, scratch / "calibration", options.recipes)
    request = requests.Request(PATH, {"Content-Type": "image/jpeg"}, photograph.read_bytes())
    load = wrk.Load(scratch / "load", request)
    _sweep(results, model, request, load, options.sweep_seconds)
    sides = {
        "TorchServe": stack.enter_context(servers.torchserve(store, "resnet18", scratch / f"ts-{time.monotonic_ns()}")),
        _NAME: stack.enter_context(servers.headrace(model.parent)),
    }
    for side in sides.values():
        first_answer_s(side, request)
    for connections in (1, 8, 16):
        comparison = rounds.alternate(
            f"image_classifier, {connections} connections",
            {name: lambda s=side: load.run(s, connections, options.seconds) for name, side in sides.items()},
            options.rounds,
            lambda name: warm_up(sides[name], request),
        )
        results.comparison(comparison)
        rate = comparison.ratio("requests_per_s", _NAME, "TorchServe")
        if connections == 8:
            results.verdict("c=8: throughput over TorchServe", rate, _SPEED_UP_MIN, at_most=False, goal=_SPEED_UP_GOAL)
        else:
            p99 = comparison.ratio("p99_us", _NAME, "TorchServe").text(2)
            results.note(f"c={connections}: throughput over TorchServe {rate.text(2)}, p99 {p99}")
    _agreement(results, sides, scratch / "calibration", "pictures of the calibration")
    _agreement(results, sides, scratch / "other", "others")


if __name__ == "__main__":
    program.main("P5 optimized", _DESCRIPTION, _measure, more_options=_more_options)
