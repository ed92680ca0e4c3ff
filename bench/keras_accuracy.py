"""Trains cnn3 in Keras on the suite's own files: keras_accuracy.py DATA_DIR SEED… > bench/keras_accuracy.jsonl

What the network of the suite's cnn3 reaches in the library that its article used, on today's Fashion-MNIST: Keras's
defaults, Adam, batches of 256, a random fifth of the training images held out. A line per epoch; the test set is looked
at after every one, to draw a curve, not to choose. DATA_DIR holds the four decompressed files.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from keras import layers as L

folder, seeds = sys.argv[1], map(int, sys.argv[2:])
EPOCHS, BATCH = 10, 256


def images(name):
    raw = np.fromfile(os.path.join(folder, name), np.uint8)[16:]
    return raw.reshape(-1, 28, 28, 1).astype("float32") / 255


def labels(name):
    return np.fromfile(os.path.join(folder, name), np.uint8)[8:].astype("int32")


def cnn3():
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(32, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Dropout(0.25),
            L.Conv2D(64, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Dropout(0.25),
            L.Conv2D(128, 3, activation="relu"),
            L.Dropout(0.4),
            L.Flatten(),
            L.Dense(128, activation="relu"),
            L.Dropout(0.3),
            L.Dense(10, activation="softmax"),
        ]
    )
    assert model.count_params() == 241_546
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


train = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
test = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")
for seed in seeds:
    order = np.random.RandomState(100 + seed).permutation(60_000)
    fit, valid = ([part[chosen] for part in train] for chosen in (order[12_000:], order[:12_000]))
    keras.utils.set_random_seed(seed)
    model = cnn3()
    for epoch in range(1, EPOCHS + 1):
        row = model.fit(*fit, batch_size=BATCH, verbose=0, validation_data=valid).history
        test_loss, test_accuracy = model.evaluate(*test, batch_size=1000, verbose=0)
        line = {
            "seed": seed,
            "epoch": epoch,
            "train": row["accuracy"][0],
            "valid": row["val_accuracy"][0],
            "valid_loss": row["val_loss"][0],
            "test": test_accuracy,
            "test_loss": test_loss,
        }
        print(json.dumps(line), flush=True)
