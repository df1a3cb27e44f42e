"""A run's folder: whose it is, what may go on there, and what --fresh deletes."""

import dataclasses
import json
import shutil

import pytest

import runs
import utils
from conftest import contents, noise_data


def run_in(out, data=None, precision="float32", **changes):
    settings = dataclasses.replace(utils.Settings(out=str(out), epochs=3), **changes)
    return runs.Run(settings, (data or noise_data(8, 8, 1),), precision)


def begun(out, **changes):
    """Open a run and leave a checkpoint there, as after its first epoch."""
    runs.open_run(run_in(out, **changes))
    (out / "checkpoint").mkdir(exist_ok=True)
    for name in ("checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001"):
        (out / "checkpoint" / name).write_text("")
    return out


def refusal(run):
    """What open_run says of it; it changes nothing."""
    before = contents(run.out)
    with pytest.raises(utils.BadInput) as error:
        runs.open_run(run)
    assert contents(run.out) == before
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"frames/000.png": "mine"}, "files, but no run of this program"),
        # An editor's settings.json, and a checkpoint of something else.
        ({"settings.json": '{"tab": 4}', "checkpoint/my_model.pt": "mine"}, "files, but no run"),
        (
            {"settings.json": '{"steps_per_epoch": 4}', "history.csv": ""},
            "a run of an earlier version of this program",
        ),
        ({"run.json": "not JSON"}, "files, but no run"),
        ({"run.json": '{"program": "another"}'}, "files, but no run"),
        ({"run.json": '{"program": "mnist-gans", "format": 99}'}, "a run of another version"),
        (
            {"run.json": '{"program": "mnist-gans", "format": 2, "lesson": "dcgan"}'},
            "a run of dcgan.py",
        ),
    ],
)
def test_folder_of_something_else_is_left_alone(tmp_path, files, said, fresh):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert said in refusal(run_in(tmp_path, fresh=fresh))


def test_run_with_other_settings_is_left_alone(tmp_path):
    begun(tmp_path)
    (tmp_path / "scores.json").write_text("{}")
    said = refusal(run_in(tmp_path, batch_size=32))
    for part in ("a finished run", "batch_size 64 there, 32 now", "--out", "--fresh"):
        assert part in said
    assert "epochs 3 there, 2 now" in refusal(run_in(tmp_path, epochs=2))
    runs.open_run(run_in(tmp_path))  # the same command
    runs.open_run(run_in(tmp_path, epochs=5))  # more of the same
    runs.open_run(run_in(tmp_path, epochs=5, judge="other.keras"))  # changes no training


def test_more_epochs_where_a_rate_falls_over_all_of_them(tmp_path, monkeypatch):
    begun(tmp_path)
    monkeypatch.setattr(utils.Settings, "may_grow", False)
    said = refusal(run_in(tmp_path, epochs=4))
    assert "epochs 3 there, 4 now; its learning rates fall to 0" in said
    runs.open_run(run_in(tmp_path))


def test_other_precision_is_another_run(tmp_path):
    begun(tmp_path)
    said = refusal(run_in(tmp_path, precision="mixed_bfloat16"))
    assert "precision float32 there, mixed_bfloat16 now" in said
    # How it was chosen does not matter.
    runs.open_run(run_in(tmp_path, **{"precision": "float32"}))


def test_other_pictures_are_another_run(tmp_path):
    two, three = (noise_data(8, 8, 1, classes=count) for count in (2, 3))
    begun(tmp_path, data=two)
    said = refusal(run_in(tmp_path, data=three))
    assert "other pictures in noise; [2] classes there, [3] now" in said
    assert "damaged" not in said
    other = dataclasses.replace(two, fingerprint="other")
    assert "other pictures in noise" in refusal(run_in(tmp_path, data=other))
    other = dataclasses.replace(two, train_fingerprint="other")
    assert "other pictures in noise" in refusal(run_in(tmp_path, data=other))
    # The same pictures from another place.
    run = run_in(tmp_path, data=two)
    run.settings.data = "elsewhere.npz"
    runs.open_run(run)


def test_finished_run_without_its_checkpoint_is_not_deleted(tmp_path):
    begun(tmp_path)
    (tmp_path / "scores.json").write_text("{}")
    shutil.rmtree(tmp_path / "checkpoint")
    assert "a finished run is there, whose checkpoint is gone" in refusal(run_in(tmp_path))
    runs.open_run(run_in(tmp_path, fresh=True))
    assert not (tmp_path / "scores.json").exists()


def test_killed_while_it_opens(tmp_path, monkeypatch):
    """At whatever place: the same command works afterwards."""
    calls = {"delete": runs.delete, "mkdir": runs.pathlib.Path.mkdir}
    for name in calls:
        out = tmp_path / name
        begun(out)

        def killed(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(
                *((runs, "delete") if name == "delete" else (runs.pathlib.Path, "mkdir")), killed
            )
            with pytest.raises(KeyboardInterrupt):
                runs.open_run(run_in(out, fresh=True, batch_size=32))
        # What is left is the old run's, whatever was asked for.
        if name == "delete":
            assert "batch_size 64 there, 32 now" in refusal(run_in(out, batch_size=32))
        runs.open_run(run_in(out, fresh=True, batch_size=32))
        assert runs.read_mark(out)


def test_code_that_changed_is_said_and_kept(tmp_path, monkeypatch, capsys):
    begun(tmp_path)
    before = runs.read_mark(tmp_path)["code"]
    monkeypatch.setattr(runs, "code_digest", lambda script: "other")
    runs.open_run(run_in(tmp_path))
    assert "warning    the code has changed since this run began" in capsys.readouterr().out
    assert runs.read_mark(tmp_path)["code"] == before
    runs.open_run(run_in(tmp_path, fresh=True))
    assert runs.read_mark(tmp_path)["code"] == "other"


def test_what_systems_put_into_folders_does_not_count(tmp_path):
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "frames").mkdir()
    runs.open_run(run_in(tmp_path))
    assert runs.read_mark(tmp_path)


def test_a_start_that_failed_refuses_nothing(tmp_path):
    """Before the first checkpoint nothing is lost by a corrected command."""
    runs.open_run(run_in(tmp_path))
    (tmp_path / "frames" / "000.png").write_text("")
    runs.open_run(run_in(tmp_path, batch_size=32))
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["batch_size"] == 32
    assert not (tmp_path / "frames" / "000.png").exists()


def test_fresh_deletes_the_run_and_nothing_else(tmp_path):
    begun(tmp_path)
    written = ["frames/000.png", "scores.json", "generating.gif", "history.csv", "samples.png"]
    # What TensorFlow leaves when it is killed while it saves, and a use of the generator.
    written += ["checkpoint/ckpt-2_temp/part-0", "sampled/0000_a.png", "sampled.png"]
    mine = ["frames/notes.txt", "mine.png", "checkpoint/my_model.pt", "sampled/mine.png"]
    mine += ["other_run/frames/.part-000.png"]
    for name in (*written, *mine):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    runs.open_run(run_in(tmp_path, fresh=True, batch_size=32))
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == sorted([*mine, "run.json"])


def test_mark_says_what_the_run_is(tmp_path):
    runs.open_run(run_in(tmp_path, data=noise_data(8, 8, 1, classes=3)))
    mark = runs.read_mark(tmp_path)
    assert (mark["program"], mark["lesson"], mark["precision"]) == (
        "mnist-gans",
        "utils",
        "float32",
    )
    assert mark["data"] == [
        {
            "name": "noise",
            "fingerprint": "",
            "train_fingerprint": "",
            "train_pictures": 4,
            "image_shape": [8, 8, 1],
            "class_names": ["0", "1", "2"],
            "fit": "pad",
        }
    ]
    assert not {"out", "fresh", "sample", "judge"} & set(mark["settings"])


def test_digest_of_the_code(tmp_path, monkeypatch):
    """Of a script and of what it imports, but not of comments, docstrings and the layout."""
    monkeypatch.setattr(runs, "HERE", tmp_path / "nothing")
    path, module = tmp_path / "script.py", tmp_path / "module.py"

    def digest(text, shared="x = 1"):
        path.write_text(text)
        module.write_text(shared)
        return runs.code_digest(path)

    script = "import module\ndef f():\n  return module.x + 1\n"
    first = digest(script)
    full = '"""Says."""\nimport module\n\n\ndef f():\n    """Does."""\n    return module.x + 1\n'
    assert digest(full) == first
    assert digest(script.replace("1", "2")) != first
    assert digest(script, shared="x = 2") != first
    assert digest(script, shared='"""x"""\nx = 1  # x') == first
    assert digest(script, shared="x = 1\ny = 5\ndef g():\n  return y\n") == first  # not reached
    reached = "def g():\n  return y\ny = {}\nx = g()\n"
    assert digest(script, reached.format(1)) != digest(script, reached.format(2))


def test_digest_follows_the_shared_modules(lesson):
    """Of every lesson; pictures of the run do not count."""
    folder = lesson.folder
    needed = {"gan_cnn.py", "mnist_ds.py", "utils.py", "training.py", "scores.py"}
    read = set()
    original = runs.pathlib.Path.read_text

    def watched(path, *args, **kwargs):
        read.add(path.name)
        return original(path, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.pathlib.Path, "read_text", watched)
        runs.code_digest(folder / f"{lesson.name}.py")
    assert needed | {f"{lesson.name}.py"} <= read
    assert "visual.py" not in read


def test_unreadable_generator(tmp_path):
    with pytest.raises(utils.BadInput, match="cannot be loaded"):
        runs.load_generator(tmp_path)
    (tmp_path / "generator.keras").write_text("text")
    with pytest.raises(utils.BadInput, match="cannot be loaded"):
        runs.load_generator(tmp_path)


def test_settings_of_a_run_serve_for_its_samples(tmp_path, monkeypatch):
    """But for those on the command line; an unfinished run has nothing to sample from."""
    begun(tmp_path, batch_size=7, seed=3)
    arguments = ["utils.py", "--sample", "a.png", "--out", str(tmp_path), "--seed", "5"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(utils.BadInput, match="needs a trained generator, and there is none in"):
        runs.parse(utils.Settings, "")
    (tmp_path / "scores.json").write_text("{}")
    settings = runs.parse(utils.Settings, "")
    assert (settings.batch_size, settings.seed, settings.sample) == (7, 5, ("a.png",))
    shutil.rmtree(tmp_path)
    with pytest.raises(utils.BadInput, match="needs a trained generator"):
        runs.parse(utils.Settings, "")
