"""Times PyTorch: peer_torch.py NETWORK step|epoch|loader|inference plain|channels_last BATCH WIDTH THREADS IMAGES.

Answers numbers on standard input as the suite's own program does (crates/runner/examples/speed.rs).
"""

import math
import sys
import time

import torch
from torch import nn

from networks import NETWORKS, answer, samples

name, what, layout, *numbers = sys.argv[1:]
batch, width, threads, images = map(int, numbers)
torch.set_num_threads(threads)
torch.manual_seed(0)
torch.set_flush_denormal(True)
memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format


def build(layers):
    modules, channels, size, features = [], 1, 28, None
    for kind, *settings in layers:
        if kind == "conv":
            filters, padding = settings
            modules.append(nn.Conv2d(channels, filters, 3, padding=1 if padding == "same" else 0))
            channels, size = filters, size if padding == "same" else size - 2
        elif kind == "norm":
            # Keras's momentum of 0.99 is PyTorch's 0.01.
            norm = nn.BatchNorm1d if features else nn.BatchNorm2d
            modules.append(norm(features or channels, eps=1e-3, momentum=0.01))
        elif kind == "pool":
            modules.append(nn.MaxPool2d(2))
            size //= 2
        elif kind == "flatten":
            modules.append(nn.Flatten())
            features = channels * size * size
        elif kind == "dense":
            modules.append(nn.Linear(features, settings[0]))
            features = settings[0]
        else:
            modules.append(nn.ReLU() if kind == "relu" else nn.Dropout(settings[0]))
    return nn.Sequential(*modules)


layers, _, smooth = NETWORKS[name]
model = build(layers(width)).to(memory_format=memory)
pixels, classes = samples(images)
pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(memory_format=memory)
classes = torch.from_numpy(classes)
if smooth:
    optimizer = torch.optim.AdamW(model.parameters(), 0.003, eps=1e-7, weight_decay=0.05, fused=True)
else:
    optimizer = torch.optim.Adam(model.parameters(), 0.001, eps=1e-7, fused=True)
loss = nn.CrossEntropyLoss(label_smoothing=0.1 if smooth else 0.0)


def augmented(x):
    """Rotation, shift, shear and zoom of a whole batch in one resampling."""
    count = len(x)
    uniform = lambda bound: (torch.rand(count) * 2 - 1) * bound
    angle, shear = uniform(math.radians(8)), uniform(math.radians(0.3))
    zoom_x, zoom_y = 1 + uniform(0.08), 1 + uniform(0.08)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * zoom_x, -(angle + shear).sin() * zoom_y, uniform(0.16), sin * zoom_x, (angle + shear).cos() * zoom_y]
    theta = torch.stack([*rows, uniform(0.16)], 1).view(count, 2, 3)
    grid = nn.functional.affine_grid(theta, x.shape, align_corners=True)
    return nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=True)


def step(x, y):
    optimizer.zero_grad(set_to_none=True)
    loss(model(x), y).backward()
    optimizer.step()


def epoch():
    order = torch.randperm(images)
    for part in order.split(batch):
        step(augmented(pixels[part]), classes[part])


def varied():
    for part in torch.randperm(images).split(batch):
        augmented(pixels[part])


@torch.no_grad()
def inference():
    for x in pixels.split(batch):
        model(x)


starts, position = range(0, images - batch + 1, batch), 0
model.train(what != "inference")
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = time.perf_counter()
        if what == "step":
            at = starts[position % len(starts)]
            position += 1
            step(pixels[at : at + batch], classes[at : at + batch])
        else:
            {"epoch": epoch, "loader": varied, "inference": inference}[what]()
        times.append((time.perf_counter() - start) * 1e3)
    answer(times, batch if what == "step" else images)
