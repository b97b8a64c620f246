"""image_classifier: the five likeliest classes of an image."""

import torch

from ts.handler_utils.timer import timed
from ts.torch_handler import image_transforms
from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ImageClassifier(VisionHandler):
    """Answers {label: probability} for each image, best first: 5, or `handler: {topk: }` of model-config.yaml."""

    topk = 5
    image_processing = image_transforms.Compose(
        [
            image_transforms.Resize(256),
            image_transforms.CenterCrop(224),
            image_transforms.ToTensor(),
            image_transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )

    def initialize(self, context):
        super().initialize(context)
        settings = self.model_yaml_config.get("handler")
        if isinstance(settings, dict) and isinstance(settings.get("topk"), int):
            self.topk = settings["topk"]

    def set_max_result_classes(self, topk):
        self.topk = topk

    def get_max_result_classes(self):
        return self.topk

    @timed
    def postprocess(self, data):
        probabilities = torch.softmax(data, dim=1)
        best, classes = torch.topk(probabilities, min(self.topk, probabilities.shape[1]), dim=1)
        return map_class_to_label(best.tolist(), self.mapping, classes.tolist())
