import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import cgan
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
)
from test_pictures import fill

CGAN = lessons.named("cgan")
NETWORKS = pytest.mark.parametrize("network", ["cnn", "cnn-concat", "mlp"])


@NETWORKS
def test_generator_draws_pictures_that_depend_on_noise_and_label(network):
    settings = cgan.Settings(network=network)
    generator = cgan.build_generator(settings, (28, 28, 1), 10)
    pictures = cgan.draw(generator, [3, 3, 5, 5], seed=0, in_a_row=1)
    assert pictures.shape == (4, 28, 28, 1)
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert not np.array_equal(pictures[0], pictures[1])  # other noise
    same_noise = cgan.draw(generator, [3, 5, 3, 5], seed=0, in_a_row=2)
    assert not np.array_equal(same_noise[0], same_noise[1])  # another label
    np.testing.assert_array_equal(same_noise, cgan.draw(generator, [3, 5, 3, 5], 0, in_a_row=2))


@NETWORKS
def test_discriminator_judges_picture_and_label(network, small_data):
    model, settings, sets = build(CGAN, small_data, "--network", network, "--batch-size", 8)
    images, labels = batches_of(settings, sets, 1)[0]
    right, wrong = (keras.ops.one_hot((labels + k) % 10, 10) for k in (0, 1))
    judge = model.discriminator
    assert judge([images, right]).shape == (8, 1)
    assert np.abs(judge([images, right]) - judge([images, wrong])).min() > 0
    assert np.abs(judge([images, right]) - judge([-images, right])).min() > 0


def test_fully_connected_networks_are_those_of_the_lesson():
    settings = cgan.Settings(network="mlp")
    networks = (
        cgan.build_generator(settings, (28, 28, 1), 10),
        cgan.build_discriminator(settings, (28, 28, 1), 10),
    )
    dense = [layers_of(network, keras.layers.Dense) for network in networks]
    units = [[layer.units for layer in layers] for layers in dense]
    assert units == [[10, 128, 256, 512, 1024, 784], [10, 512, 512, 512, 1]]
    rates = [layer.rate for layer in layers_of(networks[1], keras.layers.Dropout)]
    assert rates == [0.0, 0.4, 0.4]


@pytest.mark.parametrize("size", [128, 256])
def test_networks_of_large_pictures_stay_narrow(size):
    settings, sizes = cgan.Settings(), ((size, size, 3), 10)
    networks = cgan.build_generator(settings, *sizes), cgan.build_discriminator(settings, *sizes)
    assert networks[0].output_shape == (None, size, size, 3)
    for network in networks:
        widths = [getattr(layer, "filters", 0) for layer in network._flatten_layers()]
        assert 64 < max(widths) <= 512


@NETWORKS
def test_every_network_sees_the_labels_of_the_batch(network, small_data, eagerly):
    """And two steps give finite figures."""
    model, settings, sets = build(CGAN, small_data, "--network", network, "--batch-size", 4)
    asked = []

    def watch(network):
        call = network.call

        def watched(inputs, *args, **kwargs):
            asked.append(np.asarray(inputs[1]))
            return call(inputs, *args, **kwargs)

        network.call = watched

    watch(model.generator)
    watch(model.discriminator)
    for images, labels in batches_of(settings, sets, 2):
        figures = model.train_step((images, labels))
        assert all(np.isfinite(value) for value in figures.values())
        assert len(asked) == 4  # G draws, D looks at real ones, at drawn ones, and once more for G
        for labels_seen in asked:
            np.testing.assert_array_equal(labels_seen, np.eye(10)[labels])
        asked.clear()


def test_the_generator_learns_from_a_discriminator_that_has_moved(small_data, eagerly):
    assert not learns_from_d_as_it_was(CGAN, small_data)


def test_the_losses_add_up(small_data, eagerly):
    """Real pictures are labelled 1 for D, generated ones 0, and for G generated ones 1."""
    labels, losses, figures = losses_of_a_step(CGAN, small_data)
    assert labels == [1, 0, 1]
    assert figures["d_loss"] == pytest.approx((losses[0] + losses[1]) / 2)
    assert figures["g_loss"] == pytest.approx(losses[2])


def test_noise_is_fresh_at_every_step(small_data, monkeypatch):
    """Also in a step that was traced once."""
    model, settings, sets = build(CGAN, small_data, "--batch-size", 4)
    noise = []
    draw = keras.random.normal

    def watched(*args, **kwargs):
        drawn = draw(*args, **kwargs)
        if kwargs.get("seed") is model.random:
            tf.py_function(lambda x: noise.append(x.numpy()), [drawn], [])
        return drawn

    monkeypatch.setattr(keras.random, "normal", watched)
    for batch in batches_of(settings, sets, 2):
        model.train_step(batch)
    assert [drawn.shape for drawn in noise] == [(4, 32), (4, 32)]
    assert not np.array_equal(noise[0], noise[1])
    assert abs(np.mean(noise)) < 0.2
    assert abs(np.std(noise) - 1) < 0.2


def test_a_short_training_learns_to_draw_what_is_asked_for():
    """150 steps on 8 pictures each. Measured, seeds 0 to 2: 73%, 61%, 63% as asked, and a Frechet
    distance of 6.0, 8.6, 8.4.

    Broken, seeds 0 and 1: with the sign of the generator's loss turned around, with 0 as what it
    wants to get, with D's labels of real and drawn exchanged, with G's gradients going to D's
    weights, with D or G not moving, and with the average not moving, at most 11% are as asked, and
    the distance is at least 155. If D is not told the classes: 8% and 10%, 11.5 and 12.3.
    """
    model, settings, sets = build(CGAN, "mnist", "--batch-size", 8)
    for batch in batches_of(settings, sets, 150):
        model.train_step(batch)
    part = part_of(sets[0], 500)
    drawn = cgan.draw(model.average, part.test.labels, seed=0)
    found = scores.generation_scores(part, drawn, part.test.labels)
    assert found["conditional_accuracy"] > 0.3
    assert found["frechet"] < 15


# ------------------------------------------------------------------------------------ as a program


def test_sample_draws_the_classes_asked_for(tmp_path, program, refused, eagerly):
    """By their names or their numbers, of a folder's pictures in its colours and size."""
    fill(tmp_path / "p", *(f"{name}/{i}.png" for name in ("cat", "horse") for i in range(6)))
    out = tmp_path / "run"
    options = [*smoke(out, tmp_path / "p", epochs=1, steps=1)[:-2], "--size", 32]
    said = program("cgan", *options, "--batch-size", 4)
    assert "10 training and 2 test pictures, 32x32x3, 2 classes" in said

    before = contents(out)
    for asked in (["10"], ["2"], ["dog"], ["-1"], ["2.5"], ["horse", "dog"]):
        errors = refused("cgan", "--sample", *asked, "--out", out)
        assert errors == (
            f"cgan.py: --sample {asked[-1]}: expected one of the classes: cat, horse; or its "
            "number, 0 to 1\n"
        )
    assert contents(out) == before
    said = program("cgan", "--sample", "horse", "cat", "1", "0", "--out", out, cwd=tmp_path)
    assert str(out / "sampled.png") in said
    files = sorted((out / "sampled").iterdir())
    names = ["0000_horse.png", "0001_cat.png", "0002_horse.png", "0003_cat.png"]
    assert [path.name for path in files] == names
    wanted = cgan.draw(runs.load_generator(out), [1, 0, 1, 0], seed=0)
    for path, image in zip(files, wanted, strict=True):
        np.testing.assert_array_equal(Image.open(path), visual.to_uint8(image))
    after = contents(out)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--latent-dim", "0"], "--latent-dim 0: expected 1 or more"),
        (["--beta-1", "1"], "--beta-1 1.0: expected 0 to less than 1"),
        (["--network", "rnn"], "rnn"),
        (["--size", "30"], "pictures of 30x30: expected sides divisible by 4"),
        (["--sample"], "--sample : expected at least one file (or label)"),
    ],
)
def test_bad_settings(args, said, small_data, tmp_path, refused):
    args = ["--data", small_data, "--epochs", 0, "--out", tmp_path / "out", *args]
    assert said in refused("cgan", *args)
    assert contents(tmp_path) == {}
