import os
import subprocess
import sys
import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import gan_cnn
import mnist_ds
import utils
from conftest import ROOT, noise_data, run_script

DRAWS = 20_000
SMALLEST, LARGEST = 10, 16


@pytest.fixture(scope="module")
def hidden():
    """Whether each pixel is hidden, (DRAWS, 28, 28), over many drawn masks."""
    seed = keras.random.SeedGenerator(1)
    masks = mnist_ds.random_masks(DRAWS, 28, 28, SMALLEST, LARGEST, seed).numpy()
    assert masks.shape == (DRAWS, 28, 28, 1)
    assert set(np.unique(masks)) == {0.0, 1.0}
    return masks[..., 0] == 0


def edges(hidden):
    """Top, left, height and width of each hidden rectangle."""
    rows, columns = hidden.any(axis=2), hidden.any(axis=1)
    return rows.argmax(axis=1), columns.argmax(axis=1), rows.sum(axis=1), columns.sum(axis=1)


def test_holes_are_solid_squares_of_every_side(hidden):
    _, _, height, width = edges(hidden)
    np.testing.assert_array_equal(height, width)
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2)), height * width)  # no gaps, one hole
    counts = np.bincount(height, minlength=LARGEST + 1)
    assert counts[:SMALLEST].sum() == 0
    assert len(counts) == LARGEST + 1
    expected = DRAWS / (LARGEST - SMALLEST + 1)
    assert np.abs(counts[SMALLEST:] - expected).max() < 5 * np.sqrt(expected)


def test_every_position_is_equally_likely(hidden):
    top, left, side, _ = edges(hidden)
    for length in (SMALLEST, 13, LARGEST):
        chosen = side == length
        positions = 28 - length + 1
        table = np.zeros((positions, positions))
        np.add.at(table, (top[chosen], left[chosen]), 1)
        expected = chosen.sum() / positions**2
        # Rows and columns for themselves, to the last one, and their combinations: five sigma.
        for marginal in (table.sum(axis=0), table.sum(axis=1)):
            mean = expected * positions
            assert np.abs(marginal - mean).max() < 5 * np.sqrt(mean)
        chi_square = ((table - expected) ** 2 / expected).sum()
        assert abs(chi_square - positions**2) < 5 * np.sqrt(2) * positions
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.05  # an offset used twice would give 1


def test_every_pixel_is_hidden_at_times(hidden):
    share = hidden.mean(axis=0)
    assert share.min() > 0
    # As often in the last row and column as in the first, and on either side of the diagonal.
    np.testing.assert_allclose(share, share[::-1, ::-1], atol=0.02)
    np.testing.assert_allclose(share, share.T, atol=0.02)


def test_masks_differ_within_a_batch_and_between_batches():
    seed = keras.random.SeedGenerator(0)
    draw = tf.function(lambda: mnist_ds.random_masks(32, 28, 28, SMALLEST, LARGEST, seed))
    first, second = draw().numpy(), draw().numpy()
    assert len({mask.tobytes() for mask in first}) > 25
    assert not np.array_equal(first, second)


def test_masks_of_an_int_seed_stay_the_same():
    first, second = (mnist_ds.random_masks(9, 28, 28, 1, 28, seed=5).numpy() for _ in "ab")
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, mnist_ds.random_masks(9, 28, 28, 1, 28, seed=6).numpy())


def test_whole_picture_hole():
    assert mnist_ds.random_masks(3, 28, 28, 28, 28, seed=0).numpy().max() == 0


def test_mnist_is_whole(data):
    assert data.train.images.shape == (60_000, 28, 28, 1)
    assert data.test.images.shape == (10_000, 28, 28, 1)
    assert data.train.images.dtype == np.uint8
    assert np.bincount(data.train.labels).tolist()[:3] == [5923, 6742, 5958]
    assert data.num_classes == 10


def test_normalize():
    np.testing.assert_allclose(mnist_ds.normalize(np.uint8([0, 51, 255])), [-1, -0.6, 1], atol=1e-6)


def numbered(count=100):
    """A part whose pictures are of one pixel, as bright as their label says."""
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return mnist_ds.Arrays(images, np.arange(count))


def labels_in(dataset):
    return np.concatenate([labels.numpy() for _, labels in dataset])


def test_batches_hold_every_picture_once_with_its_label():
    dataset = mnist_ds.batches(numbered(), 10)
    assert sorted(labels_in(dataset)) == list(range(100))
    for images, labels in dataset:
        assert images.dtype == tf.float32
        np.testing.assert_allclose(images[:, 0, 0, 0], labels.numpy() / 127.5 - 1, atol=1e-6)


def test_batches_are_all_of_one_size():
    sizes = [len(labels) for _, labels in mnist_ds.batches(numbered(), 30)]
    assert sizes == [30, 30, 30]


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return labels_in(mnist_ds.batches(numbered(), 10, seed, epoch)).tolist()

    assert order(0, 1) == order(0, 1)
    orders = [order(0, 1), order(0, 2), order(1, 1), order(1, 2), list(range(100))]
    assert len({tuple(o) for o in orders}) == 5


def test_shuffled_over_the_whole_set():
    first = labels_in(mnist_ds.batches(numbered(), 50).take(1))
    assert first.max() - first.min() > 90


def test_two_sets_have_orders_of_their_own():
    """Also one run's first set and another's second: they were once of one seed."""
    both = [mnist_ds.Data(name, numbered(), numbered()) for name in ("first", "second")]
    orders = []
    for seed in (0, 1, 2):
        settings = utils.Settings(seed=seed, batch_size=20)
        for of_set in zip(*mnist_ds.epochs(settings, *both)(1), strict=True):
            orders.append(tuple(labels_in(of_set)))
    assert {len(order) for order in orders} == {100}
    assert len(set(orders)) == 6


def test_some_of_each_class():
    labels = np.array([1, 0, 1, 0, 2, 0])
    assert mnist_ds.some_of_each_class(labels, 6).tolist() == [1, 0, 4, 3, 2]
    assert mnist_ds.some_of_each_class(labels, 2).tolist() == [1, 0]  # not all of many classes
    assert mnist_ds.some_of_each_class(labels * 0, 3).tolist() == [0, 1, 2]


# ------------------------------------------------------------------------------ what a set can do


def animals():
    """Three classes, of which the second has no test picture and the third is called as a number.

    The training pictures are of 48 pixels.
    """
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1), np.uint8)
    train = mnist_ds.Arrays(images, np.array([0, 1, 2, 0, 1, 2]))
    test = mnist_ds.Arrays(images[:2], np.array([0, 2]))
    return mnist_ds.Data("animals", train, test, ("cat", "dog", "0"), fingerprint="of these")


def test_only_one_class_by_its_name_or_number():
    of_class = {name: animals().only(name) for name in ("cat", "0", "2")}
    for name, label in (("cat", 0), ("0", 2), ("2", 2)):  # what is called "0" goes first
        assert set(of_class[name].train.labels) == set(of_class[name].test.labels) == {label}
    np.testing.assert_array_equal(of_class["cat"].train.images, animals().train.images[[0, 3]])
    assert of_class["cat"].num_classes == 3
    assert str(of_class["cat"]) == "animals: 2 training and 1 test pictures, 48x48x1, class cat"
    with pytest.raises(utils.BadInput, match=r"^--source dog: expected a class that has training"):
        animals().only("dog", "--source")


def test_labels_that_there_are_not():
    with pytest.raises(utils.BadInput) as error:
        animals().only("fox")
    assert str(error.value) == (
        "--label fox: expected one of the classes of animals: cat, dog, 0; or its number, 0 to 2"
    )
    with pytest.raises(utils.BadInput) as error:
        mnist_ds.label_of("10", [str(label) for label in range(10)], "--sample")
    assert str(error.value) == (
        "--sample 10: expected one of the classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )
    with pytest.raises(utils.BadInput, match="--label -1: expected"):
        animals().only("-1")


def test_the_first_training_pictures():
    for count, kept in ((0, 6), (1, 1), (2, 2), (6, 6), (7, 6)):
        first = animals().first(count)
        np.testing.assert_array_equal(first.train.images, animals().train.images[:kept])
        assert first.train.labels.tolist() == [0, 1, 2, 0, 1, 2][:kept]
        np.testing.assert_array_equal(first.test.images, animals().test.images)


def test_what_is_made_of_a_set_keeps_its_fingerprint(tmp_path):
    data = animals()
    changed = [data.only("cat"), data.first(2), data.resized(64), data.resized(8).only("cat")]
    assert {of.fingerprint for of in changed} == {"of these"}
    np.savez(tmp_path / "mine.npz", **arrays())
    prints = {
        mnist_ds.load(str(tmp_path / "mine.npz"), size, train_pictures=count).fingerprint
        for size, count in ((0, 0), (64, 0), (0, 2), (40, 3))
    }
    assert len(prints) == 1
    assert prints != {""}


def test_two_sets_are_made_alike():
    grey, colour = noise_data(64, 64, 1), noise_data(64, 64, 3)
    both = mnist_ds.alike(grey, colour)
    assert [of.image_shape for of in both] == [(64, 64, 3), (64, 64, 3)]
    for channel in range(3):
        np.testing.assert_array_equal(both[0].test.images[..., channel], grey.test.images[..., 0])
    np.testing.assert_array_equal(both[1].train.images, colour.train.images)
    assert mnist_ds.alike(grey, grey) == [grey, grey]
    with pytest.raises(utils.BadInput) as error:
        mnist_ds.alike(grey, noise_data(64, 48, 3))
    assert str(error.value) == (
        "pictures of 64x64 and 64x48: expected one size for all; --size gives it"
    )


# ------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("side", [24, 64])
@pytest.mark.parametrize("shape", [(40, 100), (100, 40), (41, 64)])
def test_resized_pictures_are_squares_of_the_middle(shape, side):
    """Black in the middle square, its last rows grey, and white beside it."""
    height, width = shape
    inner = min(shape)
    top, left = (height - inner) // 2, (width - inner) // 2
    images = np.full((3, height, width, 1), 255, np.uint8)
    images[:, top : top + inner, left : left + inner] = 0
    images[:, top + inner // 2 : top + inner, left : left + inner] = 100
    part = mnist_ds.Arrays(images, np.array([2, 0, 1]))
    resized = mnist_ds.Data("wide", part, part, fit="crop").resized(side)
    assert resized.name == f"wide{side}"
    assert resized.image_shape == (side, side, 1)
    assert resized.train.labels.tolist() == [2, 0, 1]
    assert resized.fit == "crop"
    away = side // 4  # from the edge between black and grey
    assert (resized.train.images[:, : side // 2 - away] == 0).all()
    assert (resized.train.images[:, side // 2 + away :] == 100).all()
    assert resized.train.images.max() < 130  # bicubic goes a little beyond


def test_resizing_takes_little_memory(monkeypatch):
    """No more than a chunk is ever in float32, four times the size of what is kept."""
    counts, resize = [], tf.image.resize

    def counted(images, *args, **options):
        counts.append(len(images))
        return resize(images, *args, **options)

    monkeypatch.setattr(tf.image, "resize", counted)
    part = noise_data(8, 8, 1, count=8500).train
    tracemalloc.start()
    try:
        resized = mnist_ds.squares(part, 40)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(counts) == len(resized) == 8500
    assert max(counts) <= 1000
    whole = 8500 * 40 * 40
    chunk = 1000 * 40 * 40 * 4
    assert peak < whole + 3 * chunk < 3 * whole
    alone = mnist_ds.squares(part.part(slice(8400, None)), 40)
    np.testing.assert_array_equal(resized.images[8400:], alone.images)  # every chunk in its place


def test_data_are_loaded_in_a_size(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    of_size = {size: mnist_ds.load(str(tmp_path / "mine.npz"), size) for size in (0, 28, 64)}
    assert {size: of.name for size, of in of_size.items()} == {0: "mine", 28: "mine", 64: "mine64"}
    assert of_size[64].train.images.shape == of_size[64].test.images.shape == (4, 64, 64, 1)


def test_mnist_is_mnist_beside_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    for i in range(3):
        Image.new("RGB", (70, 50), (80 * i, 0, 0)).save(tmp_path / "mnist" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    assert mnist_ds.load("mnist").image_shape == (28, 28, 1)
    folder = mnist_ds.load("./mnist", size=48)
    assert (folder.name, folder.image_shape, folder.fit) == ("mnist", (48, 48, 3), "crop")
    assert len(folder.train) + len(folder.test) == 3


# ------------------------------------------------------------------------------- what is random


def test_every_use_of_a_seed_has_a_seed_of_its_own():
    uses = [f"{use} {number}" for use in ("order", "data") for number in range(100)]
    seeds = [utils.stream(seed, use) for seed in (0, 1, 2, 2**31 - 1) for use in uses]
    assert len(set(seeds)) == len(seeds)
    assert all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30  # the whole range is used
    assert utils.stream(3, "training") == utils.stream(3, "training")


def test_random_stream_draws_what_keras_would():
    ours, theirs = gan_cnn.RandomStream(5), keras.random.SeedGenerator(5)
    draw = tf.function(lambda seed: keras.random.normal((4,), seed=seed))
    for _ in range(3):
        expected = keras.random.normal((4,), seed=theirs)
        np.testing.assert_allclose(draw(ours), expected, rtol=1e-6)


def test_random_stream_goes_on_after_a_checkpoint(tmp_path):
    class Model(keras.Model):
        def __init__(self, seed):
            super().__init__()
            self.random = gan_cnn.RandomStream(seed)
            # As training.train does it.
            found = [v.value for v in self.variables if v.path.endswith("seed_generator_state")]
            self.checkpoint = tf.train.Checkpoint(gan=self, random=found)

        def draw(self):
            return keras.random.uniform((4,), seed=self.random).numpy()

    before = Model(5)
    before.draw()
    path = before.checkpoint.save(str(tmp_path / "ckpt"))
    expected = [before.draw() for _ in range(3)]
    after = Model(6)
    after.checkpoint.restore(path).assert_existing_objects_matched()
    np.testing.assert_array_equal([after.draw() for _ in range(3)], expected)


@pytest.mark.slow
def test_random_stream_gives_every_replica_numbers_of_its_own():
    """On two logical processors, which only a new process can have."""
    code = """
import utils, gan_cnn, keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for seed in (5, 5, 6):
    with strategy.scope():
        random = gan_cnn.RandomStream(seed)
    step = tf.function(lambda: strategy.run(lambda: keras.random.uniform((4,), seed=random)))
    for _ in range(3):
        print(*[x for part in strategy.experimental_local_results(step()) for x in part.numpy()])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    drawn = np.array([line.split() for line in process.stdout.splitlines()], float)
    first, again, other = drawn.reshape(3, 3, 2, 4)  # run, step, replica, numbers
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(np.stack([first, other]))) == 2 * 3 * 2 * 4
    # The first replica's are those of a single device.
    random = keras.random.SeedGenerator(5)
    alone = [keras.random.uniform((4,), seed=random) for _ in range(3)]
    np.testing.assert_allclose(first[:, 0], alone, rtol=1e-6)


# ----------------------------------------------------------------------------------- bad data files


def arrays(**changes):
    x, y = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.int64)
    return {"x_train": x, "y_train": y, "x_test": x, "y_test": y} | changes


def test_npz_of_ones_own(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    mine = mnist_ds.load(str(tmp_path / "mine.npz"))
    assert (mine.name, mine.image_shape, len(mine.train)) == ("mine", (28, 28, 1), 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": np.zeros((4, 28, 28))}, "float64"),
        ({"x_train": np.zeros((4, 28), np.uint8)}, r"\(4, 28\)"),
        ({"y_train": np.zeros(3, np.int64)}, r"\(3,\)"),
        ({"y_test": np.full(4, -1)}, ">= 0"),
        ({"y_test": np.zeros(4)}, "float64"),
        ({"x_test": np.zeros((4, 32, 32), np.uint8)}, "32, 32"),
        ({"x_train": np.array([{}, {}], dtype=object)}, "pickled"),
        ({"x_train": np.zeros((0, 28, 28), np.uint8), "y_train": np.zeros(0, int)}, "at least one"),
    ],
)
def test_malformed_arrays(tmp_path, changes, said):
    np.savez(tmp_path / "bad.npz", **arrays(**changes))
    with pytest.raises(utils.BadInput, match=said):
        mnist_ds.load(str(tmp_path / "bad.npz"))


def test_malformed_files(tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes((mnist_ds.HERE / "data" / "mnist.npz").read_bytes()[:1000])
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "missing.npz", x_train=np.zeros(3))
    for name in ("text.npz", "empty.npz", "cut.npz", "array.npy", "missing.npz", "absent.npz"):
        with pytest.raises(utils.BadInput, match="with x_train, y_train"):
            mnist_ds.load(str(tmp_path / name))


# ------------------------------------------------------------------------------ tensorflow-datasets


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    import requests

    def refuse(*_, **__):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))


def test_named_data_set(monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(mnist_ds, "check_download", lambda builder: None)
    with tfds.testing.mock_data(num_examples=5):
        named = mnist_ds.load("fashion_mnist")
    assert (named.name, named.image_shape, len(named.train)) == (
        "fashion_mnist",
        (28, 28, 1),
        5,
    )


def test_unknown_name():
    with pytest.raises(utils.BadInput, match="no_such_set: neither a file nor a data set"):
        mnist_ds.load("no_such_set")


def test_named_data_set_out_of_reach(no_network):
    with pytest.raises(utils.BadInput, match="cannot be reached"):
        mnist_ds.load("fashion_mnist")


def test_no_network_ends_soon_with_one_line(tmp_path):
    """A real process whose every download goes to a closed port of this machine."""
    closed = "http://127.0.0.1:9"
    environment = {"TFDS_DATA_DIR": str(tmp_path), "https_proxy": closed, "http_proxy": closed}
    process = run_script(
        "ccgan", "--data", "kmnist", "--out", tmp_path / "out", env=environment, timeout=60
    )
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "cannot be reached" in process.stderr
