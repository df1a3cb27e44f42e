import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import classifier
import cyclegan
import gan_cnn
import mnist_ds
from conftest import batches_for, build, named, smoke, weights_of
from test_pictures import fill
from test_scripts import contents, run_in_process

CYCLEGAN = named("cyclegan")


@pytest.mark.parametrize("still", ["g12", "g21", "d1", "d2"])
def test_each_optimizer_moves_one_network(still, data, eagerly):
    """An optimizer that does nothing leaves its own network alone, and no other."""
    model, _ = build(CYCLEGAN, data)
    getattr(model, f"{still}_optimizer").apply = lambda gradients, weights: None
    networks = ("g12", "g21", "d1", "d2")
    before = {name: weights_of(getattr(model, name)) for name in networks}
    model.train_step(batches_for(CYCLEGAN, data, 1)[0])
    for name in networks:
        after = weights_of(getattr(model, name))
        same = [np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)]
        assert all(same) if name == still else not any(same)


def losses_seen(model, data, monkeypatch):
    """What one eager step compares by its pixel loss, as arrays."""
    seen = []
    loss = model.pixel_loss

    def watched(wanted, made):
        seen.append((wanted.numpy(), made.numpy()))
        return loss(wanted, made)

    monkeypatch.setattr(model, "pixel_loss", watched)
    batch = batches_for(CYCLEGAN, data, 1)[0]
    before = [gan_cnn.keras.models.clone_model(g) for g in (model.g12, model.g21)]
    for copy, g in zip(before, (model.g12, model.g21), strict=True):
        copy.set_weights(g.get_weights())
    figures = model.train_step(batch)
    return figures, batch[0][0].numpy(), batch[1][0].numpy(), before, seen


def test_cycle_loss_once_per_direction_and_identity_the_right_way_round(data, monkeypatch, eagerly):
    model, _ = build(CYCLEGAN, data, identity_weight=5.0)
    _, real1, real2, (g12, g21), seen = losses_seen(model, data, monkeypatch)
    expected = [
        (real1, g21(g12(real1))),
        (real2, g12(g21(real2))),
        (real2, g12(real2)),  # what is of kind 2 already stays
        (real1, g21(real1)),
    ]
    assert len(seen) == 4
    for (wanted, made), (real, out) in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(wanted, real)
        np.testing.assert_allclose(made, out, atol=1e-4)


def test_the_generators_loss_adds_up(data, monkeypatch, eagerly):
    """Two least squares, and the cycle loss of both directions 10 times, or not at all."""
    for cycle, weight in ((True, 10.0), (False, 0.0)):
        model, _ = build(CYCLEGAN, data, cycle=cycle)
        scores = []
        loss = model.score_loss

        def watched(wanted, said, loss=loss, scores=scores):
            scores.append(float(loss(wanted, said)))
            return loss(wanted, said)

        monkeypatch.setattr(model, "score_loss", watched)
        figures, *_ = losses_seen(model, data, monkeypatch)
        d_loss = sum(scores[:4]) / 2
        g_loss = sum(scores[4:]) + weight * float(figures["cycle_loss"])
        assert len(scores) == 6
        assert float(figures["d_loss"]) == pytest.approx(d_loss, rel=1e-5)
        assert float(figures["g_loss"]) == pytest.approx(g_loss, rel=1e-5)


def test_rate_is_constant_and_then_falls_to_zero(data):
    model, settings = build(CYCLEGAN, data, epochs=10, steps_per_epoch=10)
    rates = [float(model.g12_optimizer._learning_rate(step)) for step in (0, 49, 50, 75, 99, 100)]
    full = settings.g_learning_rate
    assert rates == pytest.approx([full, full, full, full / 2, full / 50, 0], abs=1e-9)


def test_past_fakes_are_exchanged(data, eagerly):
    model, _ = build(CYCLEGAN, data)
    past = model.past1
    first = tf.random.uniform((20, 28, 28, 1))
    shown = model.exchanged(past, first)

    def numbers(pictures, of):
        """Which of those pictures each one is; -1 = none of them."""
        equal = np.all(np.asarray(pictures)[:, None] == np.asarray(of)[None], axis=(2, 3, 4))
        return np.where(equal.any(axis=1), equal.argmax(axis=1), -1)

    assert past.shape == (50, 28, 28, 1)
    assert (numbers(past, first) >= 0).all()  # the first batch fills the store
    assert (numbers(shown, first) >= 0).all()
    model.g12_optimizer.iterations.assign(1)
    before = past.numpy()
    fakes = tf.random.uniform((20, 28, 28, 1))
    shown = model.exchanged(past, fakes)
    old = numbers(shown, fakes) == -1
    assert 3 <= old.sum() <= 17  # about half
    assert (numbers(shown, before)[old] >= 0).all()
    stored = numbers(past, fakes)
    assert sorted(stored[stored >= 0]) == np.flatnonzero(old).tolist()  # those not shown
    assert ((numbers(past, before) >= 0) == (stored == -1)).all()


def test_batches_larger_than_the_store_and_no_store(data, eagerly):
    model, _ = build(CYCLEGAN, data, buffer_size=5)
    assert model.exchanged(model.past1, tf.random.uniform((8, 28, 28, 1))).shape == (8, 28, 28, 1)
    model, _ = build(CYCLEGAN, data, buffer_size=0)
    fakes = tf.random.uniform((8, 28, 28, 1))
    np.testing.assert_array_equal(model.exchanged(model.past1, fakes), fakes)


def test_networks_of_the_paper_from_64_pixels_up():
    for size, blocks in ((64, 6), (256, 9)):
        generator = cyclegan.build_generator(cyclegan.Settings(), (size, size, 3))
        assert generator.output_shape == (None, size, size, 3)
        convolutions = [x for x in generator.layers if type(x).__name__ == "Conv2D"]
        assert len(convolutions) == 3 + 2 * blocks + 1
        names = {type(layer).__name__ for layer in generator.layers}
        assert "InstanceNormalization" in names
        assert "BatchNormalization" not in names
    assert cyclegan.build_discriminator((256, 256, 3)).output_shape == (None, 32, 32, 1)
    generator = cyclegan.build_generator(cyclegan.Settings(), (64, 64, 3))
    pictures = generator(tf.random.normal((1, 64, 64, 3))).numpy()
    assert np.abs(pictures).max() <= 1


def test_a_step_at_64_pixels(eagerly):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    labels = np.zeros(2, np.int32)
    data = mnist_ds.Data("noise", pictures, labels, pictures, labels)
    model = cyclegan.CycleGAN(cyclegan.Settings(batch_size=1), data, data)
    batch = mnist_ds.normalize(pictures[:1]), labels[:1]
    figures = model.train_step((batch, batch))
    assert all(np.isfinite(value) for value in figures.values())


def test_diversity_is_zero_for_one_answer_to_everything(data):
    nines = data.only("9")
    images = mnist_ds.normalize(nines.test_images).numpy()
    scores = classifier.translation_scores(nines, images)
    assert scores["taken"] == scores["taken_untouched"] > 0.98
    assert scores["diversity"] == scores["diversity_untouched"] > 0.2
    scores = classifier.translation_scores(nines, np.repeat(images[:1], 500, axis=0))
    assert scores["diversity"] == 0
    assert scores["frechet"] > 10 * scores["frechet_untouched"]


def test_a_short_training_learns_to_translate(data):
    """150 steps. Measured, seeds 0 and 1, the worse direction: 66% and 70% taken for the other
    kind, a Frechet distance of 9.9 and 10.3, cycle L1 of 0.12, diversity of 0.21 and 0.24.

    Of the broken steps that were tried, each misses one of these by far: none but that without the
    cycle loss has over 23% taken in the worse direction, and that has a cycle L1 of 0.38.
    """
    model, settings = build(CYCLEGAN, data, epochs=2, steps_per_epoch=150)
    for batch in mnist_ds.epochs(settings, *CYCLEGAN.parts(data))(1).take(150):
        model.train_step(batch)
    sixes, nines = CYCLEGAN.parts(data)
    for there, back, source, target in (
        (model.average12, model.average21, sixes, nines),
        (model.average21, model.average12, nines, sixes),
    ):
        images = mnist_ds.normalize(source.test_images).numpy()
        translated, again = cyclegan.there_and_back(there, back, images)
        scores = classifier.translation_scores(target, translated)
        assert scores["taken"] > 0.5
        assert scores["frechet"] < 18
        assert scores["diversity"] > 0.15
        assert classifier.pair_scores(images, again)["l1"] < 0.2


# ------------------------------------------------------------------------------------- as a program


def test_other_classes(small_data, tmp_path, program):
    out = tmp_path / "run"
    options = [*smoke(out, small_data, epochs=1, steps=2), "--from", 3, "--to", 8]
    said = program("cyclegan", *options, "--identity-weight", 5, "--no-cycle")
    assert "class 3\n" in said
    assert "class 8\n" in said
    assert json.loads((out / "settings.json").read_text())["from_"] == "3"


def test_two_folders_of_pictures(tmp_path, program):
    fill(tmp_path / "a", *(f"{i}.png" for i in range(6)), mode="L")
    fill(tmp_path / "b", *(f"{i}.png" for i in range(4)))
    out = tmp_path / "run"
    options = ["--data", tmp_path / "a", tmp_path / "b", "--size", 32, "--batch-size", 1]
    said = program("cyclegan", *options, "--epochs", 1, "--steps-per-epoch", 1, "--out", out)
    assert "32x32x3" in said
    assert "12_cycle_l1" in said
    sample = [tmp_path / "a" / "0.png", tmp_path / "b" / "1.png"]
    program("cyclegan", "--sample", *sample, "--out", out)
    assert (out / "sampled.png").exists()


def test_sample_translates_both_ways(finished_run, tmp_path, program):
    out, _ = finished_run("cyclegan")
    Image.new("L", (50, 50), "white").save(tmp_path / "a.png")
    before = contents(out)
    program("cyclegan", "--sample", tmp_path / "a.png", "--out", out, cwd=tmp_path)
    after = contents(out)
    (out / "sampled.png").unlink()
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--from", "x"], "--from x: expected one of the classes of mnist: 0, 1, 2"),
        (["--to", "10"], "--to 10: expected one of the classes"),
        (["--to", "6"], "--to 6: expected another class than that of --from"),
        (["--data", "a", "b", "c"], "--data a b c: expected a data set, or two folders"),
        (["--cycle-weight", "-1"], "--cycle-weight -1.0: expected 0 or more"),
        (["--buffer-size", "-1"], "--buffer-size -1: expected 0 or more"),
    ],
)
def test_bad_settings(args, said, tmp_path, monkeypatch, capsys):
    args = [*args, "--out", tmp_path / "out"]
    code, errors = run_in_process(CYCLEGAN, args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    assert said in errors
    assert not (tmp_path / "out").exists()
