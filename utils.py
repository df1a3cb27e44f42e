"""What is the same in every script: arguments, seeds, precision, the training loop and saving.

Nothing of any one model is in here: `train` drives whatever has a Keras `train_step`.
"""

import contextlib
import csv
import dataclasses
import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
from typing import Literal


@contextlib.contextmanager
def quiet():
    """Hold back what is written to stderr below Python: TensorFlow's start-up messages."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


# Both are read once, when TensorFlow and Keras are first imported: hence "import utils" first.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
with quiet():
    import tensorflow as tf
import keras
import numpy as np
import tqdm
import tyro

import visual

# TensorFlow's graph remapper cannot take a LeakyReLU behind a biased convolution apart for its
# gradient, reports that as an error at every start, and gains nothing here where it can.
tf.config.optimizer.set_experimental_options({"remapping": False})

# ---------------------------------------------------------------------------------------- arguments


class BadInput(ValueError):
    """Something that the user gave cannot be used; the message says what, why and the remedy."""


class Diverged(RuntimeError):
    """A loss became infinite or not a number."""


@dataclasses.dataclass
class Settings:
    """The settings of every script; each script adds its own. The comments are its --help."""

    data: str = "mnist"
    """'mnist' (shipped), a folder of pictures, an .npz file laid out as data/mnist.npz, or the name
    of an image data set of tensorflow-datasets (fashion_mnist, cifar10, ...)"""
    size: int = 0
    """side in pixels that the pictures are brought to; 0 = as they are, in a folder 64"""
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
    """auto = mixed_bfloat16 where the processor is faster with it, else float32"""
    fresh: bool = False
    """delete the run that is in the output folder and start over"""
    sample: tuple[str, ...] = ()
    """picture files on which to use what an earlier run has trained; trains nothing"""

    def check(self):
        """Raise BadInput for values that no run can have. Scripts extend it."""
        require(self.size == 0 or 8 <= self.size <= 1024, "--size", self.size, "8 to 1024, or 0")
        require(self.epochs >= 0, "--epochs", self.epochs, "0 or more")
        require(self.steps_per_epoch >= 0, "--steps-per-epoch", self.steps_per_epoch, "0 or more")
        require(self.batch_size >= 1, "--batch-size", self.batch_size, "1 or more")
        require(0 <= self.seed < 2**31, "--seed", self.seed, "0 to 2147483647")

    def check_data(self, data):
        """Raise BadInput for values that do not fit this mnist_ds.Data."""
        count = len(data.train_images)
        limit = f"at most {count}, the number of training pictures of {data.name}"
        require(self.batch_size <= count, "--batch-size", self.batch_size, limit)
        self.check_shape(data.image_shape)

    def steps_in_epoch(self, *data):
        """How many training steps an epoch has on this data; the smallest set of several counts."""
        return self.steps_per_epoch or min(len(d.train_images) for d in data) // self.batch_size

    def check_shape(self, image_shape):
        """Raise BadInput for values that do not fit pictures of (height, width, channels)."""


def require(true, option, value, expected):
    """Raise BadInput, naming the value and what was expected, unless `true`."""
    if not true:
        raise BadInput(f"{option} {value}: expected {expected}")


def parse(settings_class, doc, args=None):
    """The settings from the command line (or from the list `args`); a script's are checked.

    Raises BadInput for anything that cannot be taken; `--help` prints and exits with 0.
    """
    said = io.StringIO()
    program = pathlib.Path(sys.argv[0]).name
    try:
        with contextlib.redirect_stderr(said):
            settings = tyro.cli(settings_class, prog=program, description=doc, args=args)
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
        print(f"\n{program}: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


# ------------------------------------------------------------------------------ seeds and precision


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


def start(settings, *data):
    """Check the settings against the data, seed everything, set the precision, and say all that."""
    for part in data:
        settings.check_data(part)
    folder(settings.out)
    keras.utils.set_random_seed(settings.seed)
    pays, why = bfloat16_pays()
    policy, reason = settings.precision, "chosen by --precision"
    if policy == "auto":
        policy, reason = "mixed_bfloat16" if pays else "float32", why
    keras.config.set_dtype_policy(policy)
    gpus = tf.config.list_physical_devices("GPU")
    device = f"{len(gpus)} GPU" if gpus else f"CPU, {os.cpu_count()} cores"
    steps = settings.steps_in_epoch(*data)
    chosen = dataclasses.asdict(settings)
    for part in data:
        print(f"data       {part}")
    print(f"device     {device}; TensorFlow {tf.__version__}, Keras {keras.__version__}")
    print(f"precision  {policy} ({reason})")
    print("settings   " + ", ".join(f"{k}={v}" for k, v in chosen.items() if k not in NOT_COMPARED))
    print(
        f"training   {settings.epochs} epochs of {steps} steps; everything goes into {settings.out}"
    )


@contextlib.contextmanager
def dtype_policy(name):
    """Build what is inside with this precision, whatever the run's own."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


# ------------------------------------------------------------------------------------------- saving


@contextlib.contextmanager
def replacing(path):
    """Write a file whole or not at all: yields a path beside it, moved over it at the end."""
    path = pathlib.Path(path)
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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


# --------------------------------------------------------------------------------- the run's folder

# What may differ between two commands that are the same run: whether it is one run, not its result.
NOT_COMPARED = ("out", "fresh", "sample")
# What a run writes into its folder, and so what --fresh deletes from it; settings.json comes last,
# for it marks the folder as a run's.
WRITTEN = (
    "frames/[0-9][0-9][0-9]*.png",
    "checkpoint/*",
    "generating.gif",
    "samples.png",
    "sampled.png",
    "losses.png",
    "history.csv",
    "scores.json",
    "generator*.keras",
    ".part-*",
    "settings.json",
)


def open_run(settings):
    """The folder of this run, new or as an earlier, unfinished or shorter run of it left it.

    Raises BadInput, and changes nothing, if the folder holds anything else.
    """
    out = folder(settings.out)
    mine = {k: v for k, v in dataclasses.asdict(settings).items() if k not in NOT_COMPARED}
    mine = json.loads(json.dumps(mine))  # tuples become lists, as in the file
    marker = out / "settings.json"
    if not marker.exists():
        if any(not path.name.startswith(".part-") for path in out.iterdir()):
            raise BadInput(
                f"--out {out}: the folder holds files, but no run of this program; choose an empty "
                "or a new one"
            )
    elif settings.fresh:
        for pattern in WRITTEN:
            for path in out.glob(pattern):
                path.unlink()
    else:
        try:
            theirs = json.loads(marker.read_text())
        except (OSError, ValueError):
            theirs = {}
        differences = [
            f"{name} {theirs.get(name)} there, {mine.get(name)} now"
            for name in sorted(mine.keys() | theirs.keys())
            if theirs.get(name) != mine.get(name)
            # More epochs of the same is the same run, going on.
            and not (name == "epochs" and (theirs.get(name) or 0) < mine[name])
        ]
        if differences:
            state = "a finished run" if (out / "scores.json").exists() else "an unfinished run"
            raise BadInput(
                f"--out {out}: {state} with other settings is there ({'; '.join(differences)}); "
                "choose another --out, or delete that run with --fresh"
            )
    (out / "frames").mkdir(exist_ok=True)
    write_json(marker, mine)
    return out


# ----------------------------------------------------------------------------------------- training


def adam(network, learning_rate, beta_1=0.5):
    """An Adam of its own for one network.

    beta_1 = 0.5 as in DCGAN: with the default 0.9 two networks that train against each other swing
    back and forth. Built at once, for an optimizer that makes its slots in the first step traces
    that step twice.
    """
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=beta_1)
    optimizer.build(network.trainable_weights)
    return optimizer


@dataclasses.dataclass
class Run:
    """What `train` gives back: the folder, and one row of figures for every training step."""

    out: pathlib.Path
    history: list
    trained: bool  # or was it finished before?


class InterruptFlag:
    """Within `with`, Ctrl-C only sets `.set`, so that no file is left half written.

    A second Ctrl-C interrupts at once.
    """

    set = False

    def __enter__(self):
        self.before = signal.signal(signal.SIGINT, self.handle)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, self.before)

    def handle(self, *_):
        if self.set:
            raise KeyboardInterrupt
        self.set = True


def train(gan, settings, batches, picture):
    """Train a model, epoch by epoch, from where an earlier run of the same command was stopped.

    After every epoch: a frame, the GIF of the frames so far, the history, and at last a checkpoint
    of all that the next epoch depends on, so that a run that was killed goes on as if it had not
    been. The loop is written over `tf.distribute.get_strategy()`: under a strategy's scope every
    replica takes its share of each batch. (The optimizers then sum the replicas' gradients; Adam's
    steps do not depend on the scale of the gradient.)

    Args:
        gan: a keras.Model whose `train_step(batch)` returns {name: scalar}. All its state must be
            in Keras variables, among them its SeedGenerators.
        settings: the script's Settings.
        batches: epoch -> tf.data.Dataset of one epoch's batches, the same for the same epoch.
        picture: caption -> PIL image of how the model does now on fixed inputs.

    Returns a Run. Raises BadInput for a folder that holds something else, Diverged if a figure
    stops being a finite number, SystemExit(130) after Ctrl-C.
    """
    strategy = tf.distribute.get_strategy()
    out = open_run(settings)
    # Checkpoints find weights and optimizers by themselves, but not the state of what is random.
    random = [v.value for v in gan.variables if v.path.endswith("seed_generator_state")]
    checkpoint = tf.train.Checkpoint(gan=gan, random=random)
    manager = tf.train.CheckpointManager(checkpoint, str(out / "checkpoint"), max_to_keep=1)
    done, history = 0, []
    if manager.latest_checkpoint:
        done, history = restore(checkpoint, manager.latest_checkpoint, out)
        print(f"resuming   {done} of {settings.epochs} epochs are there; --fresh starts over")
    trained = done < settings.epochs
    for path in frame_paths(out)[done + 1 :]:  # of an epoch whose checkpoint was not finished
        path.unlink()

    def show(epoch):
        with replacing(out / "frames" / f"{epoch:03d}.png") as part:
            picture(f"epoch {epoch}").save(part, format="PNG")
        with replacing(out / "generating.gif") as part:
            visual.save_gif(part, frame_paths(out))

    @tf.function
    def step(batch):
        figures = strategy.run(gan.train_step, args=(batch,))
        return {name: strategy.reduce("mean", value, axis=None) for name, value in figures.items()}

    with InterruptFlag() as interrupt:
        if not done:
            show(0)
            print(f"untrained  {frame_paths(out)[-1]}")
        for epoch in range(done + 1, settings.epochs + 1):
            dataset = batches(epoch)
            if settings.steps_per_epoch:
                dataset = dataset.repeat().take(settings.steps_per_epoch)
            dataset = strategy.experimental_distribute_dataset(dataset)
            rows = train_epoch(step, dataset, epoch, history, interrupt)
            if interrupt.set:
                break
            history += rows
            show(epoch)
            write_csv(out / "history.csv", history)
            manager.save(checkpoint_number=epoch)
            done = epoch
            print(f"epoch {epoch:<5}{summary(rows)}  {frame_paths(out)[-1]}")
            if interrupt.set:
                break
    if interrupt.set and done < settings.epochs:
        print(
            f"stopped    {done} of {settings.epochs} epochs are kept, their frames in "
            f"{out / 'generating.gif'}; the same command goes on from there"
        )
        sys.exit(130)
    return Run(out, history, trained)


def train_epoch(step, dataset, epoch, history, interrupt):
    """The steps of one epoch, under a progress bar; returns their rows for the history."""
    steps_before = history[-1]["step"] if history else 0
    seconds_before = history[-1]["seconds"] if history else 0.0
    rows = []
    began = time.perf_counter()
    # disable=None: no bar where it could not be redrawn in place, as in a file or a pipe.
    bar = tqdm.tqdm(dataset, f"epoch {epoch}", unit="step", leave=False, disable=None)
    for batch in bar:
        figures = {name: float(value) for name, value in step(batch).items()}
        for name, value in figures.items():
            if not np.isfinite(value):
                bar.close()
                raise Diverged(
                    f"{name} became {value} in step {len(rows) + 1} of epoch {epoch}; the epochs "
                    "before it are kept. Try a smaller learning rate or --precision float32, "
                    "with --fresh or another --out"
                )
        seconds = seconds_before + time.perf_counter() - began
        rows.append(
            {"epoch": epoch, "step": steps_before + len(rows) + 1, "seconds": round(seconds, 3)}
            | figures
        )
        bar.set_postfix_str(summary(rows[-20:]), refresh=False)
        if interrupt.set:
            break
    bar.close()
    return rows


def summary(rows):
    """The figures of the history's rows, averaged, as text."""
    names = [name for name in rows[0] if name not in ("epoch", "step", "seconds")]
    return "  ".join(f"{name} {np.mean([row[name] for row in rows]):.3f}" for name in names)


def restore(checkpoint, path, out):
    """Restore `<folder>/ckpt-<epoch>`; returns that epoch and the history up to it, all whole."""
    epoch = int(path.rpartition("-")[2])
    try:
        checkpoint.restore(path).assert_existing_objects_matched()
        history = [row for row in read_csv(out / "history.csv") if row["epoch"] <= epoch]
        if len(frame_paths(out)) <= epoch or history[-1]["epoch"] != epoch:
            raise ValueError("frames or rows of history.csv are missing")
    except (OSError, ValueError, LookupError, AssertionError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:100]
        raise BadInput(
            f"--out {out}: the run there is damaged ({reason}); start it over with --fresh"
        ) from None
    return epoch, history


def frame_paths(out):
    """The frames of a run, in order."""
    return sorted((out / "frames").glob("[0-9]*.png"), key=lambda path: int(path.stem))


def peak_memory():
    """{"peak_memory": how many GB this process has needed at most}; {} where no one can tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}


def finish(run, generators, scores, rows, names):
    """Save the generators, figures and scores of a finished run, and say how it went.

    Args:
        run: what `train` gave back.
        generators: {file's name without .keras: keras.Model}.
        scores: {name: figure}.
        rows, names: of the samples, as visual.save_figure takes them.
    """
    out = run.out
    for name, generator in generators.items():
        with replacing(out / f"{name}.keras") as part:
            generator.save(part)
    with replacing(out / "samples.png") as part:
        visual.save_figure(part, rows, names)
    if run.history:
        with replacing(out / "losses.png") as part:
            visual.save_losses(part, run.history)
        scores = scores | {
            "train_steps": run.history[-1]["step"],
            "train_seconds": run.history[-1]["seconds"],
            **(peak_memory() if run.trained else {}),
        }
    write_json(out / "scores.json", scores)
    width = max(len(name) for name in scores)
    for name, value in scores.items():
        print(f"score      {name:{width}} {value:.4g}")
    saved = [f"{name}.keras" for name in generators]
    for name in ("generating.gif", "samples.png", "losses.png", "scores.json", *saved):
        if (out / name).exists():
            print(f"written    {out / name}")


# ----------------------------------------------------------------------------------------- sampling


def load_generator(settings, name="generator"):
    """The generator that an earlier run saved in the output folder, a keras.Model."""
    path = pathlib.Path(settings.out) / f"{name}.keras"
    if not path.is_file():
        raise BadInput(
            f"--sample needs a trained generator, and there is no {path}; train one first by the "
            "same command without --sample, or name its folder with --out"
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise BadInput(f"{path} cannot be loaded ({reason}); train it again with --fresh") from None


def as_trained(settings, *names):
    """These settings, those of them that are named as the run in the output folder has them."""
    path = pathlib.Path(settings.out) / "settings.json"
    try:
        theirs = json.loads(path.read_text())
        return dataclasses.replace(settings, **{name: theirs[name] for name in names})
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path} cannot be used ({error}); train again with --fresh") from None


def save_samples(settings, rows, names):
    """Write `sampled.png`, a labelled figure of {label: pictures}, one named column for each."""
    out = folder(settings.out)
    names = [pathlib.Path(str(name)).name for name in names]
    with replacing(out / "sampled.png") as part:
        visual.save_figure(part, rows, names)
    print(f"results    {out / 'sampled.png'}")
