import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import gan_cnn
from conftest import ROOT


@pytest.fixture
def reference():
    with np.load(ROOT / "tests" / "data" / "instance_norm.npz") as file:
        return dict(file)


def apply_layer(reference):
    """Our layer on the reference's inputs: outputs, and gradients of inputs, gamma and beta."""
    layer = gan_cnn.InstanceNormalization()
    layer.build(reference["inputs"].shape)
    layer.gamma.assign(reference["gamma"])
    layer.beta.assign(reference["beta"])
    inputs = tf.constant(reference["inputs"])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * reference["upstream"])
    weights = [inputs, layer.gamma.value, layer.beta.value]
    return outputs.numpy(), [gradient.numpy() for gradient in tape.gradient(loss, weights)]


def test_instance_normalization_equals_tensorflow_addons(reference):
    outputs, gradients = apply_layer(reference)
    np.testing.assert_allclose(outputs, reference["outputs"], atol=2e-5)
    for name, gradient in zip(("inputs", "gamma", "beta"), gradients, strict=True):
        np.testing.assert_allclose(gradient, reference[f"gradient_{name}"], rtol=1e-4, atol=1e-4)


def test_instance_normalization_equals_numpy(reference):
    x = reference["inputs"].astype(np.float64)
    mean, variance = x.mean(axis=(1, 2), keepdims=True), x.var(axis=(1, 2), keepdims=True)
    expected = (x - mean) / np.sqrt(variance + 1e-3) * reference["gamma"] + reference["beta"]
    np.testing.assert_allclose(apply_layer(reference)[0], expected, atol=2e-5)
    # One value, worked out by hand from the definition.
    pixels = x[1, :, :, 2]
    one = (pixels[3, 4] - pixels.sum() / 63) / np.sqrt(
        (pixels**2).sum() / 63 - (pixels.sum() / 63) ** 2 + 1e-3
    )
    one = one * reference["gamma"][2] + reference["beta"][2]
    assert apply_layer(reference)[0][1, 3, 4, 2] == pytest.approx(one, abs=2e-5)


def test_instance_normalization_treats_every_picture_alone(reference):
    layer = gan_cnn.InstanceNormalization()
    together = layer(reference["inputs"])
    alone = layer(reference["inputs"][1:2])
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_instance_normalization_refuses_dense_input():
    with pytest.raises(ValueError, match="needs at least one axis of pixels"):
        gan_cnn.InstanceNormalization()(np.ones((4, 8), np.float32))


def test_instance_normalization_round_trip(tmp_path):
    inputs = keras.Input((6, 6, 3))
    model = keras.Model(inputs, gan_cnn.InstanceNormalization(epsilon=0.5)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.layers[1].epsilon == 0.5


@pytest.mark.parametrize("norm", ["instance", "batch", None])
@pytest.mark.parametrize("image_shape", [(28, 28, 2), (64, 40, 3)])
def test_img2img_shape_and_range(norm, image_shape):
    network = gan_cnn.mnist_uni_img2img(image_shape, channels=1, norm=norm)
    outputs = network(100 * tf.random.normal((3, *image_shape))).numpy()
    assert outputs.shape == (3, *image_shape[:2], 1)
    assert outputs.dtype == np.float32
    assert np.abs(outputs).max() <= 1
    layers = {type(layer).__name__ for layer in network.layers}
    assert ("InstanceNormalization" in layers) == (norm == "instance")
    assert ("BatchNormalization" in layers) == (norm == "batch")


def test_img2img_refuses_unknown_norm_and_odd_sizes():
    with pytest.raises(ValueError, match="'layer'"):
        gan_cnn.mnist_uni_img2img((28, 28, 1), norm="layer")
    with pytest.raises(ValueError, match="27x28"):
        gan_cnn.mnist_uni_img2img((27, 28, 1))


# ------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("build", "times"),
    [
        (lambda shape: gan_cnn.mnist_uni_gen_cnn(16, shape), {4: 2, 7: 2, 66: 16}),
        (gan_cnn.mnist_uni_disc_cnn, {4: 2, 7: 2, 66: 16}),
        (gan_cnn.mnist_uni_img2img, {4: 4, 7: 4, 66: 4}),
        (gan_cnn.resnet_img2img, {4: 4, 7: 4, 66: 4}),
    ],
    ids=["generator", "discriminator", "img2img", "resnet"],
)
def test_sizes_that_do_not_fit_are_refused(build, times):
    for side, divisor in times.items():
        said = f"^pictures of {side}x{side}: expected sides divisible by {divisor}, of at least 8"
        with pytest.raises(ValueError, match=said):
            build((side, side, 3))
    with pytest.raises(ValueError, match="pictures of 64x66: expected sides"):
        build((64, 66, 3))


@pytest.mark.parametrize(
    ("side", "halves", "weights"),
    [
        (28, [14, 7], 1_409_185),
        (64, [32, 16], 6_496_417),
        (128, [64, 32, 16], 7_090_977),
        (256, [128, 64, 32, 16], 9_263_009),
    ],
)
def test_img2img_halves_large_pictures_until_16_pixels(side, halves, weights):
    network = gan_cnn.mnist_uni_img2img((side, side, 1))

    def sides(kind):
        return [x.output.shape[1] for x in network.layers if type(x) is kind and x.strides[0] == 2]

    assert sides(keras.layers.Conv2D) == halves
    assert sides(keras.layers.Conv2DTranspose) == [*halves[-2::-1], side]
    assert network.count_params() == weights  # up to 64 pixels as many as there always were


@pytest.mark.parametrize(
    "build",
    [
        lambda: gan_cnn.mnist_uni_gen_cnn(16, (256, 256, 3)),
        lambda: gan_cnn.mnist_uni_disc_cnn((256, 256, 3)),
        lambda: gan_cnn.mnist_uni_img2img((512, 512, 1)),
    ],
    ids=["generator", "discriminator", "img2img"],
)
def test_layers_have_at_most_512_filters(build):
    network = build()
    assert max(layer.filters for layer in network.layers if hasattr(layer, "filters")) == 512


@pytest.mark.parametrize("norm", ["instance", "batch", None])
def test_resnet_has_biases_where_no_normalization_follows(norm):
    network = gan_cnn.resnet_img2img((64, 64, 1), channels=1, norm=norm)
    biases = [layer.use_bias for layer in network.layers if hasattr(layer, "kernel_size")]
    assert len(biases) == 3 + 2 * 6 + 2 + 1
    assert biases == [norm is None] * (len(biases) - 1) + [True]
    outputs = network(tf.random.normal((1, 64, 64, 1))).numpy()
    assert outputs.shape == (1, 64, 64, 1)
    assert np.abs(outputs).max() <= 1


def test_every_output_pixel_sees_the_whole_picture():
    network = gan_cnn.mnist_uni_img2img((28, 28, 1), norm=None)
    x = tf.random.normal((1, 28, 28, 1))
    for row, column in ((0, 0), (27, 27), (13, 5)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            pixel = network(x)[0, row, column, 0]
        assert np.all(tape.gradient(pixel, x).numpy() != 0)


def test_discriminator_features_use_randomness_only_in_training():
    network = gan_cnn.mnist_uni_disc_cnn((28, 28, 1))
    x = tf.random.normal((4, 28, 28, 1))
    still = network(x, training=False)
    assert still.shape == (4, 128)
    np.testing.assert_array_equal(still, network(x, training=False))
    assert np.abs(network(x, training=True) - network(x, training=True)).max() > 0


def test_mixed_precision_gives_float32_outputs():
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = gan_cnn.mnist_uni_img2img((28, 28, 1))
    assert network(tf.zeros((1, 28, 28, 1))).dtype == tf.float32
    assert network.layers[1].compute_dtype == "bfloat16"
    copy = gan_cnn.averaged(network, gan_cnn.mnist_uni_img2img, (28, 28, 1))
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    for ours, theirs in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_average_moves_towards_the_weights():
    network, average = (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in "ab")
    network.set_weights([np.ones((1, 1)), np.ones(1)])
    average.set_weights([np.zeros((1, 1)), np.zeros(1)])
    gan_cnn.update_average(average, network, step=0)
    assert average.weights[0].numpy().item() == pytest.approx(0.9)  # keeps 1 / 10 at first
    average.set_weights([np.zeros((1, 1)), np.zeros(1)])
    gan_cnn.update_average(average, network, step=10**6, decay=0.999)
    assert average.weights[0].numpy().item() == pytest.approx(0.001, rel=1e-3)
    assert network.weights[0].numpy().item() == 1


def test_dropout_drops_whole_channels_in_training():
    network = gan_cnn.mnist_uni_disc_cnn((28, 28, 1), noise=0, dropout=0.3)
    layers = [x for x in network.layers if isinstance(x, keras.layers.SpatialDropout2D)]
    assert len(layers) == 2
    for layer in layers:
        kept = layer(tf.ones((50, 7, 7, 64)), training=True).numpy()
        assert ((kept == 0).all((1, 2)) | (kept > 1.4).all((1, 2))).all()
        assert np.mean(kept == 0) == pytest.approx(0.3, abs=0.05)
        np.testing.assert_array_equal(layer(kept, training=False), kept)


@pytest.mark.parametrize("beta_1", [0.5, 0.0])
@pytest.mark.parametrize("rate", [0.01, keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)])
def test_adam_is_kerass(rate, beta_1):
    """Its weights, its state and its count of steps, step by step, also with a changing rate, and
    with gradients so small that epsilon counts.
    """
    rng = np.random.default_rng(0)
    ours, theirs = (keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]) for _ in "ab")
    theirs.set_weights(ours.get_weights())
    adam, reference = gan_cnn.adam(ours, rate, beta_1), keras.optimizers.Adam(rate, beta_1)
    reference.build(theirs.trainable_weights)
    for _ in range(5):
        scales = rng.choice([0, 1e-7, 1], (5, 3)), 1
        gradients = [
            (scale * rng.normal(size=weight.shape)).astype("float32")
            for scale, weight in zip(scales, ours.trainable_weights, strict=True)
        ]
        for optimizer, network in ((adam, ours), (reference, theirs)):
            optimizer.apply(list(map(tf.constant, gradients)), network.trainable_weights)
        for a, b in zip(
            [*ours.weights, *adam.variables], [*theirs.weights, *reference.variables], strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert adam.iterations == 5


# ----------------------------------------------------------------------------------------- predict


class Counted:
    """Looks like a network of these shapes, and keeps how many pictures each call brings."""

    def __init__(self, *inputs, output):
        self.inputs = [keras.KerasTensor((None, *shape)) for shape in inputs]
        self.outputs = [keras.KerasTensor((None, *output))]
        self.calls = []

    def __call__(self, inputs, training):
        assert training is False
        first = inputs[0] if isinstance(inputs, list) else inputs
        self.calls.append(len(first))
        return first[:, :1] * 2


@pytest.mark.parametrize(
    ("network", "calls"),
    [
        (Counted((16,), output=(28, 28, 1)), [500, 500, 7]),
        (Counted((16,), output=(256, 256, 3)), [2] * 503 + [1]),
        (Counted((16,), (256, 256, 3), output=(1,)), [2] * 503 + [1]),
        (Counted((16,), output=(1024, 1024, 3)), [1] * 1007),
    ],
    ids=["small", "large output", "large second input", "one alone too large"],
)
def test_predict_takes_fewer_pictures_at_once_the_larger_they_are(network, calls):
    numbers = np.arange(1007.0)[:, np.newaxis] * np.ones(16)
    second = np.zeros((1007, 1))
    inputs = [numbers, second] if len(network.inputs) > 1 else numbers
    np.testing.assert_array_equal(gan_cnn.predict(network, inputs), 2 * numbers[:, :1])
    assert network.calls == calls


# ------------------------------------------------------------------------------------- on its own


def test_a_saved_generator_needs_nothing_but_this_module(tmp_path):
    """In a folder that holds gan_cnn.py and the generator, in the environment of its user."""
    network = gan_cnn.mnist_uni_img2img((64, 64, 1), norm="instance")
    network.save(tmp_path / "generator.keras")
    shutil.copy(ROOT / "gan_cnn.py", tmp_path)
    (tmp_path / "alone.py").write_text(
        """
import os, keras, numpy, tensorflow
before = dict(os.environ)
import gan_cnn
assert dict(os.environ) == before, "gan_cnn sets environment variables"
generator = keras.saving.load_model("generator.keras")
numpy.save("made.npy", gan_cnn.predict(generator, numpy.full((3, 64, 64, 1), 0.5)))
"""
    )
    ours = ("PYTHONPATH", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    process = subprocess.run(
        [sys.executable, "alone.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    expected = gan_cnn.predict(network, np.full((3, 64, 64, 1), 0.5))
    np.testing.assert_allclose(np.load(tmp_path / "made.npy"), expected, atol=1e-5)
