"""Trains a network in Keras on the suite's own files: keras_accuracy.py NETWORK DATA_DIR SEED… >> ../results/reference/keras.jsonl

What a network reaches in the library that its article used, on today's Fashion-MNIST, by the recipe of the suite's
experiment of the same name. A line per epoch; the test set is looked at after every one, to draw a curve, not to
choose. DATA_DIR holds the four decompressed files.
"""

import json
import os
import sys

from keras_networks import build, keras  # first: it chooses Keras's backend
import numpy as np

import networks

BY_CHANCE, FIRST = "by chance", "the first"
BYTES, UNIT = 1, 255
# Layers, parameters, optimizer, batch, epochs, how many images validate, and which, and what pixels are divided by.
RECIPES = {
    "cnn1": (networks.cnn1, 693_962, "adam", 256, 10, 12_000, BY_CHANCE, UNIT),
    "cnn3": (networks.cnn3, 241_546, "adam", 256, 10, 12_000, BY_CHANCE, UNIT),
    "cnn4": (networks.cnn4, 1_221_546, "adam", 256, 10, 12_000, BY_CHANCE, UNIT),
    "dense_deep": (networks.dense_deep, 286_810, "sgd", 32, 10, 5_000, FIRST, UNIT),
    "ann_fashion": (networks.ann, 105_130, "adam", 100, 30, 0, FIRST, BYTES),
    "ann_fashion_corrected": (networks.ann, 105_130, "adam", 100, 30, 0, FIRST, UNIT),
}

name, folder, seeds = sys.argv[1], sys.argv[2], map(int, sys.argv[3:])
layers, parameters, optimizer, batch, epochs, held_out, which, scale = RECIPES[name]


def images(file):
    raw = np.fromfile(os.path.join(folder, file), np.uint8)[16:]
    return raw.reshape(-1, 28, 28, 1).astype("float32") / scale


def labels(file):
    return np.fromfile(os.path.join(folder, file), np.uint8)[8:].astype("int32")


train = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
test = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")
for seed in seeds:
    order = np.arange(60_000) if which == FIRST else np.random.RandomState(100 + seed).permutation(60_000)
    fit, valid = ([part[chosen] for part in train] for chosen in (order[held_out:], order[:held_out]))
    keras.utils.set_random_seed(seed)
    model = build(layers(1))
    assert model.count_params() == parameters
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    for epoch in range(1, epochs + 1):
        row = model.fit(*fit, batch_size=batch, verbose=0, validation_data=valid if held_out else None).history
        test_loss, test_accuracy = model.evaluate(*test, batch_size=1000, verbose=0)
        line = {
            "network": name,
            "seed": seed,
            "epoch": epoch,
            "train": row["accuracy"][0],
            "valid": row["val_accuracy"][0] if held_out else None,
            "valid_loss": row["val_loss"][0] if held_out else None,
            "test": test_accuracy,
            "test_loss": test_loss,
        }
        print(json.dumps(line), flush=True)
