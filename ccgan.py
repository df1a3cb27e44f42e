"""CCGAN: a context-conditional GAN fills a hole in a picture so that the filling looks real.

The generator sees a digit with a square hole and fills the hole. The discriminator judges the
completed picture: is it real, and which digit is it? A good filling continues the strokes around
it and completes a plausible digit. No loss compares the pixels with the original. Paper: Denton,
Gross, Fergus, Semi-Supervised Learning with Context-Conditional Generative Adversarial Networks,
https://arxiv.org/abs/1611.06430

Deliberate differences from the paper:
 1. MNIST and small networks instead of photographs and VGG: the script has to run on a laptop.
 2. The mask is one more input: without the mask, a grey pixel could be visible or hidden.
 3. Every training picture has a label; the paper also uses many pictures without labels.
 4. The generator is also trained so that its completions are recognised as the right digit.
 5. The hole is a square of random size and place; in the paper it has one size.
 6. In the generator a dense layer sees the whole picture; the discriminator has no batch norm.
 7. The discriminator sees the pictures with noise.
 8. Both networks are updated at the same time. Each learns from the other as it was before the
    step. This way, the discriminator judges each picture only once, which saves time. In the first
    GAN paper (arXiv 1406.2661, algorithm 1) and in the other scripts they take turns: first the
    discriminator is updated, then the generator learns from the updated discriminator.
 9. Dropout drops complete channels.
10. Pictures and scores come from a moving average of the generator's weights.
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
    out: str = "results/ccgan"
    """folder for everything that the run writes"""
    epochs: int = 10
    """how many epochs to train; after each there is a picture"""
    steps_per_epoch: int = 300
    """training steps in an epoch (default: a third of all digits); 0 = all complete batches"""
    labels: bool = True
    """train with the digits' labels: the discriminator also recognises the digit; without them, it
    only decides real or completed"""
    low_res: bool = False
    """give the generator a hint: the original, reduced to a quarter of its side"""
    norm: Literal["batch", "instance", None] = "batch"
    """normalization in the generator"""
    g_learning_rate: float = 5e-4
    """learning rate of the generator"""
    d_learning_rate: float = 5e-4
    """learning rate of the discriminator"""

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        gan_cnn.img2img_halvings(image_shape)
        gan_cnn.halvings(image_shape)


def load(settings):
    """A list with the data set that this script trains on."""
    return [mnist_ds.load(settings.data, settings.size, settings.train_pictures)]


def build_generator(settings, image_shape):
    """[image, mask] or, with --low-res, [image, mask, low_res] -> the completed picture.

    Image (n, h, w, c) in [-1, 1], mask (n, h, w, 1) with 1 = visible, low_res (n, h/4, w/4, c).
    Visible pixels do not change. Pixels of the image where the mask is 0 are ignored.
    """
    height, width, channels = image_shape
    image = keras.Input(image_shape, name="picture")
    mask = keras.Input((height, width, 1), name="mask")
    inputs, seen = [image, mask], [image * mask, mask]
    if settings.low_res:
        inputs.append(keras.Input((height // 4, width // 4, channels), name="low_res"))
        seen.append(keras.layers.UpSampling2D(4, interpolation="bilinear")(inputs[-1]))
    seen = keras.layers.Concatenate()(seen)
    filling = gan_cnn.mnist_uni_img2img(seen.shape[1:], channels, settings.norm)(seen)
    completed = keras.ops.where(mask > 0.5, image, filling)
    return keras.Model(inputs, completed, name="generator")


def build_discriminator(settings, image_shape, num_classes):
    """Picture (n, h, w, c) -> {"real": logit (n, 1), "digit": logits (n, num_classes)}."""
    image = keras.Input(image_shape, name="picture")
    features = gan_cnn.mnist_uni_disc_cnn(image_shape)(image)
    verdict = {"real": keras.layers.Dense(1, dtype="float32")(features)}
    if settings.labels:
        verdict["digit"] = keras.layers.Dense(num_classes, dtype="float32")(features)
    return keras.Model(image, verdict, name="discriminator")


def generator_inputs(settings, images, masks):
    """Complete pictures (n, h, w, c) and masks (n, h, w, 1) -> the inputs of the generator.

    They contain nothing of the hidden pixels, except for the hint of --low-res.
    """
    low_res = [tf.nn.avg_pool2d(images, 4, 4, "VALID")] if settings.low_res else []
    return [images * masks, masks, *low_res]


class CCGAN(keras.Model):
    """Both networks and the step that trains them."""

    def __init__(self, settings, data):
        super().__init__()
        self.settings, shape = settings, data.image_shape
        self.generator = build_generator(settings, shape)
        self.discriminator = build_discriminator(settings, shape, data.num_classes)
        self.average = gan_cnn.averaged(self.generator, build_generator, settings, shape)
        self.g_optimizer = gan_cnn.adam(self.generator, settings.g_learning_rate)
        self.d_optimizer = gan_cnn.adam(self.discriminator, settings.d_learning_rate)
        self.real_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.digit_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # all networks are built, so Keras need not call this model to build it

    @tf.function
    def train_step(self, batch):
        """One step of each network on (images, labels); returns {name: scalar of this batch}."""
        images, labels = batch
        masks = mnist_ds.training_masks(images, self.settings, self.random)

        with tf.GradientTape() as g_tape:
            inputs = generator_inputs(self.settings, images, masks)
            completed = self.generator(inputs, training=True)

            with tf.GradientTape() as d_tape:
                # The discriminator judges each picture once; both losses come from what it says.
                real = self.discriminator(images, training=True)
                fake = self.discriminator(completed, training=True)

                # The discriminator learns to tell real (1) from completed (0), and to recognise
                # real digits. It does not learn the digits of completed pictures. Otherwise it
                # would learn to recognise digits in bad completions, too, and the generator would
                # have no reason to improve them.
                d_loss = self.real_loss(tf.ones_like(real["real"]), real["real"]) / 2
                d_loss += self.real_loss(tf.zeros_like(fake["real"]), fake["real"]) / 2
                if self.settings.labels:
                    d_loss += self.digit_loss(labels, real["digit"])

            # The generator learns to make completions that look real and are recognised as the
            # right digit.
            g_loss = self.real_loss(tf.ones_like(fake["real"]), fake["real"])
            if self.settings.labels:
                g_loss += self.digit_loss(labels, fake["digit"])

        # Both gradients first: each network learns from the other as it was before this step.
        d_weights = self.discriminator.trainable_weights
        g_weights = self.generator.trainable_weights
        d_gradients = d_tape.gradient(d_loss, d_weights)
        g_gradients = g_tape.gradient(g_loss, g_weights)
        self.d_optimizer.apply(d_gradients, d_weights)
        self.g_optimizer.apply(g_gradients, g_weights)
        gan_cnn.update_average(self.average, self.generator, self.g_optimizer.iterations)

        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "D(x)": tf.reduce_mean(tf.sigmoid(real["real"])),
            "D(G(z))": tf.reduce_mean(tf.sigmoid(fake["real"])),
        }


def complete(generator, settings, images, masks):
    """Complete pictures (n, h, w, c) and masks -> {"original", "holed", "completed": pictures}.

    "holed" are the inputs of the generator, with a grey hole; all are in [-1, 1].
    """
    inputs = generator_inputs(settings, images, masks)
    completed = gan_cnn.predict(generator, inputs)
    return {"original": images, "holed": images * masks, "completed": completed}


def main():
    settings = runs.parse(Settings, __doc__)
    if settings.sample:
        return sample(settings)
    (data,) = load(settings)
    run = training.start(settings, data)
    gan = CCGAN(settings, data)

    # Held-out digits and holes, the same in every run; the frames show some of each class.
    images, masks = mnist_ds.held_out_holes(data, settings.hole)
    shown = mnist_ds.some_of_each_class(data.test.labels)

    def rows():
        return complete(gan.average, settings, images[shown], masks[shown])

    training.train(run, gan, lambda caption: visual.frame(rows(), caption))
    completed = complete(gan.average, settings, images, masks)["completed"]
    found = scores.completion_scores(data, masks, completed, settings.judge)
    names = [data.names[label] for label in data.test.labels[shown]]
    training.finish(run, {"generator": gan.average}, found, rows(), names)


def sample(settings):
    """--sample: cut a hole into pictures from files, and complete them with a trained generator."""
    generator = runs.load_generator(settings.out)
    settings = dataclasses.replace(settings, low_res=len(generator.inputs) == 3)
    settings.check_shape(generator.output_shape[1:])
    fit = runs.trained_data(settings)["fit"]
    images = pictures.read_all(settings.sample, generator.output_shape[1:], fit)
    masks = mnist_ds.holes_for(images, settings.hole, settings.seed)
    rows = complete(generator, settings, images, masks)
    training.save_samples(settings, rows, settings.sample, inputs=["original", "holed"])


if __name__ == "__main__":
    utils.run(main)
