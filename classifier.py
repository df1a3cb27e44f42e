"""A small digit classifier: the judge of every generator in this repository.

It is trained on real digits only and never sees a generated one. Three things come from it: which
digit it recognizes in a picture, how far a set of pictures is from the real ones in its features
(`frechet_distance`), and, by its global average pooling, where in a picture it looks.

    python classifier.py                                train one, into results/classifier
    python classifier.py --out data/classifier --fresh  the command that made the shipped one
    python classifier.py --sample some_digit.png        read a digit

Further reading: Network in Network (global average pooling), https://arxiv.org/abs/1312.4400;
GANs trained by a two time-scale update rule (Frechet distance), https://arxiv.org/abs/1706.08500.
"""

import dataclasses
import pathlib
import time

import utils  # first of all: it quiets TensorFlow's start-up messages
import keras
import numpy as np
import tensorflow as tf

import mnist_ds
import pictures

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Settings(utils.Settings):
    out: str = "results/classifier"
    """folder for NAME.keras and NAME.json, NAME being the data set's"""
    epochs: int = 6
    """passes over the training data"""
    batch_size: int = 128
    """pictures in a batch"""
    learning_rate: float = 3e-3
    """of Adam at the start; falls to 0 along a cosine"""


def build_classifier(image_shape, num_classes):
    """Pictures (n, height, width, channels) in [-1, 1] -> class logits (n, num_classes).

    The output of the layer "features", (n, 64), is what the Frechet distance compares.
    """
    x = inputs = keras.Input(image_shape)
    # Shifted digits are still the same digits: the cheapest way to more training data.
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
    """The trained classifier of a data set, and what it says of pictures in [-1, 1]."""

    def __init__(self, model):
        self.model = model
        outputs = [model.get_layer("features").output, model.output]
        self.both = keras.Model(model.input, outputs)

    def __call__(self, images):
        """Pictures (n, height, width, channels) -> features (n, 64), predicted labels (n,).

        Pictures of another size than those that it was trained on are brought to that first.
        """
        size = self.model.input_shape[1:3]
        if images.shape[1:3] != size:
            parts = [images[i : i + 1000] for i in range(0, len(images), 1000)]
            images = np.concatenate([tf.image.resize(x, size, antialias=True) for x in parts])
        features, logits = self.both.predict(images, batch_size=500, verbose=0)
        return features, logits.argmax(axis=1)


def load_judge(data):
    """The Judge of this mnist_ds.Data, or None if no classifier has been trained for it.

    Looked for by the data set's name, first among the shipped ones, then in results/classifier;
    after that, one for the same pictures in their original size.
    """
    for name, image_shape in ((data.name, data.image_shape), data.original):
        for folder in (HERE / "data" / "classifier", HERE / "results" / "classifier"):
            path = folder / f"{name}.keras"
            if path.exists():
                model = keras.saving.load_model(path, compile=False)
                if model.input_shape[1:] == image_shape:  # not other data of the same name
                    return Judge(model)
    return None


def frechet_distance(a, b):
    """Frechet distance between two sets of features, (n, d) and (m, d), taken as Gaussians.

    |mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)), section 2 of the paper
    above. 0 for equal sets; the fewer pictures, the larger it is for equal distributions.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # trace((AB)^(1/2)) = trace((A^(1/2) B A^(1/2))^(1/2)), whose argument is symmetric: no complex
    # square roots, and rounding can only make an eigenvalue slightly negative.
    values, vectors = np.linalg.eigh(cov_a)
    root_a = vectors * np.sqrt(values.clip(0)) @ vectors.T
    trace_root = np.sqrt(np.linalg.eigvalsh(root_a @ cov_b @ root_a).clip(0)).sum()
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * trace_root)


def completion_scores(data, masks, completed):
    """How good completed pictures are, with what gives the figures their meaning beside them.

    Args:
        data: a mnist_ds.Data, whose test pictures were completed.
        masks: (n, height, width, 1), 1 = was visible, 0 = was hidden.
        completed: (n, height, width, channels) in [-1, 1].

    Returns:
        hole_psnr: in dB, over all hidden pixels (peak = 2, the width of [-1, 1]); hole_sharpness:
        how sharp the fillings are, compared with what was hidden (see sharpness). If there is a
        classifier for the data, also recognised: the share of completed pictures that it takes for
        what they show, and frechet: their Frechet distance from real training pictures; both also
        for the holed and for the untouched test pictures, the latter being the best possible.
    """
    images = mnist_ds.normalize(data.test_images).numpy()
    hidden = np.broadcast_to(masks == 0, images.shape)
    scores = {
        "hole_psnr": psnr(images[hidden], completed[hidden]),
        "hole_sharpness": sharpness(images, completed, masks == 0),
    }
    judge = load_judge(data)
    if judge is None:
        print(f"score      no judge: {data.name} has no classifier yet; classifier.py trains one")
        return scores
    reference, _ = judge(mnist_ds.normalize(data.train_images[: len(images)]).numpy())
    sets = {"": completed, "_holed": images * masks, "_untouched": images}
    said = {name: judge(shown) for name, shown in sets.items()}
    for name, (_, labels) in said.items():
        scores[f"recognised{name}"] = float(np.mean(labels == data.test_labels))
    for name, (features, _) in said.items():
        scores[f"frechet{name}"] = frechet_distance(features, reference)
    return scores


def pair_scores(target, generated):
    """How near pictures (n, height, width, channels) in [-1, 1] are to what they should be.

    l1: the mean absolute difference; psnr: in dB, over all pixels; sharpness: see there.
    """
    return {
        "l1": float(np.mean(np.abs(generated - target))),
        "psnr": psnr(target, generated),
        "sharpness": sharpness(target, generated),
    }


def psnr(target, generated):
    """Peak signal-to-noise ratio of values in [-1, 1], in dB: the peak is 2."""
    return float(10 * np.log10(4 / max(np.mean((generated - target) ** 2), 1e-12)))


def sharpness(target, generated, where=np.True_):
    """How much pixels differ from their neighbours, as a multiple of how much the target's do.

    1 = edges as strong and as many as the target's; less = blurred, or strokes are missing.

    Args:
        target, generated: (n, height, width, channels) in [-1, 1].
        where: (n, height, width, 1), True for the pixels that count; of two neighbours both must.
    """
    where = np.broadcast_to(where, target.shape)
    sums = {"target": 0.0, "generated": 0.0}
    for axis in (1, 2):
        first, second = ([slice(None)] * 4 for _ in range(2))
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        both = where[tuple(first)] & where[tuple(second)]
        for name, images in (("target", target), ("generated", generated)):
            sums[name] += float(np.abs(np.diff(images, axis=axis)[both]).sum())
    return sums["generated"] / max(sums["target"], 1e-12)


def translation_scores(data, translated):
    """How good pictures are that were translated into the one kind that `data` holds.

    Args:
        data: a mnist_ds.Data with the real pictures of that kind.
        translated: (n, height, width, channels) in [-1, 1].

    Returns:
        diversity: the mean absolute difference between two of them, taken at random; near 0 when
        all inputs have become one output. If there is a classifier for the data, also taken: the
        share that it takes for that kind, and frechet: their Frechet distance from the training
        pictures of that kind. *_untouched is the same figure for the kind's real test pictures.
    """
    images = mnist_ds.normalize(data.test_images).numpy()
    sets = {"": translated, "_untouched": images}
    scores = {}
    for name, shown in sets.items():
        shuffled = np.random.default_rng(0).permutation(shown)
        others = np.roll(shuffled, 1, axis=0)
        scores[f"diversity{name}"] = float(np.mean(np.abs(shuffled - others)))
    judge = load_judge(data)
    if judge is None or len(np.unique(data.test_labels)) > 1:
        return scores
    reference, _ = judge(mnist_ds.normalize(data.train_images).numpy())
    for name, shown in sets.items():
        features, labels = judge(shown)
        scores[f"taken{name}"] = float(np.mean(labels == data.test_labels[0]))
        scores[f"frechet{name}"] = frechet_distance(features, reference)
    return scores


def generation_scores(data, generated, labels=None):
    """How good generated pictures are, with what gives the figures their meaning beside them.

    Args:
        data: a mnist_ds.Data.
        generated: (n, height, width, channels) in [-1, 1], as many as there are test pictures.
        labels: (n,) the classes that were asked for, if any were.

    Returns:
        {} without a classifier for the data; else frechet, the Frechet distance from real training
        pictures; smallest_share and largest_share of the classes among the pictures, and their
        entropy in bits; with labels also conditional_accuracy, how often the classifier reads what
        was asked for, and worst_class_frechet, the largest distance within a class. *_untouched is
        the same figure for the real test pictures, the best possible.
    """
    judge = load_judge(data)
    if judge is None:
        print(f"score      none: {data.name} has no classifier yet; classifier.py trains one")
        return {}
    count = len(data.test_images)
    reference_labels = data.train_labels[:count]
    reference, _ = judge(mnist_ds.normalize(data.train_images[:count]).numpy())
    real = (*judge(mnist_ds.normalize(data.test_images).numpy()), data.test_labels)
    sets = {"": (*judge(generated), labels), "_untouched": real}
    scores = {}
    for name, (features, _, _) in sets.items():
        scores[f"frechet{name}"] = frechet_distance(features, reference)
    for name, (_, read, _) in sets.items():
        shares = np.bincount(read, minlength=data.num_classes) / len(read)
        scores[f"smallest_share{name}"] = float(shares.min())
        scores[f"largest_share{name}"] = float(shares.max())
        scores[f"entropy{name}"] = float(-(shares * np.log2(shares.clip(1e-12))).sum())
    if labels is not None:
        for name, (features, read, asked) in sets.items():
            scores[f"conditional_accuracy{name}"] = float(np.mean(read == asked))
            scores[f"worst_class_frechet{name}"] = max(
                frechet_distance(features[asked == k], reference[reference_labels == k])
                for k in range(data.num_classes)
            )
    return scores


def main():
    settings = utils.parse(Settings, __doc__)
    data = mnist_ds.load(settings.data, settings.size)
    if settings.sample:
        return sample(settings, data)
    path = utils.folder(settings.out) / f"{data.name}.keras"
    if path.exists() and not settings.fresh:
        raise utils.BadInput(f"--out {settings.out}: {path} is there; --fresh trains it again")
    utils.start(settings, data)
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
        batches = mnist_ds.batches(data, settings.batch_size, settings.seed, epoch)
        batches = batches.take(settings.steps_per_epoch or -1)
        figures = model.fit(batches, shuffle=False, verbose=0).history
        text = "  ".join(f"{name} {values[0]:.4f}" for name, values in figures.items())
        print(f"epoch {epoch + 1:<5}{text}")
    seconds = time.perf_counter() - began

    predicted = Judge(model)(mnist_ds.normalize(data.test_images).numpy())[1]
    accuracy = float(np.mean(predicted == data.test_labels))
    with utils.replacing(path) as part:  # as a new, uncompiled model: without Adam's averages
        keras.Model(model.input, model.output).save(part)
    settings_used = {"settings": dataclasses.asdict(settings)}
    scores = {"test_accuracy": accuracy, "train_seconds": round(seconds, 1)}
    utils.write_json(path.with_suffix(".json"), scores | settings_used)
    print(f"{path}: test accuracy {accuracy:.2%} after {seconds:.0f} s of training")


def sample(settings, data):
    """--sample: say what the classifier of the data set reads in picture files."""
    judge = load_judge(data)
    if judge is None:
        raise utils.BadInput(f"--sample: no classifier for --data {settings.data} yet; train one")
    labels = judge(pictures.read_all(settings.sample, data.image_shape))[1]
    for path, label in zip(settings.sample, labels, strict=True):
        print(f"{path}: {label}")


if __name__ == "__main__":
    utils.run(main)
