#!/usr/bin/env python3
"""The worked example of `headrace tune`: does its winner hold against an exhaustive grid?"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from harness import processes, report, servers
from run_p5 import PHOTOGRAPH, python, write_archive

_DESCRIPTION = """\
Archives of ResNet-18 (its last layer is fitted to photographs, make_classifier.py) and Mask R-CNN (random weights),
torchvision's shapes. For each of them
  1. `headrace optimize` makes variants of other precisions;
  2. `headrace bench --find-capacity` measures every point of the space: variant x batch x instances x threads;
  3. `headrace tune` looks for the configuration that serves the most within the SLA, in a tenth of the time;
  4. the grid's best and the tuner's winner take turns: on a machine that others use, too, two points that were
     measured at different times cannot be compared.
The tuner is right if nothing beats its winner by more than 5 %, in at most a tenth of the grid's time. What is
measured is kept in --work line by line, and the same command goes on with it. HEADRACE_PYTHON is an interpreter with
torch and what the recipes need.
"""
_HERE = pathlib.Path(__file__).resolve().parent
_BEATEN_BY_MAX = 0.05
_TIME_SHARE_MAX = 0.1
_START_S = 6  # of the tuner's own server, beyond its budget
_ORIGINAL = "original"
_MAKE_MASK_RCNN = """\
import sys, warnings, torch
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
warnings.simplefilter("ignore")
torch.manual_seed(5)
backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
model = MaskRCNN(backbone, num_classes=91, min_size=64, max_size=80, rpn_pre_nms_top_n_test=100,
                 rpn_post_nms_top_n_test=50, box_detections_per_img=2, box_score_thresh=0.005).eval()
torch.jit.script(model).save(sys.argv[1])
"""
_SHRINK = "import sys; from PIL import Image; Image.open(sys.argv[1]).resize((80, 64)).save(sys.argv[2], quality=90)"



@dataclasses.dataclass(frozen=True)
class Model:
    """A model, what it is sent, and its target."""

    name: str
    handler: str
    picture: str
    sla: str
    batch_max: int
    recipes: str  # of `headrace optimize`
    accuracy_drop: str = "0.5%"  # that a variant may have
    optimize: tuple[str, ...] = ()  # what else `headrace optimize` is told


_MODELS = (
    Model("resnet18", "image_classifier", "photograph.jpg", "p95=500ms", 32, "openvino,openvino_bf16,int8"),
    # Random weights are unsure of everything: its detections follow rounding more than those of a trained model.
    Model(
        "maskrcnn", "object_detector", "small.jpg", "p95=1s", 32, "bf16_convolutions",
        "10%", ("--shape=image:3,64,80", "--max-drop=10%", "--seconds=5"),
    ),
)
_INSTANCES_MAX = 4


@dataclasses.dataclass(frozen=True, order=True)
class Point:
    """A configuration of the space."""

    variant: str  # "" = as the manifest says
    instances: int
    threads: int
    batch: int

    def __str__(self):
        return f"{self.variant}, {self.instances} x {self.threads} threads, batch {self.batch}"

    def config(self):
        """config.pbtxt beside the archive."""
        batching = "dynamic_batching { max_queue_delay_microseconds: 0 }\n" if self.batch > 1 else ""
        values = {"INTRA_OP_THREAD_COUNT": self.threads}  # variants of other backends take it over
        if self.variant:
            values["model_variants"] = "off" if self.variant == _ORIGINAL else self.variant
        return (
            f'backend: "handler"\nmax_batch_size: {self.batch}\n{batching}'
            f"instance_group [ {{ count: {self.instances} }} ]\n"
            + "".join(f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n' for key, value in values.items())
        )


class Journal:
    """What was measured, by key; kept on the disk."""

    def __init__(self, path):
        self._path = path
        self._known = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["key"]] = entry["value"]

    def get(self, key, measure):
        """The value of the key, measured now if it is not known."""
        if key not in self._known:
            value = self._known[key] = measure()
            with self._path.open("a", encoding="utf-8") as file:
                print(json.dumps({"key": key, "value": value}), file=file)
        return self._known[key]


def _write_archives(work):
    if (work / "done").exists():
        return
    for code, *arguments in (
        (PHOTOGRAPH, work / "photograph.jpg"),
        (_SHRINK, work / "photograph.jpg", work / "small.jpg"),
        (_MAKE_MASK_RCNN, work / "maskrcnn.pt"),
    ):
        subprocess.run([python(), "-c", code, *arguments], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([python(), _HERE / "make_photographs.py", work / "pictures"], check=True)
    subprocess.run([python(), "-W", "ignore", _HERE / "make_classifier.py", work / "pictures", work / "resnet18.pt"], check=True)
    for model in _MODELS:
        folder = work / "repository" / model.name
        (folder / "1").mkdir(parents=True, exist_ok=True)
        write_archive(folder / "1" / f"{model.name}.mar", work / f"{model.name}.pt", model.name, model.handler)
    (work / "done").touch()


def _optimize(options, model, work):
    """Names of the variants, with the original."""
    folder = work / "repository" / model.name
    (folder / "config.pbtxt").write_text(Point("", options.cores, 1, model.batch_max).config(), encoding="utf-8")
    command = [servers.headrace_program(), "optimize", f"--python={python()}", folder, "--inputs", work / "pictures"]
    command += ["--recipes", model.recipes, "--keep", "2", "--batches=1,8", "--seconds=2", "--quiet", *model.optimize]
    _run(command, work / f"optimize-{model.name}.log")
    manifest = json.loads((folder / "1" / "variants" / "manifest.json").read_text(encoding="utf-8"))
    return [_ORIGINAL, *(one["name"] for one in manifest["variants"])]


def _run(command, log):
    """Seconds that the command took; its output is in the log."""
    started = time.monotonic()
    with log.open("a", encoding="utf-8") as file:
        process = processes.start([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT)
        try:
            code = process.wait()
        finally:
            processes.stop(process)
    if code not in (0, 3):  # 3: nothing meets the SLA, which is an answer
        raise RuntimeError(f"{' '.join(map(str, command))}: ended with {code}; see {log}")
    return time.monotonic() - started


def _tune(options, model, budget, work):
    result = work / f"tune-{model.name}.json"
    (work / "repository" / model.name / "config.pbtxt").write_text(
        Point("", 1, 1, 1).config(), encoding="utf-8"
    )
    command = [servers.headrace_program(), "tune", model.name, "--model-repository", work / "repository", "--sla", model.sla]
    command += ["--budget", f"{budget:.0f}s", "--batch-max", model.batch_max, "--instances-max", _INSTANCES_MAX]
    command += ["--delays", "0", "--cores", options.cores, "--accuracy-drop", model.accuracy_drop]
    command += ["-i", "torchserve", "--input-data", work / model.picture, "--json", result]
    load = os.getloadavg()[0]
    seconds = _run(command, work / f"tune-{model.name}.log")
    extension = json.loads(result.read_text(encoding="utf-8"))["extension"]
    winner = extension["winner"]
    if winner is None:
        raise RuntimeError(f"tune found nothing that meets the SLA; see {result}")
    chosen = winner["configuration"]
    point = Point(chosen["variant"], chosen["instances"], chosen["threads"], chosen["max_batch_size"])
    probes = extension.get("probe_count")
    return {"point": dataclasses.astuple(point), "rate": winner["rate"], "seconds": seconds, "load": load, "probes": probes}


def _capacity(seconds, options, model, point, work):
    """The rate within the SLA that bench finds for a server with this configuration, by probes of so many seconds."""
    folder = work / "repository" / model.name
    (folder / "config.pbtxt").write_text(point.config(), encoding="utf-8")
    result = work / "bench.json"
    load = os.getloadavg()[0]
    started = time.monotonic()
    explicit = ("--allow-grpc=false", "--model-control-mode=explicit", f"--load-model={model.name}")
    with servers.headrace(work / "repository", *explicit) as server:
        server.wait_ready()
        command = [servers.headrace_program(), "bench", "-m", model.name, "-i", "torchserve", "-u", server.url]
        command += ["--input-data", work / model.picture, "-q"]
        log, batches = work / f"bench-{model.name}.log", point.instances * point.batch
        # TorchScript optimises what has been executed a few times.
        _run([*command, "--concurrency", batches, "-n", min(6 * batches, 64 + 2 * batches), "--duration", "60s", "--warmup", "0s"], log)
        command += ["--sla", model.sla, "--find-capacity", "--precision", f"{options.precision}%"]
        command += ["--duration", f"{seconds}s", "--warmup", "500ms", "--drain", "1s", "--json", result]
        _run(command, log)
    document = json.loads(result.read_text(encoding="utf-8"))
    # The highest rate that held when it was measured once more, else what was answered in time then.
    extension, last = document["extension"], document["levels"][-1]
    rate = extension["rate"] if extension["confirmed_met"] else min(extension["rate"], last["goodput"])
    return {"rate": rate, "seconds": time.monotonic() - started, "load": load}


def _points(variants, batches, cores):
    shapes = [(1 << i, t) for i in range(_INSTANCES_MAX.bit_length()) for t in range(1, cores + 1)]
    return [Point(variant, k, t, batch) for variant in variants for k, t in shapes for batch in batches]


def _numbers(text):
    return [int(number) for number in text.split(",")]


def _face(options, model, sides, measure, journal):
    """The sides in turn, there and back again: {side: [rate of each round]}."""
    rates = {side: [] for side in sides}
    for turn in range(options.rounds):
        for side in sides if turn % 2 == 0 else reversed(sides):
            key = f"{model.name} | turn {turn} | {side}"
            rates[side].append(journal.get(key, lambda s=side: measure(s))["rate"])
    return rates


def _show(model, tuned, grid, faced):
    winner = Point(*tuned["point"])
    seconds = sum(value["seconds"] for value in grid.values())
    print(f"\n{model.name}, {model.sla}: tune took {tuned['seconds']:.0f} s (load average {tuned['load']:.1f}), the grid {seconds:.0f} s")
    print(f"  tune: {winner}: {tuned['rate']:.2f}/s")
    ranked = sorted(grid, key=lambda point: -grid[point]["rate"])
    rows = [
        ["-> " * (point == winner) + str(point), f"{grid[point]['rate']:.2f}", f"{grid[point]['load']:.1f}"] for point in ranked
    ]
    report.table(["the grid", "within the SLA, /s", "load average"], rows)
    best, rows = 0, []
    for side, rates in faced.items():
        ratios = [ours / max(theirs, 1e-9) for ours, theirs in zip(rates, faced[winner])]
        median = statistics.median(ratios)
        best = max(best, median)
        mark = "-> " * (side == winner)
        rows.append([f"{mark}{side}", " ".join(f"{rate:.2f}" for rate in rates), f"{median:.3f} [{min(ratios):.2f} .. {max(ratios):.2f}]"])
    print()
    report.table(["in turn", "within the SLA, /s, by round", "by the winner's of the round"], rows)
    share = tuned["seconds"] / seconds
    verdicts = {
        f"nothing beats the winner by more than {_BEATEN_BY_MAX:.0%}: the best has {best - 1:+.1%}": best <= 1 + _BEATEN_BY_MAX,
        f"a tenth of the grid's time: {share:.3f}": share <= _TIME_SHARE_MAX,
    }
    for text, met in verdicts.items():
        print(f"  {'met ' if met else 'MISSED'} {text}")
    return all(verdicts.values())


def main():
    """0 when both models' verdicts are met."""
    parser = argparse.ArgumentParser(description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, type=pathlib.Path, help="a folder for archives and what was measured")
    parser.add_argument("--models", default=",".join(model.name for model in _MODELS))
    parser.add_argument("--seconds", type=float, default=8, help="of each of bench's probes at most; default 8")
    parser.add_argument("--turn-seconds", type=float, help="the same of those that take turns; default --seconds")
    parser.add_argument("--batches", type=_numbers, default=[1 << i for i in range(6)], help="of the grid; default 1,2,4,...,32")
    parser.add_argument("--precision", type=int, default=5, help="of bench's search, percent; default 5")
    parser.add_argument("--rounds", type=int, default=5, help="of those that take turns; default 5")
    parser.add_argument("--sides", type=int, default=2, help="of the grid's best take turns with the winner; default 2")
    parser.add_argument("--cores", type=int, default=2, help="of the space; default 2")
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    journal = Journal(options.work / "measured.jsonl")
    _write_archives(options.work)
    for key, value in report.machine().items():
        print(f"{key}: {value}")
    met = True
    for model in _MODELS:
        if model.name not in options.models.split(","):
            continue
        variants = journal.get(f"{model.name} | variants", lambda m=model: _optimize(options, m, options.work))

        def measure(point, model=model):
            return _capacity(options.seconds, options, model, point, options.work)

        def measure_longer(point, model=model):
            return _capacity(options.turn_seconds or options.seconds, options, model, point, options.work)

        grid = {
            point: journal.get(f"{model.name} | grid | {point}", lambda p=point, m=measure: m(p))
            for point in _points(variants, options.batches, options.cores)
        }
        budget = _TIME_SHARE_MAX * sum(value["seconds"] for value in grid.values()) - _START_S
        tuned = journal.get(f"{model.name} | tune", lambda m=model, b=budget: _tune(options, m, b, options.work))
        winner = Point(*tuned["point"])
        best = [point for point in sorted(grid, key=lambda point: -grid[point]["rate"]) if point != winner]
        faced = _face(options, model, [winner, *best[: options.sides]], measure_longer, journal)
        met = _show(model, tuned, grid, faced) and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
