"""Networks and layers that several scripts share, with their optimizers and averages.

Pictures are NHWC, float32, in [-1, 1]. Convolutions may run in bfloat16; what a network gives back
is always float32, for tanh near +-1 and the logarithms of the losses need the digits.

This module imports nothing else of the project: a saved generator can be loaded with it alone.
"""

import math

import keras
import numpy as np
import tensorflow as tf


class RandomStream(keras.random.SeedGenerator):
    """The `seed` of whatever is drawn at random in a training step.

    As keras.random.SeedGenerator, whose numbers are fresh at every call, also inside a tf.function;
    but under a tf.distribute strategy every replica has numbers of its own.
    """

    def next(self, ordered=True):
        drawn = super().next(ordered)
        replica = tf.distribute.get_replica_context()
        number = replica.replica_id_in_sync_group if replica else 0
        # Another seed for each replica; the first, or the only one, has the seed that was given.
        step = tf.cast(number, drawn.dtype) * 1_000_003
        return drawn + tf.stack([step, tf.zeros((), drawn.dtype)])


def per_replica(layer):
    """Give a layer of Keras's that draws at random other numbers on every replica.

    Its generator cannot be exchanged, for the layer was built, and locked, when it was made.
    """
    if hasattr(layer, "seed_generator"):  # not where nothing is drawn, at a rate of 0
        layer.seed_generator.__class__ = RandomStream


@keras.saving.register_keras_serializable("gan_cnn")
class Dropout(keras.layers.Dropout):
    """Keras's Dropout, with other random numbers on every replica."""

    def __init__(self, rate, **kwargs):
        super().__init__(rate, **kwargs)
        per_replica(self)


@keras.saving.register_keras_serializable("gan_cnn")
class GaussianNoise(keras.layers.GaussianNoise):
    """Keras's GaussianNoise, with other random numbers on every replica."""

    def __init__(self, stddev, **kwargs):
        super().__init__(stddev, **kwargs)
        per_replica(self)


@keras.saving.register_keras_serializable("gan_cnn")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Normalizes every channel of every picture by its own mean and variance over the pixels.

    The layer of the same name in the discontinued tensorflow-addons, with the same arguments and
    defaults: (n, height, width, channels) -> the same. It is group normalization with as many
    groups as channels. Source: Ulyanov et al., Instance Normalization, arXiv 1607.08022.

    Not for a dense (n, channels) input: each value would be its own mean, and the output all zeros.
    """

    def __init__(self, axis=-1, epsilon=1e-3, **kwargs):
        super().__init__(groups=-1, axis=axis, epsilon=epsilon, **kwargs)

    def build(self, input_shape):
        if len(input_shape) < 3:
            raise ValueError(
                f"InstanceNormalization got an input of shape {input_shape}; it needs at least one "
                "axis of pixels between the batch and the channels"
            )
        super().build(input_shape)

    def get_config(self):
        config = super().get_config()
        del config["groups"]  # always as many as there are channels
        return config


def normalization(norm):
    """A new layer for norm = "instance" or "batch"; None gives one that changes nothing."""
    if norm == "instance":
        return InstanceNormalization()
    if norm == "batch":
        # The default momentum of 0.99 lags behind weights that change as fast as a GAN's.
        return keras.layers.BatchNormalization(momentum=0.9)
    if norm is None:
        return keras.layers.Identity()
    raise ValueError(f'norm = {norm!r}: expected "instance", "batch" or None')


MOST_FILTERS = 512  # of any layer, however large the pictures: as in the papers


def divisible(image_shape, times):
    """Raise ValueError unless both sides can be halved so many times."""
    height, width, _ = image_shape
    if height % 2**times or width % 2**times or min(height, width) < 8:
        expected = f"sides divisible by {2**times}, of at least 8 pixels"
        raise ValueError(f"pictures of {height}x{width}: expected {expected}")


def img2img_halvings(image_shape):
    """How often mnist_uni_img2img halves a picture: twice, larger ones until 16 pixels are left.

    Raises ValueError where a side would not be whole.
    """
    times = 2
    while max(image_shape[:2]) >> times > 16:  # the dense middle would have too many weights
        times += 1
    divisible(image_shape, times)
    return times


def mnist_uni_img2img(image_shape, channels=1, norm="instance", name="img2img"):
    """Picture to picture: strided convolutions down, a look at the whole, and up again.

    28x28 -> 14x14x64 -> 7x7x128 -> 256 -> 7x7x64 -> 14x14x64 -> 28x28 for MNIST; any height and
    width divisible by 4 will do up to 64 pixels, by 8 up to 128, and so on. The 256 numbers in the
    middle see every pixel: with the convolutions alone each pixel of the output would see 18x18
    pixels of the input, and nothing would know what the picture as a whole shows.

    Args:
        image_shape: (height, width, channels) of the input.
        channels: of the output, which lies in [-1, 1].
        norm: "instance", "batch" or None.

    Returns:
        A keras.Model, (n, height, width, channels) float32 -> the same.
    """
    times = img2img_halvings(image_shape)
    height, width = image_shape[0] >> times, image_shape[1] >> times  # of the middle

    def conv(layer, filters):
        # No bias where a normalization behind it would undo it.
        return layer(filters, 4, strides=2, padding="same", use_bias=norm is None)

    def activate(x):
        return keras.layers.LeakyReLU(0.2)(normalization(norm)(x))

    x = inputs = keras.Input(image_shape, name="picture")
    for i in range(times):
        x = activate(conv(keras.layers.Conv2D, min(64 * 2**i, MOST_FILTERS))(x))
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(32, 1)(x))  # fewer weights in what follows
    x = keras.layers.Flatten()(x)
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(256, name="whole_picture")(x))
    x = keras.layers.Dense(height * width * 64, use_bias=norm is None)(x)
    x = activate(keras.layers.Reshape((height, width, 64))(x))
    for _ in range(times - 1):
        x = activate(conv(keras.layers.Conv2DTranspose, 64)(x))
    x = keras.layers.Conv2DTranspose(channels, 6, strides=2, padding="same")(x)
    outputs = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=name)


def halvings(image_shape):
    """How often a convolution may halve the picture: 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4.

    Until no side has more than 7 pixels. Raises ValueError where a side would not be whole.
    """
    times = 1
    while max(image_shape[:2]) >> times > 7:
        times += 1
    divisible(image_shape, times)
    return times


def mnist_uni_gen_cnn(inputs_dim, image_shape, norm="batch", name="gen_cnn"):
    """Numbers (n, inputs_dim) -> pictures (n, *image_shape) in [-1, 1], float32.

    A dense layer to a small map, 7x7x128 for MNIST, and as many transposed convolutions as needed,
    each to twice the side and half the filters. Larger pictures begin with more, at most 512.
    Source: DCGAN, arXiv 1511.06434, figure 1.
    """
    height, width, channels = image_shape
    times = halvings(image_shape)
    filters = [min(64 * 2**i, MOST_FILTERS) for i in reversed(range(times))]
    x = inputs = keras.Input((inputs_dim,), name="noise")
    bias = norm is None
    x = keras.layers.Dense((height >> times) * (width >> times) * filters[0], use_bias=bias)(x)
    x = keras.layers.Reshape((height >> times, width >> times, filters[0]))(x)
    # Batch norm everywhere but at the output, where it would fix each batch's mean and contrast.
    x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    for count in filters[1:]:
        x = keras.layers.Conv2DTranspose(count, 4, 2, padding="same", use_bias=bias)(x)
        x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    # A kernel divisible by the stride: every pixel is painted by equally many inputs, so that no
    # checkerboard shows.
    x = keras.layers.Conv2DTranspose(channels, 6, 2, padding="same")(x)
    outputs = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=name)


def mnist_uni_disc_cnn(image_shape, noise=0.05, dropout=0.3, name="disc_cnn"):
    """What every discriminator of whole pictures begins with: (n, h, w, channels) -> (n, 128).

    Strided convolutions down to 7x7x128 for MNIST, more of them for larger pictures, and a dense
    layer. No normalization: batch statistics would tell real from generated batches by themselves.

    Args:
        image_shape: (height, width, channels).
        noise: standard deviation of noise on the picture. It blurs the difference between exact
            grey values and generated ones, the easiest giveaway.
        dropout: share of the features that are dropped after each convolution in training, against
            learning single training pictures by heart.
    """
    x = inputs = keras.Input(image_shape, name="picture")
    x = GaussianNoise(noise)(x)
    for i in range(halvings(image_shape)):
        # Strides instead of pooling: the network learns for itself how to make the picture smaller.
        x = keras.layers.Conv2D(min(64 * 2**i, MOST_FILTERS), 4, strides=2, padding="same")(x)
        # Leaky: where ReLU gives 0, no gradient would come through to the generator.
        x = keras.layers.LeakyReLU(0.2)(x)
        x = Dropout(dropout)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(128)(x))
    return keras.Model(inputs, x, name=name)


def patch_discriminator(image_shape, norm=None, full=False, name="patches"):
    """Pictures (n, h, w, channels) -> a map of logits or scores, one for each patch.

    The discriminator of pix2pix (arXiv 1611.07004, appendix 6.1.2): C64-C128-C256-C512 with 70x70
    patches from 64 pixels up; for MNIST C64-C128, 7x7 decisions on patches of 22x22. The map's size
    is whatever the pictures' gives; with `full` the last convolution covers all of it.
    """
    halved = (64, 128, 256) if min(image_shape[:2]) >= 64 else (64, 128)
    x = inputs = keras.Input(image_shape, name="picture")
    for i, filters in enumerate(halved):
        x = keras.layers.Conv2D(filters, 4, 2, padding="same", use_bias=norm is None or i == 0)(x)
        x = keras.layers.LeakyReLU(0.2)(normalization(norm if i else None)(x))
    if len(halved) == 3:
        x = keras.layers.Conv2D(512, 4, padding="same", use_bias=norm is None)(x)
        x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    kernel, padding = (x.shape[1:3], "valid") if full else (4, "same")
    x = keras.layers.Conv2D(1, kernel, padding=padding, dtype="float32")(x)
    return keras.Model(inputs, x, name=name)


def resnet_img2img(image_shape, channels=3, norm="instance", name="resnet"):
    """Picture to picture for 64 pixels and more: the generator of CycleGAN.

    c7s1-64, d128, d256, six residual blocks (nine from 256 pixels up), u128, u64, c7s1 in the
    notation of arXiv 1703.10593, appendix 7.2: instance normalization, ReLU, reflection padding.
    (n, height, width, channels) in [-1, 1] -> the same; norm: "instance", "batch" or None. Sides
    have to be divisible by 4: others raise ValueError, for they would come back larger.
    """
    divisible(image_shape, 2)
    bias = norm is None  # where a normalization follows, it would undo a bias

    def reflect(x, pixels):
        return keras.ops.pad(x, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)], "reflect")

    def activate(x):
        return keras.layers.ReLU()(normalization(norm)(x))

    x = inputs = keras.Input(image_shape, name="picture")
    x = activate(keras.layers.Conv2D(64, 7, use_bias=bias)(reflect(x, 3)))
    for filters in (128, 256):
        x = activate(keras.layers.Conv2D(filters, 3, 2, padding="same", use_bias=bias)(x))
    for _ in range(9 if min(image_shape[:2]) >= 256 else 6):
        y = activate(keras.layers.Conv2D(256, 3, use_bias=bias)(reflect(x, 1)))
        y = keras.layers.Conv2D(256, 3, use_bias=bias)(reflect(y, 1))
        x = x + normalization(norm)(y)
    for filters in (128, 64):
        x = activate(keras.layers.Conv2DTranspose(filters, 3, 2, padding="same", use_bias=bias)(x))
    x = keras.layers.Conv2D(channels, 7)(reflect(x, 3))
    outputs = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=name)


def draw_weights(network, stddev, seed):
    """Draw all kernels of a network anew: normally distributed around 0. Biases stay 0."""
    numbers = keras.random.SeedGenerator(seed)
    for weight in network.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(keras.random.normal(weight.shape, stddev=stddev, seed=numbers))


def adam(network, learning_rate, beta_1=0.5):
    """An Adam of its own for one network.

    beta_1 = 0.5 as in DCGAN: with the default 0.9 two networks that train against each other swing
    back and forth. Built at once, for an optimizer that makes its slots in the first step traces
    that step twice.
    """
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=beta_1)
    optimizer.build(network.trainable_weights)
    return optimizer


def averaged(network, build, *args):
    """`build(*args)` once more, with the weights of `network`: where their average is kept.

    In float32 whatever the run's precision: what is saved then runs on every machine, also on those
    that are slow or fail in bfloat16.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        average = build(*args)
    finally:
        keras.config.set_dtype_policy(policy)
    average.set_weights(network.get_weights())
    return average


def update_average(average, network, step, decay=0.999):
    """Move an exponential moving average of a network's weights one step on.

    A generator's weights circle around good values; their average sits in the middle and gives
    better pictures. Early on the average is kept short, (1 + step) / (10 + step), so that it does
    not remember the untrained weights. Source: Yazici et al., arXiv 1806.04498.
    """
    step = tf.cast(step, tf.float32)
    keep = tf.minimum(decay, (1 + step) / (10 + step))
    for mean, weight in zip(average.weights, network.weights, strict=True):
        mean.assign_add((1 - keep) * (weight - mean))


def predict(network, inputs):
    """What a network makes of arrays of any length, in inference mode: a NumPy array.

    Keras's own `predict` traces anew for every new length, and TensorFlow then warns of that.
    """
    inputs = inputs if isinstance(inputs, list) else [inputs]
    # Little memory, also where 16 numbers become a large picture.
    largest = max(math.prod(tensor.shape[1:]) for tensor in (*network.inputs, *network.outputs))
    batch_size = max(1, min(500, 2**19 // largest))
    outputs = []
    for start in range(0, len(inputs[0]), batch_size):
        part = [tf.cast(array[start : start + batch_size], tf.float32) for array in inputs]
        outputs.append(network(part if len(part) > 1 else part[0], training=False))
    return np.concatenate(outputs)
