import importlib
import json
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import utils  # first of all: it prepares TensorFlow
import keras
import numpy as np
import tensorflow as tf

import lessons
import mnist_ds

LESSONS = lessons.LESSONS
JUDGE = ROOT / "data" / "classifier" / "mnist.keras"


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.name)
def lesson(request):
    return request.param


@pytest.fixture(scope="session")
def data():
    return mnist_ds.load("mnist")


@pytest.fixture(autouse=True)
def float32_and_seed():
    """Every test starts from the same precision and the same random numbers."""
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)


@pytest.fixture
def eagerly():
    """Without tracing, which takes longer than a few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# ------------------------------------------------------------------------------- lessons in process


def settings_of(lesson, *options):
    """A lesson's settings for these options of its command line."""
    return utils.parse(lesson.module.Settings, "", [str(option) for option in options])


def build(lesson, small_data, *options):
    """A lesson's model for these options and few digits, its settings, and its data sets."""
    settings = settings_of(lesson, "--data", small_data, *options)
    sets = lesson.module.load(settings)
    keras.utils.set_random_seed(settings.seed)
    return lesson.build(settings, *sets), settings, sets


def batches_of(settings, sets, count):
    """The first batches that a script trains on, as a list."""
    return list(mnist_ds.epochs(settings, *sets)(1).take(count))


def part_of(data, count):
    """The first pictures of the training and of the test part of the same data."""
    index = np.arange(count)
    return mnist_ds.dataclasses.replace(
        data, train=data.train.part(index), test=data.test.part(index)
    )


def noise_data(*shape, count=4, classes=1):
    """A mnist_ds.Data of random pictures of this shape."""
    pictures = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    part = mnist_ds.Arrays(pictures, np.arange(count) % classes)
    return mnist_ds.Data("noise", part, part)


def learns_from_d_as_it_was(lesson, small_data):
    """Does the generator move the same way in a step, however far its discriminator moves?"""
    moved = []
    for rate in (1e-4, 1e-4, 1e-1):
        options = ["--batch-size", 4, "--d-learning-rate", rate]
        model, settings, sets = build(lesson, small_data, *options)
        generator = getattr(model, lesson.moves[next(iter(lesson.moves))][0])
        model.train_step(batches_of(settings, sets, 1)[0])
        moved.append(weights_of(generator))
    again, further = (
        all(np.array_equal(*pair) for pair in zip(moved[0], other, strict=True))
        for other in moved[1:]
    )
    assert again, "the same step is not the same"
    return further


def losses_of_a_step(lesson, small_data, *options):
    """The label and the value of each real_loss in a training step, in order; and its figures."""
    model, settings, sets = build(lesson, small_data, "--batch-size", 4, *options)
    labels, losses, loss = [], [], model.real_loss

    def watched(wanted, said):
        (label,) = np.unique(wanted)
        labels.append(float(label))
        losses.append(loss(wanted, said))
        return losses[-1]

    model.real_loss = watched
    figures = model.train_step(batches_of(settings, sets, 1)[0])
    return labels, [float(one) for one in losses], {k: float(v) for k, v in figures.items()}


def layers_of(network, kind):
    """All layers of a kind, also those of the networks within, in the order of the calls."""
    found = []
    for layer in network.layers:
        found += layers_of(layer, kind) if isinstance(layer, keras.Model) else [layer]
    return [layer for layer in found if isinstance(layer, kind)]


def weights_of(network):
    """Copies of what gradients move: batch norm's averages, moved by looking, are not among it."""
    return [tf.identity(weight).numpy() for weight in network.trainable_weights]


# -------------------------------------------------------------------------------------- as programs


def run_script(name, *args, cwd=None, **options):
    """Run a script as a user does; returns the finished process with its output as text."""
    command = [sys.executable, str(ROOT / f"{name}.py"), *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)


@pytest.fixture
def program(monkeypatch, capsys):
    """(name, arguments) -> what a program says on stdout; in this process, which starts sooner.

    Fails if it says anything on stderr, or ends with an error.
    """

    def run(name, *args, cwd=None):
        if cwd:
            monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, args)])
        capsys.readouterr()
        utils.run(importlib.import_module(name).main)
        said, errors = capsys.readouterr()
        assert errors == ""
        return said

    return run


@pytest.fixture
def refused(monkeypatch, capsys):
    """(name, arguments) -> the one line on stderr with which a program refuses them, code 2."""

    def run(name, *args):
        monkeypatch.setattr(sys, "argv", [f"{name.rpartition('.')[2]}.py", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            utils.run(importlib.import_module(name).main)
        errors = capsys.readouterr().err
        assert exit_.value.code == 2
        assert errors.count("\n") == 1
        assert errors.startswith(f"{name.rpartition('.')[2]}.py: ")
        return errors

    return run


def contents(folder):
    """{path: bytes} of all files in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def smoke(out, data="mnist", epochs=3, steps=4):
    """The options of a run that takes seconds, and whose figures can be compared to the bit."""
    options = ["--epochs", epochs, "--steps-per-epoch", steps, "--batch-size", 8, "--out", out]
    return [*options, "--data", data, "--precision", "float32", "--judge", JUDGE]


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """(name, make) -> the path at which `make(path)` has made something, for all test processes.

    The first that wants it makes it, while the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def made(name, make):
        path, done = shared / name, shared / f"{name}.done"
        try:
            (shared / f"{name}.begun").touch(exist_ok=False)
        except FileExistsError:
            deadline = time.monotonic() + 300
            while not done.exists():
                assert time.monotonic() < deadline, f"{name} was not made"
                time.sleep(0.1)
        else:
            try:
                make(path)
            finally:  # even if it failed, for nobody should wait for it any longer
                done.touch()
        return path

    return made


@pytest.fixture(scope="session")
def small_data(once):
    """A file of few digits."""

    def make(path):
        data = mnist_ds.load("mnist")
        arrays = {}
        for name, part in (("train", data.train), ("test", data.test)):
            arrays |= {f"x_{name}": part.images[:400], f"y_{name}": part.labels[:400]}
        np.savez(path, **arrays)

    return once("few.npz", make)


@pytest.fixture(scope="session")
def finished_run(small_data, once, tmp_path_factory):
    """lesson's name -> a copy of the folder of a smoke run, and its process."""
    finished = {}

    def run(name):
        def make(path):
            path.mkdir()
            process = run_script(name, *smoke(path / "run", small_data), cwd=path)
            ended = process.returncode, process.stdout, process.stderr
            (path / "ended.json").write_text(json.dumps(ended))

        if name not in finished:
            path = once(name, make)
            process = subprocess.CompletedProcess(
                [], *json.loads((path / "ended.json").read_text())
            )
            assert process.returncode == 0, process.stderr
            out = tmp_path_factory.mktemp(name) / "run"
            shutil.copytree(path / "run", out)
            finished[name] = (out, process)
        return finished[name]

    return run
