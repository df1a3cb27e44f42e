"""Starting, training and finishing a run: the same for every script.

Nothing here belongs to a single model: `train` works for every model with a Keras `train_step`.
"""

import pathlib
import re
import signal
import sys
import time

import utils  # must be the first import: it prepares TensorFlow
import keras
import numpy as np
import tensorflow as tf
import tqdm

import classifier
import mnist_ds
import runs
import visual


def start(settings, *data):
    """Check the settings against the data, open the run's folder, set the seed and the precision,
    and print all this. Returns a runs.Run.

    Raises BadInput if something does not fit, before anything is written.
    """
    for part in data:
        settings.check_data(part)
        if settings.judge:
            classifier.load_judge(part, settings.judge)  # an error now, not after the training
    policy, why = precision_of(settings)
    run = runs.Run(settings, data, policy)
    runs.open_run(run)
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(policy)
    steps = settings.steps_in_epoch(*data)
    chosen = run.chosen | {"out": settings.out}
    for part in data:
        print(f"data       {part}")
    print(f"device     {utils.device()}")
    print(f"precision  {policy} ({why})")
    print("settings   " + ", ".join(f"{name}={value}" for name, value in chosen.items()))
    print(
        f"training   {settings.epochs} epochs of {steps} steps; everything goes into {settings.out}"
    )
    return run


def precision_of(settings):
    """(precision of the run, reason); a run that resumes keeps its precision."""
    mark = None if settings.fresh else runs.checked_mark(settings)
    if settings.precision == "auto" and mark and runs.checkpoints(pathlib.Path(settings.out)):
        return mark["precision"], "as this run began"
    return utils.chosen_precision(settings.precision)


class InterruptFlag:
    """Within `with`, Ctrl-C only sets `.set`, so that every file is written completely.

    A second Ctrl-C interrupts immediately.
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


def train(run, gan, picture, batches=None):
    """Train a model, epoch by epoch, from where an earlier run of the same command stopped.

    After every epoch it writes the history and a checkpoint. The checkpoint contains everything
    that the next epoch depends on, so that a run that was killed gives the same result after it
    resumes. Then it writes a frame, and the GIF of the frames so far. The loop works with
    `tf.distribute.get_strategy()`: in a strategy's scope every replica gets a part of each batch.
    (The optimizers then add the replicas' gradients; Adam's steps do not depend on the scale of the
    gradient.)

    Args:
        run: the result of `start`; its history is filled.
        gan: a keras.Model whose `train_step(batch)` returns {name: scalar}. All its state must be
            in Keras variables, also that of its gan_cnn.RandomStreams.
        picture: caption -> PIL image of the model's current results for fixed inputs.
        batches: epoch -> tf.data.Dataset of one epoch's batches, the same for the same epoch;
            None = the batches of the run's data.

    Raises BadInput for a run that is damaged, Diverged if a loss (or another value of the step) is
    no longer a finite number, SystemExit(130) after Ctrl-C.
    """
    settings, out = run.settings, run.out
    batches = batches or mnist_ds.epochs(settings, *run.data)
    strategy = tf.distribute.get_strategy()
    # Checkpoints contain weights and optimizers automatically, but not the state of the random
    # generators.
    random = [v.value for v in gan.variables if v.path.endswith("seed_generator_state")]
    checkpoint = tf.train.Checkpoint(gan=gan, random=random)
    done = 0
    if runs.checkpoints(out):
        done, run.history = restore(checkpoint, out)
        print(f"resuming   {done} of {settings.epochs} epochs are there; --fresh starts over")
    run.trained = done < settings.epochs
    if run.trained:
        (out / "scores.json").unlink(missing_ok=True)  # it belongs to fewer epochs
    for path in runs.frame_paths(out):
        if int(path.stem) > done:  # its epoch has no complete checkpoint
            path.unlink()

    def show(epoch):
        path = out / "frames" / f"{epoch:03d}.png"
        try:
            with utils.replacing(path) as part:
                visual.save_frame(part, picture(f"epoch {epoch}"))
            with utils.replacing(out / "generating.gif") as part:
                visual.save_gif(part, runs.frame_paths(out))
        except (OSError, utils.BadInput) as error:  # on Windows, if the GIF is open in a program
            print(f"warning    no picture of epoch {epoch} ({error}); training continues")
        return path if path.exists() else ""

    @tf.function
    def step(batch):
        figures = strategy.run(gan.train_step, args=(batch,))
        return {name: strategy.reduce("mean", value, axis=None) for name, value in figures.items()}

    with InterruptFlag() as interrupt:
        if not (out / "frames" / f"{done:03d}.png").exists():
            shown = show(done)
            if not done:
                print(f"untrained  {shown}")
        for epoch in range(done + 1, settings.epochs + 1):
            dataset = batches(epoch)
            if settings.steps_per_epoch:
                dataset = dataset.repeat().take(settings.steps_per_epoch)
            dataset = strategy.experimental_distribute_dataset(dataset)
            rows = train_epoch(step, dataset, epoch, run.history, interrupt)
            if interrupt.set:
                break
            run.history += rows
            utils.write_csv(out / "history.csv", run.history)
            save(checkpoint, out, epoch)
            done = epoch
            print(f"epoch {epoch:<5}{summary(rows)}  {show(epoch)}")
            if interrupt.set:
                break
    if interrupt.set and done < settings.epochs:
        same = "the same command without --fresh" if settings.fresh else "the same command"
        print(
            f"stopped    {done} of {settings.epochs} epochs are kept, their frames in "
            f"{out / 'generating.gif'}; {same} resumes there"
        )
        sys.exit(130)


def train_epoch(step, dataset, epoch, history, interrupt):
    """Run the steps of one epoch, with a progress bar; returns their rows for the history."""
    steps_before = history[-1]["step"] if history else 0
    seconds_before = history[-1]["seconds"] if history else 0.0
    rows = []
    began = time.perf_counter()
    # disable=None: no progress bar if the output is not a terminal.
    hidden = None if sys.stderr else True
    bar = tqdm.tqdm(dataset, f"epoch {epoch}", unit="step", leave=False, disable=hidden)
    for batch in bar:
        figures = {name: float(value) for name, value in step(batch).items()}
        for name, value in figures.items():
            if not np.isfinite(value):
                bar.close()
                raise utils.Diverged(
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
    """The means of the values in these rows of the history, as text."""
    names = [name for name in rows[0] if name not in ("epoch", "step", "seconds")]
    return "  ".join(f"{name} {np.mean([row[name] for row in rows]):.3f}" for name in names)


def save(checkpoint, out, epoch):
    """Save the checkpoint of an epoch; when it is on the disk, delete all but the last two."""
    folder = out / "checkpoint"
    path = folder / f"ckpt-{epoch}"
    checkpoint.write(str(path))
    for file in (*folder.glob(f"{path.name}.*"), folder):
        utils.sync(file)
    for old in runs.checkpoints(out)[:-2]:
        for file in folder.glob(f"{old.name}.*"):
            file.unlink()


def restore(checkpoint, out):
    """Restore the newest complete checkpoint; returns its epoch and the history up to it.

    Raises BadInput if no checkpoint can be used.
    """
    reasons = []
    for path in reversed(runs.checkpoints(out)):
        epoch = runs.epoch_of(path)
        try:
            checkpoint.read(str(path)).assert_existing_objects_matched()
            history = [row for row in utils.read_csv(out / "history.csv") if row["epoch"] <= epoch]
            if history[-1]["epoch"] != epoch:
                raise ValueError("rows of history.csv are missing")
            return epoch, history
        except (OSError, ValueError, LookupError, AssertionError, tf.errors.OpError) as error:
            reasons.append(" ".join(str(error).split())[:100])
    raise utils.BadInput(
        f"--out {out}: the run there is damaged ({reasons[0]}); start it over with --fresh"
    )


def finish(run, generators, scores, rows, names):
    """Save the generators, pictures and scores of a finished run, and print the scores.

    Args:
        run: the result of `start`, after the training.
        generators: {file name without .keras: keras.Model}.
        scores: {name: value}.
        rows, names: the samples and their names, see visual.save_figure.
    """
    out = run.out
    for name, generator in generators.items():
        with utils.replacing(out / f"{name}.keras") as part:
            generator.save(part)
    if run.history:
        memory = runs.peak_memory() if run.trained else runs.read_scores(out)
        scores = scores | {
            "train_steps": run.history[-1]["step"],
            "train_seconds": run.history[-1]["seconds"],
            **{name: memory[name] for name in ("peak_memory",) if name in memory},
        }
    utils.write_json(out / "scores.json", scores)
    pictures = visual.of_a_run(run, rows, names)
    try:
        for name, save in pictures.items():
            with utils.replacing(out / name) as part:
                save(part)
    except (OSError, utils.BadInput) as error:
        print(f"warning    not all pictures are written ({error})")
    width = max(map(len, scores), default=0)
    for name, value in scores.items():
        print(f"score      {name:{width}} {value:.4g}")
    saved = [f"{name}.keras" for name in generators]
    for name in ("generating.gif", *pictures, "scores.json", *saved):
        if (out / name).exists():
            print(f"written    {out / name}")


MOST_ON_A_SHEET = 100


def save_samples(settings, rows, names, inputs=()):
    """Write the results of --sample: {label: pictures}, with one name for each picture of a row.

    `sampled.png` shows the first 100 pictures with labels; `sampled/` has one file per picture,
    except for the pictures of the rows that are `inputs`.
    """
    out = utils.folder(pathlib.Path(settings.out) / "sampled").parent
    names = [pathlib.Path(str(name)).name for name in names]
    stems = [re.sub(r"[^\w.-]+", "_", re.sub(r"\.\w{2,4}$", "", name)) for name in names]
    runs.delete(out, ["sampled/[0-9][0-9][0-9][0-9]_*.png"])  # from an earlier use
    results = {label: images for label, images in rows.items() if label not in inputs}
    for label, images in results.items():
        end = re.sub(r"[^\w.-]+", "_", f"_{label}") if len(results) > 1 else ""
        for i, (stem, image) in enumerate(zip(stems, images, strict=True)):
            visual.picture(image).save(out / "sampled" / f"{i:04}_{stem}{end}.png")
    first = {label: images[:MOST_ON_A_SHEET] for label, images in rows.items()}
    with utils.replacing(out / "sampled.png") as part:
        visual.save_figure(part, first, names[:MOST_ON_A_SHEET])
    print(f"results    {out / 'sampled.png'}, each picture of its own in {out / 'sampled'}")
