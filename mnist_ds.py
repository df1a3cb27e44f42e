"""Pictures, labels and random holes: the inputs of all networks.

Pictures are kept as uint8 (n, height, width, channels) and become float32 in [-1, 1] only inside
the `tf.data` pipeline. A mask has the shape (n, height, width, 1): 1 = visible, 0 = hidden.
"""

import dataclasses
import hashlib
import math
import os
import pathlib
import re
import zipfile

import utils  # must be the first import: it prepares TensorFlow
import keras
import numpy as np
import tensorflow as tf

import pictures

HERE = pathlib.Path(__file__).resolve().parent
MOST_FLOATS = 2**28  # of all test pictures together: 1 GB


class Arrays:
    """One part of a data set, in memory: pictures uint8 (n, h, w, c) and their labels (n,).

    A part must have a length, `labels`, `image_shape`, `read`, `fetch` and `part`. The scripts
    use nothing else, so a part may also read its pictures from disk.
    """

    def __init__(self, images, labels):
        self.images, self.labels = images, labels.astype(np.int32)

    def __len__(self):
        return len(self.labels)

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return tuple(self.images.shape[1:])

    def read(self, index=slice(None)):
        """The pictures with these indices, or all: a NumPy array, uint8 (n, h, w, c)."""
        return self.images[index]

    def fetch(self):
        """Returns a function for tf.data: a tensor of indices -> their pictures as a tensor."""
        with tf.device("CPU"):
            images = tf.constant(self.images)
        return lambda index: tf.gather(images, index)

    def part(self, index):
        """The pictures with these indices as a new part."""
        return Arrays(self.images[index], self.labels[index])


@dataclasses.dataclass
class Data:
    """A set of pictures with labels, in a training part and a test part (see Arrays)."""

    name: str
    train: Arrays
    test: Arrays
    class_names: tuple = ()  # empty: the names are the numbers
    fit: str = "pad"  # how files become such pictures, see pictures.read_all
    fingerprint: str = ""  # of the test part, before it was resized
    train_fingerprint: str = ""  # of the training part

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return self.train.image_shape

    @property
    def picture_shape(self):
        """(height, width, channels) of one picture; the image of a pair contains two pictures."""
        height, width, channels = self.image_shape
        return (height, width // 2, channels) if self.fit == "pair" else self.image_shape

    @property
    def num_classes(self):
        largest = int(max(self.train.labels.max(), self.test.labels.max()))
        return max(largest + 1, len(self.class_names))

    def __str__(self):
        height, width, channels = self.image_shape
        present = np.unique(self.train.labels)
        classes = (
            f"{len(present)} classes" if len(present) > 1 else f"class {self.names[present[0]]}"
        )
        return (
            f"{self.name}: {len(self.train):,} training and {len(self.test):,} test pictures, "
            f"{height}x{width}x{channels}, {classes}"
        )

    @property
    def names(self):
        """The names of the classes."""
        return list(self.class_names) or [str(label) for label in range(self.num_classes)]

    def only(self, class_name, option="--label"):
        """The pictures of one class, by its name or number; BadInput if there are none."""
        label = label_of(class_name, self.names, option, f"classes of {self.name}")
        train, test = (np.flatnonzero(p.labels == label) for p in (self.train, self.test))
        has_some = len(train) and len(test)
        utils.require(has_some, option, class_name, "a class that has training and test pictures")
        return dataclasses.replace(self, train=self.train.part(train), test=self.test.part(test))

    def first(self, count):
        """The same data with only the first `count` training pictures; 0 = all."""
        return dataclasses.replace(self, train=self.train.part(slice(count or None)))

    def scorable(self):
        """The same data with fewer test pictures, if all of them as floats do not fit into memory.

        They are chosen at equal distances. All scripts score and show the test pictures together.
        """
        count, most = len(self.test), MOST_FLOATS // math.prod(self.image_shape)
        if count <= most:
            return self
        index = np.linspace(0, count - 1, most).round().astype(int)
        return dataclasses.replace(self, test=self.test.part(index))

    def resized(self, size):
        """The same data as squares: cropped in the middle, resized to `size` with antialiasing."""
        parts = {name: squares(getattr(self, name), size) for name in ("train", "test")}
        return dataclasses.replace(self, name=f"{self.name}{size}", **parts)


def label_of(class_name, names, option, what="classes"):
    """The number of a class, by its name or else by its number, both as text; BadInput if none."""
    numbers = [str(label) for label in range(len(names))]
    expected = f"one of the {what}: {', '.join(names)[:300]}"
    if names != numbers:
        expected += f"; or its number, 0 to {len(names) - 1}"
    utils.require(class_name in [*names, *numbers], option, class_name, expected)
    return (names if class_name in names else numbers).index(class_name)


def squares(part, size):
    """Pictures of a part -> Arrays of squares: cropped in the middle, resized to `size` pixels."""
    height, width, channels = part.image_shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    resized = np.empty((len(part), size, size, channels), np.uint8)
    chunk = max(1, min(1000, 2**26 // (max(side, size) ** 2 * channels)))  # at most 256 MB
    for i in range(0, len(part), chunk):
        images = part.read(slice(i, i + chunk))[:, top : top + side, left : left + side]
        images = tf.image.resize(images, (size, size), "bicubic", antialias=True)
        resized[i : i + chunk] = np.clip(np.round(images), 0, 255)
    return Arrays(resized, part.labels)


def alike(*sets):
    """Several Data of one size, all in colour if one of them is; BadInput if sizes differ."""
    sizes = [f"{data.image_shape[0]}x{data.image_shape[1]}" for data in sets]
    same = len(set(sizes)) == 1
    utils.require(same, "pictures of", " and ".join(sizes), "one size for all; --size gives it")

    def coloured(part):
        images = part.read()
        return Arrays(np.broadcast_to(images, (*images.shape[:3], 3)), part.labels)

    if all(data.image_shape[2] == 1 for data in sets):
        return list(sets)
    return [
        dataclasses.replace(data, train=coloured(data.train), test=coloured(data.test))
        for data in sets
    ]


# ------------------------------------------------------------------------------------------ loading


def load(data="mnist", size=0, train_pictures=0, pairs=False):
    """Load pictures: "mnist" (shipped), a folder, an .npz file, or a tensorflow-datasets name.

    An .npz file has the same arrays as Keras's mnist.npz: `x_train`, `y_train`, `x_test`, `y_test`,
    pictures uint8 (n, height, width) or (n, height, width, channels). For a folder see
    pictures.load_folder; with `pairs`, each of its files contains two pictures next to each other.
    The pictures are resized to squares of `size` pixels, 0 = not resized (pictures of a folder:
    64). Only the first `train_pictures` are used for training, 0 = all.
    Raises utils.BadInput if there is no such data, or if it is malformed.
    """
    # The shipped digits come first; to use a folder with this name, write ./mnist.
    if data == "mnist":
        loaded = load_npz(HERE / "data" / "mnist.npz", name="mnist")
    elif os.path.isdir(data):
        *arrays, names, fingerprint = pictures.load_folder(data, size or 64, pairs)
        loaded = dataclasses.replace(
            checked(pathlib.Path(data).resolve().name, *arrays, source=f"--data {data}"),
            class_names=tuple(names),
            fit="pair" if pairs else "crop",
            fingerprint=fingerprint,  # of names and sizes; for the training part, of the pictures
        )
    elif data.endswith(".npz") or os.sep in data or os.path.exists(data):
        loaded = load_npz(pathlib.Path(data))
    else:
        loaded = load_tfds(data)
    if size and loaded.picture_shape[:2] != (size, size):
        loaded = loaded.resized(size)
    return loaded.first(train_pictures).scorable()


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
    """Load an image data set of tensorflow-datasets by its name; download it if necessary.

    The environment variable `TFDS_DATA_DIR` names the folder of the prepared data sets. Raises
    utils.BadInput if the data set cannot be loaded.
    """
    try:
        import absl.logging
        import tensorflow_datasets as tfds  # slow to import: only if it is needed

        absl.logging.set_verbosity(absl.logging.ERROR)  # it prints warnings about its own code
        known = tfds.list_builders(with_community_datasets=False)
        builder = tfds.builder(name) if re.split("[/:]", name)[0] in known else None
    except ImportError as error:
        raise utils.BadInput(
            f"--data {name}: no such file, and to load a data set by this name tensorflow-datasets "
            f"is needed ({error}); python -m pip install -r requirements.txt"
        ) from None
    except Exception as error:  # about the name's version or configuration
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
    """BadInput if the first file of a data set cannot be reached; tfds would take minutes."""
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
    """A Data of these arrays; raises BadInput, which says what is wrong with them."""
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
    train, test = Arrays(x_train, y_train), Arrays(x_test, y_test)
    # Grey pictures, such as digits, are padded and made light on dark. Pictures in colour, such as
    # photographs, are cropped.
    fit = "pad" if x_train.shape[3] == 1 else "crop"
    prints = fingerprint_of(x_test, y_test), fingerprint_of(x_train, y_train)
    return Data(name, train, test, fit=fit, fingerprint=prints[0], train_fingerprint=prints[1])


def fingerprint_of(images, labels):
    """A hash of pictures and labels. It is used to find the judge of these data."""
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(images))
    digest.update(np.ascontiguousarray(labels, np.int32))
    return digest.hexdigest()[:32]


def some_of_each_class(labels, count=20):
    """Indices of about `count` pictures, the same number of each of the first `count` classes.

    The first picture of each class, then the second of each, and so on.
    """
    classes = np.unique(labels)[:count]
    of_each = max(1, count // len(classes))
    firsts = [np.flatnonzero(labels == label)[:of_each] for label in classes]
    return np.array([index[k] for k in range(of_each) for index in firsts if k < len(index)])


# ---------------------------------------------------------------------------------------- pipelines


def normalize(images):
    """uint8 [0, 255] -> float32 [-1, 1], the range of tanh and so of the generators' output."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def floats(part, index=slice(None)):
    """The pictures of a part (see Arrays), all or those with these indices, in [-1, 1]: NumPy."""
    return normalize(part.read(index)).numpy()


def batches(part, batch_size, seed=0, epoch=0, fetch=None):
    """One epoch of a training part, as `(images, labels)`: float32 in [-1, 1] and int32.

    The complete set is shuffled, in an order that depends only on (seed, epoch): a resumed run sees
    the same batches as one that never stopped. The last, smaller batch is left out, because with a
    second batch size TensorFlow would trace every step function again. `fetch` is the result of
    `part.fetch()`, if it is kept for several epochs.
    """
    count, fetch = len(part), fetch or part.fetch()
    with tf.device("CPU"):
        labels = tf.constant(part.labels)
    order = tf.data.Dataset.range(count).shuffle(count, seed=utils.stream(seed, f"order {epoch}"))
    order = order.batch(batch_size, drop_remainder=True)
    return order.map(lambda index: (normalize(fetch(index)), tf.gather(labels, index))).prefetch(
        tf.data.AUTOTUNE
    )


def epochs(settings, *data):
    """The `batches` for these settings, as a function of the epoch: for `training.train`.

    One data set gives (images, labels). Several give a tuple of these, each in a different order.
    """

    fetches = [part.train.fetch() for part in data]

    def of_epoch(epoch):
        seeds = [utils.stream(settings.seed, f"data {i}") for i in range(len(data))]
        sets = [
            batches(part.train, settings.batch_size, seed, epoch, fetch)
            for part, seed, fetch in zip(data, seeds, fetches, strict=True)
        ]
        return sets[0] if len(sets) == 1 else tf.data.Dataset.zip(*sets)

    return of_epoch


# -------------------------------------------------------------------------------------------- masks


def random_masks(count, height, width, smallest, largest, seed):
    """Square holes, one per picture: float32 (count, height, width, 1), 1 = visible, 0 = hidden.

    The side is uniform over smallest..largest (both included). Every position where the complete
    hole is inside the picture is equally likely; rows and columns are independent.

    Args:
        count, height, width: number and size of the pictures; `count` may be a tensor.
        smallest, largest: sides of the hole in pixels, 1 <= smallest <= largest <= height, width.
        seed: a `gan_cnn.RandomStream`, which gives new masks at every call (also inside a
            `tf.function`), or an int, which always gives the same masks.
    """
    draw = keras.random.uniform((count, 3), dtype="float32", seed=seed)
    return masks_at(draw, height, width, smallest, largest)


def masks_at(draw, height, width, smallest, largest):
    """Masks as in `random_masks`; draw (n, 3), in [0, 1), sets their sides, rows and columns."""
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
    """make a new hole each time that a picture is used; without it, each picture keeps its hole"""

    def check(self):
        super().check()
        smallest, largest = self.hole
        expected = "two sides in pixels, 1 <= smallest <= largest"
        utils.require(1 <= smallest <= largest, "--hole", f"{smallest} {largest}", expected)

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        side = min(image_shape[:2])
        expected = f"sides of less than {side} pixels, the picture's"
        utils.require(self.hole[1] < side, "--hole", f"{self.hole[0]} {self.hole[1]}", expected)


def training_masks(images, settings, seed):
    """The masks of a batch of training pictures (n, height, width, channels) in [-1, 1]."""
    if settings.fresh_holes:
        return random_masks(tf.shape(images)[0], *images.shape[1:3], *settings.hole, seed)
    # Three numbers that depend only on the picture: weighted sums of its grey values.
    greys = tf.reshape(tf.cast(tf.round((images + 1) * 127.5), tf.int32), (tf.shape(images)[0], -1))
    factors = np.random.default_rng(0).integers(1, 1009, (greys.shape[1], 3), dtype=np.int32)
    sums = tf.reduce_sum(greys[:, :, tf.newaxis] * factors, axis=1)
    draw = tf.cast(sums % 1009, tf.float32) / 1009
    return masks_at(draw, *images.shape[1:3], *settings.hole)


def holes_for(images, hole, seed):
    """Masks for these pictures, float32 NumPy (n, height, width, 1): the same for the same seed."""
    return random_masks(len(images), *images.shape[1:3], *hole, seed).numpy()


def held_out_holes(data, hole):
    """Test pictures in [-1, 1] and their masks; all completions are shown and scored with them."""
    images = floats(data.test)
    return images, holes_for(images, hole, seed=0)
