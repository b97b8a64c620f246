"""A running TorchServe, below the directory that HEADRACE_PEERS names, if it is there."""

import json
import pathlib
import re
import urllib.request

from harness import peers
from harness import server as server_module


def program():
    """Nothing where it is not installed."""
    directory = peers.directory()
    path = directory / "bin" / "torchserve" if directory else None
    return path if path and path.exists() else None


class TorchServe(server_module.Server):
    """One over a model store: a directory of .mar files. Answers only to loopback, without tokens."""

    def __init__(self, store, work, models=("all",), command=None, **settings):
        """`work`: an empty directory for its logs. `models`: what is served from the start. `command`: another program
        that takes the same options. `settings`: further keys of config.properties."""
        self.host = "127.0.0.1"
        self.port, management, metrics = peers.free_port(), peers.free_port(), peers.free_port()
        self.management_port, self.metrics_port = management, metrics
        keys = {
            "inference_address": f"http://127.0.0.1:{self.port}",
            "management_address": f"http://127.0.0.1:{management}",
            "metrics_address": f"http://127.0.0.1:{metrics}",
            "grpc_inference_port": peers.free_port(),
            "grpc_management_port": peers.free_port(),
            "default_workers_per_model": 1,
            "disable_system_metrics": "true",
            **settings,
        }
        work = pathlib.Path(work)
        (work / "config.properties").write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        options = (
            "--start",
            "--foreground",
            "--ncs",
            "--disable-token-auth",
            "--models",
            *models,
            "--model-store",
            str(store),
            "--ts-config",
            str(work / "config.properties"),
        )
        environment = {name: str(work) for name in ("TEMP", "TMPDIR")}
        environment |= {name: str(work / "logs") for name in ("LOG_LOCATION", "METRICS_LOCATION")}
        self.start((str(command or program()), *options), environment)

    def wait_models(self, names, limit_s=120):
        """Until one worker of each has loaded its model."""
        for name in names:
            self.wait_line(
                rf"W-\d+-{re.escape(name)}_\S+ .*State change WORKER_STARTED -> WORKER_MODEL_LOADED", limit_s
            )

    def ready(self, name):
        """Whether a worker of the model is ready, as the management API says."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.management_port}/models/{name}", timeout=10) as answer:
                (described,) = json.load(answer)
        except OSError:
            return False
        return any(worker["status"] == "READY" for worker in described["workers"])
