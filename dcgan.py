"""DCGAN: a deep convolutional GAN draws pictures out of random numbers.

Two networks play a game. The generator turns a vector of random numbers, the noise, into a
picture. The discriminator says of a picture whether it is a real one or one of the generator's.
Each learns from the other: the discriminator what gives generated pictures away, the generator
how to avoid it, until what it draws passes. Paper: Radford, Metz, Chintala, Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks,
https://arxiv.org/abs/1511.06434

Deliberate differences from the paper:
 1. MNIST at 28x28 by default, so that the networks are smaller: half as many layers.
 2. The discriminator has a dense layer and no batch norm. `--dropout 0.3` adds dropout, which is in
    later recipes, not in the paper.
 3. LeakyReLU in both networks, not ReLU in the generator.
 4. 16 normally distributed random numbers, not 100 uniform ones; for digits they seem enough.
 5. One-sided label smoothing (arXiv 1606.03498, section 3.4): real pictures are labelled 0.9.
 6. A gradient penalty (R1, arXiv 1801.04406): it keeps the discriminator's slope small where
    pictures are real. Its paper shows that two networks which would otherwise circle around the
    solution can come to rest there.
 7. Initial weights by Glorot's rule, not normal with a deviation of 0.02 (`--initial 0.02`).
 8. Smaller batches and higher learning rates than 128 and 0.0002: more steps in the same time.
 9. Pictures and scores come from a moving average of the generator's weights.
"""

import dataclasses
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
    out: str = "results/dcgan"
    """folder for everything that the run writes"""
    epochs: int = 14
    """stretches of training, with a picture after each"""
    steps_per_epoch: int = 500
    """training steps in an epoch, a quarter of all digits; 0 = as many as there are batches"""
    label: str = ""
    """draw pictures of this class only, by its name or number, such as horse of cifar10"""
    batch_size: int = 32
    """pictures in a batch"""
    sample: int | None = None
    """how many pictures to draw with what an earlier run has trained; trains nothing, and takes all
    other settings from that run"""
    latent_dim: int = 16
    """how many random numbers a picture is drawn from"""
    norm: Literal["batch", None] = "batch"
    """normalization in the generator"""
    initial: float = 0.0
    """standard deviation of the initial weights, 0.02 in the paper; 0 = Glorot's rule, by which it
    depends on how many numbers a layer takes and gives"""
    smoothing: float = 0.9
    """what the discriminator should say of real pictures; 1 = no label smoothing"""
    dropout: float = 0.0
    """share of the discriminator's features that are dropped in training; 0.3 is customary"""
    penalty: float = 2.0
    """weight of the gradient penalty, gamma of R1; 0 = none"""
    g_learning_rate: float = 1e-3
    """of the generator's Adam"""
    d_learning_rate: float = 5e-4
    """of the discriminator's Adam"""

    def check(self):
        super().check()
        fits = self.sample is None or 1 <= self.sample <= 10_000
        utils.require(fits, "--sample", self.sample, "1 to 10000")
        utils.require(self.latent_dim >= 1, "--latent-dim", self.latent_dim, "1 or more")
        utils.require(self.initial >= 0, "--initial", self.initial, "0 or more")
        utils.require(0.5 < self.smoothing <= 1, "--smoothing", self.smoothing, "0.5 to 1")
        utils.require(0 <= self.dropout < 1, "--dropout", self.dropout, "0 to less than 1")
        utils.require(self.penalty >= 0, "--penalty", self.penalty, "0 or more")

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        gan_cnn.halvings(image_shape)


def load(settings):
    """The data sets that this script trains on: one, or one class of it."""
    data = mnist_ds.load(settings.data, settings.size, settings.train_pictures)
    return [data.only(settings.label) if settings.label else data]


def build_generator(settings, image_shape):
    """Noise (n, latent_dim) -> pictures (n, h, w, c) in [-1, 1]."""
    return gan_cnn.mnist_uni_gen_cnn(
        settings.latent_dim, image_shape, settings.norm, name="generator"
    )


def build_discriminator(settings, image_shape):
    """Pictures (n, h, w, c) -> logits (n, 1): is it a real one?"""
    image = keras.Input(image_shape, name="picture")
    features = gan_cnn.mnist_uni_disc_cnn(image_shape, noise=0, dropout=settings.dropout)(image)
    real = keras.layers.Dense(1, dtype="float32")(features)
    return keras.Model(image, real, name="discriminator")


class DCGAN(keras.Model):
    """Both networks and the step that trains them."""

    def __init__(self, settings, data):
        super().__init__()
        self.settings = settings
        self.generator = build_generator(settings, data.image_shape)
        self.discriminator = build_discriminator(settings, data.image_shape)
        if settings.initial:
            for network in (self.generator, self.discriminator):
                seed = utils.stream(settings.seed, f"initial {network.name}")
                gan_cnn.draw_weights(network, settings.initial, seed)
        self.average = gan_cnn.averaged(self.generator, build_generator, settings, data.image_shape)
        self.g_optimizer = gan_cnn.adam(self.generator, settings.g_learning_rate)
        self.d_optimizer = gan_cnn.adam(self.discriminator, settings.d_learning_rate)
        self.real_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # every network is: Keras need not call the whole to find out

    @tf.function
    def train_step(self, batch):
        """One step of each network on (images, labels); returns {name: scalar of this batch}."""
        images, _ = batch
        shape = (tf.shape(images)[0], self.settings.latent_dim)
        noise = keras.random.normal(shape, dtype="float32", seed=self.random)

        with tf.GradientTape() as g_tape:
            generated = self.generator(noise, training=True)

            # The discriminator learns to tell real (1) from generated (0). It is asked for 0.9 and
            # not for 1, so that it does not grow so sure of itself that nothing can be learned
            # from it; for generated pictures it stays 0, or it would encourage them as they are.
            with tf.GradientTape() as d_tape:
                with tf.GradientTape() as slope_tape:
                    slope_tape.watch(images)
                    real = self.discriminator(images, training=True)
                fake = self.discriminator(tf.stop_gradient(generated), training=True)
                d_loss = self.real_loss(self.settings.smoothing * tf.ones_like(real), real) / 2
                d_loss += self.real_loss(tf.zeros_like(fake), fake) / 2
                # Keeps the slope at real pictures small, see the list above. The paper's gamma / 2
                # is halved, as the two terms above are.
                if self.settings.penalty:
                    slope = slope_tape.gradient(real, images)
                    steepness = tf.reduce_mean(tf.reduce_sum(slope**2, axis=(1, 2, 3)))
                    d_loss += self.settings.penalty / 4 * steepness
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(d_tape.gradient(d_loss, weights), weights)

            # The generator learns to have its pictures taken for real.
            verdict = self.discriminator(generated, training=True)
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


def draw(generator, count, seed):
    """So many pictures, the same ones for the same seed."""
    noise = np.random.default_rng(seed).normal(size=(count, generator.input_shape[1]))
    return gan_cnn.predict(generator, noise)


def walk(generator, steps, seed):
    """Pictures on the way between two random points of the noise.

    Along the arc of a circle: a straight line would cut through the middle, where noise never is.
    """
    start, end = np.random.default_rng(seed).normal(size=(2, generator.input_shape[1]))
    angles = np.linspace(0, np.pi / 2, steps)[:, np.newaxis]
    noise = np.cos(angles) * start + np.sin(angles) * end
    return gan_cnn.predict(generator, noise)


def main():
    settings = runs.parse(Settings, __doc__)
    if settings.sample:
        return sample(settings)
    (data,) = load(settings)
    run = training.start(settings, data)
    gan = DCGAN(settings, data)

    def picture(caption):  # the same noise in every frame
        return visual.frame({"": draw(gan.average, 40, seed=0)}, caption)

    training.train(run, gan, picture)
    generated = draw(gan.average, len(data.test), seed=1)
    found = scores.generation_scores(data, generated, judge=settings.judge)
    rows = {f"noise {i + 1}": draw(gan.average, 20, seed=i) for i in range(3)}
    rows |= {f"walk {i + 1}": walk(gan.average, 20, seed=i) for i in range(3)}
    training.finish(run, {"generator": gan.average}, found, rows, [""] * 20)


def sample(settings):
    """--sample: draw pictures with the generator that an earlier run has saved."""
    generator = runs.load_generator(settings.out)
    drawn = draw(generator, settings.sample, settings.seed)
    training.save_samples(settings, {"": drawn}, range(1, settings.sample + 1))


if __name__ == "__main__":
    utils.run(main)
