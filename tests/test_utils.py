import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import utils


def test_comments_become_help(capsys):
    with pytest.raises(SystemExit) as exit_:
        utils.parse(utils.Settings, "The idea.", ["--help"])
    assert exit_.value.code == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "The idea." in said
    assert "pictures in a batch" in said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--batch-size", "0"], "--batch-size 0: expected 1 or more"),
        (["--epochs", "-1"], "--epochs -1: expected 0 or more"),
        (["--epochs", "many"], "--epochs"),
        (["--steps-per-epoch", "-2"], "--steps-per-epoch -2"),
        (["--seed", "-1"], "--seed -1"),
        (["--precision", "int8"], "'int8'"),
        (["--no-such-option", "3"], "--no-such-option"),
        (["--epochs"], "--epochs"),
    ],
)
def test_bad_arguments_are_told_in_one_line(args, said):
    with pytest.raises(utils.BadInput) as error:
        utils.parse(utils.Settings, "", args)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not set(str(error.value)) & set("│╭╰─")


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("before")

    def fail():
        with utils.replacing(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "before"
    with utils.replacing(path) as part:
        part.write_text("after")
    assert path.read_text() == "after"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_csv_reads_back_to_the_bit(tmp_path):
    rows = [{"epoch": 1, "step": 2, "loss": float(np.float32(1 / 3)), "D(x)": 1e-30}]
    utils.write_csv(tmp_path / "history.csv", rows)
    assert utils.read_csv(tmp_path / "history.csv") == rows


# --------------------------------------------------------------------------------------- the folder


def settings(out, **changes):
    return dataclasses.replace(utils.Settings(out=str(out), epochs=3), **changes)


def test_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "000.png").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(utils.BadInput, match="no run of this program"):
            utils.open_run(settings(tmp_path, fresh=fresh))
    assert (tmp_path / "frames" / "000.png").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_run_with_other_settings_is_left_alone(tmp_path):
    utils.open_run(settings(tmp_path))
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(utils.BadInput) as error:
        utils.open_run(settings(tmp_path, batch_size=32))
    for part in ("a finished run", "batch_size 64 there, 32 now", "--out", "--fresh"):
        assert part in str(error.value)
    with pytest.raises(utils.BadInput, match="epochs 3 there, 2 now"):
        utils.open_run(settings(tmp_path, epochs=2))
    assert (tmp_path / "scores.json").exists()
    assert json.loads((tmp_path / "settings.json").read_text())["batch_size"] == 64
    utils.open_run(settings(tmp_path))  # the same command
    utils.open_run(settings(tmp_path, epochs=5))  # more of the same


def test_fresh_deletes_the_run_and_nothing_else(tmp_path):
    out = utils.open_run(settings(tmp_path))
    written = ["frames/000.png", "scores.json", "generating.gif", "history.csv", "samples.png"]
    for name in [*written, "frames/notes.txt", "mine.png"]:
        (out / name).write_text("")
    utils.open_run(settings(tmp_path, fresh=True, batch_size=32))
    left = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert left == ["frames/notes.txt", "mine.png", "settings.json"]


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(utils.BadInput, match="cannot write there"):
        utils.folder(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == ""


# ---------------------------------------------------------------------------------- precision, Adam


@pytest.mark.parametrize(
    ("flags", "pays"),
    [("avx2", False), ("avx512f", False), ("avx512f avx512_bf16", False), ("amx_bf16", True)],
)
def test_bfloat16_only_where_it_pays(monkeypatch, flags, pays):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(pathlib.Path, "read_text", lambda path: f"flags : fpu {flags} fma\n")
    assert utils.bfloat16_pays()[0] == pays


def test_no_cpuinfo_means_float32(monkeypatch):
    def absent(path):
        raise FileNotFoundError

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(pathlib.Path, "read_text", absent)
    assert utils.bfloat16_pays()[0] is False


def test_adam_is_built():
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = utils.adam(network, 0.1)
    assert optimizer.built
    assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(0.1), 0.5)
    optimizer.apply([tf.ones((1, 1)), tf.ones(1)], network.trainable_weights)


# ----------------------------------------------------------------------------------------- the loop


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
    import visual

    return visual.frame({"toy": np.zeros((1, 4, 4, 1))}, caption, columns=1)


def test_train_keeps_history_frames_and_goes_on(tmp_path):
    chosen = settings(tmp_path / "run", epochs=2)
    run = utils.train(Toy(), chosen, toy_batches, toy_picture)
    assert [row["loss"] for row in run.history] == [1, 2, 3, 4, 6, 8, 10, 12]
    assert [row["step"] for row in run.history] == list(range(1, 9))
    again = dataclasses.replace(chosen, epochs=3)
    run = utils.train(Toy(), again, toy_batches, toy_picture)
    assert [row["loss"] for row in run.history[8:]] == [15, 18, 21, 24]
    frames = [path.name for path in utils.frame_paths(tmp_path / "run")]
    assert frames == ["000.png", "001.png", "002.png", "003.png"]


def test_steps_per_epoch_may_be_fewer_or_more_than_there_are(tmp_path):
    for steps in (2, 7):
        chosen = settings(tmp_path / str(steps), epochs=1, steps_per_epoch=steps)
        assert len(utils.train(Toy(), chosen, toy_batches, toy_picture).history) == steps


def test_no_epochs_give_the_untrained_picture_only(tmp_path):
    run = utils.train(Toy(), settings(tmp_path / "run", epochs=0), toy_batches, toy_picture)
    assert run.history == []
    assert len(utils.frame_paths(run.out)) == 1


def test_divergence_stops_with_a_clear_message_and_keeps_what_was(tmp_path):
    chosen = settings(tmp_path / "run", epochs=3)
    with pytest.raises(utils.Diverged) as error:
        utils.train(Toy(diverge_at=9), chosen, toy_batches, toy_picture)
    assert "loss became nan in step 3 of epoch 2" in str(error.value)
    assert len(utils.read_csv(tmp_path / "run" / "history.csv")) == 4
    assert len(utils.frame_paths(tmp_path / "run")) == 2


@pytest.mark.parametrize("damage", ["history.csv", "frames/000.png", "checkpoint/*data*"])
def test_damaged_run_is_named(tmp_path, damage):
    chosen = settings(tmp_path / "run", epochs=1)
    utils.train(Toy(), chosen, toy_batches, toy_picture)
    for path in (tmp_path / "run").glob(damage):
        path.unlink()
    with pytest.raises(utils.BadInput, match="damaged"):
        utils.train(Toy(), chosen, toy_batches, toy_picture)


def test_leftovers_of_an_unfinished_epoch_are_dropped(tmp_path):
    """As after a kill between the frame and the checkpoint of an epoch."""
    chosen = settings(tmp_path / "run", epochs=1)
    utils.train(Toy(), chosen, toy_batches, toy_picture)
    history = utils.read_csv(tmp_path / "run" / "history.csv")
    utils.write_csv(tmp_path / "run" / "history.csv", [*history, history[-1] | {"epoch": 2}])
    for name in ("frames/002.png", "frames/.part-002.png"):
        (tmp_path / "run" / name).write_bytes(b"half")
    run = utils.train(Toy(), dataclasses.replace(chosen, epochs=2), toy_batches, toy_picture)
    assert [row["epoch"] for row in run.history] == [1] * 4 + [2] * 4
    assert len(utils.frame_paths(run.out)) == 3
