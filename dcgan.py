"""DCGAN: a deep convolutional GAN makes pictures from random numbers.

There are two networks. The generator turns a vector of random numbers, the noise, into a picture.
The discriminator judges whether a picture is real or comes from the generator. Each learns from
the other. The discriminator learns to recognise generated pictures. The generator learns to make
pictures that the discriminator accepts as real. Paper: Radford, Metz, Chintala, Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks,
https://arxiv.org/abs/1511.06434

Deliberate differences from the paper:
 1. MNIST at 28x28 by default, so the networks are smaller: half as many layers, and
    kernels of 4x4 or 6x6, not 5x5. With `--network mlp` they have no convolutions at all, for
    comparison.
 2. The discriminator has a dense layer and no batch norm. `--dropout 0.3` adds dropout: later
    papers use it; this paper does not.
 3. LeakyReLU in both networks, not ReLU in the generator.
 4. 16 normally distributed random numbers, not 100 uniform ones; 16 seem to be enough for digits.
 5. One-sided label smoothing (arXiv 1606.03498, section 3.4): real pictures get the label 0.9.
 6. A gradient penalty (R1, arXiv 1801.04406): it keeps the discriminator's gradient small at real
    pictures. Its paper shows an example in which two networks circle around the solution without
    the penalty, and reach it with the penalty. Only every fourth step has a penalty, four times as
    strong; this saves time (lazy regularization, arXiv 1912.04958).
 7. Glorot initialization, the default of Keras, not normal with a standard deviation of 0.02
    (`--initial 0.02`).
 8. Smaller batches than 128 and higher learning rates than 0.0002: more steps in the same time.
 9. Adam has no momentum: beta_1 is 0, as in arXiv 1710.10196, not 0.5. Whenever the other network
    changes, the best direction changes (arXiv 1807.04740). Momentum still follows the old
    direction.
10. Pictures and scores come from a moving average of the generator's weights.
"""

import dataclasses
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
    out: str = "results/dcgan"
    """folder for everything that the run writes"""
    epochs: int = 16
    """how many epochs to train; after each there is a picture"""
    steps_per_epoch: int = 500
    """training steps in an epoch (default: a quarter of all digits); 0 = all complete batches"""
    label: str = ""
    """use only the pictures of this class: its name or number, such as horse for cifar10"""
    batch_size: int = 32
    """pictures in a batch"""
    sample: int | None = None
    """how many pictures to make with the generator of an earlier run; nothing is trained, and all
    other settings come from that run"""
    network: Literal["cnn", "mlp"] = "cnn"
    """cnn: convolutional; mlp: fully connected"""
    latent_dim: int = 16
    """how many random numbers make one picture"""
    norm: Literal["batch", None] = "batch"
    """normalization in the generator"""
    initial: float = 0.0
    """standard deviation of the initial weights, 0.02 in the paper; 0 = Glorot initialization,
    which depends on the number of inputs and outputs of the layer"""
    smoothing: float = 0.9
    """label of real pictures, the discriminator's target; 1 = no label smoothing"""
    dropout: float = 0.0
    """share of the discriminator's features that are set to 0 in training; the convolutional
    network drops complete channels; 0.3 is common"""
    penalty: float = 2.0
    """weight of the gradient penalty, gamma in the paper on R1; 0 = no penalty"""
    penalty_every: int = 4
    """the penalty is computed only in every N-th step, and is then N times as strong"""
    g_learning_rate: float = 1e-3
    """learning rate of the generator"""
    d_learning_rate: float = 5e-4
    """learning rate of the discriminator"""
    beta_1: float = 0.0
    """momentum of both Adam optimizers: how much of the last direction a step keeps; 0.5 in the
    paper, 0.9 is usual elsewhere"""

    def check(self):
        super().check()
        fits = self.sample is None or 1 <= self.sample <= 10_000
        utils.require(fits, "--sample", self.sample, "1 to 10000")
        utils.require(self.latent_dim >= 1, "--latent-dim", self.latent_dim, "1 or more")
        utils.require(self.initial >= 0, "--initial", self.initial, "0 or more")
        utils.require(0.5 < self.smoothing <= 1, "--smoothing", self.smoothing, "0.5 to 1")
        utils.require(0 <= self.dropout < 1, "--dropout", self.dropout, "0 to less than 1")
        utils.require(self.penalty >= 0, "--penalty", self.penalty, "0 or more")
        utils.require(self.penalty_every >= 1, "--penalty-every", self.penalty_every, "1 or more")
        utils.require(0 <= self.beta_1 < 1, "--beta-1", self.beta_1, "0 to less than 1")

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        fits = gan_cnn.small_enough if self.network == "mlp" else gan_cnn.halvings
        fits(image_shape)


def load(settings):
    """A list with the data set that this script trains on, or one class of it."""
    data = mnist_ds.load(settings.data, settings.size, settings.train_pictures)
    return [data.only(settings.label) if settings.label else data]


def build_generator(settings, image_shape):
    """Noise (n, latent_dim) -> pictures (n, h, w, c) in [-1, 1]."""
    mlp = settings.network == "mlp"
    network = gan_cnn.mnist_uni_gen_mlp if mlp else gan_cnn.mnist_uni_gen_cnn
    return network(settings.latent_dim, image_shape, settings.norm, name="generator")


def build_discriminator(settings, image_shape):
    """Pictures (n, h, w, c) -> logits (n, 1): is the picture real?"""
    image, dropout = keras.Input(image_shape, name="picture"), settings.dropout
    if settings.network == "mlp":
        pixels = keras.layers.Flatten()(image)
        features = gan_cnn.mnist_uni_disc_mlp(pixels.shape[1], dropout)(pixels)
    else:
        features = gan_cnn.mnist_uni_disc_cnn(image_shape, noise=0, dropout=dropout)(image)
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
        g_rate, d_rate, beta_1 = settings.g_learning_rate, settings.d_learning_rate, settings.beta_1
        self.g_optimizer = gan_cnn.adam(self.generator, g_rate, beta_1)
        self.d_optimizer = gan_cnn.adam(self.discriminator, d_rate, beta_1)
        self.real_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # all networks are built, so Keras need not call this model to build it

    @tf.function
    def train_step(self, batch):
        """One step of each network on (images, labels); returns {name: scalar of this batch}."""
        images, _ = batch
        shape = (tf.shape(images)[0], self.settings.latent_dim)
        # Both steps use the same noise. Algorithm 1 of the GAN paper draws new noise for G's step.
        noise = keras.random.normal(shape, dtype="float32", seed=self.random)

        with tf.GradientTape() as g_tape:
            generated = self.generator(noise, training=True)

            # The discriminator learns to tell real (1) from generated (0). The target for real
            # pictures is 0.9, not 1. A discriminator that is too sure has almost no gradient, and
            # the generator cannot learn from it. For generated pictures the target stays 0. A
            # larger target would reward generated pictures as they are now.
            with tf.GradientTape() as d_tape:
                with tf.GradientTape() as slope_tape:
                    slope_tape.watch(images)
                    real = self.discriminator(images, training=True)
                fake = self.discriminator(tf.stop_gradient(generated), training=True)
                d_loss = self.real_loss(self.settings.smoothing * tf.ones_like(real), real) / 2
                d_loss += self.real_loss(tf.zeros_like(fake), fake) / 2
                # The penalty keeps the gradient at real pictures small, see the list above. The
                # paper has gamma / 2. Here it is halved, like the two terms above. Not in every
                # step, because it takes long.
                every = self.settings.penalty_every
                if self.settings.penalty and self.d_optimizer.iterations % every == 0:
                    slope = slope_tape.gradient(real, images)
                    steepness = tf.reduce_mean(tf.reduce_sum(slope**2, axis=(1, 2, 3)))
                    d_loss += every * self.settings.penalty / 4 * steepness
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(d_tape.gradient(d_loss, weights), weights)

            # The generator learns to make pictures that the discriminator accepts as real.
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
    """`count` pictures (count, h, w, c) in [-1, 1]; the same seed gives the same pictures."""
    noise = np.random.default_rng(seed).normal(size=(count, generator.input_shape[1]))
    return gan_cnn.predict(generator, noise)


def walk(generator, steps, seed):
    """Pictures on the way between two random points of the noise.

    The path is an arc of a circle. A straight line would pass near 0, where noise vectors almost
    never are.
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
    """--sample: make pictures with the generator that an earlier run has saved."""
    generator = runs.load_generator(settings.out)
    drawn = draw(generator, settings.sample, settings.seed)
    training.save_samples(settings, {"": drawn}, range(1, settings.sample + 1))


if __name__ == "__main__":
    utils.run(main)
