"""The training loop, on a model of one weight: resuming, stopping, and what it leaves behind."""

import dataclasses
import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import runs
import training
import utils
import visual
from conftest import noise_data


class Toy(keras.Model):
    """A model of one weight, for `train`: knows nothing of GANs."""

    def __init__(self, diverge_at=None):
        super().__init__()
        self.weight = self.add_weight(name="weight", shape=(), initializer="zeros")
        self.diverge_at = diverge_at
        self.built = True

    def train_step(self, batch):
        self.weight.assign_add(tf.reduce_mean(batch))
        loss = tf.convert_to_tensor(self.weight)
        if self.diverge_at is not None:
            loss = tf.where(loss > self.diverge_at, float("nan"), loss)
        return {"loss": loss}


def toy_batches(epoch):
    return tf.data.Dataset.from_tensor_slices(tf.ones((4, 2)) * tf.cast(epoch, tf.float32))


def toy_picture(caption):
    return visual.frame({"toy": np.zeros((1, 4, 4, 1))}, caption, columns=1)


def started(out, **changes):
    settings = dataclasses.replace(utils.Settings(out=str(out), epochs=2), **changes)
    run = runs.Run(settings, (noise_data(4, 4, 1),), "float32")
    runs.open_run(run)
    return run


def train(out, gan=None, picture=toy_picture, batches=toy_batches, **changes):
    run = started(out, **changes)
    training.train(run, gan or Toy(), picture, batches)
    return run


def test_train_keeps_history_frames_and_resumes(tmp_path):
    run = train(tmp_path)
    assert [row["loss"] for row in run.history] == [1, 2, 3, 4, 6, 8, 10, 12]
    assert [row["step"] for row in run.history] == list(range(1, 9))
    run = train(tmp_path, epochs=3)
    assert [row["loss"] for row in run.history[8:]] == [15, 18, 21, 24]
    frames = [path.name for path in runs.frame_paths(tmp_path)]
    assert frames == ["000.png", "001.png", "002.png", "003.png"]


def test_steps_per_epoch_may_be_fewer_or_more_than_there_are(tmp_path):
    for steps in (2, 7):
        run = train(tmp_path / str(steps), epochs=1, steps_per_epoch=steps)
        assert len(run.history) == steps


def test_no_epochs_give_the_untrained_picture_only(tmp_path):
    run = train(tmp_path, epochs=0)
    assert run.history == []
    assert len(runs.frame_paths(run.out)) == 1


def test_divergence_stops_with_a_clear_message_and_keeps_what_was(tmp_path):
    with pytest.raises(utils.Diverged) as error:
        train(tmp_path, Toy(diverge_at=9), epochs=3)
    assert "loss became nan in step 3 of epoch 2" in str(error.value)
    assert len(utils.read_csv(tmp_path / "history.csv")) == 4
    assert len(runs.frame_paths(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["history.csv", "checkpoint/*data*"])
def test_damaged_run_is_named(tmp_path, damage):
    train(tmp_path, epochs=1)
    for path in tmp_path.glob(damage):
        path.unlink()
    with pytest.raises(utils.BadInput, match="damaged"):
        train(tmp_path, epochs=1)


def test_missing_frames_are_no_damage(tmp_path):
    """The last one is drawn again; the others are left out of the GIF."""
    train(tmp_path)
    for name in ("001.png", "002.png"):
        (tmp_path / "frames" / name).unlink()
    run = train(tmp_path, epochs=3)
    assert [path.name for path in runs.frame_paths(run.out)] == ["000.png", "002.png", "003.png"]
    assert [row["loss"] for row in run.history[8:]] == [15, 18, 21, 24]


def test_newest_checkpoint_that_is_whole_counts(tmp_path):
    """As after a power cut that took a part of the newest one."""
    train(tmp_path)
    (tmp_path / "checkpoint" / "ckpt-2.index").write_bytes(b"half")
    run = train(tmp_path)
    assert [row["loss"] for row in run.history] == [1, 2, 3, 4, 6, 8, 10, 12]
    assert [row["epoch"] for row in run.history] == [1] * 4 + [2] * 4


def test_leftovers_of_an_unfinished_epoch_are_dropped(tmp_path):
    """As after a kill between the history and the checkpoint of an epoch."""
    train(tmp_path, epochs=1)
    history = utils.read_csv(tmp_path / "history.csv")
    utils.write_csv(tmp_path / "history.csv", [*history, history[-1] | {"epoch": 2}])
    for name in ("frames/002.png", "frames/.part-002.png"):
        (tmp_path / name).write_bytes(b"half")
    run = train(tmp_path)
    assert [row["epoch"] for row in run.history] == [1] * 4 + [2] * 4
    assert len(runs.frame_paths(run.out)) == 3


def test_checkpoint_is_safe_before_any_picture_is_drawn(tmp_path):
    def picture(caption):
        if caption == "epoch 1":
            raise RuntimeError
        return toy_picture(caption)

    with pytest.raises(RuntimeError):
        train(tmp_path, picture=picture)
    assert (tmp_path / "checkpoint" / "ckpt-1.index").exists()
    run = train(tmp_path)
    assert [row["loss"] for row in run.history] == [1, 2, 3, 4, 6, 8, 10, 12]
    assert len(runs.frame_paths(run.out)) == 3


def test_picture_that_cannot_be_written_costs_no_epoch(tmp_path, monkeypatch, capsys):
    def opened_elsewhere(path, frames):
        raise PermissionError("it is open in another program")

    monkeypatch.setattr(visual, "save_gif", opened_elsewhere)
    run = train(tmp_path)
    assert len(run.history) == 8
    said = capsys.readouterr().out
    assert "warning    no picture of epoch 2 (" in said
    assert "generating.gif: cannot be written" in said
    assert len(runs.frame_paths(tmp_path)) == 3


def test_checkpoints_are_synced_to_the_disk(tmp_path, monkeypatch):
    synced = []
    sync = utils.sync
    monkeypatch.setattr(utils, "sync", lambda path: (synced.append(path.name), sync(path)))
    train(tmp_path, epochs=1)
    wanted = {"ckpt-1.index", "ckpt-1.data-00000-of-00001", "checkpoint", ".part-history.csv"}
    assert len(list(tmp_path.glob("checkpoint/*.index"))) == 1
    assert wanted <= set(synced)


@pytest.mark.parametrize("step", [2, 6])
def test_ctrl_c_ends_the_run_with_nothing_half_written(tmp_path, step, capsys):
    """In the first epoch only the untrained frame is kept; in the second, the first epoch."""

    def batches(epoch):
        def interrupted():
            for i in range(4):
                if 4 * (epoch - 1) + i == step:
                    signal.raise_signal(signal.SIGINT)
                yield np.full(2, epoch, np.float32)

        return tf.data.Dataset.from_generator(
            interrupted, output_signature=tf.TensorSpec((2,), tf.float32)
        )

    with pytest.raises(SystemExit) as exit_:
        train(tmp_path, batches=batches)
    assert exit_.value.code == 130
    kept = step // 4
    assert f"stopped    {kept} of 2 epochs are kept" in capsys.readouterr().out
    assert not list(tmp_path.rglob(".part-*"))
    assert len(runs.frame_paths(tmp_path)) == kept + 1
    run = train(tmp_path)
    assert [row["loss"] for row in run.history] == [1, 2, 3, 4, 6, 8, 10, 12]


# --------------------------------------------------------------------------------- start and finish


def finish(run):
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    rows = {"toy": np.zeros((1, 4, 4, 1))}
    training.finish(run, {"generator": generator}, {"score": 1.5}, rows, ["0"])
    return json.loads((run.out / "scores.json").read_text())


def test_finished_run_keeps_what_it_measured(tmp_path):
    first = finish(train(tmp_path))
    assert first["score"] == 1.5
    assert first["train_steps"] == 8
    assert 0 < first["train_seconds"] < 60
    if runs.peak_memory():
        assert first["peak_memory"] > 0
    assert finish(train(tmp_path)) == first  # this process may need less, or more


def test_a_run_goes_on_in_the_precision_in_which_it_began(tmp_path, monkeypatch, capsys):
    data = noise_data(8, 8, 1, count=64)
    settings = utils.Settings(out=str(tmp_path), epochs=1)

    def began(pays):
        monkeypatch.setattr(utils, "bfloat16_pays", lambda: (pays, "as tested"))
        run = training.start(settings, data)
        assert keras.config.dtype_policy().name == run.precision
        return run.precision, capsys.readouterr().out

    precision, said = began(True)
    assert precision == "mixed_bfloat16"
    assert "mixed_bfloat16 (as tested)" in said
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "ckpt-1.index").write_text("")
    precision, said = began(False)
    assert precision == "mixed_bfloat16"
    assert "mixed_bfloat16 (as this run began)" in said


def test_start_refuses_before_it_writes(tmp_path):
    settings = utils.Settings(out=str(tmp_path / "out"), batch_size=5)
    with pytest.raises(utils.BadInput, match="--batch-size 5: expected at most 4"):
        training.start(settings, noise_data(8, 8, 1))
    assert not (tmp_path / "out").exists()


def test_samples_are_a_sheet_and_single_pictures(tmp_path, capsys):
    images = np.linspace(-1, 1, 120 * 64).reshape(120, 8, 8, 1)
    settings = utils.Settings(out=str(tmp_path))
    names = [f"some/where/{i % 2}.png" for i in range(120)]  # equal names stay apart
    training.save_samples(settings, {"in": -images, "out": images}, names, inputs=["in"])
    files = sorted(path.name for path in (tmp_path / "sampled").iterdir())
    assert len(files) == 120
    assert files[:3] == ["0000_0.png", "0001_1.png", "0002_0.png"]
    for i in (0, 119):
        with Image.open(tmp_path / "sampled" / files[i]) as picture:
            expected = visual.to_uint8(images[i, ..., 0])
            np.testing.assert_array_equal(np.asarray(picture), expected)
    training.save_samples(settings, {"a b": images[:1], "c": images[:1]}, ["x.png"])
    files = sorted(path.name for path in (tmp_path / "sampled").iterdir())
    assert files == ["0000_x_a_b.png", "0000_x_c.png"]  # the others were of another use
    assert str(tmp_path / "sampled.png") in capsys.readouterr().out
