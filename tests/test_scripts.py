"""What holds for every script, tested on every script."""

import ast
import csv
import dataclasses
import importlib
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import mnist_ds
import utils
from conftest import (
    ROOT,
    build,
    first_batches,
    run_script,
    smoke,
    smoke_float32,
    weights_of,
)

# -------------------------------------------------------------------------------- the training step


def test_one_trace(script, data):
    model, _ = build(script, data)
    for batch in first_batches(data, 3):
        model.train_step(batch)
    assert model.train_step.experimental_get_tracing_count() == 1


def test_figures_are_finite_and_probabilities_are_probabilities(script, data):
    model, _ = build(script, data)
    for batch in first_batches(data, 2):
        for name, value in model.train_step(batch).items():
            assert value.shape == ()
            assert np.isfinite(value)
            assert not name.startswith("D(") or 0 < value < 1


def test_each_gradient_step_moves_only_its_own_network(script, data):
    """With all learning rates but one at 0, nothing but that one's network may move."""
    for rate, moved in script.moves.items():
        others = {name: 0.0 for name in script.moves if name != rate}
        model, _ = build(script, data, **others)
        networks = [name for names in script.moves.values() for name in names]
        before = {name: weights_of(getattr(model, name)) for name in networks}
        for batch in first_batches(data, 2):
            model.train_step(batch)
        for name in networks:
            after = weights_of(getattr(model, name))
            same = [np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)]
            # Every weight of the networks that should move, for a layer left out would not learn.
            assert not any(same) if name in moved else all(same), (rate, name)


def test_every_network_has_an_optimizer_of_its_own(script, data):
    model, _ = build(script, data)
    optimizers = [value for name, value in vars(model).items() if name.endswith("_optimizer")]
    assert len({id(optimizer) for optimizer in optimizers}) == len(script.moves)


def test_training_is_passed_at_every_call_of_a_network(script):
    """In train_step every `self.<network>(...)` says whether it trains: Keras's default is no."""
    tree = ast.parse((ROOT / f"{script.name}.py").read_text())
    steps = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "train_step"]
    networks = {name for names in script.moves.values() for name in names}
    calls = [
        node
        for node in ast.walk(steps[0])
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in networks
    ]
    assert len(steps) == 1
    assert len(calls) >= 3
    for call in calls:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        assert ast.literal_eval(given["training"]) is True, ast.unparse(call)


def test_batches_of_any_size(script, data):
    for size in (1, 7):
        model, _ = build(script, data)
        figures = model.train_step(first_batches(data, 1, batch_size=size)[0])
        assert all(np.isfinite(value) for value in figures.values())


def test_same_seed_same_losses_to_the_bit(script, data):
    def losses(seed):
        model, _ = build(script, data, seed=seed)
        batches = first_batches(data, 20, batch_size=16, seed=seed)
        return [
            {name: float(value) for name, value in model.train_step(batch).items()}
            for batch in batches
        ]

    first = losses(seed=3)
    assert first == losses(seed=3)
    assert first[0] != losses(seed=4)[0]


def test_compile_and_fit(script, data):
    model, _ = build(script, data)
    before = weights_of(model.generator)
    model.compile()
    batches = mnist_ds.batches(data, 8)
    history = model.fit(batches.take(3), epochs=2, verbose=0)
    assert len(history.history["g_loss"]) == 2
    assert np.isfinite(history.history["g_loss"]).all()
    assert not any(
        np.array_equal(a, b) for a, b in zip(before, weights_of(model.generator), strict=True)
    )


def test_mixed_bfloat16(script, data):
    """The half precision step gives the figures of the float32 one, as far as it can."""
    batch = first_batches(data, 1, batch_size=32)[0]
    exact = build(script, data)[0].train_step(batch)
    keras.config.set_dtype_policy("mixed_bfloat16")
    model, _ = build(script, data)
    rounded = model.train_step(batch)
    for name, value in rounded.items():
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(float(exact[name]), rel=0.1)
    assert model.average.compute_dtype == "float32"


def test_two_replicas(script, tmp_path):
    """The same step under a distribution strategy, on two logical processors."""
    code = f"""
import utils, tensorflow as tf, keras, mnist_ds, {script.name} as module
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
data = mnist_ds.load()
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    keras.utils.set_random_seed(0)
    settings = module.Settings(out="run", epochs=1, steps_per_epoch=2, batch_size=8)
    model = module.{script.model}(settings, data.image_shape, data.num_classes)
    from PIL import Image
    run = utils.train(model, settings, lambda epoch: mnist_ds.batches(data, 8, 0, epoch),
                      lambda caption: Image.new("L", (8, 8)))
print(len(run.history), run.history[-1]["g_loss"])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert process.returncode == 0, process.stderr
    rows, loss = process.stdout.split()[-2:]
    assert int(rows) == 2
    assert np.isfinite(float(loss))


# ------------------------------------------------------------------------------------- as a program


def test_help_explains_every_setting(script):
    process = run_script(script.name, "--help")
    assert process.returncode == 0
    module = importlib.import_module(script.name)
    for field in dataclasses.fields(module.Settings):
        assert f"--{field.name.replace('_', '-')}" in process.stdout
    assert "arxiv.org" in process.stdout
    assert process.stderr == ""


def test_import_trains_nothing(script, tmp_path):
    code = f"import sys, {script.name}; print('tensorflow_datasets' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (process.stdout, process.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []


def test_smoke_run_writes_everything(script, finished_runs):
    out, process = finished_runs(script.name)
    assert process.stderr == ""
    for word in ("mnist: 60,000 training", "CPU", "float32", "batch_size=8", "epoch 3"):
        assert word in process.stdout
    frames = utils.frame_paths(out)
    assert [path.name for path in frames] == ["000.png", "001.png", "002.png", "003.png"]
    with Image.open(out / "generating.gif") as gif:
        assert gif.n_frames == 4
        for i, path in enumerate(frames):
            gif.seek(i)
            with Image.open(path) as frame:
                assert gif.size == frame.size
                difference = np.asarray(gif.convert("RGB"), int) - np.asarray(frame.convert("RGB"))
                assert np.abs(difference).mean() < 1
            assert gif.info["duration"] == (3000 if i == 3 else 600)
    for name in ("samples.png", "losses.png"):
        with Image.open(out / name) as picture:
            assert picture.width > 600
    history = utils.read_csv(out / "history.csv")
    assert [(row["epoch"], row["step"]) for row in history] == [
        (1 + i // 4, 1 + i) for i in range(12)
    ]
    scores = json.loads((out / "scores.json").read_text())
    for name, value in scores.items():
        assert f"{name} " in process.stdout
        assert np.isfinite(value)
    assert not list(out.glob("**/.part-*"))
    assert process.stdout.count("written    ") == 5


def test_saved_generator_needs_no_code_but_the_layers(script, finished_runs, tmp_path):
    """Loaded beside a copy of gan_cnn.py and what that imports, from any folder."""
    out, _ = finished_runs(script.name)
    for name in ("gan_cnn.py", "utils.py", "visual.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    code = f"""
import gan_cnn, keras, numpy as np
generator = keras.saving.load_model({str(out / "generator.keras")!r})
random = np.random.default_rng(0)
inputs = [random.uniform(0, 1, (2, *i.shape[1:])).round() for i in generator.inputs]
print(np.abs(generator.predict(inputs, verbose=0)).max() <= 1)
"""
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.stdout.strip() == "True", process.stderr


def figures(path):
    """A history without its times."""
    with open(path, newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def start_and_wait_for(script, options, out, wanted, signal_number):
    """Start a run, and send it a signal as soon as it has written a certain file."""
    command = [sys.executable, ROOT / f"{script.name}.py", *options]
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (out / wanted).exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal_number)
    said, errors = process.communicate(timeout=120)
    return process.returncode, said, errors


def test_killed_run_goes_on_as_if_it_had_not_been(script, finished_runs, small_data, tmp_path):
    """Killed twice: with a frame but no checkpoint of epoch 2, and with half a checkpoint of it."""
    whole, _ = finished_runs(script.name, "--data", small_data)
    out = tmp_path / "run"
    options = smoke_float32(out, "--data", small_data)
    for wanted in ("frames/002.png", "checkpoint/ckpt-2.index"):
        code, _, _ = start_and_wait_for(script, options, out, wanted, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert not (out / "scores.json").exists()
    process = run_script(script.name, *options)
    assert process.returncode == 0, process.stderr
    assert "resuming   " in process.stdout
    assert figures(out / "history.csv") == figures(whole / "history.csv")
    assert len(utils.frame_paths(out)) == 4
    for path in utils.frame_paths(out):
        assert path.read_bytes() == (whole / "frames" / path.name).read_bytes()
    mine, theirs = (json.loads((f / "scores.json").read_text()) for f in (out, whole))
    assert {k: v for k, v in mine.items() if k != "train_seconds"} == {
        k: v for k, v in theirs.items() if k != "train_seconds"
    }


def test_interrupted_run_keeps_its_frames_and_says_how_to_go_on(script, small_data, tmp_path):
    out = tmp_path / "run"
    options = smoke_float32(out, "--data", small_data)
    code, said, errors = start_and_wait_for(script, options, out, "frames/001.png", signal.SIGINT)
    assert (code, errors) == (130, "")
    assert "the same command goes on" in said
    with Image.open(out / "generating.gif") as gif:
        assert gif.n_frames == len(utils.frame_paths(out)) >= 2
    assert not list(out.glob("**/.part-*"))


# ---------------------------------------------------------------------------------------- bad input


def run_in_process(script, args, monkeypatch, capsys):
    """Exit code and stderr of a script's run, without starting another interpreter."""
    monkeypatch.setattr(sys, "argv", [f"{script.name}.py", *map(str, args)])
    with pytest.raises(SystemExit) as exit_:
        utils.run(importlib.import_module(script.name).main)
    return exit_.value.code, capsys.readouterr().err


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--batch-size", "0"], "--batch-size 0"),
        (["--batch-size", "60001"], "--batch-size 60001"),
        (["--epochs", "-3"], "--epochs -3"),
        (["--steps-per-epoch", "-3"], "--steps-per-epoch -3"),
        (["--data", "FOLDER/absent.npz"], "absent.npz: no such file"),
        (["--data", "FOLDER/text.npz"], "text.npz"),
        (["--data", "FOLDER/pickled.npz"], "pickled"),
        (["--data", "no_such_data_set"], "no_such_data_set"),
        (["--out", "FOLDER/text.npz/below"], "cannot write there"),
        (["--out", "FOLDER"], "no run of this program"),
        (["--sample", "FOLDER/text.npz"], "--sample needs a trained generator"),
        (["--no-such-option"], "--no-such-option"),
        (["--precision", "float8"], "float8"),
        (["stray"], "stray"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(script, args, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "text.npz").write_text("text")
    np.savez(tmp_path / "pickled.npz", x_train=np.array([{}], dtype=object))
    before = contents(tmp_path)
    args = [arg.replace("FOLDER", str(tmp_path)) for arg in args]
    if "--out" not in args:
        args += ["--out", str(tmp_path / "out")]
    code, errors = run_in_process(script, args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    assert errors.startswith(f"{script.name}.py: ")
    assert said in errors
    assert contents(tmp_path) == before


def test_finished_run_is_not_overwritten(script, finished_runs, monkeypatch, capsys):
    out, _ = finished_runs(script.name)
    before = contents(out)
    args = smoke_float32(out, "--seed", 5)
    code, errors = run_in_process(script, args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    for part in ("a finished run", "seed 0 there, 5 now", "another --out", "--fresh"):
        assert part in errors
    assert contents(out) == before


def test_bad_input_as_a_process(script, tmp_path):
    process = run_script(script.name, *smoke(tmp_path / "out"), "--batch-size", "-5")
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
