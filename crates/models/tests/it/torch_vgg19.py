"""A VGG19 as torchvision builds it, with random weights, saved as torchvision's published files are.

    python torch_vgg19.py FOLDER

FOLDER has `images.bin` (f32, 2x3x64x64). The weights are written to `vgg19.pth` and, in the format of before
PyTorch 1.6, to `vgg19_legacy.pth`; what the convolutions make of the images to `features.bin`. The classifier is
there too, but narrow: nothing reads it, and a real one is half a gigabyte.
"""

import sys
from pathlib import Path

import torch
from torch import nn


class Vgg19(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"]:
            if width == "M":
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            else:
                layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 1000)
        )
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.uniform_(module.bias, -0.1, 0.1)


folder = Path(sys.argv[1])
torch.manual_seed(0)
model = Vgg19().eval()
images = torch.frombuffer(bytearray((folder / "images.bin").read_bytes()), dtype=torch.float32).reshape(2, 3, 64, 64)
with torch.no_grad():
    features = model.features(images)
(folder / "features.bin").write_bytes(features.contiguous().numpy().tobytes())
torch.save(model.state_dict(), folder / "vgg19.pth")
torch.save(model.state_dict(), folder / "vgg19_legacy.pth", _use_new_zipfile_serialization=False)
