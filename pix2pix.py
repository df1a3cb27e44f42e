"""Pix2Pix: a conditional GAN turns one picture into another, trained with pairs.

The data are pairs of a source and a target picture. The generator learns to make the target from
the source. A pixel loss alone would give the blurred mean of all possible answers. Therefore there
is a discriminator. It sees the source and the picture together, and judges for every patch whether
it is real. Here the source is a digit with a hole (the same holes as in ccgan.py), or the outline
of a digit; or the pairs come from a folder. Paper: Isola, Zhu, Zhou, Efros, Image-to-Image
Translation with Conditional Adversarial Networks, https://arxiv.org/abs/1611.07004

Deliberate differences from the paper:
 1. At 28x28 the networks are smaller: three levels down to a single pixel, not eight, and 22x22
    patches. With 64 pixels or more they are like the paper's, with the 70x70 patches that the paper
    uses for 256x256 pictures.
 2. Batches of 32, not of 1 to 10 pictures; learning rates of 0.001 and 0.0005, not 0.0002.
 3. No batch norm at the bottleneck, because with a batch of one picture its output would be zero.
    No batch norm in the discriminator.
 4. The discriminator's map of answers keeps its size in the last convolutions: 32x32 answers for
    256x256 pictures, not 30x30.
 5. Dropout is the only noise. Here it is active only in training, and for the results batch norm
    uses its moving averages. The paper makes its results with both as in training.
 6. Glorot initialization, the default of Keras, not normal with a standard deviation of 0.02; no
    random jitter and no mirroring of the training pictures.
 7. Pictures and scores come from a moving average of the generator's weights.
"""

import dataclasses
from typing import Literal

import utils  # must be the first import: it prepares TensorFlow
import keras
import tensorflow as tf

import gan_cnn
import mnist_ds
import pictures
import runs
import scores
import training
import visual


@dataclasses.dataclass
class Settings(mnist_ds.HoleSettings):
    out: str = "results/pix2pix"
    """folder for everything that the run writes"""
    epochs: int = 11
    """how many epochs to train; after each there is a picture"""
    steps_per_epoch: int = 500
    """training steps in an epoch (default: a quarter of all digits); 0 = all complete batches"""
    batch_size: int = 32
    """pictures in a batch"""
    task: Literal["holes", "edges"] = "holes"
    """holes: fill a hole; edges: make a digit from its outline. Not used if --data is a folder: its
    files are the pairs, A left, B right"""
    direction: Literal["AtoB", "BtoA"] = "AtoB"
    """for a folder of pairs: from A to B, or from B to A"""
    skips: bool = True
    """the U-Net's skip connections, from each level of the encoder to the same level of the
    decoder"""
    loss: Literal["l1", "l2"] = "l1"
    """pixel loss: l1 = mean absolute error, l2 = mean squared error"""
    weight: float = 100.0
    """weight of the pixel loss, lambda in the paper; the adversarial loss has the weight 1"""
    patch: Literal["patch", "full"] = "patch"
    """patch: the discriminator judges every patch; full: it gives one answer for the picture"""
    gan: bool = True
    """train with a discriminator; without it, only the pixel loss is used"""
    g_learning_rate: float = 1e-3
    """learning rate of the generator"""
    d_learning_rate: float = 5e-4
    """learning rate of the discriminator"""

    def check(self):
        super().check()
        utils.require(self.weight >= 0, "--weight", self.weight, "0 or more")

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        height, width, _ = image_shape
        expected = "28x28, 32x32, 64x64, 128x128 or 256x256; choose one by --size"
        fits = height == width and height in (28, 32, 64, 128, 256)
        utils.require(fits, "pictures of", f"{height}x{width}", expected)


def load(settings):
    """A list with the data set that this script trains on. In a folder every file is a pair."""
    return [mnist_ds.load(settings.data, settings.size, settings.train_pictures, pairs=True)]


def build_generator(settings, image_shape):
    """Source (n, h, w, c) -> picture (n, h, w, c), both in [-1, 1]: the U-Net."""
    norm = gan_cnn.normalization
    x = source = keras.Input(image_shape, name="source")
    levels = []
    # Encoder: half the side and twice the filters, until one pixel is left, which depends on the
    # whole source. (The biases before batch norm have no effect.)
    while x.shape[1] > 1:
        levels.append(x)
        filters = min(64 * 2 ** (len(levels) - 1), 512)
        kernel, strides, padding = fit_to(x)
        x = keras.layers.Conv2D(filters, kernel, strides, padding)(x)
        inner = len(levels) > 1 and x.shape[1] > 1
        x = keras.layers.LeakyReLU(0.2)(norm("batch" if inner else None)(x))
    # Decoder: the same steps back. The encoder's map of the same level is concatenated, so details
    # need not pass through the one pixel.
    for depth in reversed(range(1, len(levels))):
        level = levels[depth]
        kernel, strides, padding = fit_to(level)
        x = keras.layers.Conv2DTranspose(level.shape[-1], kernel, strides, padding)(x)
        x = norm("batch")(x)
        if depth >= len(levels) - 3 and depth >= 2:
            x = gan_cnn.Dropout(0.5)(x)  # the paper's only noise, in the deepest layers
        x = keras.layers.ReLU()(keras.layers.Concatenate()([x, level]) if settings.skips else x)
    x = keras.layers.Conv2DTranspose(image_shape[-1], 4, 2, padding="same")(x)
    picture = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(source, picture, name="generator")


def fit_to(x):
    """Kernel, strides and padding of the convolution that halves this map.

    A map with an odd side becomes 1x1.
    """
    return (4, 2, "same") if x.shape[1] % 2 == 0 else (x.shape[1], 1, "valid")


def build_discriminator(settings, image_shape):
    """[source, picture] (n, h, w, c) -> logits (n, rows, columns, 1), one for each patch."""
    source = keras.Input(image_shape, name="source")
    picture = keras.Input(image_shape, name="picture")
    both = keras.layers.Concatenate()([source, picture])
    real = gan_cnn.patch_discriminator(both.shape[1:], full=settings.patch == "full")(both)
    return keras.Model([source, picture], real, name="discriminator")


def pairs_of(settings, fit, images, masks):
    """Pictures (or pairs) of the data -> source and target pictures, (n, h, w, c) in [-1, 1]."""
    if fit == "pair":
        a, b = tf.split(images, 2, axis=2)
        return (a, b) if settings.direction == "AtoB" else (b, a)
    if settings.task == "holes":
        return images * masks, images
    # An outline: dark pixels with a bright neighbour.
    bright = tf.cast(images > 0, tf.float32)
    return 2 * (tf.nn.max_pool2d(bright, 3, 1, "SAME") - bright) - 1, images


class Pix2Pix(keras.Model):
    """Both networks and the step that trains them."""

    def __init__(self, settings, data):
        super().__init__()
        self.settings, self.data_fit, shape = settings, data.fit, data.picture_shape
        self.generator = build_generator(settings, shape)
        self.discriminator = build_discriminator(settings, shape)
        self.average = gan_cnn.averaged(self.generator, build_generator, settings, shape)
        self.g_optimizer = gan_cnn.adam(self.generator, settings.g_learning_rate)
        self.d_optimizer = gan_cnn.adam(self.discriminator, settings.d_learning_rate)
        self.real_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        losses = {"l1": keras.losses.MeanAbsoluteError, "l2": keras.losses.MeanSquaredError}
        self.pixel_loss = losses[settings.loss]()
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # all networks are built, so Keras need not call this model to build it

    @tf.function
    def train_step(self, batch):
        """One step of each network on (images, labels); returns {name: scalar of this batch}."""
        images, _ = batch
        masks = mnist_ds.training_masks(images, self.settings, self.random)
        source, target = pairs_of(self.settings, self.data_fit, images, masks)
        figures = {}

        with tf.GradientTape() as g_tape:
            generated = self.generator(source, training=True)
            pixel_loss = self.pixel_loss(target, generated)
            g_loss = self.settings.weight * pixel_loss

            if self.settings.gan:
                # The discriminator learns to tell (source, target) from (source, generated).
                with tf.GradientTape() as d_tape:
                    real = self.discriminator([source, target], training=True)
                    fake = tf.stop_gradient(generated)
                    fake = self.discriminator([source, fake], training=True)
                    d_loss = self.real_loss(tf.ones_like(real), real) / 2
                    d_loss += self.real_loss(tf.zeros_like(fake), fake) / 2
                weights = self.discriminator.trainable_weights
                self.d_optimizer.apply(d_tape.gradient(d_loss, weights), weights)

                # The generator learns to make patches that the discriminator accepts as real, and
                # to come near the target.
                verdict = self.discriminator([source, generated], training=True)
                g_loss += self.real_loss(tf.ones_like(verdict), verdict)
                figures = {
                    "d_loss": d_loss,
                    "D(x)": tf.reduce_mean(tf.sigmoid(real)),
                    "D(G(z))": tf.reduce_mean(tf.sigmoid(fake)),
                }
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(g_tape.gradient(g_loss, weights), weights)
        gan_cnn.update_average(self.average, self.generator, self.g_optimizer.iterations)
        return {"g_loss": g_loss, self.settings.loss: pixel_loss, **figures}


def complete(generator, settings, images, masks):
    """The same as `complete` in ccgan.py, so that both can be compared."""
    completed = gan_cnn.predict(generator, images * masks)
    return {"original": images, "holed": images * masks, "completed": completed}


def main():
    settings = runs.parse(Settings, __doc__)
    if settings.sample:
        return sample(settings)
    (data,) = load(settings)
    run = training.start(settings, data)
    gan = Pix2Pix(settings, data)

    # Held-out pairs, the same in every frame.
    images, masks = mnist_ds.held_out_holes(data, settings.hole)
    pairs = pairs_of(settings, data.fit, tf.constant(images), masks)
    source, target = (part.numpy() for part in pairs)
    shown = mnist_ds.some_of_each_class(data.test.labels)

    def rows():
        generated = gan_cnn.predict(gan.average, source[shown])
        return {"source": source[shown], "generated": generated, "target": target[shown]}

    training.train(run, gan, lambda caption: visual.frame(rows(), caption))
    generated = gan_cnn.predict(gan.average, source)
    if settings.task == "holes" and data.fit != "pair":
        found = scores.completion_scores(data, masks, generated, settings.judge)
    else:
        found = scores.pair_scores(target, generated)
    names = [data.names[label] for label in data.test.labels[shown]]
    training.finish(run, {"generator": gan.average}, found, rows(), names)


def sample(settings):
    """--sample: translate pictures from files with the generator that an earlier run has saved."""
    generator = runs.load_generator(settings.out)
    settings.check_shape(generator.output_shape[1:])
    fit = runs.trained_data(settings)["fit"]
    half = "left" if settings.direction == "AtoB" else "right"  # if the file itself is a pair
    source = pictures.read_all(settings.sample, generator.input_shape[1:], fit, half)
    if fit != "pair":
        masks = mnist_ds.holes_for(source, settings.hole, settings.seed)
        source = pairs_of(settings, fit, tf.constant(source), masks)[0].numpy()
    rows = {"source": source, "generated": gan_cnn.predict(generator, source)}
    training.save_samples(settings, rows, settings.sample, inputs=["source"])


if __name__ == "__main__":
    utils.run(main)
