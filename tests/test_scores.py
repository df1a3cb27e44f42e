import numpy as np
import pytest

import classifier
import mnist_ds
import scores
from conftest import noise_data, part_of


@pytest.fixture(scope="module")
def part(data):
    return part_of(data, 500)


@pytest.fixture(scope="module")
def judge(data):
    return classifier.load_judge(data)


@pytest.fixture
def loaded(judge, monkeypatch):
    """MNIST's judge is loaded once for all tests, and so traced once: that takes longest."""
    monkeypatch.setattr(classifier, "load_judge", lambda data, path: judge)


def counted(data, of_class):
    """Of each class {label: count} the first pictures, in both parts, sorted by class."""
    parts = {}
    for name in ("train", "test"):
        labels = getattr(data, name).labels
        chosen = [np.flatnonzero(labels == k)[:count] for k, count in of_class.items()]
        parts[name] = getattr(data, name).part(np.concatenate(chosen))
    return mnist_ds.dataclasses.replace(data, **parts)


# -------------------------------------------------------------------------------- Frechet distance


def test_frechet_distance_of_known_gaussians():
    random = np.random.default_rng(0)
    a = random.normal(size=(1000, 6))
    assert scores.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert scores.frechet_distance(a, a + 3) == pytest.approx(6 * 9, rel=1e-6)
    # Scaled by 2 about the mean: (2 - 1)^2 of each variance, with equal means.
    centred = a - a.mean(axis=0)
    total = np.trace(np.cov(centred, rowvar=False))
    assert scores.frechet_distance(centred, 2 * centred) == pytest.approx(total, rel=1e-6)


def test_frechet_distance_of_correlated_features():
    """Against the definition with a general matrix square root, by eigenvalues of the product."""
    random = np.random.default_rng(1)
    a = random.normal(size=(500, 4)) @ random.normal(size=(4, 4))
    b = random.normal(size=(500, 4)) @ random.normal(size=(4, 4)) + 1
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b) - 2 * roots
    assert scores.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_sets_too_small_for_a_distance_are_left_out(capsys):
    features = np.random.default_rng(0).normal(size=(100, 64))
    sets = {"": features, "_untouched": features + 1}
    assert list(scores.frechet_scores("frechet", sets, features)) == [
        "frechet",
        "frechet_untouched",
    ]
    assert capsys.readouterr().out == ""
    said = "score      no frechet: it needs 100 pictures, and there are 99\n"
    assert scores.frechet_scores("frechet", sets, features[:99]) == {}
    assert capsys.readouterr().out == said
    assert scores.frechet_scores("frechet", sets | {"": features[:99]}, features) == {}
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("ordered", [False, True])
def test_the_reference_is_drawn_from_all_training_pictures(data, ordered, loaded):
    """Of data that are sorted by class, as folders are, the first ones are of one class."""
    parts = {"train": data.train.part(slice(10_000)), "test": data.test.part(slice(500))}
    if ordered:
        parts = {k: p.part(np.argsort(p.labels, kind="stable")) for k, p in parts.items()}
    some = mnist_ds.dataclasses.replace(data, **parts)
    found = scores.generation_scores(some, mnist_ds.floats(some.test, slice(100)))
    assert 0 < found["frechet_untouched"] < 1
    assert (found["frechet"] > 10) == ordered  # of a hundred zeros, or of all digits


# ------------------------------------------------------------------------------------- completions


def test_completion_scores_of_perfect_and_of_no_completions(part, loaded):
    images = mnist_ds.floats(part.test)
    masks = mnist_ds.holes_for(images, (10, 16), seed=0)
    perfect = scores.completion_scores(part, masks, images)
    assert perfect["recognised"] == perfect["recognised_untouched"] > 0.98
    assert perfect["frechet"] == perfect["frechet_untouched"]
    assert perfect["hole_psnr"] > 100
    assert perfect["hole_sharpness"] == 1
    holed = scores.completion_scores(part, masks, images * masks)
    assert holed["recognised"] == holed["recognised_holed"] < 0.7
    assert holed["frechet"] == holed["frechet_holed"] > 20 * holed["frechet_untouched"]
    assert holed["hole_sharpness"] == 0


def test_hole_psnr_is_of_the_holes_alone(tmp_path, monkeypatch):
    """All errors in the holes are 0.2, of a peak of 2: 20 dB."""
    monkeypatch.chdir(tmp_path)
    noise = noise_data(64, 64, 3)
    images = mnist_ds.floats(noise.test)
    masks = mnist_ds.holes_for(images, (20, 30), seed=0)
    shifted = images + 0.2 * (1 - masks)
    found = scores.completion_scores(noise, masks, shifted)
    assert found == pytest.approx({"hole_psnr": 20, "hole_sharpness": 1}, rel=1e-4)
    elsewhere = scores.completion_scores(noise, masks, shifted + 7 * masks)
    assert elsewhere == pytest.approx(found, rel=1e-4)


def test_few_completions_have_no_distance(data, capsys, loaded):
    few = part_of(data, 50)
    images = mnist_ds.floats(few.test)
    found = scores.completion_scores(few, mnist_ds.holes_for(images, (10, 16), 0), images)
    assert {"recognised", "recognised_holed", "recognised_untouched"} < found.keys()
    assert not [name for name in found if "frechet" in name]
    assert "no frechet: it needs 100 pictures, and there are 50" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- pairs


def test_pair_scores():
    target = mnist_ds.floats(noise_data(64, 48, 3).test)
    assert scores.pair_scores(target, target) == pytest.approx(
        {"l1": 0, "psnr": 10 * np.log10(4e12), "sharpness": 1}
    )
    assert scores.pair_scores(target, target - 0.1) == pytest.approx(
        {"l1": 0.1, "psnr": 10 * np.log10(400), "sharpness": 1}, rel=1e-4
    )
    assert scores.pair_scores(target, target / 4)["sharpness"] == pytest.approx(0.25, rel=1e-4)
    assert scores.pair_scores(target, target * 0)["sharpness"] == 0


def test_sharpness_counts_neighbours_that_both_count():
    target = np.zeros((1, 3, 4, 1))
    target[0, 1, 2] = 1
    generated = np.zeros((1, 3, 4, 1))
    generated[0, 1, 2], generated[0, 0, 0] = 0.5, 9
    where = np.ones((1, 3, 4, 1), bool)
    where[0, 0, 0] = False
    assert scores.sharpness(target, generated, where) == pytest.approx(0.5)
    where[0, 1, 3] = where[0, 0, 2] = False  # two of its four neighbours
    assert scores.sharpness(target, generated, where) == pytest.approx(0.5)
    generated[0, 1, 3] = 9
    assert scores.sharpness(target, generated, where) == pytest.approx(0.5)
    assert scores.sharpness(target, generated) > 10


# ------------------------------------------------------------------------------------ translations


def test_translation_scores(data, loaded):
    nines = counted(data, {9: 200})
    images = mnist_ds.floats(nines.test)
    same = scores.translation_scores(nines, images)
    assert same["taken"] == same["taken_untouched"] > 0.95
    assert same["frechet"] == same["frechet_untouched"] < 2
    assert same["diversity"] == same["diversity_untouched"] > 0.1
    ones = mnist_ds.floats(counted(data, {1: 200}).test)
    others = scores.translation_scores(nines, ones)
    assert others["taken"] < 0.05
    assert others["frechet"] > 20
    assert others["frechet_untouched"] == same["frechet_untouched"]
    collapsed = scores.translation_scores(nines, np.repeat(images[:1], 200, axis=0))
    assert collapsed["diversity"] == 0


def test_translation_scores_of_several_classes_or_few_pictures(data, capsys, loaded):
    mixed = counted(data, {3: 20, 5: 20})
    found = scores.translation_scores(mixed, mnist_ds.floats(mixed.test))
    assert found.keys() == {"diversity", "diversity_untouched"}
    few = counted(data, {3: 20})
    found = scores.translation_scores(few, mnist_ds.floats(few.test))
    assert {"diversity", "taken", "taken_untouched"} < found.keys()
    assert not [name for name in found if "frechet" in name]
    assert "no frechet: it needs 100 pictures, and there are 20" in capsys.readouterr().out


# ------------------------------------------------------------------------------------- generations


def test_generation_scores(part, loaded):
    images = mnist_ds.floats(part.test)
    found = scores.generation_scores(part, images)
    for name in ("frechet", "smallest_share", "largest_share", "entropy"):
        assert found[name] == found[f"{name}_untouched"]
    assert 0.07 < found["smallest_share"] < 0.1 < found["largest_share"] < 0.14
    assert 3.2 < found["entropy"] < np.log2(10)
    assert not [name for name in found if "class" in name or "conditional" in name]

    ones = images[part.test.labels == 1]
    collapsed = scores.generation_scores(part, np.resize(ones, images.shape))
    assert collapsed["smallest_share"] == 0
    assert collapsed["largest_share"] > 0.98
    assert collapsed["entropy"] < 0.2
    assert collapsed["frechet"] > 20
    assert collapsed["frechet_untouched"] == found["frechet_untouched"]


def test_the_worst_class_of_all(data, loaded):
    """Of the pictures that are asked for as 0 a part are sevens."""
    three = counted(data, {0: 120, 1: 120, 2: 120})
    images, labels = mnist_ds.floats(three.test), three.test.labels
    drawn = images.copy()
    drawn[:30] = mnist_ds.floats(counted(data, {7: 30}).test)
    found = scores.generation_scores(three, drawn, labels)
    assert found["conditional_accuracy"] == pytest.approx(330 / 360, abs=0.01)
    assert found["conditional_accuracy_untouched"] > 0.98
    alone = {k: scores.generation_scores(three, drawn, np.where(labels == k, k, 9)) for k in (0, 1)}
    assert found["worst_class_frechet"] == alone[0]["worst_class_frechet"]
    assert alone[1]["worst_class_frechet"] < found["worst_class_frechet"] / 3
    assert found["worst_class_frechet"] > 3 * found["worst_class_frechet_untouched"]


def test_classes_too_small_for_a_distance_are_left_out(data, capsys, loaded):
    """Also a class that is asked for, and of which there is no real picture."""
    some = counted(data, {0: 140, 1: 140, 4: 99})
    images, labels = mnist_ds.floats(some.test), some.test.labels
    whole = scores.generation_scores(some, images, labels)
    assert "frechet leaves out 3 classes of under 100" in capsys.readouterr().out  # 2, 3 and 4
    asked = np.where(np.arange(len(labels)) < 120, 3, labels)  # 20 zeros are left
    found = scores.generation_scores(some, images, asked)
    assert "frechet leaves out 4 classes of under 100" in capsys.readouterr().out
    assert 0 < found["worst_class_frechet"] <= whole["worst_class_frechet"]
    assert np.isfinite(list(found.values())).all()
    absent = scores.generation_scores(some, images, np.full_like(labels, 3))
    assert "frechet leaves out 5 classes of under 100" in capsys.readouterr().out
    assert absent["conditional_accuracy"] == 0
    assert "worst_class_frechet" not in absent


def test_a_class_of_few_test_pictures_takes_no_other_along(data, loaded):
    """Of the class 2 a hundred are asked for and there to learn from, but not to test with."""
    parts = [counted(data, {0: 120, 1: 120, 2: count}) for count in (120, 99)]
    some = mnist_ds.dataclasses.replace(parts[0], test=parts[1].test)
    labels = np.arange(len(some.test)) % 3
    found = scores.generation_scores(some, mnist_ds.floats(some.test), labels)
    assert found["worst_class_frechet"] > 0
    assert found["worst_class_frechet_untouched"] > 0


def test_few_generated_pictures_have_no_distance(data, capsys):
    few = part_of(data, 30)
    found = scores.generation_scores(few, mnist_ds.floats(few.test), few.test.labels)
    said = capsys.readouterr().out
    assert "no frechet: it needs 100 pictures, and there are 30" in said
    assert "worst_class_frechet leaves out 10 classes of under 100 pictures" in said
    assert not [name for name in found if "frechet" in name]
    assert found["conditional_accuracy"] > 0.9


# --------------------------------------------------------------------------------- without a judge


def test_what_is_scored_without_a_judge(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    noise = noise_data(48, 48, 1)
    images = mnist_ds.floats(noise.test)
    found = scores.translation_scores(noise, images)
    assert found.keys() == {"diversity", "diversity_untouched"}
    assert scores.generation_scores(noise, images, noise.test.labels) == {}
    said = "score      no judge: noise has no classifier yet; classifier.py trains one\n"
    assert capsys.readouterr().out == 2 * said
