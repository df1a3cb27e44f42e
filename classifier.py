"""A small digit classifier: the judge of every generator in this repository.

It is trained only on real digits. It recognises the digit in a picture. The features that it uses
for this also give the Frechet distance (scores.py).

    python classifier.py                                train one, into results/classifier
    python classifier.py --out data/classifier --fresh  the command that trained the shipped one
    python classifier.py --sample some_digit.png        recognise a digit

Further reading: Network in Network (global average pooling), https://arxiv.org/abs/1312.4400.
"""

import dataclasses
import json
import pathlib
import time

import utils  # must be the first import: it prepares TensorFlow
import keras
import numpy as np
import tensorflow as tf

import gan_cnn
import mnist_ds
import pictures

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Settings(utils.Settings):
    out: str = "results/classifier"
    """folder for NAME.keras and NAME.json, where NAME is the data set; scripts look for a judge in
    data/classifier (shipped), and in results/classifier of the folder where they are run"""
    epochs: int = 6
    """passes over the training data"""
    batch_size: int = 128
    """pictures in a batch"""
    learning_rate: float = 3e-3
    """learning rate of Adam at the start; it falls to 0 along a cosine"""
    sample: tuple[str, ...] | None = None
    """picture files to recognise, with the classifier in --out, or else with the data set's"""


def build_classifier(image_shape, num_classes):
    """Pictures (n, height, width, channels) in [-1, 1] -> class logits (n, num_classes).

    The Frechet distance compares the outputs of the layer "features", (n, 64).
    """
    x = inputs = keras.Input(image_shape)
    # A shifted digit is still the same digit: a cheap way to get more training data.
    x = keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest")(x)
    for filters, pool in ((16, False), (32, True), (64, False), (64, True), (64, False)):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
        if pool:
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    logits = keras.layers.Dense(num_classes, name="logits", dtype="float32")(x)
    return keras.Model(inputs, logits, name="classifier")


class Judge:
    """The trained classifier of a data set, which judges pictures in [-1, 1]."""

    def __init__(self, model):
        self.model = model
        outputs = [model.get_layer("features").output, model.output]
        self.both = keras.Model(model.input, outputs)

    def __call__(self, images):
        """Pictures (n, height, width, channels) -> features (n, 64), predicted labels (n,).

        Pictures of a different size are first resized to the size of the training pictures.
        """
        size = self.model.input_shape[1:3]
        if images.shape[1:3] != size:
            parts = [images[i : i + 1000] for i in range(0, len(images), 1000)]
            images = np.concatenate([tf.image.resize(x, size, antialias=True) for x in parts])
        features, logits = self.both.predict(images, batch_size=500, verbose=0)
        return features, logits.argmax(axis=1)


def load_judge(data, path=""):
    """The Judge of this mnist_ds.Data: `path`, or else the classifier for the same pictures.

    It looks in data/classifier and in results/classifier for a .json file with the same test
    pictures. If there is none, it prints a message and returns None. Raises utils.BadInput if the
    file `path` is not a classifier for these classes and channels.
    """
    folders = HERE / "data" / "classifier", pathlib.Path("results/classifier")
    known = [about for folder in folders for about in sorted(folder.glob("*.json"))]
    ours = [one.with_suffix(".keras") for one in known if fingerprint_in(one) == data.fingerprint]
    found = pathlib.Path(path) if path else next((one for one in ours if one.exists()), None)
    if not found:
        print(f"score      no judge: {data.name} has no classifier yet; classifier.py trains one")
        return None
    try:
        judge = Judge(keras.saving.load_model(found, compile=False))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())[:100]
        if not path:
            print(f"score      no judge: {found} cannot be loaded ({reason})")
            return None
        expected = "a .keras file that classifier.py has made"
        raise utils.BadInput(f"--judge {found}: {reason}; expected {expected}") from None
    channels, classes = judge.model.input_shape[3], judge.model.output_shape[1]
    fits = channels == data.image_shape[2] and classes >= data.num_classes
    expected = f"a classifier of {data.num_classes} classes and {data.image_shape[2]} channels"
    utils.require(fits or not path, "--judge", found, expected)
    if not fits:  # trained on the same pictures before they were changed to grey or colour
        print(f"score      no judge: {found} does not fit; expected {expected}")
        return None
    return judge


def fingerprint_in(about):
    """The fingerprint of a classifier's data, from its .json file; "none" if it does not say."""
    try:
        return json.loads(about.read_text()).get("fingerprint") or "none"
    except (OSError, ValueError, AttributeError):
        return "none"


def main():
    settings = utils.parse(Settings, __doc__)
    data = mnist_ds.load(settings.data, settings.size, settings.train_pictures)
    path = pathlib.Path(settings.out) / f"{data.name}.keras"
    if settings.sample:
        return sample(settings, data, path)
    utils.folder(settings.out)
    if path.exists() and not settings.fresh:
        raise utils.BadInput(f"--out {settings.out}: {path} is there; --fresh trains it again")
    settings.check_data(data)
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(utils.chosen_precision(settings.precision)[0])
    print(f"data       {data}")
    steps = settings.epochs * settings.steps_in_epoch(data)
    model = build_classifier(data.image_shape, data.num_classes)
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, max(1, steps))
    model.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    began = time.perf_counter()
    for epoch in range(settings.epochs):
        batches = mnist_ds.batches(data.train, settings.batch_size, settings.seed, epoch)
        batches = batches.take(settings.steps_per_epoch or -1)
        figures = model.fit(batches, shuffle=False, verbose=0).history
        text = "  ".join(f"{name} {values[0]:.4f}" for name, values in figures.items())
        print(f"epoch {epoch + 1:<5}{text}")
    seconds = time.perf_counter() - began

    predicted = Judge(model)(mnist_ds.floats(data.test))[1]
    accuracy = float(np.mean(predicted == data.test.labels))
    # The .json file must never stand next to a different classifier.
    path.with_suffix(".json").unlink(missing_ok=True)
    with utils.replacing(path) as part:  # a copy in float32, without Adam's averages
        gan_cnn.averaged(model, build_classifier, data.image_shape, data.num_classes).save(part)
    about = {
        "fingerprint": data.fingerprint,
        "test_accuracy": accuracy,
        "train_seconds": round(seconds, 1),
        "settings": dataclasses.asdict(settings),
    }
    utils.write_json(path.with_suffix(".json"), about)
    print(f"{path}: test accuracy {accuracy:.2%} after {seconds:.0f} s of training")


def sample(settings, data, path):
    """--sample: print the class of each file, by the classifier in --out or else the data set's."""
    given = "" if settings.out == Settings.out else path
    if given and not given.exists():
        raise utils.BadInput(
            f"--out {settings.out}: there is no {path.name} in it; train one first"
        )
    judge = load_judge(data, settings.judge or given)
    if judge is None:
        raise utils.BadInput(f"--sample: no classifier for --data {settings.data} yet; train one")
    labels = judge(pictures.read_all(settings.sample, data.image_shape, data.fit))[1]
    for file, label in zip(settings.sample, labels, strict=True):
        print(f"{file}: {data.names[label]}")


if __name__ == "__main__":
    utils.run(main)
