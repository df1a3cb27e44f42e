"""CycleGAN: two GANs turn pictures of one class into another class and back, without any pairs.

Nobody says which 9 belongs to a 6. One generator turns pictures of class 1 into class 2, another
generator turns them back. Two discriminators judge the pictures, one for each class. But then a
generator could make the same good 9 for every 6. Therefore there is the cycle: a picture that is
translated and translated back must be the same picture again. This is only possible if the 9 keeps
what is special about this 6: its slant, stroke width and size. Paper: Zhu, Park, Isola, Efros,
Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
https://arxiv.org/abs/1703.10593

Deliberate differences from the paper:
 1. At 28x28 the generators are small encoder-decoders, with a dense layer that sees the whole
    picture, and the patches have 22x22 pixels. With 64 pixels or more the generators and the
    discriminators are like the paper's: residual blocks, and 70x70 patches.
 2. Batches of 16, not of one picture; a learning rate of 0.0005, not 0.0002.
 3. The discriminators have no instance norm, and their maps keep their size in the last
    convolutions.
 4. Glorot initialization, the default of Keras, not normal with a standard deviation of 0.02; no
    random crops and no mirroring of the training pictures. At 28x28 the generators also use
    LeakyReLU.
 5. At the start, the buffer of past pictures is filled with the first batch.
 6. Pictures and scores come from a moving average of the generators' weights.
"""

import dataclasses
import pathlib
from typing import Annotated, ClassVar, Literal

import utils  # must be the first import: it prepares TensorFlow
import keras
import tensorflow as tf
import tyro

import gan_cnn
import mnist_ds
import pictures
import runs
import scores
import training
import visual


@dataclasses.dataclass
class Settings(utils.Settings):
    # The learning rates fall to 0 at the last epoch. So a run with more epochs is a different run.
    may_grow: ClassVar[bool] = False

    data: tuple[str, ...] = ("mnist",)
    """a data set with classes (see --data of the other scripts), or two folders of pictures"""
    from_: Annotated[str, tyro.conf.arg(name="from")] = "6"
    """class 1, by its name or number; not used with two folders"""
    to: str = "9"
    """class 2, in the same way"""
    out: str = "results/cyclegan"
    """folder for everything that the run writes"""
    epochs: int = 10
    """how many epochs to train; after each there is a picture"""
    steps_per_epoch: int = 500
    """training steps in an epoch; 0 = all complete batches"""
    batch_size: int = 16
    """pictures of each class in a batch"""
    cycle: bool = True
    """use the cycle loss; without it (--no-cycle), compare the scores named diversity"""
    cycle_weight: float = 10.0
    """weight of the cycle loss in each direction, lambda in the paper; the adversarial losses have
    the weight 1"""
    identity_weight: float = 0.0
    """weight of the identity loss, 5 in the paper for paintings: a picture that already has class 2
    should not change when it is translated to class 2, and likewise for class 1; 0 = none"""
    buffer_size: int = 50
    """number of past pictures of each generator that its discriminator sees again; 0 = no buffer"""
    norm: Literal["instance", "batch", None] = "instance"
    """normalization in the generators"""
    g_learning_rate: float = 5e-4
    """learning rate of the generators; in the second half of the training it falls linearly to 0"""
    d_learning_rate: float = 5e-4
    """learning rate of the discriminators; it falls in the same way"""

    def check(self):
        super().check()
        given = " ".join(self.data)
        utils.require(len(self.data) in (1, 2), "--data", given, "a data set, or two folders")
        for name in ("cycle_weight", "identity_weight", "buffer_size"):
            value = getattr(self, name)
            utils.require(value >= 0, f"--{name.replace('_', '-')}", value, "0 or more")

    def check_shape(self, image_shape):
        super().check_shape(image_shape)
        gan_cnn.divisible(image_shape, 2)
        if min(image_shape[:2]) < 64:
            gan_cnn.img2img_halvings(image_shape)

    @property
    def kinds(self):
        """The names of class 1 and class 2; of two folders, a number and the folder's name."""
        if len(self.data) == 1:
            return [self.from_, self.to]
        folders = [pathlib.Path(path).resolve() for path in self.data]
        return [f"{number} {folder.name}" for number, folder in enumerate(folders, start=1)]


def load(settings):
    """A list of the two data sets: the pictures of class 1 and those of class 2."""
    sets = [mnist_ds.load(d, settings.size, settings.train_pictures) for d in settings.data]
    if len(sets) == 2:
        return mnist_ds.alike(*sets)
    kinds = [sets[0].only(settings.from_, "--from"), sets[0].only(settings.to, "--to")]
    differ = kinds[0].train.labels[0] != kinds[1].train.labels[0]
    utils.require(differ, "--to", settings.to, "another class than that of --from")
    return kinds


def build_generator(settings, image_shape):
    """Pictures of one class (n, h, w, c) -> of the other class (n, h, w, c), in [-1, 1]."""
    if min(image_shape[:2]) >= 64:
        return gan_cnn.resnet_img2img(image_shape, image_shape[-1], settings.norm)
    return gan_cnn.mnist_uni_img2img(image_shape, image_shape[-1], settings.norm)


def build_discriminator(image_shape):
    """Pictures (n, h, w, c) -> a map of scores (n, rows, columns, 1), 1 = a real patch."""
    return gan_cnn.patch_discriminator(image_shape)


class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Constant in the first half of all steps, then linearly to 0 (section 4 of the paper)."""

    def __init__(self, rate, steps):
        self.rate, self.steps = rate, max(1, steps)

    def __call__(self, step):
        left = 1 - tf.cast(step, tf.float32) / self.steps
        return self.rate * tf.clip_by_value(2 * left, 0.0, 1.0)


class CycleGAN(keras.Model):
    """Two generators, two discriminators, and the step that trains them."""

    def __init__(self, settings, data1, data2):
        super().__init__()
        self.settings, shape = settings, data1.image_shape
        self.g12, self.g21 = (build_generator(settings, shape) for _ in range(2))
        self.d1, self.d2 = build_discriminator(shape), build_discriminator(shape)
        self.average12 = gan_cnn.averaged(self.g12, build_generator, settings, shape)
        self.average21 = gan_cnn.averaged(self.g21, build_generator, settings, shape)
        steps = settings.epochs * settings.steps_in_epoch(data1, data2)
        g_rate = ConstantThenLinear(settings.g_learning_rate, steps)
        d_rate = ConstantThenLinear(settings.d_learning_rate, steps)
        self.g12_optimizer, self.g21_optimizer = (
            gan_cnn.adam(g, g_rate) for g in (self.g12, self.g21)
        )
        self.d1_optimizer, self.d2_optimizer = (gan_cnn.adam(d, d_rate) for d in (self.d1, self.d2))
        self.score_loss = keras.losses.MeanSquaredError()  # least squares, arXiv 1611.04076
        self.pixel_loss = keras.losses.MeanAbsoluteError()
        self.past1, self.past2 = (
            self.add_weight(
                (settings.buffer_size, *shape),
                "zeros",
                "float32",
                trainable=False,
                aggregation="only_first_replica",
                name=name,
            )
            for name in ("past1", "past2")
        )
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True  # all networks are built, so Keras need not call this model to build it

    def exchanged(self, past, fakes):
        """The generated pictures, but about half of them replaced by older ones from the buffer.

        The new ones take their places in the buffer. A discriminator that sees only new pictures
        forgets earlier mistakes. Then the generator makes them again (section 4 of the paper).
        """
        size, count = past.shape[0], tf.shape(fakes)[0]
        if size == 0:
            return fakes
        first = self.g12_optimizer.iterations == 0  # the buffer is empty: fill it with these
        stored = tf.where(first, tf.gather(fakes, tf.range(size) % count), past)
        places = tf.argsort(keras.random.uniform((size,), dtype="float32", seed=self.random))[
            :count
        ]
        new, old = fakes[:size], tf.gather(stored, places)
        coin = keras.random.uniform((tf.shape(new)[0], 1, 1, 1), dtype="float32", seed=self.random)
        past.assign(
            tf.tensor_scatter_nd_update(stored, places[:, None], tf.where(coin < 0.5, new, old))
        )
        return tf.concat([tf.where(coin < 0.5, old, new), fakes[size:]], axis=0)

    @tf.function
    def train_step(self, batch):
        """One step of each network on ((images 1, _), (images 2, _)); {name: scalar}."""
        (real1, _), (real2, _) = batch

        with tf.GradientTape() as g_tape:
            fake2 = self.g12(real1, training=True)
            fake1 = self.g21(real2, training=True)

            # Each discriminator should answer 1 for real pictures of its class, and 0 for generated
            # pictures.
            shown1 = self.exchanged(self.past1, tf.stop_gradient(fake1))
            shown2 = self.exchanged(self.past2, tf.stop_gradient(fake2))
            with tf.GradientTape() as d_tape:
                on_real = self.d1(real1, training=True), self.d2(real2, training=True)
                on_fake = self.d1(shown1, training=True), self.d2(shown2, training=True)
                d_loss = sum(self.score_loss(tf.ones_like(score), score) for score in on_real) / 2
                d_loss += sum(self.score_loss(tf.zeros_like(score), score) for score in on_fake) / 2
            weights1, weights2 = self.d1.trainable_weights, self.d2.trainable_weights
            gradients1, gradients2 = d_tape.gradient(d_loss, [weights1, weights2])
            self.d1_optimizer.apply(gradients1, weights1)
            self.d2_optimizer.apply(gradients2, weights2)

            # First, the discriminators should accept the generators' pictures as real.
            verdicts = self.d1(fake1, training=True), self.d2(fake2, training=True)
            g_loss = sum(self.score_loss(tf.ones_like(score), score) for score in verdicts)
            # Second, both translations together should give the original.
            again1 = self.g21(fake2, training=True)
            again2 = self.g12(fake1, training=True)
            cycle_loss = self.pixel_loss(real1, again1) + self.pixel_loss(real2, again2)
            if self.settings.cycle:
                g_loss += self.settings.cycle_weight * cycle_loss
            # Third (off by default), pictures that already have the right class should not change.
            if self.settings.identity_weight:
                identity_loss = self.pixel_loss(real2, self.g12(real2, training=True))
                identity_loss += self.pixel_loss(real1, self.g21(real1, training=True))
                g_loss += self.settings.identity_weight * identity_loss
        weights12, weights21 = self.g12.trainable_weights, self.g21.trainable_weights
        gradients12, gradients21 = g_tape.gradient(g_loss, [weights12, weights21])
        self.g12_optimizer.apply(gradients12, weights12)
        self.g21_optimizer.apply(gradients21, weights21)
        gan_cnn.update_average(self.average12, self.g12, self.g12_optimizer.iterations)
        gan_cnn.update_average(self.average21, self.g21, self.g21_optimizer.iterations)

        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "cycle_loss": cycle_loss,
            "D(x)": sum(tf.reduce_mean(score) for score in on_real) / 2,
            "D(G(z))": sum(tf.reduce_mean(score) for score in on_fake) / 2,
        }


def there_and_back(there, back, images):
    """Pictures -> (translated by the first generator, and then translated back by the second)."""
    translated = gan_cnn.predict(there, images)
    return translated, gan_cnn.predict(back, translated)


def main():
    settings = runs.parse(Settings, __doc__)
    if settings.sample:
        return sample(settings)
    data1, data2 = load(settings)
    run = training.start(settings, data1, data2)
    gan = CycleGAN(settings, data1, data2)
    g12, g21, (kind1, kind2) = gan.average12, gan.average21, settings.kinds
    images1, images2 = mnist_ds.floats(data1.test), mnist_ds.floats(data2.test)

    def rows():  # the same held-out pictures in every frame
        shown = min(10, len(images1), len(images2))
        fake2, again1 = there_and_back(g12, g21, images1[:shown])
        fake1, again2 = there_and_back(g21, g12, images2[:shown])
        return {
            kind1: images1[:shown],
            f"{kind1} to {kind2}": fake2,
            "and back": again1,
            kind2: images2[:shown],
            f"{kind2} to {kind1}": fake1,
            "and back ": again2,  # the space makes it another key
        }

    training.train(run, gan, lambda caption: visual.frame(rows(), caption))
    found = {}
    for direction, there, back, images, data in (
        ("12", g12, g21, images1, data2),
        ("21", g21, g12, images2, data1),
    ):
        translated, again = there_and_back(there, back, images)
        of_one = scores.translation_scores(data, translated, settings.judge)
        of_one["cycle_l1"] = scores.pair_scores(images, again)["l1"]
        found |= {f"{direction}_{name}": value for name, value in of_one.items()}
    names = range(1, 1 + len(rows()[kind1]))
    training.finish(run, {"generator12": g12, "generator21": g21}, found, rows(), names)


def sample(settings):
    """--sample: translate pictures from files, both ways, with the generators of an earlier run."""
    g12, g21 = (runs.load_generator(settings.out, f"generator{way}") for way in ("12", "21"))
    fit = runs.trained_data(settings)["fit"]
    images = pictures.read_all(settings.sample, g12.input_shape[1:], fit)
    kind1, kind2 = settings.kinds
    rows = {
        "picture": images,
        f"as {kind2}": there_and_back(g12, g21, images)[0],
        f"as {kind1}": there_and_back(g21, g12, images)[0],
    }
    training.save_samples(settings, rows, settings.sample, inputs=["picture"])


if __name__ == "__main__":
    utils.run(main)
