import numpy as np
import pytest
from PIL import Image

import classifier
import mnist_ds
from conftest import part_of


def test_shipped_classifier_reaches_its_accuracy(data):
    judge = classifier.load_judge(data)
    features, labels = judge(mnist_ds.normalize(data.test_images).numpy())
    assert features.shape == (10_000, 64)
    assert np.mean(labels == data.test_labels) >= 0.993
    path = classifier.HERE / "data" / "classifier" / "mnist.keras"
    assert path.stat().st_size < 500_000


def test_frechet_distance_of_known_gaussians():
    random = np.random.default_rng(0)
    a = random.normal(size=(1000, 6))
    assert classifier.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert classifier.frechet_distance(a, a + 3) == pytest.approx(6 * 9, rel=1e-6)
    # Scaled by 2 about the mean: (2 - 1)^2 of each variance, with equal means.
    centred = a - a.mean(axis=0)
    total = np.trace(np.cov(centred, rowvar=False))
    assert classifier.frechet_distance(centred, 2 * centred) == pytest.approx(total, rel=1e-6)


def test_frechet_distance_of_correlated_features():
    """Against the definition with a general matrix square root, by eigenvalues of the product."""
    random = np.random.default_rng(1)
    a = random.normal(size=(500, 4)) @ random.normal(size=(4, 4))
    b = random.normal(size=(500, 4)) @ random.normal(size=(4, 4)) + 1
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b) - 2 * roots
    assert classifier.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_completion_scores_of_perfect_and_of_no_completions(data):
    part = part_of(data, 1000)
    images = mnist_ds.normalize(part.test_images).numpy()
    masks = mnist_ds.random_masks(1000, 28, 28, 10, 16, seed=0).numpy()
    perfect = classifier.completion_scores(part, masks, images)
    assert perfect["recognised"] == perfect["recognised_untouched"] > 0.98
    assert perfect["frechet"] == perfect["frechet_untouched"]
    assert perfect["hole_psnr"] > 100
    holed = classifier.completion_scores(part, masks, images * masks)
    assert holed["recognised"] == holed["recognised_holed"] < 0.7
    assert holed["frechet"] == holed["frechet_holed"] > 20 * holed["frechet_untouched"]
    # All errors in the holes are 0.2, of a peak of 2: 20 dB.
    shifted = images + 0.2 * (1 - masks)
    assert classifier.completion_scores(part, masks, shifted)["hole_psnr"] == pytest.approx(20)


def test_smoke_run(small_data, tmp_path, program, capsys):
    options = ["--data", small_data, "--epochs", 1, "--steps-per-epoch", 3, "--out", tmp_path]
    assert "test accuracy" in program("classifier", *options)
    written = (tmp_path / "mnist.keras").read_bytes()
    with pytest.raises(SystemExit) as exit_:
        program("classifier", *options)
    errors = capsys.readouterr().err
    assert exit_.value.code == 2
    assert errors.count("\n") == 1
    assert "--fresh" in errors
    assert (tmp_path / "mnist.keras").read_bytes() == written


def test_sample_reads_digits_from_files(data, tmp_path, program):
    for index in (0, 1, 2):
        Image.fromarray(255 - data.test_images[index, ..., 0]).save(tmp_path / f"{index}.png")
    files = [str(tmp_path / f"{index}.png") for index in (0, 1, 2)]
    said = program("classifier", "--sample", *files)
    read = [int(line.split()[-1]) for line in said.splitlines()]
    assert read == data.test_labels[:3].tolist()
