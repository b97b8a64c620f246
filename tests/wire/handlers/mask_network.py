"""A Mask R-CNN of torchvision's, with a residual backbone and a feature pyramid, small enough for a test."""

from torchvision.models import resnet
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

_CHANNELS = 16
_CLASSES = 4


class FigureDetector(MaskRCNN):
    def __init__(self):
        body = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1])
        layers = {f"layer{i}": str(i - 1) for i in range(1, 5)}
        backbone = BackboneWithFPN(body, layers, [64, 128, 256, 512], _CHANNELS)
        super().__init__(
            backbone,
            box_head=TwoMLPHead(_CHANNELS * 49, 32),
            box_predictor=FastRCNNPredictor(32, _CLASSES),
            mask_head=MaskRCNNHeads(_CHANNELS, (16, 16), 1),
            mask_predictor=MaskRCNNPredictor(16, 16, _CLASSES),
            min_size=64,
            max_size=96,
            rpn_pre_nms_top_n_test=100,
            rpn_post_nms_top_n_test=8,
            box_score_thresh=0.0,
            box_detections_per_img=3,
        )
