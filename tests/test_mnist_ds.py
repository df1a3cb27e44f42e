import keras
import numpy as np
import pytest
import tensorflow as tf

import mnist_ds
import utils
from conftest import run_script

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
    assert data.train_images.shape == (60_000, 28, 28, 1)
    assert data.test_images.shape == (10_000, 28, 28, 1)
    assert data.train_images.dtype == np.uint8
    assert np.bincount(data.train_labels).tolist()[:3] == [5923, 6742, 5958]
    assert data.num_classes == 10


def test_normalize():
    np.testing.assert_allclose(mnist_ds.normalize(np.uint8([0, 51, 255])), [-1, -0.6, 1], atol=1e-6)


def small_data(count=100):
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    labels = np.arange(count, dtype=np.int32)
    return mnist_ds.Data("small", images, labels, images, labels)


def labels_in(dataset):
    return np.concatenate([labels.numpy() for _, labels in dataset])


def test_batches_hold_every_picture_once_with_its_label():
    dataset = mnist_ds.batches(small_data(), 10)
    assert sorted(labels_in(dataset)) == list(range(100))
    for images, labels in dataset:
        assert images.dtype == tf.float32
        np.testing.assert_allclose(images[:, 0, 0, 0], labels.numpy() / 127.5 - 1, atol=1e-6)


def test_batches_are_all_of_one_size():
    sizes = [len(labels) for _, labels in mnist_ds.batches(small_data(), 30)]
    assert sizes == [30, 30, 30]


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return labels_in(mnist_ds.batches(small_data(), 10, seed, epoch)).tolist()

    assert order(0, 1) == order(0, 1)
    orders = [order(0, 1), order(0, 2), order(1, 1), order(1, 2), list(range(100))]
    assert len({tuple(o) for o in orders}) == 5


def test_shuffled_over_the_whole_set():
    first = labels_in(mnist_ds.batches(small_data(), 10).take(1))
    assert first.max() - first.min() > 50


def test_some_of_each_class():
    labels = np.array([1, 0, 1, 0, 2, 0])
    assert mnist_ds.some_of_each_class(labels, 6).tolist() == [1, 0, 4, 3, 2]
    assert mnist_ds.some_of_each_class(labels, 2).tolist() == [1, 0, 4]
    assert mnist_ds.some_of_each_class(labels * 0, 3).tolist() == [0, 1, 2]


# ----------------------------------------------------------------------------------- bad data files


def arrays(**changes):
    x, y = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.int64)
    return {"x_train": x, "y_train": y, "x_test": x, "y_test": y} | changes


def test_npz_of_ones_own(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    mine = mnist_ds.load(str(tmp_path / "mine.npz"))
    assert (mine.name, mine.image_shape, len(mine.train_images)) == ("mine", (28, 28, 1), 4)


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
    assert (named.name, named.image_shape, len(named.train_images)) == (
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
