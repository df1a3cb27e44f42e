"""What all programs here share: arguments, seeds, precision, and the safe writing of files.

Nothing here belongs to a single model. The folder of a run is in runs.py, the training loop in
training.py.
"""

import contextlib
import csv
import dataclasses
import io
import json
import os
import pathlib
import platform
import sys
import tempfile
from typing import ClassVar, Literal

import tensorflow_setup  # noqa: F401  must come before TensorFlow and Keras
import keras
import numpy as np
import tensorflow as tf
import tyro

# ---------------------------------------------------------------------------------------- arguments


class BadInput(ValueError):
    """An input of the user cannot be used. The message says what, why, and what to do."""


class Diverged(RuntimeError):
    """A loss became infinite or not a number."""


@dataclasses.dataclass
class Settings:
    """The settings of every script; each script adds its own. The texts below are its --help."""

    # Can a run resume with more epochs? Not if a learning rate depends on the number of epochs.
    may_grow: ClassVar[bool] = True

    data: str = "mnist"
    """'mnist' (shipped), a folder of pictures, an .npz file with the same arrays as data/mnist.npz,
    or the name of an image data set of tensorflow-datasets (fashion_mnist, cifar10, ...)"""
    size: int = 0
    """pictures are resized to this side in pixels; 0 = not resized (pictures of a folder: 64)"""
    train_pictures: int = 0
    """use only the first N pictures for training (of a folder, those of the first classes);
    0 = all"""
    out: str = "results"
    """folder for everything that the run writes"""
    epochs: int = 5
    """passes over the training data"""
    steps_per_epoch: int = 0
    """training steps in an epoch; 0 = all complete batches"""
    batch_size: int = 64
    """pictures in a batch"""
    seed: int = 0
    """seed of the initial weights, the order of the data and all random numbers"""
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    """auto = the precision in which the run began; for a new run mixed_bfloat16 if the processor is
    faster with it, else float32"""
    judge: str = ""
    """the classifier that computes the scores, a .keras file from classifier.py; '' = the one that
    was trained for these data, if it exists"""
    fresh: bool = False
    """delete the run in the output folder and start again"""
    sample: tuple[str, ...] | None = None
    """picture files for the generator of an earlier run; nothing is trained, and all other settings
    come from that run"""

    def check(self):
        """Raise BadInput for values that no run can have. Scripts extend it."""
        require(self.size == 0 or 8 <= self.size <= 1024, "--size", self.size, "8 to 1024, or 0")
        require(self.train_pictures >= 0, "--train-pictures", self.train_pictures, "0 or more")
        require(self.epochs >= 0, "--epochs", self.epochs, "0 or more")
        require(self.steps_per_epoch >= 0, "--steps-per-epoch", self.steps_per_epoch, "0 or more")
        require(self.batch_size >= 1, "--batch-size", self.batch_size, "1 or more")
        require(0 <= self.seed < 2**31, "--seed", self.seed, "0 to 2147483647")
        found = not self.judge or os.path.isfile(self.judge)
        require(found, "--judge", self.judge, "a .keras file that classifier.py has made")
        require(self.sample != (), "--sample", "", "at least one file (or label) behind it")

    def check_data(self, data):
        """Raise BadInput for values that do not fit this mnist_ds.Data."""
        count = len(data.train)
        limit = f"at most {count}, the number of training pictures of {data.name}"
        require(self.batch_size <= count, "--batch-size", self.batch_size, limit)
        try:
            self.check_shape(data.picture_shape)
        except BadInput:
            raise
        except ValueError as error:  # from gan_cnn, which does not know BadInput
            raise BadInput(f"{error}; --size brings pictures to one such as 28, 32 or 64") from None

    def check_shape(self, image_shape):
        """Raise ValueError if pictures of (height, width, channels) do not fit the networks."""

    def steps_in_epoch(self, *data):
        """Number of training steps in an epoch; of several data sets, the smallest one counts."""
        return self.steps_per_epoch or min(len(d.train) for d in data) // self.batch_size


def require(true, option, value, expected):
    """Raise BadInput, naming the value and what was expected, unless `true`."""
    if not true:
        raise BadInput(f"{option} {value}: expected {expected}")


def parse(settings_class, doc, args=None, default=None):
    """The settings from the command line (or from the list `args`). Those of a script
    are also checked.

    Settings that are not given come from `default`, an instance of the class. Raises BadInput for
    arguments that cannot be used; `--help` prints the help and exits with 0.
    """
    said = io.StringIO()
    program = pathlib.Path(sys.argv[0])
    tool = program.parent.name == "tools"
    program = f"-m tools.{program.stem}" if tool else program.name
    given = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(said):
            settings = tyro.cli(
                settings_class, prog=f"python {program}", description=doc, args=args, **given
            )
    except SystemExit as exit_:
        if exit_.code in (0, None):
            raise
        # tyro prints a box of several lines. We keep its first part, as one line.
        lines = [line.strip("│ ") for line in said.getvalue().splitlines()[1:]]
        rule = next((i for i, line in enumerate(lines) if set(line) <= set("─╰╯")), len(lines))
        raise BadInput(f"{' '.join(lines[:rule])}; see python {program} --help") from None
    if isinstance(settings, Settings):
        settings.check()
    return settings


def run(main):
    """Run a script's `main`; bad input becomes one line on stderr and exit code 2."""
    program = pathlib.Path(sys.argv[0]).name
    try:
        main()
    except BadInput as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(2)
    except Diverged as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"\n{program}: stopped", file=sys.stderr)
        sys.exit(130)


# ------------------------------------------------------------------------------------------- seeds


def stream(seed, use):
    """A seed for one use of the run's seed, such as "order 3": an int from 0 to 2**31 - 1.

    Without this, two uses of one seed would give the same random numbers. For example, the first
    training masks would be the test masks.
    """
    return int(np.random.SeedSequence([seed, *use.encode()]).generate_state(1)[0] >> 1)


# --------------------------------------------------------------------------------------- precision


def device():
    """The processor and the versions of TensorFlow and Keras, as text."""
    gpus = tf.config.list_physical_devices("GPU")
    what = f"1 of {len(gpus)} GPU" if gpus else f"CPU, {os.cpu_count()} cores"
    return f"{what}, {platform.machine()}; TensorFlow {tf.__version__}, Keras {keras.__version__}"


def chosen_precision(precision):
    """(precision of the run, reason) for the value of --precision."""
    if precision != "auto":
        return precision, "chosen by --precision"
    pays, why = bfloat16_pays()
    return "mixed_bfloat16" if pays else "float32", why


def bfloat16_pays():
    """(bool, reason): is mixed_bfloat16 faster than float32 on this machine?

    On x86 it is faster only with AMX. We measured that it is 3 times slower with AVX-512 alone, and
    1.25 times slower with AVX512-BF16.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        pays = capability is not None and capability >= (8, 0)
        return pays, f"a GPU of compute capability {capability}, bfloat16 pays from 8.0 up"
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    if "amx_bf16" in flags:
        return True, "this CPU has AMX, which is faster with it"
    return False, "this CPU has no AMX, without which bfloat16 is slower"


# ------------------------------------------------------------------------------------------- files


@contextlib.contextmanager
def replacing(path):
    """Write a file completely or not at all.

    Yields a temporary path in the same folder, which replaces the file at the end. Its content is
    on the disk before that. So after a power failure there is the old file or the new one. Raises
    BadInput if the file cannot be replaced, because another program has it open.
    """
    path = pathlib.Path(path)
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        sync(part)
        os.replace(part, path)
        sync(path.parent)
    except PermissionError as error:  # on Windows: another program has it open
        raise BadInput(
            f"{path}: cannot be written ({error.strerror}); close the program that has it open"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def sync(path):
    """Wait until a file is on the disk; for a folder, until the names of its files are."""
    if os.name == "nt" and os.path.isdir(path):
        return  # Windows writes the names by itself, and has no call for it
    descriptor = os.open(path, os.O_RDWR if os.path.isfile(path) else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path, content):
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")


def folder(path):
    """Create this output folder and check that files can be written there; BadInput if not."""
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise BadInput(
            f"--out {path}: cannot write there ({error.strerror}); choose another folder"
        ) from None
    return path


def write_csv(path, rows):
    """Write rows, dictionaries with the same keys, to a CSV file. Floats keep their exact value."""
    with replacing(path) as part, open(part, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else ())
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    """Read the rows that `write_csv` has written; all values are numbers."""
    with open(path, newline="") as file:
        return [
            {k: int(v) if k in ("epoch", "step") else float(v) for k, v in row.items()}
            for row in csv.DictReader(file)
        ]
