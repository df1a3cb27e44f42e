import numpy as np
import pytest
from PIL import Image

import classifier
import dcgan
import mnist_ds
from conftest import batches_for, build, named, part_of, smoke
from test_pictures import fill
from test_scripts import contents, run_in_process

DCGAN = named("dcgan")


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (32, 32, 3), (64, 64, 3)])
def test_networks_grow_with_the_pictures(image_shape):
    settings = dcgan.Settings()
    generator = dcgan.build_generator(settings, image_shape)
    pictures = dcgan.draw(generator, 3, seed=0)
    assert pictures.shape == (3, *image_shape)
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert dcgan.build_discriminator(settings, image_shape)(pictures).shape == (3, 1)
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


def test_label_smoothing_is_one_sided(data, eagerly):
    """Real pictures are labelled 0.9 for D, generated ones 0, and for G generated ones 1."""
    model, settings = build(DCGAN, data)
    labels = []
    loss = model.real_loss

    def watched(wanted, said):
        labels.append(np.unique(wanted))
        return loss(wanted, said)

    model.real_loss = watched
    model.train_step(batches_for(DCGAN, data, 1)[0])
    assert [float(x) for (x,) in labels] == pytest.approx([settings.smoothing, 0, 1])


def test_a_short_training_learns_to_draw_digits(data):
    """150 steps. Measured, seeds 0 and 1: a Frechet distance of 9.0 and 8.8, no class over 33%.

    Of the broken steps that were tried, none comes under 140, or draws more than one class.
    """
    model, settings = build(DCGAN, data)
    for batch in mnist_ds.batches(data, settings.batch_size).take(150):
        model.train_step(batch)
    part = part_of(data, 2000)
    scores = classifier.generation_scores(part, dcgan.draw(model.average, 2000, seed=0))
    assert scores["frechet"] < 20
    assert scores["largest_share"] < 0.5


# ------------------------------------------------------------------------------------- as a program


def test_one_class_and_a_folder_in_colour(tmp_path, program):
    fill(tmp_path / "p", *(f"{name}/{i}.png" for name in ("cat", "horse") for i in range(6)))
    out = tmp_path / "run"
    options = [*smoke(out, tmp_path / "p", epochs=1, steps=2), "--size", 32, "--batch-size", 4]
    said = program("dcgan", *options, "--label", "horse")
    assert "5 training and 1 test pictures, 32x32x3, class horse" in said
    assert "p has no classifier yet" in said
    with Image.open(out / "frames" / "001.png") as frame:
        assert frame.mode == "RGB"


def test_sample_draws_so_many(finished_run, tmp_path, program):
    out, _ = finished_run("dcgan")
    program("dcgan", "--sample", 30, "--out", out, cwd=tmp_path)
    assert (out / "sampled.png").exists()
    (out / "sampled.png").unlink()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--label", "horse"], "--label horse: expected one of the classes of mnist: 0, 1, 2"),
        (["--size", "30"], "pictures of 30x30: expected sides divisible by 4"),
        (["--latent-dim", "0"], "--latent-dim 0: expected 1 or more"),
        (["--sample", "-1"], "--sample -1: expected 0 to 10000"),
        (["--smoothing", "0.2"], "--smoothing 0.2: expected 0.5 to 1"),
    ],
)
def test_bad_settings(args, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist_ds.Data, "resized", lambda data, size: mnist_ds.dataclasses.replace(
        data, train_images=np.zeros((100, size, size, 1), np.uint8)))  # fmt: skip
    args = [*args, "--out", tmp_path / "out"]
    code, errors = run_in_process(DCGAN, args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    assert said in errors
    assert contents(tmp_path) == {}


def test_the_gradient_penalty_flattens_the_discriminator(data):
    """After some steps the slope at real pictures is less with the penalty than without."""
    slopes = {}
    for penalty in (0.0, 10.0):
        model, _ = build(DCGAN, data, penalty=penalty)
        batches = batches_for(DCGAN, data, 12)
        for batch in batches[:-1]:
            model.train_step(batch)
        images = batches[-1][0]
        with dcgan.tf.GradientTape() as tape:
            tape.watch(images)
            real = model.discriminator(images, training=False)
        slopes[penalty] = float(np.mean(np.sum(tape.gradient(real, images) ** 2, axis=(1, 2, 3))))
    assert slopes[10.0] < slopes[0.0] / 2
