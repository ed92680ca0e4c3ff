"""The networks of this crate, written the way a person writes them in PyTorch.

    python torch_reference.py CASE...

Every CASE is a folder with `case.json` (the model's configuration, the shape of its images, the number of
classes), `images.bin` (f32) and `model.safetensors`. The weights are loaded strictly by name, and the logits
are written to `logits.bin`. Then a network with weights of PyTorch's own is written to `torch.safetensors`,
and its logits to `torch_logits.bin`.

Nothing here is shared with the crate: names, order and sizes are written out a second time.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softmax": lambda x: F.softmax(x, dim=1),
    "gelu": F.gelu,
    "silu": F.silu,
}


def constants(config):
    """Keras's constants in PyTorch's sense: momentum is the share of the new batch."""
    given = config["batch_norm_constants"]
    return {"eps": given["epsilon"], "momentum": 1.0 - given["momentum"]}


class Dense(nn.Module):
    def __init__(self, config, pixels, num_classes):
        super().__init__()
        self.config = config
        self.depth = len(config["hidden_sizes"])
        for i, size in enumerate(config["hidden_sizes"], start=1):
            self.add_module(f"dense{i}", nn.Linear(pixels, size, bias=config["bias"]))
            if config["batch_norm"] != "none":
                self.add_module(f"bn{i}", nn.BatchNorm1d(size, **constants(config)))
            pixels = size
        self.head = nn.Linear(pixels, num_classes, bias=config["bias"])

    def forward(self, x):
        x = torch.flatten(x, 1)
        place = self.config["batch_norm"]
        for i in range(1, self.depth + 1):
            x = getattr(self, f"dense{i}")(x)
            if place == "before_activation":
                x = getattr(self, f"bn{i}")(x)
            x = ACTIVATIONS[self.config["activation"]](x)
            if place == "after_activation":
                x = getattr(self, f"bn{i}")(x)
            x = F.dropout(x, self.config["dropout"], self.training)
            if place == "after_dropout":
                x = getattr(self, f"bn{i}")(x)
        x = self.head(x)
        return F.logsigmoid(x) if self.config["head"] == "sigmoid" else x


class Cnn1(nn.Module):
    def __init__(self, channels, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3)
        self.dense1 = nn.LazyLinear(128)
        self.head = nn.Linear(128, num_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.dense1(torch.flatten(x, 1)))
        return self.head(x)


class Cnn3(nn.Module):
    def __init__(self, channels, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.conv3 = nn.Conv2d(64, 128, 3)
        self.dense1 = nn.LazyLinear(128)
        self.head = nn.Linear(128, num_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.conv3(x))
        x = F.relu(self.dense1(torch.flatten(x, 1)))
        return self.head(x)


class Cnn4(nn.Module):
    def __init__(self, config, channels, num_classes):
        super().__init__()
        norm = constants(config)
        self.conv1 = nn.Conv2d(channels, 32, 3)
        self.bn1 = nn.BatchNorm2d(32, **norm)
        self.conv2 = nn.Conv2d(32, 32, 3)
        self.bn2 = nn.BatchNorm2d(32, **norm)
        self.conv3 = nn.Conv2d(32, 64, 3)
        self.bn3 = nn.BatchNorm2d(64, **norm)
        self.conv4 = nn.Conv2d(64, 128, 3)
        self.bn4 = nn.BatchNorm2d(128, **norm)
        self.dense1 = nn.LazyLinear(512)
        self.bn5 = nn.BatchNorm1d(512, **norm)
        self.dense2 = nn.Linear(512, 128)
        self.bn6 = nn.BatchNorm1d(128, **norm)
        self.head = nn.Linear(128, num_classes)

    def forward(self, x):
        x = self.bn1(F.relu(self.conv1(x)))
        x = F.max_pool2d(self.bn2(F.relu(self.conv2(x))), 2)
        x = self.bn3(F.relu(self.conv3(x)))
        x = F.max_pool2d(self.bn4(F.relu(self.conv4(x))), 2)
        x = self.bn5(F.relu(self.dense1(torch.flatten(x, 1))))
        x = self.bn6(F.relu(self.dense2(x)))
        return self.head(x)


VARIANTS = {
    "vgg11": [[64], [128], [256] * 2, [512] * 2, [512] * 2],
    "vgg13": [[64] * 2, [128] * 2, [256] * 2, [512] * 2, [512] * 2],
    "vgg16": [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3],
    "vgg19": [[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512] * 4],
}


class Vgg(nn.Module):
    """Two Sequentials, as in torchvision."""

    def __init__(self, config, channels, num_classes):
        super().__init__()
        stages = config.get("stages") or VARIANTS.get(config.get("variant"), [[16, 16], [32, 32], [64, 64]])
        place = config["batch_norm"]
        features = []
        for stage in stages:
            for i, width in enumerate(stage):
                norm = nn.BatchNorm2d(width, **constants(config))
                features.append(nn.Conv2d(channels, width, 3, padding=1))
                features += [norm] if place == "before_activation" else []
                features.append(nn.ReLU())
                features += [norm] if place == "after_activation" else []
                features += [nn.MaxPool2d(2)] if i == len(stage) - 1 else []
                features += [norm] if place == "after_dropout" else []
                channels = width
        self.features = nn.Sequential(*features)
        self.average = config["reduction"] == "global_average"
        classifier = []
        for size in config["hidden_sizes"]:
            classifier += [nn.LazyLinear(size), nn.ReLU(), nn.Dropout(config["dropout"])]
        self.classifier = nn.Sequential(*classifier, nn.LazyLinear(num_classes))

    def forward(self, x):
        x = self.features(x)
        x = F.adaptive_avg_pool2d(x, 1) if self.average else x
        return self.classifier(torch.flatten(x, 1))


def build(case):
    (kind, config), = case["model"].items()
    channels, height, width = case["image"]
    num_classes = case["num_classes"]
    if kind == "dense":
        return Dense(config, channels * height * width, num_classes)
    if kind == "cnn1":
        return Cnn1(channels, num_classes)
    if kind == "cnn3":
        return Cnn3(channels, num_classes)
    if kind == "cnn4":
        return Cnn4(config, channels, num_classes)
    return Vgg(config, channels, num_classes)


@torch.no_grad()
def run(folder):
    case = json.loads((folder / "case.json").read_text())
    images = torch.frombuffer(bytearray((folder / "images.bin").read_bytes()), dtype=torch.float32)
    images = images.reshape(-1, *case["image"])
    network = build(case)
    # One step in training: sizes of lazy layers are found, running statistics leave 0 and 1.
    network.train()(images)
    network.eval()
    save_file(network.state_dict(), folder / "torch.safetensors")
    (folder / "torch_logits.bin").write_bytes(network(images).numpy().tobytes())
    network.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    (folder / "logits.bin").write_bytes(network(images).numpy().tobytes())


if __name__ == "__main__":
    torch.manual_seed(0)
    for argument in sys.argv[1:]:
        run(Path(argument))
    print(f"torch {torch.__version__}")
