"""The few transformations of images that the default handlers make: torchvision's where it is installed, else the same
of PIL and torch."""

try:
    from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor
except ImportError:
    import numpy
    import torch
    from PIL import Image

    class Compose:
        def __init__(self, transforms):
            self.transforms = transforms

        def __call__(self, image):
            for transform in self.transforms:
                image = transform(image)
            return image

    class Resize:
        """The shorter side becomes `size`."""

        def __init__(self, size):
            self.size = size

        def __call__(self, image):
            width, height = image.size
            if width <= height:
                wanted = (self.size, int(self.size * height / width))
            else:
                wanted = (int(self.size * width / height), self.size)
            return image.resize(wanted, Image.Resampling.BILINEAR)

    class CenterCrop:
        def __init__(self, size):
            self.size = size

        def __call__(self, image):
            left = round((image.size[0] - self.size) / 2)
            top = round((image.size[1] - self.size) / 2)
            return image.crop((left, top, left + self.size, top + self.size))

    class ToTensor:
        """[0, 255] of channels last becomes [0, 1] of channels first."""

        def __call__(self, image):
            array = numpy.array(image, copy=True)
            if array.ndim == 2:
                array = array[:, :, None]
            tensor = torch.from_numpy(array).permute(2, 0, 1).contiguous()
            return tensor.float().div(255) if tensor.dtype is torch.uint8 else tensor

    class Normalize:
        def __init__(self, mean, std):
            self.mean = torch.tensor(mean).view(-1, 1, 1)
            self.std = torch.tensor(std).view(-1, 1, 1)

        def __call__(self, tensor):
            return (tensor - self.mean) / self.std


__all__ = ["CenterCrop", "Compose", "Normalize", "Resize", "ToTensor"]
