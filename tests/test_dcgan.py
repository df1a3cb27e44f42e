import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import dcgan
import lessons
import runs
import scores
import visual
from conftest import (
    batches_of,
    build,
    contents,
    layers_of,
    learns_from_d_as_it_was,
    losses_of_a_step,
    part_of,
    smoke,
    weights_of,
)
from test_pictures import fill

DCGAN = lessons.named("dcgan")


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (32, 32, 3), (64, 64, 3)])
def test_networks_grow_with_the_pictures(image_shape):
    settings = dcgan.Settings()
    generator = dcgan.build_generator(settings, image_shape)
    pictures = dcgan.draw(generator, 3, seed=0)
    assert pictures.shape == (3, *image_shape)
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert dcgan.build_discriminator(settings, image_shape)(pictures).shape == (3, 1)
    smaller = dcgan.build_generator(settings, (28, 28, 1))
    assert (generator.count_params() > smaller.count_params()) == (image_shape[0] > 28)


def test_fully_connected_networks(small_data, eagerly):
    """Dense layers only, in the same game; without batch norm there are biases in its place."""
    for norm in ("batch", None):
        settings = dcgan.Settings(network="mlp", dropout=0.3, norm=norm)
        generator = dcgan.build_generator(settings, (28, 28, 1))
        discriminator = dcgan.build_discriminator(settings, (28, 28, 1))
        dense = [layers_of(net, keras.layers.Dense) for net in (generator, discriminator)]
        units = [[layer.units for layer in layers] for layers in dense]
        assert units == [[128, 256, 512, 1024, 784], [512, 512, 512, 1]]
        assert [layer.use_bias for layer in dense[0]] == [norm is None] * 4 + [True]
        normalized = layers_of(generator, keras.layers.BatchNormalization)
        assert len(normalized) == (4 if norm else 0)
        rates = [layer.rate for layer in layers_of(discriminator, keras.layers.Dropout)]
        assert rates == [0.0, 0.3, 0.3]
    pictures = dcgan.draw(generator, 3, seed=0)
    assert pictures.shape == (3, 28, 28, 1)
    assert np.abs(pictures).max() <= 1
    model, settings, sets = build(DCGAN, small_data, "--network", "mlp", "--batch-size", 4)
    figures = model.train_step(batches_of(settings, sets, 1)[0])
    assert all(np.isfinite(value) for value in figures.values())


@pytest.mark.parametrize("size", [128, 256])
def test_networks_of_large_pictures_stay_narrow(size):
    settings, shape = dcgan.Settings(), (size, size, 3)
    networks = dcgan.build_generator(settings, shape), dcgan.build_discriminator(settings, shape)
    assert networks[0].output_shape == (None, size, size, 3)
    assert networks[1].input_shape == (None, size, size, 3)
    for network in networks:
        widths = [getattr(layer, "filters", 0) for layer in network._flatten_layers()]
        assert 64 < max(widths) <= 512


def test_a_walk_goes_from_one_noise_to_another_in_small_steps(data):
    generator = dcgan.build_generator(dcgan.Settings(), data.image_shape)
    pictures = dcgan.walk(generator, 20, seed=3)
    assert pictures.shape == (20, 28, 28, 1)
    ends = dcgan.draw(generator, 2, seed=3)
    np.testing.assert_allclose(pictures[[0, -1]], ends, atol=1e-5)
    steps = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() < np.abs(ends[1] - ends[0]).mean() / 4


def test_label_smoothing_is_one_sided(small_data, eagerly):
    """Real pictures are labelled 0.9 for D, generated ones 0, and for G generated ones 1."""
    labels, losses, figures = losses_of_a_step(DCGAN, small_data, "--penalty", 0)
    assert labels == pytest.approx([dcgan.Settings().smoothing, 0, 1])
    assert figures["d_loss"] == pytest.approx((losses[0] + losses[1]) / 2)
    assert figures["g_loss"] == pytest.approx(losses[2])


def test_the_generator_learns_from_a_discriminator_that_has_moved(small_data, eagerly):
    assert not learns_from_d_as_it_was(DCGAN, small_data)


def cross_entropy(label, logits):
    return tf.reduce_mean(tf.nn.softplus(logits) - label * logits)


@pytest.mark.parametrize("penalty", [None, 0.0, 20.0])
def test_the_discriminators_loss_and_its_gradient(penalty, small_data, eagerly):
    """Computed once more from the paper: gamma / 2 times the mean squared slope at real pictures,
    beside the two cross entropies; all of it halved. Gamma is 2 where nothing is said. In the first
    step and every few ones from there on, so many times as strong; in between there is none.
    """
    options = ["--batch-size", 8] + (["--penalty", penalty] if penalty is not None else [])
    (model, settings, sets), (twin, *_) = (build(DCGAN, small_data, *options) for _ in range(2))
    every, gamma = settings.penalty_every, 2.0 if penalty is None else penalty
    assert every > 1
    applied = []
    apply = model.d_optimizer.apply

    def watched(gradients, weights):
        applied.append(gradients)
        apply(gradients, weights)

    model.d_optimizer.apply = watched
    for step, (images, labels) in enumerate(batches_of(settings, sets, every + 1)):
        # The twin has the same weights before the step, and its random numbers are the same.
        twin.generator.set_weights(model.generator.get_weights())
        twin.discriminator.set_weights(model.discriminator.get_weights())
        d_loss = model.train_step((images, labels))["d_loss"]
        noise = keras.random.normal((8, settings.latent_dim), dtype="float32", seed=twin.random)
        generated = twin.generator(noise, training=True)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as slope_tape:
                slope_tape.watch(images)
                real = twin.discriminator(images)
            slopes = slope_tape.gradient(real, images)
            squared = tf.reduce_mean(tf.reduce_sum(slopes**2, axis=(1, 2, 3)))
            fake = twin.discriminator(generated)
            expected = cross_entropy(0.9, real) + cross_entropy(0, fake)
            if step % every == 0:
                expected += every * gamma / 2 * squared
            expected /= 2
        assert float(squared) > 1e-3
        assert float(d_loss) == pytest.approx(float(expected), rel=1e-4)
        wanted = tape.gradient(expected, twin.discriminator.trainable_weights)
        for a, b in zip(applied[step], wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_traced_steps_with_and_without_the_penalty_are_the_eager_ones(small_data):
    """Where the step is traced, whether there is a penalty is decided in the graph."""
    figures, moved = [], []
    for eager in (False, True):
        model, settings, sets = build(DCGAN, small_data, "--batch-size", 4)
        before = weights_of(model.discriminator)
        tf.config.run_functions_eagerly(eager)
        try:
            batches = batches_of(settings, sets, settings.penalty_every + 1)
            figures.append([float(model.train_step(batch)["d_loss"]) for batch in batches])
        finally:
            tf.config.run_functions_eagerly(False)
        after = weights_of(model.discriminator)
        moved.append(np.concatenate([np.ravel(b - a) for a, b in zip(before, after, strict=True)]))
    np.testing.assert_allclose(*figures, rtol=2e-3)
    # Adam moves a weight by the sign of a gradient near 0, so a few may go the other way.
    assert np.corrcoef(*moved)[0, 1] > 0.99
    model, *_ = build(DCGAN, small_data, "--batch-size", 4, "--penalty", 0)
    assert float(model.train_step(batches[0])["d_loss"]) < figures[0][0]


def test_random_numbers_are_used_once(small_data, eagerly, monkeypatch):
    """What the weights begin with is not what the first pictures are drawn from, nor is it the
    same in both networks.
    """
    drawn = []
    normal = keras.random.normal

    def watched(*args, **kwargs):
        numbers = normal(*args, **kwargs)
        if kwargs.get("seed") is model.random:
            drawn.append(np.ravel(numbers))
        return numbers

    model, settings, sets = build(DCGAN, small_data, "--batch-size", 4, "--initial", 0.02)
    for network in (model.generator, model.discriminator):
        weights = next(w for w in network.trainable_weights if len(w.shape) > 1)
        assert np.std(weights) == pytest.approx(0.02, rel=0.1)
        drawn.append(np.ravel(weights) / 0.02)
    monkeypatch.setattr(keras.random, "normal", watched)
    for batch in batches_of(settings, sets, 2):
        model.train_step(batch)
    assert len(drawn) == 4
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert np.abs(one[:64] - other[:64]).mean() > 0.5


def test_a_short_training_learns_to_draw_digits():
    """100 steps on 8 pictures each. Measured, seeds 0 to 2: a Frechet distance of 12.5, 18.2, 13.9,
    and no class is over 54% of the pictures.

    Broken, seeds 0 and 1: with the sign of the generator's loss turned around, with 0 as what it
    wants to get, with D's labels exchanged, with G's gradients going to D's weights, with D or G
    not moving, and with the average not moving, the distance is from 149 to 503, and over 99% are
    of one class.
    """
    model, settings, sets = build(DCGAN, "mnist", "--batch-size", 8)
    for batch in batches_of(settings, sets, 100):
        model.train_step(batch)
    part = part_of(sets[0], 500)
    found = scores.generation_scores(part, dcgan.draw(model.average, 500, seed=0))
    assert found["frechet"] < 30
    assert found["largest_share"] < 0.7


# ------------------------------------------------------------------------------------- as a program


def sampled(out):
    """{name: pixels} of the single pictures that --sample has written."""
    return {path.name: np.asarray(Image.open(path)) for path in sorted(out.glob("sampled/*"))}


def test_one_class_of_a_folder_in_colour(tmp_path, program, eagerly):
    fill(tmp_path / "p", *(f"{name}/{i}.png" for name in ("cat", "horse") for i in range(6)))
    out = tmp_path / "run"
    options = [*smoke(out, tmp_path / "p", epochs=1, steps=1)[:-2], "--size", 32]
    said = program("dcgan", *options, "--batch-size", 4, "--label", "horse")
    assert "5 training and 1 test pictures, 32x32x3, class horse" in said
    assert "p has no classifier yet" in said
    with Image.open(out / "frames" / "001.png") as frame:
        assert frame.mode == "RGBA"

    before = contents(out)
    said = program("dcgan", "--sample", 12, "--out", out)
    assert str(out / "sampled.png") in said
    drawn = sampled(out)
    assert list(drawn) == [f"{i:04}_{i + 1}.png" for i in range(12)]
    wanted = dcgan.draw(runs.load_generator(out), 12, seed=0)
    for picture, image in zip(drawn.values(), wanted, strict=True):
        np.testing.assert_array_equal(picture, visual.to_uint8(image))
    program("dcgan", "--sample", 2, "--seed", 1, "--out", out)
    others = sampled(out)
    assert list(others) == ["0000_1.png", "0001_2.png"]  # those from before are gone
    assert not np.array_equal(others["0000_1.png"], drawn["0000_1.png"])
    after = contents(out)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--label", "horse"], "--label horse: expected one of the classes of few: 0, 1, 2"),
        (
            ["--size", "30"],
            "pictures of 30x30: expected sides divisible by 4, of at least 8 pixels; --size",
        ),
        (
            ["--network", "mlp", "--size", "128"],
            "pictures of 128x128: expected at most 64x64; --size",
        ),
        (["--penalty-every", "0"], "--penalty-every 0: expected 1 or more"),
        (["--beta-1", "1"], "--beta-1 1.0: expected 0 to less than 1"),
        (["--latent-dim", "0"], "--latent-dim 0: expected 1 or more"),
        (["--sample", "0"], "--sample 0: expected 1 to 10000"),
        (["--sample", "-1"], "--sample -1: expected 1 to 10000"),
        (["--sample", "10001"], "--sample 10001: expected 1 to 10000"),
        (["--smoothing", "0.2"], "--smoothing 0.2: expected 0.5 to 1"),
    ],
)
def test_bad_settings(args, said, small_data, tmp_path, refused):
    args = ["--data", small_data, "--epochs", 0, "--out", tmp_path / "out", *args]
    assert said in refused("dcgan", *args)
    assert contents(tmp_path) == {}
