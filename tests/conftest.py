import dataclasses
import importlib
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import utils  # noqa: F401, first of all: it quiets TensorFlow's start-up messages
import keras
import numpy as np
import tensorflow as tf

import mnist_ds


@dataclasses.dataclass
class Script:
    """What the tests that run over all scripts need to know of one."""

    name: str
    model: str
    # Which network each optimizer of the model moves, by the name of its learning rate's setting.
    moves: dict


SCRIPTS = [
    Script(
        "ccgan",
        "CCGAN",
        {"g_learning_rate": ["generator", "average"], "d_learning_rate": ["discriminator"]},
    ),
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


def build(script, data, **settings):
    """A script's model with these settings, and the settings."""
    module = importlib.import_module(script.name)
    chosen = module.Settings(**settings)
    keras.utils.set_random_seed(chosen.seed)
    model = getattr(module, script.model)(chosen, data.image_shape, data.num_classes)
    return model, chosen


def first_batches(data, count, batch_size=16, seed=0):
    return list(mnist_ds.batches(data, batch_size, seed).take(count))


def run_script(name, *args, cwd=None, **options):
    """Run a script as a user does; returns the finished process with its output as text."""
    command = [sys.executable, str(ROOT / f"{name}.py"), *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)


def smoke(out, epochs=2, steps=4):
    """The options of a run that takes seconds."""
    return ["--epochs", epochs, "--steps-per-epoch", steps, "--batch-size", 8, "--out", out]


def smoke_float32(out, *more):
    """A smoke run of three epochs whose figures can be compared to the bit."""
    return [*smoke(out, epochs=3), "--precision", "float32", *more]


@pytest.fixture(scope="session")
def small_data(data, tmp_path_factory):
    """A file of few digits, for which there is no classifier: its runs end without scoring."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    parts = {
        "train": (data.train_images, data.train_labels),
        "test": (data.test_images, data.test_labels),
    }
    arrays = {}
    for part, (images, labels) in parts.items():
        arrays |= {f"x_{part}": images[:200], f"y_{part}": labels[:200]}
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory):
    """(script name, more options) -> folder and process of a smoke run, made when first wanted."""
    runs = {}

    def finished(name, *more):
        if (name, *more) not in runs:
            out = tmp_path_factory.mktemp(name) / "run"
            process = run_script(name, *smoke_float32(out, *more), cwd=out.parent)
            assert process.returncode == 0, process.stderr
            runs[name, *more] = (out, process)
        return runs[name, *more]

    return finished


def weights_of(network):
    """Copies of what gradients move: batch norm's averages, moved by looking, are not among it."""
    return [tf.identity(weight).numpy() for weight in network.trainable_weights]
