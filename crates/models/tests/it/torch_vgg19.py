"""A VGG19 as torchvision builds it, with random weights, saved as torchvision's published files are.

    python torch_vgg19.py FOLDER

FOLDER has `images.bin` (f32, 2x3x64x64). The weights are written to `vgg19.pth` and, in the format of before
PyTorch 1.6, to `vgg19_legacy.pth`; what the convolutions make of the images to `features.bin`. A head of 512 and 10
units on these goes to `head.safetensors`, with this project's names, and its logits to `logits.bin`; what the network
came from is printed. torchvision's own network is used where it is installed. Else it is written out here, with a
narrow classifier: nothing reads it, and a real one is half a gigabyte.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
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


def build():
    try:
        import torchvision
    except ImportError:
        return Vgg19(), "a copy of torchvision's network"
    return torchvision.models.vgg19(weights=None), f"torchvision {torchvision.__version__}"


folder = Path(sys.argv[1])
torch.manual_seed(0)
model, origin = build()
model.eval()
for module in model.features:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.uniform_(module.bias, -0.1, 0.1)
images = torch.frombuffer(bytearray((folder / "images.bin").read_bytes()), dtype=torch.float32).reshape(2, 3, 64, 64)
head = {"classifier.0": nn.Linear(512 * 2 * 2, 512), "classifier.3": nn.Linear(512, 10)}
for layer in head.values():
    nn.init.kaiming_normal_(layer.weight)
with torch.no_grad():
    features = model.features(images)
    logits = head["classifier.3"](torch.relu(head["classifier.0"](torch.flatten(features, 1))))
(folder / "features.bin").write_bytes(features.contiguous().numpy().tobytes())
(folder / "logits.bin").write_bytes(logits.contiguous().numpy().tobytes())
named = {f"{layer}.{name}": value.detach().clone() for layer, it in head.items() for name, value in it.named_parameters()}
save_file(named, folder / "head.safetensors")
torch.save(model.state_dict(), folder / "vgg19.pth")
torch.save(model.state_dict(), folder / "vgg19_legacy.pth", _use_new_zipfile_serialization=False)
print(f"{origin}, torch {torch.__version__}")
