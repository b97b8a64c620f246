"""What the default handlers of images have in common."""

import base64
import io

import torch
from PIL import Image

from ts.handler_utils.timer import timed
from ts.torch_handler.base_handler import BaseHandler


class VisionHandler(BaseHandler):
    """A request's `data` or `body` is an encoded image, one in base64 (a string), or a list of numbers that is the
    tensor itself. A subclass has `image_processing`, from an image to a tensor."""

    def initialize(self, context):
        super().initialize(context)
        if not context.system_properties.get("limit_max_image_pixels", True):
            Image.MAX_IMAGE_PIXELS = None

    @timed
    def preprocess(self, data):
        return torch.stack([self.image_tensor(row) for row in data]).to(self.device)

    def image_tensor(self, row):
        image = row.get("data") or row.get("body")
        if isinstance(image, str):
            image = base64.b64decode(image)
        if isinstance(image, (bytes, bytearray)):
            return self.image_processing(Image.open(io.BytesIO(image)).convert("RGB"))
        return torch.FloatTensor(image)

    def get_insights(self, tensor_data, _, target=0):
        """Integrated gradients of the image, one list for each in the batch; needs captum."""
        from captum.attr import IntegratedGradients

        attributions = IntegratedGradients(self.model).attribute(tensor_data, target=target, n_steps=15)
        return attributions.tolist()
