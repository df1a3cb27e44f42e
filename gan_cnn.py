"""Networks and layers that several scripts share, with their optimizers and averages.

Pictures are NHWC, float32, in [-1, 1]. Convolutions may run in bfloat16; the output of a network
is always float32, because tanh near +-1 and the logarithms in the losses need the precision.

This module imports no other module of the project: a saved generator can be loaded with it alone.
"""

import math

import keras
import numpy as np
import tensorflow as tf


class RandomStream(keras.random.SeedGenerator):
    """The `seed` of all random numbers in a training step.

    Like keras.random.SeedGenerator, it gives new numbers at every call, also inside a tf.function.
    Under a tf.distribute strategy, it gives every replica different numbers.
    """

    def next(self, ordered=True):
        drawn = super().next(ordered)
        replica = tf.distribute.get_replica_context()
        number = replica.replica_id_in_sync_group if replica else 0
        # Each replica has a different seed; the first (or only) replica has the given seed.
        step = tf.cast(number, drawn.dtype) * 1_000_003
        return drawn + tf.stack([step, tf.zeros((), drawn.dtype)])


def per_replica(layer):
    """Make a random layer of Keras draw different numbers on every replica.

    Its random generator cannot be replaced, because Keras locks the layer when it is created. So
    the generator gets a different class.
    """
    if hasattr(layer, "seed_generator"):  # at a rate of 0 there is none
        layer.seed_generator.__class__ = RandomStream


@keras.saving.register_keras_serializable("gan_cnn")
class Dropout(keras.layers.Dropout):
    """Keras's Dropout, with different random numbers on every replica."""

    def __init__(self, rate, **kwargs):
        super().__init__(rate, **kwargs)
        per_replica(self)


@keras.saving.register_keras_serializable("gan_cnn")
class SpatialDropout2D(keras.layers.SpatialDropout2D):
    """Keras's SpatialDropout2D, with different random numbers on every replica."""

    def __init__(self, rate, **kwargs):
        super().__init__(rate, **kwargs)
        per_replica(self)


@keras.saving.register_keras_serializable("gan_cnn")
class GaussianNoise(keras.layers.GaussianNoise):
    """Keras's GaussianNoise, with different random numbers on every replica."""

    def __init__(self, stddev, **kwargs):
        super().__init__(stddev, **kwargs)
        per_replica(self)


@keras.saving.register_keras_serializable("gan_cnn")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Normalizes every channel of every picture by its own mean and variance over the pixels.

    It replaces the layer of the same name in tensorflow-addons, which is discontinued, and has the
    same arguments and defaults: (n, height, width, channels) -> the same. It is group normalization
    with as many groups as channels. Source: Ulyanov et al., Instance Normalization, arXiv
    1607.08022.

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
        del config["groups"]  # always the number of channels
        return config


def normalization(norm):
    """A new layer for norm = "instance" or "batch"; for None, a layer that changes nothing."""
    if norm == "instance":
        return InstanceNormalization()
    if norm == "batch":
        # With the default momentum of 0.99 the averages are too slow: the weights of a GAN change
        # quickly.
        return keras.layers.BatchNormalization(momentum=0.9)
    if norm is None:
        return keras.layers.Identity()
    raise ValueError(f'norm = {norm!r}: expected "instance", "batch" or None')


MOST_FILTERS = 512  # of any layer, for pictures of any size: as in the papers


def divisible(image_shape, times):
    """Raise ValueError unless both sides can be halved this number of times, and are at least 8."""
    height, width, _ = image_shape
    if height % 2**times or width % 2**times or min(height, width) < 8:
        expected = f"sides divisible by {2**times}, of at least 8 pixels"
        raise ValueError(f"pictures of {height}x{width}: expected {expected}")


def img2img_halvings(image_shape):
    """How often mnist_uni_img2img halves a picture: twice, larger ones until 16 pixels are left.

    Raises ValueError where a side would not be an integer.
    """
    times = 2
    while max(image_shape[:2]) >> times > 16:  # else the dense layer has too many weights
        times += 1
    divisible(image_shape, times)
    return times


def mnist_uni_img2img(image_shape, channels=1, norm="instance", name="img2img"):
    """Picture to picture: convolutions, a dense layer over the whole picture, and back.

    Strided convolutions, a 1x1 convolution, two dense layers, transposed convolutions: 28x28 ->
    14x14x64 -> 7x7x128 -> 7x7x32 -> 256 -> 7x7x64 -> 14x14x64 -> 28x28 for MNIST. Up to 64 pixels,
    height and width must be divisible by 4; up to 128 by 8; and so on. The 256 numbers in the
    middle depend on the whole picture. With convolutions alone, each output pixel would depend on
    only 18x18 input pixels. No part of the network would know the whole picture.

    Args:
        image_shape: (height, width, channels) of the input.
        channels: number of channels of the output, whose values are in [-1, 1].
        norm: "instance", "batch" or None.

    Returns:
        A keras.Model, (n, height, width, channels) float32 -> the same.
    """
    times = img2img_halvings(image_shape)
    height, width = image_shape[0] >> times, image_shape[1] >> times  # of the map in the middle

    def conv(layer, filters):
        # No bias before a normalization, which would remove it.
        return layer(filters, 4, strides=2, padding="same", use_bias=norm is None)

    def activate(x):
        return keras.layers.LeakyReLU(0.2)(normalization(norm)(x))

    x = inputs = keras.Input(image_shape, name="picture")
    for i in range(times):
        x = activate(conv(keras.layers.Conv2D, min(64 * 2**i, MOST_FILTERS))(x))
    # Fewer weights in the next layer.
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(32, 1)(x))
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
    """How often convolutions halve a picture: 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4.

    Until no side has more than 7 pixels. Raises ValueError where a side would not be an integer.
    """
    times = 1
    while max(image_shape[:2]) >> times > 7:
        times += 1
    divisible(image_shape, times)
    return times


def mnist_uni_gen_cnn(inputs_dim, image_shape, norm="batch", name="gen_cnn"):
    """Numbers (n, inputs_dim) -> pictures (n, *image_shape) in [-1, 1], float32.

    A dense layer makes a small map, 7x7x128 for MNIST. Then transposed convolutions make the
    picture: each doubles the side and halves the number of filters. Larger pictures begin with more
    filters, at most 512. Source: DCGAN, arXiv 1511.06434, figure 1.
    """
    height, width, channels = image_shape
    times = halvings(image_shape)
    filters = [min(64 * 2**i, MOST_FILTERS) for i in reversed(range(times))]
    x = inputs = keras.Input((inputs_dim,), name="noise")
    bias = norm is None
    x = keras.layers.Dense((height >> times) * (width >> times) * filters[0], use_bias=bias)(x)
    x = keras.layers.Reshape((height >> times, width >> times, filters[0]))(x)
    # Batch norm in all layers except the output. There it would force the same mean and contrast on
    # every batch.
    x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    for count in filters[1:]:
        x = keras.layers.Conv2DTranspose(count, 4, 2, padding="same", use_bias=bias)(x)
        x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    # The kernel is divisible by the stride. So every output pixel gets the same number of inputs,
    # and there is no checkerboard pattern.
    x = keras.layers.Conv2DTranspose(channels, 6, 2, padding="same")(x)
    outputs = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=name)


def mnist_uni_disc_cnn(image_shape, noise=0.05, dropout=0.3, name="disc_cnn"):
    """The first part of every discriminator of complete pictures: (n, h, w, channels) -> (n, 128).

    Strided convolutions to 7x7x128 for MNIST, more of them for larger pictures, and a dense layer.
    No normalization: the discriminator could distinguish real and generated batches by their
    statistics alone.

    Args:
        image_shape: (height, width, channels).
        noise: standard deviation of noise on the picture. It hides small differences between the
            grey values of real and generated pictures. Otherwise the discriminator would use only
            these.
        dropout: share of the channels that are set to 0 after each convolution in training, so that
            the network does not memorise training pictures. Complete channels (arXiv 1411.4280),
            because the network can guess a single dropped value from its neighbours. This also
            needs fewer random numbers.
    """
    x = inputs = keras.Input(image_shape, name="picture")
    x = GaussianNoise(noise)(x)
    for i in range(halvings(image_shape)):
        # Strides instead of pooling: the network itself learns how to make the picture smaller.
        x = keras.layers.Conv2D(min(64 * 2**i, MOST_FILTERS), 4, strides=2, padding="same")(x)
        # LeakyReLU, because ReLU passes no gradient to the generator where it returns 0.
        x = keras.layers.LeakyReLU(0.2)(x)
        x = SpatialDropout2D(dropout)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(128)(x))
    return keras.Model(inputs, x, name=name)


def small_enough(image_shape):
    """Raise ValueError if fully connected networks would have too many weights: over 64 pixels."""
    height, width, _ = image_shape
    if max(height, width) > 64:
        raise ValueError(f"pictures of {height}x{width}: expected at most 64x64")


def mnist_uni_gen_mlp(inputs_dim, image_shape, norm="batch", name="gen_mlp"):
    """Numbers (n, inputs_dim) -> pictures (n, *image_shape) in [-1, 1], float32.

    Fully connected: no layer knows which pixels are neighbours.
    """
    x = inputs = keras.Input((inputs_dim,), name="noise")
    for units in (128, 256, 512, 1024):
        x = keras.layers.Dense(units, use_bias=norm is None)(x)
        x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    x = keras.layers.Dense(math.prod(image_shape), activation="tanh", dtype="float32")(x)
    return keras.Model(inputs, keras.layers.Reshape(image_shape)(x), name=name)


def mnist_uni_disc_mlp(inputs_dim, dropout=0.4, name="disc_mlp"):
    """Pixels as a vector, with further inputs such as a label: (n, inputs_dim) -> (n, 512).

    Fully connected. dropout: share of the features that are set to 0 in training, after the second
    layer and after the third.
    """
    x = inputs = keras.Input((inputs_dim,), name="pixels")
    for rate in (0.0, dropout, dropout):
        x = Dropout(rate)(keras.layers.LeakyReLU(0.2)(keras.layers.Dense(512)(x)))
    return keras.Model(inputs, x, name=name)


def patch_discriminator(image_shape, norm=None, full=False, name="patches"):
    """Pictures (n, h, w, channels) -> a map of logits or scores, one for each patch.

    The discriminator of pix2pix (arXiv 1611.07004, appendix 6.1.2): C64-C128-C256-C512 with 70x70
    patches for 64 pixels or more; for MNIST C64-C128, 7x7 answers for patches of 22x22. The size of
    the map (n, rows, columns, 1) depends on the size of the pictures. With `full`, the last
    convolution covers the complete map: one answer (n, 1, 1, 1).
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

    c7s1-64, d128, d256, six residual blocks (nine for 256 pixels or more), u128, u64, c7s1 in the
    notation of arXiv 1703.10593, appendix 7.2: instance normalization, ReLU, reflection padding.
    (n, height, width, channels) in [-1, 1] -> the same; norm: "instance", "batch" or None. Both
    sides must be divisible by 4; else ValueError, because the output would be larger than the
    input.
    """
    divisible(image_shape, 2)
    bias = norm is None  # a normalization that follows would remove it

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
    """Draw all kernels of a network again, normally distributed with mean 0. Biases stay 0."""
    numbers = keras.random.SeedGenerator(seed)
    for weight in network.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(keras.random.normal(weight.shape, stddev=stddev, seed=numbers))


class Adam(keras.optimizers.Adam):
    """Keras's Adam, but it updates a weight by one operation of TensorFlow, not by about twelve.

    The result is the same, except for rounding. The weights are read and written only once.
    """

    def update_step(self, gradient, variable, learning_rate):
        index, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def adam(network, learning_rate, beta_1=0.5):
    """An Adam optimizer for one network.

    beta_1 = 0.5 as in DCGAN's paper: with the usual 0.9, the two networks oscillate. It is built
    here, because TensorFlow traces the first step twice if the optimizer is built in that step.
    """
    optimizer = Adam(learning_rate, beta_1)
    optimizer.build(network.trainable_weights)
    return optimizer


def averaged(network, build, *args):
    """`build(*args)` again, with the weights of `network`: this copy will hold their average.

    It is in float32 for every precision of the run. So a saved generator runs on every machine,
    also where bfloat16 is slow or fails.
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
    """Update the exponential moving average of a network's weights.

    The weights of a generator move around good values. Their average is nearer to these values and
    gives better pictures. At the start the average covers only a few steps, by the factor
    (1 + step) / (10 + step). So it does not contain the untrained weights. Source: Yazici et al.,
    arXiv 1806.04498.
    """
    step = tf.cast(step, tf.float32)
    keep = tf.minimum(decay, (1 + step) / (10 + step))
    for mean, weight in zip(average.weights, network.weights, strict=True):
        # mean -= (1 - keep) * (mean - weight), in two operations, not three.
        tf.raw_ops.ResourceApplyGradientDescent(
            var=mean.value.handle, alpha=1 - keep, delta=mean - weight
        )


def predict(network, inputs):
    """The output of a network for arrays of any length, in inference mode: a NumPy array.

    Keras's own `predict` compiles again for every new length, and TensorFlow prints a warning then.
    """
    inputs = inputs if isinstance(inputs, list) else [inputs]
    # Small batches for large inputs or outputs, to save memory.
    largest = max(math.prod(tensor.shape[1:]) for tensor in (*network.inputs, *network.outputs))
    batch_size = max(1, min(500, 2**19 // largest))
    outputs = []
    for start in range(0, len(inputs[0]), batch_size):
        part = [tf.cast(array[start : start + batch_size], tf.float32) for array in inputs]
        outputs.append(network(part if len(part) > 1 else part[0], training=False))
    return np.concatenate(outputs)
