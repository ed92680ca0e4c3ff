"""Times Keras on TensorFlow: peer_keras.py NETWORK step|epoch|loader|inference - BATCH WIDTH THREADS IMAGES.

Answers numbers on standard input as the suite's own program does (crates/runner/examples/speed.rs).
"""

import sys
import time

from keras_networks import build, keras  # first: it chooses Keras's backend
import tensorflow

from networks import NETWORKS, answer, samples

name, what, _, *numbers = sys.argv[1:]
batch, width, threads, images = map(int, numbers)
tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
keras.utils.set_random_seed(0)


layers, _, smooth = NETWORKS[name]
model = build(layers(width))
pixels, classes = samples(images)
if smooth:
    classes = keras.utils.to_categorical(classes, 10)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(keras.optimizers.AdamW(0.003, weight_decay=0.05), loss)
else:
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))


class Laps(keras.callbacks.Callback):
    """The time from the end of one batch to the end of the next."""

    def on_train_begin(self, logs=None):
        self.times = []

    def on_train_batch_begin(self, index, logs=None):
        if index == 0:
            self.last = time.perf_counter()

    def on_train_batch_end(self, index, logs=None):
        now = time.perf_counter()
        self.times.append((now - self.last) * 1e3)
        self.last = now


def steps(count):
    laps = Laps()
    while count > 0:
        part = min(count, images // batch)
        model.fit(pixels[: part * batch], classes[: part * batch], batch, shuffle=False, verbose=0, callbacks=[laps])
        count -= part
        yield from laps.times


def augmented():
    """The generator of the networks' source, with its settings."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    settings = dict(rotation_range=8, width_shift_range=0.08, height_shift_range=0.08, shear_range=0.3, zoom_range=0.08)
    return ImageDataGenerator(**settings).flow(pixels, classes, batch_size=batch)


def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def varied():
    for _ in range(len(flow)):
        next(flow)


flow = augmented() if what in ("epoch", "loader") else None
for line in sys.stdin:
    count = int(line)
    if what == "step":
        times = list(steps(count))
    elif what == "epoch":
        times = [timed(lambda: model.fit(flow, verbose=0)) for _ in range(count)]
    elif what == "loader":
        times = [timed(varied) for _ in range(count)]
    else:
        times = [timed(lambda: model.predict(pixels, batch, verbose=0)) for _ in range(count)]
    answer(times, batch if what == "step" else images)
