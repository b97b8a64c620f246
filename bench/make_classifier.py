#!/usr/bin/env python3
"""A ResNet-18 whose answers mean something: make_classifier.py PICTURES WEIGHTS

There are no trained weights of it here, and of random ones the best class is a toss-up that any rounding decides. So
the layers are random, their normalisation has the statistics of the pictures, and the last layer is fitted (ridge
regression on the features before it) to say which photograph a picture of make_photographs.py is of. It has the
thousand classes of ImageNet's, of which the first are used, and costs what a trained one costs. Writes TorchScript.
"""

import argparse
import pathlib

import torch
import torchvision
from PIL import Image
from torchvision import transforms

_RIDGE = 0.1  # times the features' mean variance
_SCALE = 10.0  # of the scores: the right class is nearly certain
_BATCH = 12


def _read(paths):
    steps = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    return torch.stack([steps(Image.open(path).convert("RGB")) for path in paths])


def _in_batches(network, images):
    return torch.cat([network(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)])


def _fit_normalisation(model, images):
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches
    model.train()
    _in_batches(model, images[torch.randperm(len(images))])
    model.eval()


def _fit_last_layer(model, images, labels):
    features = _in_batches(torch.nn.Sequential(*list(model.children())[:-1], torch.nn.Flatten()), images)
    mean = features.mean(0)
    features = features - mean
    wanted = torch.nn.functional.one_hot(labels).float()
    covariance = features.T @ features
    ridge = _RIDGE * torch.trace(covariance) / len(covariance) * torch.eye(len(covariance))
    fitted = torch.linalg.solve(covariance + ridge, features.T @ (wanted - wanted.mean(0)))
    model.fc.weight.zero_()
    model.fc.bias.fill_(-_SCALE)
    model.fc.weight[: wanted.shape[1]] = _SCALE * fitted.T
    model.fc.bias[: wanted.shape[1]] = _SCALE * (wanted.mean(0) - mean @ fitted)


def main():
    """Prints how many of the pictures it knows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("--others", type=pathlib.Path, help="pictures that it is tried on")
    options = parser.parse_args()
    paths = sorted(options.pictures.glob("*.jpg"))
    images, labels = _read(paths), torch.tensor([int(path.name[:2]) for path in paths])
    torch.manual_seed(1)
    model = torchvision.models.resnet18(weights=None)
    with torch.no_grad():
        _fit_normalisation(model, images)
        _fit_last_layer(model, images, labels)
        torch.jit.save(torch.jit.trace(model, images[:1]), options.weights)
        if options.others:
            paths = sorted(options.others.glob("*.jpg"))
            images, labels = _read(paths), torch.tensor([int(path.name[:2]) for path in paths])
        right = (_in_batches(model, images).argmax(1) == labels).float().mean().item()
    print(f"it knows the photograph of {right * 100:.1f} % of {len(paths)} pictures")


if __name__ == "__main__":
    main()
