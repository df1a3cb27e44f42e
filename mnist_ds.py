"""Pictures, labels and random holes: everything that the scripts feed to their networks.

Pictures are kept as uint8 (n, height, width, channels) and become float32 in [-1, 1] only inside
the `tf.data` pipeline. A mask has the shape (n, height, width, 1): 1 = visible, 0 = hidden.
"""

import dataclasses
import os
import pathlib
import re
import zipfile

import utils  # first of all: it quiets TensorFlow's start-up messages
import keras
import numpy as np
import tensorflow as tf

import pictures

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Data:
    """A labelled set of pictures: uint8 (n, height, width, channels), integer labels (n,)."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple = ()  # where they have none, their numbers
    original: tuple = ("", ())  # if they were resized: the name and image_shape that they had

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return self.train_images.shape[1:]

    @property
    def num_classes(self):
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1

    def __str__(self):
        height, width, channels = self.image_shape
        present = np.unique(self.train_labels)
        classes = (
            f"{len(present)} classes" if len(present) > 1 else f"class {self.names[present[0]]}"
        )
        return (
            f"{self.name}: {len(self.train_images):,} training and {len(self.test_images):,} test "
            f"pictures, {height}x{width}x{channels}, {classes}"
        )

    @property
    def names(self):
        """What the classes are called."""
        return list(self.class_names) or [str(label) for label in range(self.num_classes)]

    def only(self, class_name, option="--label"):
        """The pictures of one class, by its name or number; BadInput if there are none."""
        expected = f"one of the classes of {self.name}: {', '.join(self.names)[:300]}"
        utils.require(class_name in self.names, option, class_name, expected)
        label = self.names.index(class_name)
        train, test = self.train_labels == label, self.test_labels == label
        utils.require(train.any() and test.any(), option, class_name, "a class that has pictures")
        return dataclasses.replace(
            self,
            train_images=self.train_images[train],
            train_labels=self.train_labels[train],
            test_images=self.test_images[test],
            test_labels=self.test_labels[test],
        )

    def resized(self, size):
        """The same pictures as squares of `size` pixels, with antialiasing."""

        def resize(images):
            chunks = [
                tf.image.resize(images[i : i + 1000], (size, size), "bicubic", antialias=True)
                for i in range(0, len(images), 1000)
            ]
            return np.uint8(np.clip(np.round(np.concatenate(chunks)), 0, 255))

        images = [resize(self.train_images), resize(self.test_images)]
        name = f"{self.name}{size}"
        return dataclasses.replace(
            self,
            name=name,
            train_images=images[0],
            test_images=images[1],
            original=(self.name, self.image_shape),
        )


def alike(*sets):
    """Several Data, all in colour if one of them is."""

    def coloured(data):
        images = data.train_images, data.test_images
        train, test = (np.broadcast_to(x, (*x.shape[:3], 3)) for x in images)
        return dataclasses.replace(data, train_images=train, test_images=test)

    colour = any(data.image_shape[2] == 3 for data in sets)
    return [coloured(data) if colour else data for data in sets]


# ------------------------------------------------------------------------------------------ loading


def load(data="mnist", size=0, pairs=False):
    """Load pictures: "mnist" (shipped), a folder, an .npz file, or a tensorflow-datasets name.

    An .npz file has the layout of Keras's own mnist.npz: `x_train`, `y_train`, `x_test`, `y_test`,
    pictures uint8 (n, height, width) or (n, height, width, channels). For a folder see
    pictures.load_folder; with `pairs`, each of its files holds two pictures beside each other.
    `size` is the side in pixels that the pictures are brought to, 0 = as they are (a folder: 64).
    Raises utils.BadInput if there is no such data, or it is malformed.
    """
    if os.path.isdir(data):
        *arrays, names = pictures.load_folder(data, size or 64, pairs)
        source = f"--data {data}"
        name = pathlib.Path(data).resolve().name
        return dataclasses.replace(checked(name, *arrays, source), class_names=tuple(names))
    if data == "mnist":
        loaded = load_npz(HERE / "data" / "mnist.npz", name="mnist")
    elif data.endswith(".npz") or os.sep in data or os.path.exists(data):
        loaded = load_npz(pathlib.Path(data))
    else:
        loaded = load_tfds(data)
    return loaded if loaded.image_shape[:2] == (size, size) or not size else loaded.resized(size)


def load_npz(path, name=None):
    """Read an .npz file of pictures and labels (see `load`); never unpickles anything."""
    need = "an .npz file with x_train, y_train, x_test, y_test, as data/mnist.npz is laid out"
    if not path.is_file():
        raise utils.BadInput(f"--data {path}: no such file; give {need}, or the name of a data set")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except KeyError as error:
        raise utils.BadInput(f"--data {path}: {error.args[0]}; give {need}") from None
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = "it holds pickled objects" if "pickle" in str(error) else "it cannot be read"
        raise utils.BadInput(f"--data {path}: {reason}; give {need}") from None
    return checked(name or path.stem, *arrays, source=f"--data {path}")


def load_tfds(name):
    """Load an image data set of tensorflow-datasets by its name, downloading it if need be.

    `TFDS_DATA_DIR` says where prepared data sets are kept.
    """
    try:
        import absl.logging
        import tensorflow_datasets as tfds  # slow and heavy: only for those who ask for it

        absl.logging.set_verbosity(absl.logging.ERROR)  # it warns of its own inner workings
        known = tfds.list_builders(with_community_datasets=False)
        builder = tfds.builder(name) if re.split("[/:]", name)[0] in known else None
    except ImportError as error:
        raise utils.BadInput(
            f"--data {name}: no such file, and to load a data set by this name tensorflow-datasets "
            f"is needed ({error}); python -m pip install -r requirements.txt"
        ) from None
    except Exception as error:  # of the name's version or configuration
        reason = " ".join(str(error).split())[:200]
        raise utils.BadInput(f"--data {name}: {reason}; give the name alone") from None
    if builder is None:
        raise utils.BadInput(
            f"--data {name}: neither a file nor a data set of tensorflow-datasets; give 'mnist', "
            "an .npz file, or a name such as fashion_mnist, kmnist or cifar10"
        )
    if not builder.data_path.exists():
        check_download(builder)
    try:
        builder.download_and_prepare()
        parts = builder.as_dataset(split=["train", "test"], as_supervised=True)
        batches = [zip(*tfds.as_numpy(part.batch(1000)), strict=True) for part in parts]
        (x_train, y_train), (x_test, y_test) = (map(np.concatenate, part) for part in batches)
    except Exception as error:  # tfds raises whatever its readers and downloaders raise
        reason = " ".join(str(error).split())[:200]
        raise utils.BadInput(
            f"--data {name}: tensorflow-datasets could not give labelled pictures with a train and "
            f"a test part ({reason}); try another data set"
        ) from None
    loaded = checked(name, x_train, y_train, x_test, y_test, source=f"--data {name}")
    label = builder.info.features[builder.info.supervised_keys[1]]
    return dataclasses.replace(loaded, class_names=tuple(getattr(label, "names", ())))


def check_download(builder, seconds=5):
    """Fail at once when the first file of a data set cannot be reached; tfds takes minutes."""
    import requests  # comes with tensorflow-datasets

    url = next(iter(builder.url_infos), None)
    if url is None:
        return
    try:
        requests.get(url, stream=True, timeout=seconds).raise_for_status()
    except (requests.RequestException, OSError) as error:
        raise utils.BadInput(
            f"--data {builder.name}: not yet on this machine, and {url} cannot be reached "
            f"({type(error).__name__}); use --data mnist (shipped), or bring an .npz file"
        ) from None


def checked(name, x_train, y_train, x_test, y_test, source):
    """Return a Data of these arrays, or say what is wrong with them."""
    images, labels = [x_train, x_test], [y_train, y_test]
    for x, y in zip(images, labels, strict=True):
        if (
            x.dtype != np.uint8
            or x.ndim not in (3, 4)
            or (x.ndim == 4 and x.shape[3] not in (1, 3))
        ):
            raise utils.BadInput(
                f"{source}: pictures of shape {x.shape} and type {x.dtype}; expected uint8 "
                "(n, height, width), or (n, height, width, 1 or 3)"
            )
        if len(x) == 0 or y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0:
            raise utils.BadInput(
                f"{source}: {len(x)} pictures with labels of shape {y.shape} and type {y.dtype}; "
                "expected one whole number >= 0 for each picture, and at least one picture"
            )
    x_train, x_test = (x if x.ndim == 4 else x[..., np.newaxis] for x in images)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise utils.BadInput(
            f"{source}: training pictures of shape {x_train.shape[1:]}, test pictures of shape "
            f"{x_test.shape[1:]}; make them the same"
        )
    return Data(name, x_train, y_train.astype(np.int32), x_test, y_test.astype(np.int32))


def some_of_each_class(labels, count=20):
    """Indices of about `count` pictures, equally many of every class and at least one: the first
    picture of each class, then the second of each, and so on.
    """
    classes = np.unique(labels)
    of_each = max(1, count // len(classes))
    firsts = [np.flatnonzero(labels == label)[:of_each] for label in classes]
    return np.array([index[k] for k in range(of_each) for index in firsts if k < len(index)])


# ---------------------------------------------------------------------------------------- pipelines


def normalize(images):
    """uint8 [0, 255] -> float32 [-1, 1], the range of tanh, in which the generators answer."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def batches(data, batch_size, seed=0, epoch=0):
    """One epoch of training data, as `(images, labels)`: float32 in [-1, 1] and int32.

    Shuffled over the whole set, in an order that depends on (seed, epoch) alone: a run that goes on
    after a break sees the same batches as one that never stopped. The last, smaller batch is left
    out, for a second batch size would make every step function trace again.
    """
    count = len(data.train_images)
    with tf.device("CPU"):
        images, labels = tf.constant(data.train_images), tf.constant(data.train_labels)
    order = tf.data.Dataset.range(count).shuffle(count, seed=1_000_003 * seed + epoch)
    order = order.batch(batch_size, drop_remainder=True)
    return order.map(
        lambda index: (normalize(tf.gather(images, index)), tf.gather(labels, index))
    ).prefetch(tf.data.AUTOTUNE)


def epochs(settings, *data):
    """The `batches` of these settings as a function of the epoch, as `utils.train` wants them.

    Of one set: (images, labels). Of several: a tuple of that, each set in an order of its own.
    """

    def of_epoch(epoch):
        seeds = range(settings.seed, settings.seed + len(data))
        sets = [
            batches(part, settings.batch_size, seed, epoch)
            for part, seed in zip(data, seeds, strict=True)
        ]
        return sets[0] if len(sets) == 1 else tf.data.Dataset.zip(*sets)

    return of_epoch


# -------------------------------------------------------------------------------------------- masks


def random_masks(count, height, width, smallest, largest, seed):
    """Square holes, one per picture: float32 (count, height, width, 1), 1 = visible, 0 = hidden.

    The side is uniform over smallest..largest inclusive, and every position at which the whole hole
    lies inside the picture is equally likely, for the rows and the columns independently.

    Args:
        count, height, width: of the pictures; `count` may be a tensor.
        smallest, largest: sides of the hole in pixels, 1 <= smallest <= largest <= height, width.
        seed: a `keras.random.SeedGenerator`, which makes fresh masks at every call (also inside a
            `tf.function`), or an int, which makes the same ones again.
    """
    draw = keras.random.uniform((count, 3), dtype="float32", seed=seed)
    return masks_at(draw, height, width, smallest, largest)


def masks_at(draw, height, width, smallest, largest):
    """The `random_masks` whose sides, rows and columns are picked by draw (n, 3), in [0, 1)."""
    side = smallest + tf.floor(draw[:, 0] * (largest - smallest + 1))
    top = tf.floor(draw[:, 1] * (height - side + 1))
    left = tf.floor(draw[:, 2] * (width - side + 1))

    def inside(start, length):  # (count, length): does this row (or column) cross the hole?
        position = tf.range(length, dtype=tf.float32)[tf.newaxis]
        start, end = start[:, tf.newaxis], (start + side)[:, tf.newaxis]
        return (position >= start) & (position < end)

    hidden = inside(top, height)[:, :, tf.newaxis] & inside(left, width)[:, tf.newaxis, :]
    return 1.0 - tf.cast(hidden, tf.float32)[..., tf.newaxis]


@dataclasses.dataclass
class HoleSettings(utils.Settings):
    """The settings of a script that fills holes."""

    hole: tuple[int, int] = (10, 16)
    """smallest and largest side of the square hole, in pixels"""
    fresh_holes: bool = True
    """draw a new hole each time that a picture is seen; without, each picture keeps its hole"""

    def check(self):
        super().check()
        smallest, largest = self.hole
        expected = "two sides in pixels, 1 <= smallest <= largest"
        utils.require(1 <= smallest <= largest, "--hole", f"{smallest} {largest}", expected)

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        side = min(image_shape[:2])
        expected = f"sides of at most {side} pixels, the picture's"
        utils.require(self.hole[1] <= side, "--hole", f"{self.hole[0]} {self.hole[1]}", expected)


def training_masks(images, settings, seed):
    """The masks of a batch of training pictures (n, height, width, channels) in [-1, 1]."""
    if settings.fresh_holes:
        return random_masks(tf.shape(images)[0], *images.shape[1:3], *settings.hole, seed)
    # Three numbers that depend on nothing but the picture, by sums of its grey values.
    greys = tf.reshape(tf.cast(tf.round((images + 1) * 127.5), tf.int32), (tf.shape(images)[0], -1))
    factors = np.random.default_rng(0).integers(1, 1009, (greys.shape[1], 3), dtype=np.int32)
    sums = tf.reduce_sum(greys[:, :, tf.newaxis] * factors, axis=1)
    draw = tf.cast(sums % 1009, tf.float32) / 1009
    return masks_at(draw, *images.shape[1:3], *settings.hole)


def holes_for(images, hole, seed):
    """Masks for these pictures, float32 NumPy (n, height, width, 1): the same for the same seed."""
    return random_masks(len(images), *images.shape[1:3], *hole, seed).numpy()


def held_out_holes(data, hole):
    """Test pictures in [-1, 1] and their masks: by these all completions are shown and scored."""
    images = normalize(data.test_images).numpy()
    return images, holes_for(images, hole, seed=0)
