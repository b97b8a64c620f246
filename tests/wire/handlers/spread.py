"""A layer whose halves lie in two processes: each multiplies by its own, and all_reduce adds what they have."""

import os
import time

import torch
import torch.distributed


class Halves:
    def initialize(self, context):
        trouble = context.model_yaml_config.get("trouble")
        if trouble and os.environ["RANK"] == "1":
            if trouble == "refuses":
                raise ValueError("no room for the second half")
            time.sleep(3600)
        torch.distributed.init_process_group("gloo")
        rank, count = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self._weight = torch.arange(8.0).chunk(count)[rank]

    def handle(self, rows, context):
        order = bytes(rows[0]["body"]).decode()
        rank = torch.distributed.get_rank()
        if order == "die" and rank == 1:
            os._exit(9)
        part = torch.ones(8).chunk(torch.distributed.get_world_size())[rank]
        total = part @ self._weight
        torch.distributed.all_reduce(total)
        return [{"total": total.item(), "part": float(self._weight.sum()), "process": os.getpid()}]
