"""Small detection models of torchvision. Needs torch and torchvision."""

import io

import torch
from PIL import Image
from torchvision.models.detection.rpn import AnchorGenerator

from harness import photographs

_SIDE_MIN = 64  # a model that keeps the shape of an image takes no thinner ones


def make(kind):
    """As torchvision makes them, of small parts; it finds something in every photograph."""
    torch.manual_seed(5)
    backbone = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 7, stride=4, padding=3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 5, stride=2, padding=2),
        torch.nn.Tanh(),
    )
    backbone.out_channels = 16
    model = kind(
        backbone,
        num_classes=4,
        rpn_anchor_generator=AnchorGenerator(((16, 32, 64),), ((0.5, 1.0, 2.0),)),
        min_size=96,
        max_size=160,
        box_detections_per_img=15,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_test=60,
        rpn_nms_thresh=0.5,
    )
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.02 if "bbox" in name else 1.5 / parameter[0].numel() ** 0.5)
    return model.eval()


def scripted(module):
    """The bytes of a .pt file."""
    out = io.BytesIO()
    torch.jit.save(torch.jit.script(module), out)
    return out.getvalue()


def pictures(count, seed):
    """[(name, bytes)...] that detectors take, two of one size among them."""
    made = photographs.make(count, seed=seed)
    kept = [one for one in made if min(Image.open(io.BytesIO(one[1])).size) >= _SIDE_MIN]
    return kept + [("again", kept[0][1])]
