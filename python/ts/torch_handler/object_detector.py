"""object_detector: boxes of what a detection model finds."""

import torch

from ts.handler_utils.timer import timed
from ts.torch_handler import image_transforms
from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ObjectDetector(VisionHandler):
    """Answers [{label: [x1, y1, x2, y2], "score": s}...] for each image: what has a score of at least `threshold`. The
    model answers a {"boxes", "labels", "scores"} for each image, as torchvision's do. Images of one size go in as one
    tensor, others as a list.
    """

    threshold = 0.5
    image_processing = image_transforms.Compose([image_transforms.ToTensor()])

    @timed
    def preprocess(self, data):
        images = [self.image_tensor(row).to(self.device) for row in data]
        if self._takes_list() or len({image.shape for image in images}) > 1:
            return images
        return torch.stack(images)

    def _takes_list(self):
        """Scripted detectors of torchvision take nothing but a list."""
        if not isinstance(self.model, torch.jit.ScriptModule):
            return False
        arguments = self.model.forward.schema.arguments[1:]
        return bool(arguments) and isinstance(arguments[0].type, torch.ListType)

    @timed
    def inference(self, data, *args, **kwargs):
        with torch.inference_mode():
            return self.model(data, *args, **kwargs)

    @timed
    def postprocess(self, data):
        if isinstance(data, tuple):
            data = data[1]  # a scripted detector answers (losses, detections)
        return [self._detections(found) for found in data]

    def _detections(self, found):
        kept = found["scores"] >= self.threshold
        boxes = found["boxes"][kept].tolist()
        classes = found["labels"][kept].tolist()
        answers = map_class_to_label([[box] for box in boxes], self.mapping, [[label] for label in classes])
        for answer, score in zip(answers, found["scores"][kept].tolist()):
            answer["score"] = score
        return answers
