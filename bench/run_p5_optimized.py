#!/usr/bin/env python3
"""P5's second half: the ResNet-18 archive after `headrace optimize`, against TorchServe with the same archive."""

import json
import pathlib
import subprocess
import sys
import time

from harness import program, requests, rounds, servers, wrk
from run_p5 import MAKE_WEIGHTS, PATH, PHOTOGRAPH, first_answer_s, python, warm_up, write_archive

_DESCRIPTION = """\
a 375 x 500 JPEG to a ResNet-18 TorchScript archive with image_classifier, as it is and after headrace optimize
One worker of TorchServe, and Headrace with the variant that optimize found the fastest, in turn at 8 connections.
Then the answers of both to crops of scikit-image's photographs (the weights are random: only agreement means something).
"""
_HERE = pathlib.Path(__file__).resolve().parent
_SPEED_UP_MIN, _AGREEMENT_MIN = 5, 0.99


def _more_options(parser):
    parser.add_argument("--recipes", default="openvino,int8,one_instance,instance_per_core", help="that are tried")


def _optimize(repository, pictures, recipes):
    command = [servers.headrace_program(), "optimize", f"--python={python()}", repository / "resnet18", "--apply"]
    command += ["--inputs", pictures, "--recipes", recipes, "--no-singles", "--quiet"]
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)


def _best_class(server, picture):
    _, body = requests.exchange(server, requests.Request(PATH, {"Content-Type": "image/jpeg"}, picture))
    answer = json.loads(body)
    return max(answer, key=answer.get)


def _measure(options, results, scratch, stack):
    wrk.require()
    store, repository, pictures = scratch / "store", scratch / "repository", scratch / "pictures"
    store.mkdir()
    (repository / "resnet18" / "1").mkdir(parents=True)
    weights, photograph = scratch / "resnet18.pt", scratch / "photograph.jpg"
    subprocess.run([python(), "-c", MAKE_WEIGHTS, weights], check=True)
    subprocess.run([python(), "-c", PHOTOGRAPH, photograph], check=True)
    subprocess.run([python(), _HERE / "make_photographs.py", pictures], check=True, stdout=sys.stderr)
    write_archive(store / "resnet18.mar", weights)
    write_archive(repository / "resnet18" / "1" / "resnet18.mar", weights)
    _optimize(repository, pictures, options.recipes)
    request = requests.Request(PATH, {"Content-Type": "image/jpeg"}, photograph.read_bytes())
    load = wrk.Load(scratch / "load", request)
    sides = {
        "TorchServe": stack.enter_context(servers.torchserve(store, "resnet18", scratch / f"ts-{time.monotonic_ns()}")),
        "Headrace optimized": stack.enter_context(servers.headrace(repository)),
    }
    for side in sides.values():
        first_answer_s(side, request)
    for connections in (1, 8):
        comparison = rounds.alternate(
            f"image_classifier, {connections} connections",
            {name: lambda s=side: load.run(s, connections, options.seconds) for name, side in sides.items()},
            options.rounds,
            lambda name: warm_up(sides[name], request),
        )
        results.comparison(comparison)
    rate = comparison.ratio("requests_per_s", "Headrace optimized", "TorchServe")
    results.verdict("c=8: throughput over TorchServe", rate, _SPEED_UP_MIN, at_most=False)
    files = sorted(pictures.glob("*.jpg"))
    same = [len({_best_class(side, path.read_bytes()) for side in sides.values()}) == 1 for path in files]
    agreement = rounds.Spread.of([sum(same) / len(same)])
    results.verdict(f"the same best class on {len(files)} pictures", agreement, _AGREEMENT_MIN, at_most=False)


if __name__ == "__main__":
    program.main("P5 optimized", _DESCRIPTION, _measure, more_options=_more_options)
