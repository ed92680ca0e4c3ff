"""The networks of the comparison, as lists of layers that both peers are built from.

A layer is a tuple: ("conv", filters, padding), ("norm",), ("relu",), ("pool",), ("drop", rate), ("flatten",),
("dense", units). The sizes and their order are those of crates/models.
"""


def dense_128(width):
    return [("flatten",), ("dense", 128 * width), ("relu",), ("dense", 10)]


def dense_deep(width):
    return [
        ("flatten",),
        *[layer for units in (300, 100, 100, 100) for layer in (("dense", units * width), ("relu",))],
        ("dense", 10),
    ]


def cnn1(width):
    return [
        *[("conv", 32 * width, "valid"), ("relu",), ("pool",), ("drop", 0.2)],
        *[("flatten",), ("dense", 128), ("relu",), ("dense", 10)],
    ]


def cnn3(width):
    return [
        *[("conv", 32 * width, "valid"), ("relu",), ("pool",), ("drop", 0.25)],
        *[("conv", 64 * width, "valid"), ("relu",), ("pool",), ("drop", 0.25)],
        *[("conv", 128 * width, "valid"), ("relu",), ("drop", 0.4)],
        *[("flatten",), ("dense", 128), ("relu",), ("drop", 0.3), ("dense", 10)],
    ]


def cnn4(width):
    return [
        *[("conv", 32 * width, "valid"), ("relu",), ("norm",)],
        *[("conv", 32 * width, "valid"), ("relu",), ("norm",), ("pool",), ("drop", 0.25)],
        *[("conv", 64 * width, "valid"), ("relu",), ("norm",), ("drop", 0.25)],
        *[("conv", 128 * width, "valid"), ("relu",), ("norm",), ("pool",), ("drop", 0.25)],
        *[("flatten",), ("dense", 512), ("relu",), ("norm",), ("drop", 0.5)],
        *[("dense", 128), ("relu",), ("norm",), ("drop", 0.5), ("dense", 10)],
    ]


def ann(width):
    return [
        ("flatten",),
        *[
            layer
            for units in (128, 24, 24)
            for layer in (("dense", units * width), ("relu",), ("drop", 0.3), ("norm",))
        ],
        ("dense", 10),
    ]


def vgg_small(width):
    stage = lambda filters: [("conv", filters * width, "same"), ("norm",), ("relu",)] * 2 + [("pool",)]
    return [
        *stage(16),
        *stage(32),
        *stage(64),
        *[("flatten",), ("dense", 128), ("relu",), ("drop", 0.5), ("dense", 10)],
    ]


# Name, layers, batch, whether the rule is AdamW with label smoothing (else Adam), as experiments/*.toml have them.
NETWORKS = {
    "dense_128": (dense_128, 32, False),
    "cnn1": (cnn1, 256, False),
    "cnn3": (cnn3, 256, False),
    "cnn4": (cnn4, 256, False),
    "vgg_small": (vgg_small, 128, True),
}


def answer(times, images):
    """Says what was measured, with the most memory that the process has had."""
    import json

    print(json.dumps({"milliseconds": times, "images": images, "peak_bytes": peak_bytes()}), flush=True)


def peak_bytes():
    """The most memory that the process has had, read where the suite's own program reads it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def samples(count):
    """Images and classes like those of the data set: their values do not matter to a dense computation."""
    import numpy

    random = numpy.random.default_rng(0)
    return random.random((count, 28, 28, 1), dtype=numpy.float32), random.integers(0, 10, count)
