"""image_segmenter: the class of each pixel."""

import torch

from ts.handler_utils.timer import timed
from ts.torch_handler import image_transforms
from ts.torch_handler.vision_handler import VisionHandler


class ImageSegmenter(VisionHandler):
    """Answers height x width x [class, probability] for each image; the model's result is {"out": scores}."""

    image_processing = image_transforms.Compose(
        [
            image_transforms.Resize(256),
            image_transforms.CenterCrop(224),
            image_transforms.ToTensor(),
            image_transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )

    @timed
    def postprocess(self, data):
        scores = data["out"] if isinstance(data, dict) else data
        best, classes = torch.max(torch.softmax(scores, dim=1), dim=1)
        return torch.stack([classes.to(best.dtype), best], dim=3).tolist()
