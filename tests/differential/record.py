"""Asks an installed TorchServe (HEADRACE_PEERS) everything and writes its answers down: record.py [FILE]."""

import json
import pathlib
import sys
import tempfile

_TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS), str(pathlib.Path(__file__).parent)]

import answers  # noqa: E402
import scenarios  # noqa: E402

from harness import torchserve  # noqa: E402

RECORDED = pathlib.Path(__file__).parent / "torchserve_0.12.json"


def record(work):
    """The answers of a TorchServe that is started for it; `work`: an empty directory."""
    work = pathlib.Path(work)
    store = scenarios.make_store(work / "store")
    (work / "server").mkdir()
    settings = {"enable_model_api": "true", "default_workers_per_model": 1, "unregister_model_timeout": 20}
    with torchserve.TorchServe(store, work / "server", models=scenarios.LOADED, **settings) as server:
        server.wait_models([name.split("=")[0] for name in scenarios.LOADED])
        ports = {
            scenarios.INFERENCE: server.port,
            scenarios.MANAGEMENT: server.management_port,
            scenarios.METRICS: server.metrics_port,
        }
        return answers.ask_all(ports, scenarios.requests())


def main():
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDED
    with tempfile.TemporaryDirectory() as work:
        recorded = record(work)
    target.write_text(json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(recorded)} answers, {sum('failure' in answer for answer in recorded.values())} of them missing")


if __name__ == "__main__":
    main()
