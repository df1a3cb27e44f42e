"""CGAN: a conditional GAN draws the digit that it is asked for.

Both networks are given the label. The generator draws a digit of that class from noise; the
discriminator decides whether a picture is a real one *of that class*: a perfect 3 with the label 5
is a fake, so the generator has to listen. Paper: Mirza, Osindero, Conditional Generative
Adversarial Nets, https://arxiv.org/abs/1411.1784

Deliberate differences from the paper:
 1. The default networks are convolutional. `--network mlp` is fully connected as the paper's, in
    its common later form: label embedding, batch norm and LeakyReLU, no maxout.
 2. The convolutional discriminator compares its features of the picture with an embedding of the
    label, by their inner product (projection, arXiv 1802.05637); the paper puts the label beside
    the picture.
 3. Adam at a constant rate instead of momentum SGD at a falling one.
 4. 32 normally distributed random numbers, not 100 uniform ones.
 5. Batches of 32, not 100; noise on the pictures that the convolutional discriminator sees; dropout
    in the discriminator only, the paper has it in both networks.
 6. Pictures and scores come from a moving average of the generator's weights.
"""

import dataclasses
import math
from typing import Literal

import utils  # first of all: it prepares TensorFlow
import keras
import numpy as np
import tensorflow as tf

import gan_cnn
import mnist_ds
import runs
import scores
import training
import visual


@dataclasses.dataclass
class Settings(utils.Settings):
    out: str = "results/cgan"
    """folder for everything that the run writes"""
    epochs: int = 13
    """stretches of training, with a picture after each"""
    steps_per_epoch: int = 500
    """training steps in an epoch, a quarter of all digits; 0 = as many as there are batches"""
    batch_size: int = 32
    """pictures in a batch"""
    sample: tuple[str, ...] | None = None
    """labels to draw with the generator that an earlier run has trained, such as 3 1 4 1 5; takes
    all other settings from that run"""
    network: Literal["cnn", "mlp"] = "cnn"
    """convolutional, or fully connected as in the paper"""
    latent_dim: int = 32
    """how many random numbers a picture is drawn from"""
    g_learning_rate: float = 1e-3
    """of the generator's Adam"""
    d_learning_rate: float = 5e-4
    """of the discriminator's Adam"""

    def check(self):
        super().check()
        utils.require(self.latent_dim >= 1, "--latent-dim", self.latent_dim, "1 or more")

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        if self.network == "cnn":
            gan_cnn.halvings(image_shape)
        elif max(image_shape[:2]) > 64:  # dense layers grow with the number of pixels
            size = f"{image_shape[0]}x{image_shape[1]}"
            raise ValueError(f"pictures of {size}: expected at most 64x64")


def load(settings):
    """The data sets that this script trains on: one."""
    return [mnist_ds.load(settings.data, settings.size, settings.train_pictures)]


def build_generator(settings, image_shape, num_classes):
    """[noise (n, latent_dim), one-hot label (n, num_classes)] -> pictures (n, h, w, c), [-1, 1]."""
    noise = keras.Input((settings.latent_dim,), name="noise")
    label = keras.Input((num_classes,), name="label")
    if settings.network == "cnn":
        x = keras.layers.Concatenate()([noise, label])
        pictures = gan_cnn.mnist_uni_gen_cnn(x.shape[1], image_shape)(x)
    else:
        # An embedding: a one-hot label picks its row of the weights, by which the noise is scaled.
        x = noise * keras.layers.Dense(settings.latent_dim, use_bias=False)(label)
        for units in (128, 256, 512, 1024):
            x = keras.layers.Dense(units)(x)
            x = keras.layers.LeakyReLU(0.2)(gan_cnn.normalization("batch")(x))
        x = keras.layers.Dense(math.prod(image_shape), activation="tanh", dtype="float32")(x)
        pictures = keras.layers.Reshape(image_shape)(x)
    return keras.Model([noise, label], pictures, name="generator")


def build_discriminator(settings, image_shape, num_classes):
    """[pictures (n, h, w, c), one-hot label (n, num_classes)] -> logits (n, 1): real ones?"""
    image = keras.Input(image_shape, name="picture")
    label = keras.Input((num_classes,), name="label")
    if settings.network == "cnn":
        features = gan_cnn.mnist_uni_disc_cnn(image_shape)(image)
        # How real the picture looks, plus how well it goes with what a picture of this class has.
        embedding = keras.layers.Dense(features.shape[1], use_bias=False, dtype="float32")(label)
        real = keras.layers.Dense(1, dtype="float32")(features)
        real += keras.layers.Dot(axes=1, dtype="float32")([features, embedding])
    else:
        flat = keras.layers.Flatten()(image)
        x = flat * keras.layers.Dense(flat.shape[1], use_bias=False)(label)
        for dropout in (0.0, 0.4, 0.4):
            x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(512)(x))
            x = gan_cnn.Dropout(dropout)(x)
        real = keras.layers.Dense(1, dtype="float32")(x)
    return keras.Model([image, label], real, name="discriminator")


class CGAN(keras.Model):
    """Both networks and the step that trains them."""

    def __init__(self, settings, data):
        super().__init__()
        self.settings, self.num_classes = settings, data.num_classes
        sizes = data.image_shape, data.num_classes
        self.generator = build_generator(settings, *sizes)
        self.discriminator = build_discriminator(settings, *sizes)
        self.average = gan_cnn.averaged(self.generator, build_generator, settings, *sizes)
        self.g_optimizer = gan_cnn.adam(self.generator, settings.g_learning_rate)
        self.d_optimizer = gan_cnn.adam(self.discriminator, settings.d_learning_rate)
        self.real_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # every network is: Keras need not call the whole to find out

    @tf.function
    def train_step(self, batch):
        """One step of each network on (images, labels); returns {name: scalar of this batch}."""
        images, labels = batch
        labels = tf.one_hot(labels, self.num_classes)
        shape = (tf.shape(images)[0], self.settings.latent_dim)
        noise = keras.random.normal(shape, dtype="float32", seed=self.random)

        with tf.GradientTape() as g_tape:
            # The labels of the real pictures serve for the generated ones, too.
            generated = self.generator([noise, labels], training=True)

            # The discriminator learns to tell real (1) from generated (0), each with its label.
            with tf.GradientTape() as d_tape:
                real = self.discriminator([images, labels], training=True)
                fake = self.discriminator([tf.stop_gradient(generated), labels], training=True)
                d_loss = self.real_loss(tf.ones_like(real), real) / 2
                d_loss += self.real_loss(tf.zeros_like(fake), fake) / 2
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(d_tape.gradient(d_loss, weights), weights)

            # The generator learns to have its pictures taken for real ones of their class.
            verdict = self.discriminator([generated, labels], training=True)
            g_loss = self.real_loss(tf.ones_like(verdict), verdict)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(g_tape.gradient(g_loss, weights), weights)
        gan_cnn.update_average(self.average, self.generator, self.g_optimizer.iterations)

        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "D(x)": tf.reduce_mean(tf.sigmoid(real)),
            "D(G(z))": tf.reduce_mean(tf.sigmoid(fake)),
        }


def draw(generator, labels, seed, in_a_row=1):
    """Pictures of these labels (n,); so many in a row are drawn from the same noise."""
    (_, latent_dim), (_, num_classes) = generator.input_shape
    noise = np.random.default_rng(seed).normal(size=(-(-len(labels) // in_a_row), latent_dim))
    noise = np.repeat(noise, in_a_row, axis=0)[: len(labels)]
    return gan_cnn.predict(generator, [noise, np.eye(num_classes)[labels]])


def main():
    settings = runs.parse(Settings, __doc__)
    if settings.sample:
        return sample(settings)
    (data,) = load(settings)
    run = training.start(settings, data)
    gan = CGAN(settings, data)

    # A column for each class, a row for each noise: the same ones in every frame.
    names = data.names[:10]
    shown = np.tile(np.arange(len(names)), 4)

    def rows():
        return draw(gan.average, shown, seed=0, in_a_row=len(names))

    def picture(caption):
        return visual.frame({"": rows()}, caption, columns=len(names), names=names)

    training.train(run, gan, picture)
    asked = data.test.labels  # as often as each class is there: then only the drawing counts
    drawn = draw(gan.average, asked, seed=1)
    found = scores.generation_scores(data, drawn, asked, settings.judge)
    columns = [names[label] for label in shown[:20]]
    training.finish(run, {"generator": gan.average}, found, {"": rows()[:20]}, columns)


def sample(settings):
    """--sample: draw digits of these labels with the generator that an earlier run has saved."""
    generator = runs.load_generator(settings.out)
    names = runs.trained_data(settings)["class_names"]
    labels = [mnist_ds.label_of(label, names, "--sample") for label in settings.sample]
    rows = {"": draw(generator, labels, settings.seed)}
    training.save_samples(settings, rows, [names[label] for label in labels])


if __name__ == "__main__":
    utils.run(main)
