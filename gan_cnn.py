"""Networks and layers that several scripts share.

Pictures are NHWC, float32, in [-1, 1]. Convolutions may run in bfloat16; what a network gives back
is always float32, for tanh near +-1 and the logarithms of the losses need the digits.
"""

import utils  # first of all: it quiets TensorFlow's start-up messages
import keras
import tensorflow as tf


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


def mnist_uni_img2img(image_shape, channels=1, norm="instance", name="img2img"):
    """Picture to picture: two strided convolutions down, a look at the whole, and up again.

    28x28 -> 14x14x64 -> 7x7x128 -> 256 -> 7x7x64 -> 14x14x64 -> 28x28 for MNIST; any height and
    width divisible by 4 will do. The 256 numbers in the middle see every pixel: with the
    convolutions alone each pixel of the output would see 18x18 pixels of the input, and nothing
    would know what the picture as a whole shows.

    Args:
        image_shape: (height, width, channels) of the input.
        channels: of the output, which lies in [-1, 1].
        norm: "instance", "batch" or None.

    Returns:
        A keras.Model, (n, height, width, channels) float32 -> the same.
    """
    height, width, _ = image_shape
    if height % 4 or width % 4:
        raise utils.BadInput(f"pictures of {height}x{width}: expected sides divisible by 4")

    def conv(layer, filters):
        # No bias where a normalization behind it would undo it.
        return layer(filters, 4, strides=2, padding="same", use_bias=norm is None)

    def activate(x):
        return keras.layers.LeakyReLU(0.2)(normalization(norm)(x))

    x = inputs = keras.Input(image_shape)
    x = activate(conv(keras.layers.Conv2D, 64)(x))
    x = activate(conv(keras.layers.Conv2D, 128)(x))
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(32, 1)(x))  # fewer weights in what follows
    x = keras.layers.Flatten()(x)
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(256, name="whole_picture")(x))
    x = keras.layers.Dense(height // 4 * width // 4 * 64, use_bias=norm is None)(x)
    x = activate(keras.layers.Reshape((height // 4, width // 4, 64))(x))
    x = activate(conv(keras.layers.Conv2DTranspose, 64)(x))
    x = keras.layers.Conv2DTranspose(channels, 6, strides=2, padding="same")(x)
    outputs = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=name)


def mnist_uni_disc_cnn(image_shape, name="disc_cnn"):
    """What every discriminator here begins with: pictures (n, h, w, channels) -> features (n, 128).

    No normalization: batch statistics would tell real from generated batches by themselves.
    """
    x = inputs = keras.Input(image_shape)
    # Blurs the difference between exact grey values and generated ones, the easiest giveaway.
    x = keras.layers.GaussianNoise(0.05)(x)
    for filters in (64, 128):
        x = keras.layers.Conv2D(filters, 4, strides=2, padding="same")(x)
        x = keras.layers.LeakyReLU(0.2)(x)
        x = keras.layers.Dropout(0.3)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(128)(x))
    return keras.Model(inputs, x, name=name)


def averaged(network, build, *args):
    """`build(*args)` once more, with the weights of `network`: where their average is kept.

    In float32 whatever the run's precision: what is saved then runs on every machine, also on those
    that are slow or fail in bfloat16.
    """
    with utils.dtype_policy("float32"):
        average = build(*args)
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
