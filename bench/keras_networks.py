"""The networks of networks.py as Keras models, for the comparisons of speed and of accuracy."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
from keras import layers as kinds


def build(layers):
    """A model that returns logits for images of 28 × 28 × 1."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for kind, *settings in layers:
        model.add(
            {
                "conv": lambda filters=0, padding="": kinds.Conv2D(filters, 3, padding=padding),
                "norm": kinds.BatchNormalization,
                "relu": kinds.ReLU,
                "pool": kinds.MaxPooling2D,
                "drop": kinds.Dropout,
                "flatten": kinds.Flatten,
                "dense": kinds.Dense,
            }[kind](*settings)
        )
    return model
