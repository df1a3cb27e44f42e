import json
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import classifier
import gan_cnn
import mnist_ds
import utils
from conftest import JUDGE, noise_data, part_of


def test_shipped_classifier_reaches_its_accuracy(data):
    judge = classifier.load_judge(data)
    features, labels = judge(mnist_ds.floats(data.test, slice(5000)))
    assert features.shape == (5000, 64)
    assert np.mean(labels == data.test.labels[:5000]) >= 0.99
    assert json.loads(JUDGE.with_suffix(".json").read_text())["test_accuracy"] >= 0.995
    assert JUDGE.stat().st_size < 500_000


# ---------------------------------------------------------------------------- which judge it is


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working directory in which nothing was trained."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


@pytest.mark.usefixtures("elsewhere")
def test_a_judge_is_found_by_the_pictures_whatever_they_are_called(data, tmp_path, capsys):
    few = {"x_train": data.train.images[:100, ..., 0], "y_train": data.train.labels[:100]}
    test = {"x_test": data.test.images, "y_test": data.test.labels.astype(np.uint8)}
    np.savez(tmp_path / "digits.npz", **few, **test)
    digits = mnist_ds.load(str(tmp_path / "digits.npz"))
    assert classifier.load_judge(digits) is not None
    assert capsys.readouterr().out == ""

    other = {name: array[:100] for name, array in test.items()}
    np.savez(tmp_path / "mnist.npz", **few, **other)
    assert classifier.load_judge(mnist_ds.load(str(tmp_path / "mnist.npz"))) is None
    said = "score      no judge: mnist has no classifier yet; classifier.py trains one\n"
    assert capsys.readouterr().out == said

    # Its own labels, of which one was changed, make it another data set, too.
    test["y_test"][7] += 1
    np.savez(tmp_path / "mnist.npz", **few, **test)
    assert classifier.load_judge(mnist_ds.load(str(tmp_path / "mnist.npz"))) is None


@pytest.mark.usefixtures("elsewhere")
def test_parts_of_the_data_and_other_sizes_have_the_same_judge(data):
    assert data.only("3").first(20).fingerprint == data.fingerprint
    large = part_of(data, 200).resized(64)
    assert large.image_shape == (64, 64, 1)
    judge = classifier.load_judge(large.first(10))
    _, labels = judge(mnist_ds.floats(large.test))  # brought to 28 pixels, which it has learned
    assert np.mean(labels == large.test.labels) > 0.97


@pytest.mark.usefixtures("elsewhere")
def test_a_judge_by_its_path_goes_first(data, tmp_path):
    noise = noise_data(28, 28, 1, classes=4)
    assert classifier.load_judge(noise) is None
    assert classifier.load_judge(noise, str(JUDGE)) is not None
    classifier.build_classifier((28, 28, 1), 12).save(tmp_path / "twelve.keras")
    judge = classifier.load_judge(data, tmp_path / "twelve.keras")
    assert judge.model.output_shape == (None, 12)


def broken(path, kind):
    """What may be given as a judge, and is none for 10 classes of grey pictures."""
    if kind == "text":
        path.write_text("no archive")
    elif kind == "cut":
        path.write_bytes(JUDGE.read_bytes()[:20_000])
    elif kind == "another archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x_train.npy", b"")
    elif kind == "generator":
        gan_cnn.mnist_uni_img2img((64, 64, 1)).save(path)
    elif kind == "9 classes":
        classifier.build_classifier((28, 28, 1), 9).save(path)
    elif kind == "colour":
        classifier.build_classifier((64, 64, 3), 10).save(path)


NO_CLASSIFIER = "expected a .keras file that classifier.py has made"
UNFIT = "expected a classifier of 10 classes and 1 channels"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text", NO_CLASSIFIER),
        ("cut", NO_CLASSIFIER),
        ("another archive", NO_CLASSIFIER),
        ("generator", NO_CLASSIFIER),
        ("absent", NO_CLASSIFIER),
        ("9 classes", UNFIT),
        ("colour", UNFIT),
    ],
)
def test_what_cannot_judge_is_refused(data, tmp_path, kind, said):
    path = tmp_path / "judge.keras"
    broken(path, kind)
    with pytest.raises(utils.BadInput) as error:
        classifier.load_judge(data, str(path))
    assert str(error.value).startswith(f"--judge {path}: ")
    assert str(error.value).endswith(said)
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------- as a program


def test_smoke_run_trains_a_judge_that_is_found(small_data, tmp_path, program, refused):
    """In the folder below which it was trained; and no other, before --fresh."""
    few = mnist_ds.load(str(small_data))
    options = ["--data", small_data, "--epochs", 1, "--steps-per-epoch", 3]
    (tmp_path / "trained").mkdir()
    said = program("classifier", *options, cwd=tmp_path / "trained")
    assert "test accuracy" in said
    path = tmp_path / "trained" / "results" / "classifier" / "few.keras"
    assert json.loads(path.with_suffix(".json").read_text())["fingerprint"] == few.fingerprint
    judge = classifier.load_judge(few)
    weights = keras.saving.load_model(path, compile=False).get_weights()
    for ours, theirs in zip(judge.model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)

    written = path.read_bytes()
    assert "--fresh trains it again" in refused("classifier", *options)
    assert path.read_bytes() == written


@pytest.mark.usefixtures("elsewhere")
def test_a_judge_of_another_working_directory_is_not_found(small_data, tmp_path, monkeypatch):
    few = mnist_ds.load(str(small_data))
    results = tmp_path / "results" / "classifier"
    results.mkdir(parents=True)
    classifier.build_classifier((28, 28, 1), 10).save(results / "few.keras")
    utils.write_json(results / "few.json", {"fingerprint": few.fingerprint})
    assert classifier.load_judge(few) is None
    monkeypatch.chdir(tmp_path)
    assert classifier.load_judge(few) is not None


@pytest.fixture
def digits(data, tmp_path):
    """Files of the first three test pictures, as dark ink on light paper."""
    for index in (0, 1, 2):
        ink = Image.fromarray(255 - data.test.images[index, ..., 0])
        ink.resize((70, 70)).save(tmp_path / f"{index}.png")
    return [str(tmp_path / f"{index}.png") for index in (0, 1, 2)]


@pytest.mark.usefixtures("elsewhere")
def test_sample_reads_digits_from_files(data, digits, program):
    said = program("classifier", "--sample", *digits)
    read = [int(line.split()[-1]) for line in said.splitlines()]
    assert read == data.test.labels[:3].tolist()


@pytest.mark.usefixtures("elsewhere")
def test_sample_uses_the_classifier_of_the_folder(digits, tmp_path, program):
    """One that takes everything for a 3."""
    model = classifier.build_classifier((28, 28, 1), 10)
    model.layers[-1].set_weights([np.zeros((64, 10)), np.eye(10)[3]])
    (tmp_path / "mine").mkdir()
    model.save(tmp_path / "mine" / "mnist.keras")
    said = program("classifier", "--sample", *digits, "--out", tmp_path / "mine")
    assert [line.split()[-1] for line in said.splitlines()] == ["3", "3", "3"]
    by_path = ["--judge", tmp_path / "mine" / "mnist.keras"]
    assert program("classifier", "--sample", *digits, *by_path) == said


@pytest.mark.usefixtures("elsewhere")
def test_sample_uses_the_classifier_that_is_named(data, digits, tmp_path, program):
    """Also where the folder has one of its own."""
    (tmp_path / "mine").mkdir()
    classifier.build_classifier((28, 28, 1), 10).save(tmp_path / "mine" / "mnist.keras")
    named = ["--out", tmp_path / "mine", "--judge", JUDGE]
    said = program("classifier", "--sample", *digits, *named)
    assert [int(line.split()[-1]) for line in said.splitlines()] == data.test.labels[:3].tolist()


def test_sample_without_a_classifier(small_data, digits, elsewhere, refused):
    said = refused("classifier", "--data", small_data, "--sample", *digits)
    assert f"no classifier for --data {small_data} yet" in said
