import dataclasses
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

import utils  # first of all: it quiets TensorFlow's start-up messages
import keras
import numpy as np
import tensorflow as tf

import mnist_ds


@dataclasses.dataclass
class Script:
    """What the tests that run over all scripts need to know of one."""

    name: str
    model: str
    # Which networks each learning rate moves, by the name of its setting.
    moves: dict
    # The classes of the data sets that it takes, if not one of all classes.
    classes: tuple = ()
    # What it may be asked to do with a trained generator.
    sample: str = "1"

    def parts(self, data):
        """The data sets that it trains on, of this one."""
        return [data.only(name) for name in self.classes] or [data]

    @property
    def networks(self):
        return [name for names in self.moves.values() for name in names]


ONE_PAIR = {"g_learning_rate": ["generator", "average"], "d_learning_rate": ["discriminator"]}
TWO_PAIRS = {
    "g_learning_rate": ["g12", "g21", "average12", "average21"],
    "d_learning_rate": ["d1", "d2"],
}
SCRIPTS = [
    Script("ccgan", "CCGAN", ONE_PAIR),
    Script("cgan", "CGAN", ONE_PAIR),
    Script("dcgan", "DCGAN", ONE_PAIR),
    Script("pix2pix", "Pix2Pix", ONE_PAIR),
    Script("cyclegan", "CycleGAN", TWO_PAIRS, classes=("6", "9")),
]


@pytest.fixture(params=SCRIPTS, ids=lambda script: script.name)
def script(request):
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


def named(name):
    return next(script for script in SCRIPTS if script.name == name)


def build(script, data, **settings):
    """A script's model with these settings, and the settings."""
    module = importlib.import_module(script.name)
    chosen = module.Settings(**settings)
    keras.utils.set_random_seed(chosen.seed)
    return getattr(module, script.model)(chosen, *script.parts(data)), chosen


def batches_for(script, data, count, batch_size=16, seed=0):
    """The first batches that a script trains on, as a list."""
    chosen = importlib.import_module(script.name).Settings(batch_size=batch_size, seed=seed)
    return list(mnist_ds.epochs(chosen, *script.parts(data))(1).take(count))


def part_of(data, count):
    """The first pictures of the training and of the test part, under the same name."""
    parts = data.train_images, data.train_labels, data.test_images, data.test_labels
    return mnist_ds.Data(data.name, *(part[:count] for part in parts))


def run_script(name, *args, cwd=None, **options):
    """Run a script as a user does; returns the finished process with its output as text."""
    command = [sys.executable, str(ROOT / f"{name}.py"), *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)


@pytest.fixture
def program(monkeypatch, capsys):
    """(name, arguments) -> what a script says on stdout; in this process, which starts sooner.

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


def smoke(out, data="mnist", epochs=3, steps=7):
    """The options of a run that takes seconds, and whose figures can be compared to the bit."""
    options = ["--epochs", epochs, "--steps-per-epoch", steps, "--batch-size", 8, "--out", out]
    return [*options, "--data", data, "--precision", "float32"]


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
def small_data(data, once):
    """A file of few digits, by whose name the shipped classifier is found."""

    def make(path):
        parts = {
            "train": (data.train_images, data.train_labels),
            "test": (data.test_images, data.test_labels),
        }
        arrays = {}
        for part, (images, labels) in parts.items():
            arrays |= {f"x_{part}": images[:400], f"y_{part}": labels[:400]}
        np.savez(path, **arrays)

    return once("mnist.npz", make)


@pytest.fixture(scope="session")
def finished_run(small_data, once, tmp_path_factory):
    """script's name -> a copy of the folder of a smoke run, and its process."""
    runs = {}

    def finished(name):
        def make(path):
            path.mkdir()
            process = run_script(name, *smoke(path / "run", small_data), cwd=path)
            ended = process.returncode, process.stdout, process.stderr
            (path / "ended.json").write_text(json.dumps(ended))

        if name not in runs:
            path = once(name, make)
            process = subprocess.CompletedProcess(
                [], *json.loads((path / "ended.json").read_text())
            )
            assert process.returncode == 0, process.stderr
            out = tmp_path_factory.mktemp(name) / "run"
            shutil.copytree(path / "run", out)
            runs[name] = (out, process)
        return runs[name]

    return finished


def weights_of(network):
    """Copies of what gradients move: batch norm's averages, moved by looking, are not among it."""
    return [tf.identity(weight).numpy() for weight in network.trainable_weights]
