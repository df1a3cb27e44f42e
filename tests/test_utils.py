import os
import pathlib

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
        (["--sample"], "--sample : expected at least one file"),
        (["--judge", "absent.keras"], "--judge absent.keras: expected a .keras file"),
        (["--train-pictures", "-1"], "--train-pictures -1"),
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


def test_what_was_written_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    """The file is synced, then moved, then its folder is synced: a power cut loses neither."""
    done = []
    sync, replace = utils.sync, os.replace
    monkeypatch.setattr(utils, "sync", lambda path: (done.append(path.name), sync(path)))
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("move"), replace(a, b)))
    with utils.replacing(tmp_path / "file.txt") as part:
        part.write_text("text")
    assert done == [".part-file.txt", "move", tmp_path.name]


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(utils.BadInput, match="cannot write there"):
        utils.folder(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == ""


def test_what_is_not_given_is_as_in_the_default():
    default = utils.Settings(epochs=9, seed=4)
    assert utils.parse(utils.Settings, "", ["--seed", "5"], default) == utils.Settings(
        epochs=9, seed=5
    )


# --------------------------------------------------------------------------------------- precision


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
