import numpy as np
import pytest
from PIL import Image

import classifier
import dcgan
import mnist_ds
from conftest import batches_for, build, for_script, named, run_script
from test_scripts import run_in_process

pytestmark = for_script("dcgan")
DCGAN = named("dcgan")


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (32, 32, 3), (64, 64, 3)])
def test_networks_grow_with_the_pictures(image_shape):
    settings = dcgan.Settings()
    generator = dcgan.build_generator(settings, image_shape)
    pictures = dcgan.draw(generator, 3, seed=0)
    assert pictures.shape == (3, *image_shape)
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert dcgan.build_discriminator(image_shape)(pictures).shape == (3, 1)
    smaller = dcgan.build_generator(settings, (28, 28, 1))
    assert (generator.count_params() > smaller.count_params()) == (image_shape[0] > 28)


def test_a_walk_goes_from_one_noise_to_another_in_small_steps(data):
    generator = dcgan.build_generator(dcgan.Settings(), data.image_shape)
    pictures = dcgan.walk(generator, 20, seed=3)
    assert pictures.shape == (20, 28, 28, 1)
    ends = dcgan.draw(generator, 2, seed=3)
    np.testing.assert_allclose(pictures[[0, -1]], ends, atol=1e-5)
    steps = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() < np.abs(ends[1] - ends[0]).mean() / 4


def test_label_smoothing_is_one_sided(data):
    """With D(x) = 0.9 and D(G(z)) = 0, there is nothing to be learned; at 1 and 0 there is."""
    model, settings = build(DCGAN, data)
    labels = []
    loss = model.real_loss

    def watched(wanted, said):
        labels.append(np.unique(wanted))
        return loss(wanted, said)

    model.real_loss = watched
    dcgan.tf.config.run_functions_eagerly(True)
    try:
        model.train_step(batches_for(DCGAN, data, 1)[0])
    finally:
        dcgan.tf.config.run_functions_eagerly(False)
    assert [float(x) for (x,) in labels] == pytest.approx([settings.smoothing, 0, 1])
