import keras
import numpy as np
import pytest
import tensorflow as tf

import cgan
import classifier
import mnist_ds
from conftest import batches_for, build, named, part_of
from test_scripts import run_in_process

CGAN = named("cgan")
NETWORKS = pytest.mark.parametrize("network", ["cnn", "mlp"])


@NETWORKS
def test_generator_draws_pictures_that_depend_on_noise_and_label(network, data):
    settings = cgan.Settings(network=network)
    generator = cgan.build_generator(settings, data.image_shape, 10)
    pictures = cgan.draw(generator, [3, 3, 5, 5], seed=0, in_a_row=1)
    assert pictures.shape == (4, 28, 28, 1)
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert not np.array_equal(pictures[0], pictures[1])  # other noise
    same_noise = cgan.draw(generator, [3, 5, 3, 5], seed=0, in_a_row=2)
    assert not np.array_equal(same_noise[0], same_noise[1])  # another label
    np.testing.assert_array_equal(same_noise, cgan.draw(generator, [3, 5, 3, 5], 0, in_a_row=2))


@NETWORKS
def test_discriminator_judges_picture_and_label(network, data):
    discriminator = cgan.build_discriminator(cgan.Settings(network=network), data.image_shape, 10)
    images, labels = batches_for(CGAN, data, 1)[0]
    right, wrong = (keras.ops.one_hot((labels + k) % 10, 10) for k in (0, 1))
    assert discriminator([images, right]).shape == (16, 1)
    assert np.abs(discriminator([images, right]) - discriminator([images, wrong])).min() > 0
    assert np.abs(discriminator([images, right]) - discriminator([-images, right])).min() > 0


def test_fully_connected_networks_are_those_of_the_lesson(data):
    settings = cgan.Settings(network="mlp")
    networks = (
        cgan.build_generator(settings, data.image_shape, 10),
        cgan.build_discriminator(settings, data.image_shape, 10),
    )
    units = [
        [layer.units for layer in network.layers if isinstance(layer, keras.layers.Dense)]
        for network in networks
    ]
    assert units == [[32, 128, 256, 512, 1024, 784], [784, 512, 512, 512, 1]]
    rates = [x.rate for x in networks[1].layers if isinstance(x, keras.layers.Dropout)]
    assert rates == [0.0, 0.4, 0.4]


@NETWORKS
def test_both_networks_learn(network, data):
    model, _ = build(CGAN, data, network=network)
    for batch in batches_for(CGAN, data, 2):
        figures = model.train_step(batch)
    assert all(np.isfinite(value) for value in figures.values())


def test_noise_is_fresh_at_every_step(data, monkeypatch):
    model, _ = build(CGAN, data)
    seen = []
    draw = keras.random.normal

    def watched(*args, **kwargs):
        noise = draw(*args, **kwargs)
        if kwargs.get("seed") is model.random:
            tf.py_function(lambda x: seen.append(x.numpy()), [noise], [])
        return noise

    monkeypatch.setattr(keras.random, "normal", watched)
    for batch in batches_for(CGAN, data, 2):
        model.train_step(batch)
    assert [noise.shape for noise in seen] == [(16, 32), (16, 32)]
    assert not np.array_equal(seen[0], seen[1])
    assert abs(np.mean(seen)) < 0.1
    assert abs(np.std(seen) - 1) < 0.1


def test_a_short_training_learns_to_draw_what_is_asked_for(data):
    """150 steps. Measured, seeds 0 and 1: 75% and 67% as asked, a Frechet distance of 5.1 and 5.6.

    Of the broken steps that were tried, none comes over 11%, and none under 10.
    """
    model, settings = build(CGAN, data)
    for batch in mnist_ds.batches(data, settings.batch_size).take(150):
        model.train_step(batch)
    part = part_of(data, 2000)
    drawn = cgan.draw(model.average, part.test_labels, seed=0)
    scores = classifier.generation_scores(part, drawn, part.test_labels)
    assert scores["conditional_accuracy"] > 0.5
    assert scores["frechet"] < 10


# ------------------------------------------------------------------------------------ as a program


def test_sample_draws_the_labels_asked_for(finished_run, tmp_path, program):
    out, _ = finished_run("cgan")
    program("cgan", "--sample", 3, 1, 4, "--out", out, cwd=tmp_path)
    assert (out / "sampled.png").exists()
    (out / "sampled.png").unlink()


@pytest.mark.parametrize("label", ["10", "x", "2.5"])
def test_sample_of_no_label(label, finished_run, monkeypatch, capsys):
    out, _ = finished_run("cgan")
    code, errors = run_in_process(CGAN, ["--sample", label, "--out", out], monkeypatch, capsys)
    assert code == 2
    assert errors == f"cgan.py: --sample {label}: expected labels from 0 to 9\n"
    assert not (out / "sampled.png").exists()
