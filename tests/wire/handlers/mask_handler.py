"""A picture in; boxes, masks and labels of the figures in it out. As services do that animate drawings."""

import io
import os

import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import PredictionException


class FigureHandler(BaseHandler):
    def initialize(self, context):
        torch.set_num_threads(1)
        super().initialize(context)

    def preprocess(self, data):
        pictures = []
        for row in data:
            content = row.get("data") or row.get("body")
            try:
                pictures.append(to_tensor(Image.open(io.BytesIO(content)).convert("RGB")).to(self.device))
            except OSError:
                raise PredictionException("the picture cannot be read", 415) from None
        return pictures

    def inference(self, data):
        with torch.inference_mode():
            return self.model(data)

    def postprocess(self, data):
        return [{"worker": os.getpid(), "figures": self._figures(found)} for found in data]

    def _figures(self, found):
        figures = []
        for box, label, score, mask in zip(found["boxes"], found["labels"], found["scores"], found["masks"]):
            figures.append(
                {
                    "box": box.tolist(),
                    "class_name": self.mapping[str(int(label))],
                    "score": float(score),
                    "mask": self._runs(mask[0] > 0.5),
                }
            )
        return figures

    @staticmethod
    def _runs(mask):
        """Lengths of runs, row by row, of pixels outside and inside in turn."""
        flat = mask.flatten().to(torch.int8)
        ends = torch.nonzero(torch.diff(flat)).flatten() + 1
        edges = torch.cat([torch.zeros(1, dtype=torch.long), ends, torch.tensor([flat.numel()])])
        runs = torch.diff(edges).tolist()
        return runs if not bool(flat[0]) else [0, *runs]
