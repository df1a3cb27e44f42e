"""Pix2Pix: a conditional GAN turns one picture into another, taught by pairs.

From many pairs of a source and its target picture, the generator learns to make the target out of
the source. Compared pixel by pixel with the target alone, it would answer with the blurred mean of
all that might be right; so a discriminator looks on, which sees source and picture together and
judges for every patch whether it is real. Here the source is a digit with a hole (the same holes
as in ccgan.py), or its outline; or the pairs come from a folder. Paper: Isola, Zhu, Zhou, Efros,
Image-to-Image Translation with Conditional Adversarial Networks, https://arxiv.org/abs/1611.07004

Deliberate differences from the paper:
 1. At 28x28 the networks are smaller: three levels down to a single pixel, not eight, and 22x22
    patches. From 64 pixels up they follow the paper's, with the 70x70 patches of 256x256 pictures.
 2. Batches of 32, not of one picture; learning rates of 0.001 and 0.0005, not 0.0002.
 3. No batch norm at the bottleneck, which it would set to zero for a batch of one, nor in the
    discriminator.
 4. The map of decisions keeps its size in the last convolutions: 32x32 at 256x256, not 30x30.
 5. Dropout, the only noise, is active in training only; the paper keeps it on for the results.
 6. Initial weights by Glorot's rule, not normal with a deviation of 0.02; no random jitter and no
    mirroring of the training pictures.
 7. Pictures and scores come from a moving average of the generator's weights.
"""

import dataclasses
from typing import Literal

import utils  # first of all: it prepares TensorFlow
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
    """stretches of training, with a picture after each"""
    steps_per_epoch: int = 500
    """training steps in an epoch, a quarter of all digits; 0 = as many as there are batches"""
    batch_size: int = 32
    """pictures in a batch"""
    task: Literal["holes", "edges"] = "holes"
    """fill holes, or fill outlines; a folder as --data holds pairs of its own, A left, B right"""
    direction: Literal["AtoB", "BtoA"] = "AtoB"
    """of a folder's pairs: make B of A, or A of B"""
    skips: bool = True
    """the U-Net's connections from each level on the way down to the same one on the way up"""
    loss: Literal["l1", "l2"] = "l1"
    """of the pixels: mean absolute or mean squared error"""
    weight: float = 100.0
    """of the pixels' loss against the discriminator's, lambda in the paper"""
    patch: Literal["patch", "full"] = "patch"
    """judge every patch, or the picture as a whole"""
    gan: bool = True
    """have a discriminator; without, only the pixels' loss counts"""
    g_learning_rate: float = 1e-3
    """of the generator's Adam"""
    d_learning_rate: float = 5e-4
    """of the discriminator's Adam"""

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
    """The data sets that this script trains on: one. In a folder every file is a pair."""
    return [mnist_ds.load(settings.data, settings.size, settings.train_pictures, pairs=True)]


def build_generator(settings, image_shape):
    """Source (n, h, w, c) -> picture (n, h, w, c), both in [-1, 1]: the U-Net."""
    norm = gan_cnn.normalization
    x = source = keras.Input(image_shape, name="source")
    levels = []
    # Down: half the side and twice the filters, until one pixel has seen the whole source.
    while x.shape[1] > 1:
        levels.append(x)
        filters = min(64 * 2 ** (len(levels) - 1), 512)
        kernel, strides, padding = fit_to(x)
        x = keras.layers.Conv2D(filters, kernel, strides, padding)(x)
        inner = len(levels) > 1 and x.shape[1] > 1
        x = keras.layers.LeakyReLU(0.2)(norm("batch" if inner else None)(x))
    # Up again the same way. Each level's own map is put beside what comes from below, so that
    # detail need not fit through the one pixel.
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
    """Kernel, strides and padding of the convolution that halves this map, an odd one to 1x1."""
    return (4, 2, "same") if x.shape[1] % 2 == 0 else (x.shape[1], 1, "valid")


def build_discriminator(settings, image_shape):
    """[source, picture] (n, h, w, c) -> logits (n, rows, columns, 1), one for each patch."""
    source = keras.Input(image_shape, name="source")
    picture = keras.Input(image_shape, name="picture")
    both = keras.layers.Concatenate()([source, picture])
    real = gan_cnn.patch_discriminator(both.shape[1:], full=settings.patch == "full")(both)
    return keras.Model([source, picture], real, name="discriminator")


def pairs_of(settings, fit, images, masks):
    """What the data hold -> source and target pictures, (n, h, w, c) in [-1, 1]."""
    if fit == "pair":
        a, b = tf.split(images, 2, axis=2)
        return (a, b) if settings.direction == "AtoB" else (b, a)
    if settings.task == "holes":
        return images * masks, images
    # An outline: what is dark, but has something bright beside it.
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
        self.built = True  # every network is: Keras need not call the whole to find out

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

                # The generator learns to have every patch taken for real, and to hit the target.
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
    """What ccgan.py's `complete` gives for its generator, to set both side by side."""
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
    half = "left" if settings.direction == "AtoB" else "right"  # of a file that is a pair itself
    source = pictures.read_all(settings.sample, generator.input_shape[1:], fit, half)
    if fit != "pair":
        masks = mnist_ds.holes_for(source, settings.hole, settings.seed)
        source = pairs_of(settings, fit, tf.constant(source), masks)[0].numpy()
    rows = {"source": source, "generated": gan_cnn.predict(generator, source)}
    training.save_samples(settings, rows, settings.sample, inputs=["source"])


if __name__ == "__main__":
    utils.run(main)
