"""The formulas of the pages, computed with numbers: where they describe code, against Keras and the
scripts; the rest is arithmetic.
"""

import itertools
import math

import utils  # noqa: F401  first of all: it prepares TensorFlow
import keras
import numpy as np
import pytest
import tensorflow as tf

import ccgan
import cyclegan
import dcgan
import gan_cnn
import lessons
import pix2pix
from conftest import batches_of, build, layers_of

SHAPES = [*itertools.product(range(4, 30), range(1, 7), range(1, 4))]


@pytest.mark.parametrize("kind", ["Conv2D", "Conv2DTranspose"])
def test_sizes_of_convolutions(kind):
    """docs/dcgan.md, Sizes: side m, kernel k, stride s."""
    formulas = {
        ("Conv2D", "same"): lambda m, k, s: math.ceil(m / s),
        ("Conv2D", "valid"): lambda m, k, s: (m - k) // s + 1,
        ("Conv2DTranspose", "same"): lambda m, k, s: m * s,
        ("Conv2DTranspose", "valid"): lambda m, k, s: (m - 1) * s + max(k, s),
    }
    for padding in ("same", "valid"):
        for m, k, s in SHAPES:
            if padding == "valid" and kind == "Conv2D" and k > m:
                continue
            layer = getattr(keras.layers, kind)(1, k, strides=s, padding=padding)
            side = layer.compute_output_shape((1, m, m, 1))[1]
            assert side == formulas[kind, padding](m, k, s), (kind, padding, m, k, s)
    up = keras.layers.Conv2DTranspose(1, 4).compute_output_shape((1, 4, 4, 1))[1]
    assert up == 7  # the post's example, and back
    assert keras.layers.Conv2D(1, 4).compute_output_shape((1, 7, 7, 1))[1] == 4


def test_how_many_inputs_paint_a_pixel():
    """docs/dcgan.md: (k / s)^2 where k can be divided by s, away from the border; else uneven."""
    for k, wanted in ((6, {9}), (4, {4}), (5, {9, 6, 4})):
        layer = keras.layers.Conv2DTranspose(1, k, 2, padding="same", kernel_initializer="ones")
        counts = np.asarray(layer(np.ones((1, 12, 12, 1), np.float32)))[0, 6:-6, 6:-6, 0]
        assert set(counts.astype(int).ravel()) == wanted


def test_batch_norm_in_training_and_afterwards():
    """docs/dcgan.md, Batch normalization: over pictures and pixels, then by moving averages."""
    x = np.random.default_rng(0).normal(2, 3, (5, 4, 4, 2)).astype(np.float32)
    layer = gan_cnn.normalization("batch")
    shown = np.asarray(layer(x, training=True))
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    np.testing.assert_allclose(shown, (x - mean) / np.sqrt(variance + 0.001), atol=1e-4)
    averages = 0.9 * 0 + 0.1 * mean, 0.9 * 1 + 0.1 * variance
    np.testing.assert_allclose(np.asarray(layer.moving_mean), averages[0], rtol=1e-4)
    np.testing.assert_allclose(np.asarray(layer.moving_variance), averages[1], rtol=1e-4)
    used = np.asarray(layer(x, training=False))
    wanted = (x - averages[0]) / np.sqrt(averages[1] + 0.001)
    np.testing.assert_allclose(used, wanted, atol=1e-4)
    # A weight of j steps ago counts 0.1 * 0.9^j: 9 steps old on average.
    assert sum(j * 0.1 * 0.9**j for j in range(1000)) == pytest.approx(9)


def test_instance_norm():
    """docs/cyclegan.md, Instance normalization: over the pixels of one picture and one channel."""
    x = np.random.default_rng(0).normal(2, 3, (3, 5, 4, 2)).astype(np.float32)
    mean, variance = x.mean(axis=(1, 2), keepdims=True), x.var(axis=(1, 2), keepdims=True)
    shown = np.asarray(gan_cnn.normalization("instance")(x))
    np.testing.assert_allclose(shown, (x - mean) / np.sqrt(variance + 0.001), atol=1e-4)
    doubled = np.asarray(gan_cnn.normalization("instance")(2 * x))
    np.testing.assert_allclose(doubled, shown, atol=2e-3)  # but for epsilon


def slope(loss, logits):
    """The derivative of a loss by each logit."""
    logits = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = tf.reduce_sum(loss(logits))
    return tape.gradient(value, logits).numpy()


def test_slopes_of_the_losses():
    """docs/dcgan.md, Why -log D; docs/cyclegan.md, Why least squares: by D's logit or score."""
    logits = np.linspace(-4, 4, 33, dtype=np.float32)
    d = 1 / (1 + np.exp(-logits))
    entropy = keras.losses.BinaryCrossentropy(from_logits=True, reduction="none")

    def cross(label):
        return lambda x: entropy(tf.fill((len(logits), 1), label), x[:, tf.newaxis])

    for label in (0.0, 0.9, 1.0):
        np.testing.assert_allclose(slope(cross(label), logits), d - label, atol=1e-5)
    np.testing.assert_allclose(slope(lambda x: -cross(0.0)(x), logits), -d, atol=1e-5)
    np.testing.assert_allclose(slope(lambda x: (x - 1) ** 2, logits), 2 * (logits - 1), atol=1e-5)


def test_best_answers_of_a_discriminator():
    """a p / (p + q) with labels a and 0; p / (p + q) by least squares; and what they cost."""
    answers = np.linspace(0.0005, 0.9995, 1999)
    p, q = 0.3, 0.5
    entropy = keras.losses.BinaryCrossentropy(reduction=None)
    squared = keras.losses.MeanSquaredError(reduction=None)

    def each(loss, label):  # the loss of each answer
        return np.asarray(loss(np.full((len(answers), 1), label), answers[:, np.newaxis]))

    for label in (0.9, 1.0):
        cost = p * each(entropy, label) + q * each(entropy, 0.0)
        assert answers[cost.argmin()] == pytest.approx(label * p / (p + q), abs=1e-3)
    cost = p * each(squared, 1.0) + q * each(squared, 0.0)
    assert answers[cost.argmin()] == pytest.approx(p / (p + q), abs=1e-3)
    # With the best D, d_loss is log 2 minus the Jensen-Shannon divergence (docs/cgan.md).
    p, q = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.1, 0.5])
    best = p / (p + q)
    d_loss = -(p * np.log(best)).sum() / 2 - (q * np.log(1 - best)).sum() / 2
    middle = (p + q) / 2
    divergence = (p * np.log(p / middle)).sum() / 2 + (q * np.log(q / middle)).sum() / 2
    assert d_loss == pytest.approx(math.log(2) - divergence)


def test_penalty_is_the_formula(small_data, eagerly, monkeypatch):
    """docs/dcgan.md, term 3: gamma / 4 E |grad l|^2, four times as much in every fourth step."""
    losses = {}
    for penalty in (0.0, 2.0):
        keras.utils.set_random_seed(0)
        model, settings, sets = build(
            lessons.named("dcgan"), small_data, "--penalty", penalty, "--batch-size", 4
        )
        (batch,) = batches_of(settings, sets, 1)
        if penalty:
            images = tf.Variable(batch[0])
            with tf.GradientTape() as tape:
                logits = model.discriminator(images, training=True)
            gradients = tape.gradient(logits, images).numpy().reshape(4, -1)
            term = 2.0 / 4 * (gradients**2).sum(axis=1).mean()
        losses[penalty] = float(model.train_step(batch)["d_loss"])
    every = dcgan.Settings().penalty_every
    assert every == 4
    assert losses[2.0] - losses[0.0] == pytest.approx(every * term, rel=1e-3)


def test_receptive_fields():
    """docs/pix2pix.md, The size of a patch: r grows by (k - 1) jumps, the jump by the stride."""

    def field(patch, side):
        network = pix2pix.build_discriminator(pix2pix.Settings(patch=patch), (side, side, 1))
        r = jump = 1
        for layer in layers_of(network, keras.layers.Conv2D):
            r, jump = r + (layer.kernel_size[0] - 1) * jump, jump * layer.strides[0]
        return r

    assert field("patch", 28) == 22
    assert field("patch", 256) == 70
    assert field("full", 28) == 34
    patches, full = (
        pix2pix.build_discriminator(pix2pix.Settings(patch=patch), (28, 28, 1)).count_params()
        for patch in ("patch", "full")
    )
    assert full - patches == 128 * (7 * 7 - 4 * 4) == 4224


def test_mean_and_median():
    """docs/pix2pix.md: L2's best answer is the mean, L1's the median."""
    values = np.array([1.0] * 4 + [-1.0] * 6)
    answers = np.linspace(-1, 1, 2001)
    squared = ((values[:, np.newaxis] - answers) ** 2).mean(axis=0)
    absolute = np.abs(values[:, np.newaxis] - answers).mean(axis=0)
    assert answers[squared.argmin()] == pytest.approx(-0.2)
    assert answers[absolute.argmin()] == -1
    # Stripes that are displaced by a normal distance fade by exp(-w^2 s^2 / 2).
    shift = np.random.default_rng(0).normal(0, 0.4, 200_000)
    assert np.cos(3 * shift).mean() == pytest.approx(math.exp(-(3**2) * 0.4**2 / 2), abs=0.01)


def test_number_of_masks():
    """docs/ccgan.md: all sides and places of a hole."""
    low, high = ccgan.Settings().hole
    assert sum((29 - s) ** 2 for s in range(low, high + 1)) == 1820


def test_age_of_the_buffer():
    """docs/cyclegan.md: how long a picture waits in the buffer."""
    settings = cyclegan.Settings()
    leaves = settings.batch_size / settings.buffer_size / 2
    assert leaves == pytest.approx(0.16)
    assert 1 / leaves == pytest.approx(6.25)


def test_at_once_the_smallest_game_spirals_out():
    """docs/ccgan.md: a'^2 + b'^2 = (1 + eta^2) (a^2 + b^2) at once; in turns it stays bounded."""
    eta, (a, b) = 0.1, (1.0, 0.5)
    after = (a - eta * b) ** 2 + (b + eta * a) ** 2
    assert after == pytest.approx((1 + eta**2) * (a**2 + b**2))
    radii = []
    for _ in range(10_000):
        a = a - eta * b
        b = b + eta * a  # of the new a
        radii.append(math.hypot(a, b))
    assert max(radii) < 1.3
