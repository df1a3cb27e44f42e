"""What is the same in every program here: arguments, seeds, precision, and files written whole.

Nothing of any one model is in here. A run's folder is in runs.py, the training loop in training.py.
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

import tensorflow_setup  # noqa: F401  first of all: before TensorFlow and Keras
import keras
import numpy as np
import tensorflow as tf
import tyro

# ---------------------------------------------------------------------------------------- arguments


class BadInput(ValueError):
    """Something that the user gave cannot be used; the message says what, why and the remedy."""


class Diverged(RuntimeError):
    """A loss became infinite or not a number."""


@dataclasses.dataclass
class Settings:
    """The settings of every script; each script adds its own. The comments are its --help."""

    # Is a run with more epochs the same run, going on? Not where a rate falls over all epochs.
    may_grow: ClassVar[bool] = True

    data: str = "mnist"
    """'mnist' (shipped), a folder of pictures, an .npz file laid out as data/mnist.npz, or the name
    of an image data set of tensorflow-datasets (fashion_mnist, cifar10, ...)"""
    size: int = 0
    """side in pixels that the pictures are brought to; 0 = as they are, in a folder 64"""
    train_pictures: int = 0
    """train on only so many pictures, the first of the data (in a folder: of the first classes);
    0 = on all"""
    out: str = "results"
    """folder for everything that the run writes"""
    epochs: int = 5
    """passes over the training data"""
    steps_per_epoch: int = 0
    """training steps in an epoch; 0 = as many as there are whole batches"""
    batch_size: int = 64
    """pictures in a batch"""
    seed: int = 0
    """of the weights, the order of the data and everything drawn at random"""
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    """auto = the precision in which the run began; for a new run mixed_bfloat16 where the processor
    is faster with it, else float32"""
    judge: str = ""
    """the classifier that scores the results, a .keras file that classifier.py has made; '' = the
    one that was trained for these data, if there is one"""
    fresh: bool = False
    """delete the run that is in the output folder and start over"""
    sample: tuple[str, ...] | None = None
    """picture files on which to use what an earlier run has trained; trains nothing, and takes all
    other settings from that run"""

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
        except ValueError as error:  # of gan_cnn's networks, which know nothing of BadInput
            raise BadInput(f"{error}; --size brings pictures to one such as 28, 32 or 64") from None

    def check_shape(self, image_shape):
        """Raise ValueError if pictures of (height, width, channels) do not fit the networks."""

    def steps_in_epoch(self, *data):
        """How many training steps an epoch has on this data; the smallest set of several counts."""
        return self.steps_per_epoch or min(len(d.train) for d in data) // self.batch_size


def require(true, option, value, expected):
    """Raise BadInput, naming the value and what was expected, unless `true`."""
    if not true:
        raise BadInput(f"{option} {value}: expected {expected}")


def parse(settings_class, doc, args=None, default=None):
    """The settings from the command line (or from the list `args`); a script's are checked.

    What is not given is as in `default`, an instance of the class. Raises BadInput for anything
    that cannot be taken; `--help` prints and exits with 0.
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
        # tyro draws a box of several lines; its first part says it all, and one line is enough.
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

    Uses of the same number would otherwise give the same random numbers: the first training masks
    would be the held-out ones.
    """
    return int(np.random.SeedSequence([seed, *use.encode()]).generate_state(1)[0] >> 1)


# --------------------------------------------------------------------------------------- precision


def device():
    """What computes, as text."""
    gpus = tf.config.list_physical_devices("GPU")
    what = f"1 of {len(gpus)} GPU" if gpus else f"CPU, {os.cpu_count()} cores"
    return f"{what}, {platform.machine()}; TensorFlow {tf.__version__}, Keras {keras.__version__}"


def chosen_precision(precision):
    """(the precision to compute in, why) for what --precision says."""
    if precision != "auto":
        return precision, "chosen by --precision"
    pays, why = bfloat16_pays()
    return "mixed_bfloat16" if pays else "float32", why


def bfloat16_pays():
    """(bool, why): is mixed_bfloat16 faster than float32 on this machine?

    On x86 only AMX makes it so: measured with AVX-512 alone it is 3 times slower, and with
    AVX512-BF16 1.25 times.
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
    """Write a file whole or not at all: yields a path beside it, moved over it at the end.

    What was written is on the disk before the move, so that a power cut leaves the old file or the
    new one.
    """
    path = pathlib.Path(path)
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        sync(part)
        os.replace(part, path)
        sync(path.parent)
    except PermissionError as error:  # on Windows: it is open elsewhere
        raise BadInput(
            f"{path}: cannot be written ({error.strerror}); close the program that has it open"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def sync(path):
    """Wait until a file is on the disk, or, of a folder, the names of its files."""
    if os.name == "nt" and os.path.isdir(path):
        return  # Windows keeps the names by itself, and has no call for it
    descriptor = os.open(path, os.O_RDWR if os.path.isfile(path) else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path, content):
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")


def folder(path):
    """Make this output folder and check that it can be written to."""
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
    """Rows, dictionaries with the same keys, as a CSV file whose floats read back to the bit."""
    with replacing(path) as part, open(part, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else ())
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    """The rows of `write_csv`; numbers only."""
    with open(path, newline="") as file:
        return [
            {k: int(v) if k in ("epoch", "step") else float(v) for k, v in row.items()}
            for row in csv.DictReader(file)
        ]
