"""CGAN: a conditional GAN draws the digit that you ask for.

Both networks get the label. The generator draws a digit of that class from noise. The
discriminator decides whether a picture is a real one *of that class*: a perfect 3 with the label 5
is a fake, so the generator must use the label. Paper: Mirza, Osindero, Conditional Generative
Adversarial Nets, https://arxiv.org/abs/1411.1784

Deliberate differences from the paper:
 1. The default networks are convolutional. `--network mlp` is fully connected, like the paper's. It
    has the form that is common today: label embedding, batch norm and LeakyReLU, no maxout.
 2. The convolutional discriminator computes the inner product of its features of the picture and
    an embedding of the label (projection, arXiv 1802.05637). The paper concatenates hidden
    layers of the picture and of the label; `--network cnn-concat` and `--network mlp` concatenate
    the label with the picture itself.
 3. Adam with a constant learning rate and without momentum (beta_1 = 0), as in dcgan.py, not SGD
    with momentum and a falling learning rate.
 4. 32 normally distributed random numbers, not 100 uniform ones.
 5. Batches of 32, not 100. The convolutional discriminator sees the pictures with noise. Dropout is
    only in the discriminator; the paper has it in both networks. The convolutional discriminator
    drops complete channels.
 6. Pictures and scores come from a moving average of the generator's weights.
"""

import dataclasses
import math
from typing import Literal

import utils  # must be the first import: it prepares TensorFlow
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
    """how many epochs to train; after each there is a picture"""
    steps_per_epoch: int = 500
    """training steps in an epoch (default: a quarter of all digits); 0 = all complete batches"""
    batch_size: int = 32
    """pictures in a batch"""
    sample: tuple[str, ...] | None = None
    """labels of the pictures to make with the generator of an earlier run, such as 3 1 4 1 5;
    nothing is trained, and all other settings come from that run"""
    network: Literal["cnn", "cnn-concat", "mlp"] = "cnn"
    """cnn: convolutional, with projection of the label; cnn-concat: convolutional, with the label
    as one more channel; mlp: fully connected like the paper's, with the label next to the pixels"""
    latent_dim: int = 32
    """how many random numbers make one picture"""
    g_learning_rate: float = 1e-3
    """learning rate of the generator"""
    d_learning_rate: float = 5e-4
    """learning rate of the discriminator"""
    beta_1: float = 0.0
    """momentum of both Adam optimizers: how much of the last direction a step keeps"""

    def check(self):
        super().check()
        utils.require(self.latent_dim >= 1, "--latent-dim", self.latent_dim, "1 or more")
        utils.require(0 <= self.beta_1 < 1, "--beta-1", self.beta_1, "0 to less than 1")

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        fits = gan_cnn.small_enough if self.network == "mlp" else gan_cnn.halvings
        fits(image_shape)


def load(settings):
    """A list with the data set that this script trains on."""
    return [mnist_ds.load(settings.data, settings.size, settings.train_pictures)]


def build_generator(settings, image_shape, num_classes):
    """[noise (n, latent_dim), one-hot label (n, num_classes)] -> pictures (n, h, w, c), [-1, 1]."""
    noise = keras.Input((settings.latent_dim,), name="noise")
    label = keras.Input((num_classes,), name="label")
    if settings.network == "mlp":
        # An embedding: a one-hot label picks its row of the weights.
        embedding = keras.layers.Dense(num_classes, use_bias=False)(label)
        x = keras.layers.Concatenate()([noise, embedding])
        pictures = gan_cnn.mnist_uni_gen_mlp(x.shape[1], image_shape)(x)
    else:
        x = keras.layers.Concatenate()([noise, label])
        pictures = gan_cnn.mnist_uni_gen_cnn(x.shape[1], image_shape)(x)
    return keras.Model([noise, label], pictures, name="generator")


def build_discriminator(settings, image_shape, num_classes):
    """[pictures (n, h, w, c), one-hot label (n, num_classes)] -> logits (n, 1): is it real?"""
    x = image = keras.Input(image_shape, name="picture")
    label = keras.Input((num_classes,), name="label")
    if settings.network == "mlp":
        embedding = keras.layers.Dense(num_classes, use_bias=False)(label)
        x = keras.layers.Concatenate()([keras.layers.Flatten()(image), embedding])
        features = gan_cnn.mnist_uni_disc_mlp(x.shape[1], dropout=0.4)(x)
        real = keras.layers.Dense(1, dtype="float32")(features)
    else:
        if settings.network == "cnn-concat":
            plane = keras.layers.Dense(math.prod(image_shape[:2]), use_bias=False)(label)
            plane = keras.layers.Reshape((*image_shape[:2], 1))(plane)
            x = keras.layers.Concatenate()([image, plane])
        features = gan_cnn.mnist_uni_disc_cnn(x.shape[1:])(x)
        real = keras.layers.Dense(1, dtype="float32")(features)
        if settings.network == "cnn":
            # How real the picture looks, plus how well it fits the class.
            embedding = keras.layers.Dense(features.shape[1], use_bias=False, dtype="float32")
            real += keras.layers.Dot(axes=1, dtype="float32")([features, embedding(label)])
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
        g_rate, d_rate, beta_1 = settings.g_learning_rate, settings.d_learning_rate, settings.beta_1
        self.g_optimizer = gan_cnn.adam(self.generator, g_rate, beta_1)
        self.d_optimizer = gan_cnn.adam(self.discriminator, d_rate, beta_1)
        self.real_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # all networks are built, so Keras need not call this model to build it

    @tf.function
    def train_step(self, batch):
        """One step of each network on (images, labels); returns {name: scalar of this batch}."""
        images, labels = batch
        labels = tf.one_hot(labels, self.num_classes)
        shape = (tf.shape(images)[0], self.settings.latent_dim)
        # Both steps use the same noise. Algorithm 1 of the GAN paper draws new noise for G's step.
        noise = keras.random.normal(shape, dtype="float32", seed=self.random)

        with tf.GradientTape() as g_tape:
            # The generated pictures get the labels of the real pictures.
            generated = self.generator([noise, labels], training=True)

            # The discriminator learns to tell real (1) from generated (0), each with its label.
            with tf.GradientTape() as d_tape:
                real = self.discriminator([images, labels], training=True)
                fake = self.discriminator([tf.stop_gradient(generated), labels], training=True)
                d_loss = self.real_loss(tf.ones_like(real), real) / 2
                d_loss += self.real_loss(tf.zeros_like(fake), fake) / 2
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(d_tape.gradient(d_loss, weights), weights)

            # The generator learns to make pictures that the discriminator accepts as real pictures
            # of their class.
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
    """Pictures (n, h, w, c) of these labels (n,), in [-1, 1].

    Each group of `in_a_row` pictures uses the same noise.
    """
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

    # One column per class, one row per noise vector: the same in every frame.
    names = data.names[:10]
    shown = np.tile(np.arange(len(names)), 4)

    def rows():
        return draw(gan.average, shown, seed=0, in_a_row=len(names))

    def picture(caption):
        return visual.frame({"": rows()}, caption, columns=len(names), names=names)

    training.train(run, gan, picture)
    # Each class as often as in the test set, so that only the quality of the pictures matters.
    asked = data.test.labels
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
