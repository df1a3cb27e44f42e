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

import utils
from conftest import (
    ROOT,
    SCRIPTS,
    batches_for,
    build,
    run_script,
    smoke,
    weights_of,
)

# -------------------------------------------------------------------------------- the training step


def test_each_gradient_step_moves_only_its_own_network(script, data, eagerly):
    """With all learning rates but one at 0, nothing but that one's networks may move."""
    for rate, moved in script.moves.items():
        others = {name: 0.0 for name in script.moves if name != rate}
        model, _ = build(script, data, **others)
        before = {name: weights_of(getattr(model, name)) for name in script.networks}
        for batch in batches_for(script, data, 2):
            model.train_step(batch)
        for name in script.networks:
            after = weights_of(getattr(model, name))
            same = [np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)]
            # Every weight of the networks that should move, for a layer left out would not learn.
            assert not any(same) if name in moved else all(same), (rate, name)


def test_every_network_has_an_optimizer_of_its_own(script, data):
    model, _ = build(script, data)
    optimizers = [value for name, value in vars(model).items() if name.endswith("_optimizer")]
    trained = [name for name in script.networks if not name.startswith("average")]
    assert len({id(optimizer) for optimizer in optimizers}) == len(trained)


def test_training_is_passed_at_every_call_of_a_network(script):
    """In train_step every `self.<network>(...)` says whether it trains: Keras's default is no."""
    tree = ast.parse((ROOT / f"{script.name}.py").read_text())
    steps = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "train_step"]
    networks = set(script.networks)
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


def test_batches_of_any_size_give_finite_figures(script, data, eagerly):
    model, _ = build(script, data)
    for size in (1, 7):
        for name, value in model.train_step(batches_for(script, data, 1, size)[0]).items():
            assert value.shape == ()
            assert np.isfinite(value)
            # Probabilities, but CycleGAN's least squares aim at 0 and 1 and may miss them.
            low, high = (-2, 3) if script.name == "cyclegan" else (0, 1)
            assert not name.startswith("D(") or low < value < high


def test_another_seed_gives_another_run(script, data, eagerly):
    """That the same seed gives the same run is seen where a broken off run goes on, below."""

    def figures(seed):
        model, _ = build(script, data, seed=seed)
        return model.train_step(batches_for(script, data, 1, seed=seed)[0])

    first, other = figures(seed=3), figures(seed=4)
    assert all(first[name] != other[name] for name in first)


def test_compile_and_fit_in_half_precision(script, data):
    """Keras's own loop takes the model, traces the step once, and all networks learn in bfloat16.

    Its first figures are those of float32, as far as bfloat16 can give them.
    """
    batch = batches_for(script, data, 1, batch_size=32)[0]
    tf.config.run_functions_eagerly(True)
    exact = build(script, data)[0].train_step(batch)
    tf.config.run_functions_eagerly(False)
    keras.config.set_dtype_policy("mixed_bfloat16")
    model, _ = build(script, data)
    before = {name: weights_of(getattr(model, name)) for name in script.networks}
    model.compile()
    epochs = tf.data.Dataset.from_tensors(batch)
    history = model.fit(epochs, epochs=3, shuffle=False, verbose=0).history
    assert model.train_step.experimental_get_tracing_count() == 1
    for name, value in exact.items():
        assert history[name][0] == pytest.approx(float(value), rel=0.1, abs=0.01)
    for name, weights in before.items():
        network = getattr(model, name)
        after = weights_of(network)
        assert not any(np.array_equal(a, b) for a, b in zip(weights, after, strict=True))
        policy = "float32" if name.startswith("average") else "mixed_bfloat16"
        assert network.dtype_policy.name == policy


def test_two_replicas(tmp_path):
    """The same steps under a distribution strategy, on two logical processors."""
    code = """
import sys, utils, tensorflow as tf, keras, mnist_ds
from PIL import Image
from conftest import SCRIPTS, build
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
data = mnist_ds.load()
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    for script in SCRIPTS:
        options = dict(out=script.name, epochs=1, steps_per_epoch=2, batch_size=8)
        model, settings = build(script, data, **options)
        batches = mnist_ds.epochs(settings, *script.parts(data))
        run = utils.train(model, settings, batches, lambda caption: Image.new("L", (8, 8)))
        print(script.name, len(run.history), run.history[-1]["g_loss"])
"""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert process.returncode == 0, process.stderr
    for script in SCRIPTS:
        words = next(line for line in process.stdout.splitlines() if line.startswith(script.name))
        assert int(words.split()[1]) == 2
        assert np.isfinite(float(words.split()[2]))


# ------------------------------------------------------------------------------------- as a program


def test_help_explains_every_setting(script, monkeypatch, capsys):
    module = importlib.import_module(script.name)
    monkeypatch.setattr(sys, "argv", [f"{script.name}.py", "--help"])
    with pytest.raises(SystemExit) as exit_:
        utils.run(module.main)
    assert not exit_.value.code
    said, errors = capsys.readouterr()
    for field in dataclasses.fields(module.Settings):
        assert f"--{field.name.strip('_').replace('_', '-')}" in said
    assert "arxiv.org" in said
    assert errors == ""


def test_importing_trains_nothing(tmp_path):
    names = ", ".join(script.name for script in SCRIPTS)
    code = f"import sys, {names}; print('tensorflow_datasets' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (process.stdout, process.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []


def test_smoke_run_writes_everything(script, finished_run):
    out, process = finished_run(script.name)
    assert process.stderr == ""
    for word in ("data       mnist: ", "CPU", "float32", "batch_size=8", "epoch 3"):
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
        (1 + i // 7, 1 + i) for i in range(21)
    ]
    scores = json.loads((out / "scores.json").read_text())
    for name, value in scores.items():
        assert f"{name} " in process.stdout
        assert np.isfinite(value)
    assert not list(out.glob("**/.part-*"))
    generators = list(out.glob("generator*.keras"))
    assert len(generators) == len([name for name in script.networks if "average" in name])
    assert process.stdout.count("written    ") == 4 + len(generators)


def test_saved_generator_needs_no_code_but_the_layers(script, finished_run, tmp_path):
    """Loaded beside a copy of gan_cnn.py and what that imports, from any folder."""
    for name in ("gan_cnn.py", "utils.py", "visual.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    paths = list(finished_run(script.name)[0].glob("generator*.keras"))
    code = """
import sys, gan_cnn, keras, numpy as np
random = np.random.default_rng(0)
for path in sys.argv[1:]:
    generator = keras.saving.load_model(path)
    inputs = [random.uniform(0, 1, (2, *i.shape[1:])).round() for i in generator.inputs]
    print(np.abs(generator.predict(inputs, verbose=0)).max() <= 1)
"""
    command = [sys.executable, "-c", code, *map(str, paths)]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.stdout.split() == ["True"] * len(paths), process.stderr


def figures(path):
    """A history without its times."""
    with open(path, newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


# The ways to break a run off, and the moment: as soon as this file is there. Scripts take turns.
BREAKS = [
    (signal.SIGINT, "frames/001.png"),  # Ctrl-C
    (signal.SIGKILL, "frames/002.png"),  # a frame is there, its checkpoint is not
    (signal.SIGKILL, "checkpoint/ckpt-2.index"),  # half a checkpoint
]


def break_off(script, options, out):
    """Start a run and break it off; returns its exit code, stdout and stderr."""
    signal_number, wanted = BREAKS[SCRIPTS.index(script) % len(BREAKS)]
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


def test_broken_off_run_goes_on_as_if_it_had_not_been(script, finished_run, small_data, tmp_path):
    whole, _ = finished_run(script.name)
    out = tmp_path / "run"
    options = smoke(out, small_data)
    code, said, errors = break_off(script, options, out)
    assert not (out / "scores.json").exists()
    if code == -signal.SIGKILL:
        assert said.count("epoch ") >= 1
    else:
        assert (code, errors) == (130, "")
        assert "the same command goes on" in said
        with Image.open(out / "generating.gif") as gif:
            assert gif.n_frames == len(utils.frame_paths(out)) >= 2
        assert not list(out.glob("**/.part-*"))

    process = run_script(script.name, *options)
    assert process.returncode == 0, process.stderr
    assert "resuming   " in process.stdout
    assert figures(out / "history.csv") == figures(whole / "history.csv")
    assert len(utils.frame_paths(out)) == 4
    for path in utils.frame_paths(out):
        assert path.read_bytes() == (whole / "frames" / path.name).read_bytes()
    mine, theirs = (json.loads((f / "scores.json").read_text()) for f in (out, whole))
    measured = ("train_seconds", "peak_memory")
    assert all(0 < mine[name] < 60 for name in measured)
    assert {k: v for k, v in mine.items() if k not in measured} == {
        k: v for k, v in theirs.items() if k not in measured
    }


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
        (["--sample", "SAMPLE"], "--sample needs a trained generator"),
        (["--size", "3"], "--size 3"),
        (["--data", "FOLDER/empty"], "no picture in this folder"),
        (["--no-such-option"], "--no-such-option"),
        (["--precision", "float8"], "float8"),
        (["stray"], "stray"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(script, args, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "text.npz").write_text("text")
    np.savez(tmp_path / "pickled.npz", x_train=np.array([{}], dtype=object))
    before = contents(tmp_path)
    (tmp_path / "empty").mkdir()
    args = [arg.replace("FOLDER", str(tmp_path)).replace("SAMPLE", script.sample) for arg in args]
    if "--out" not in args:
        args += ["--out", str(tmp_path / "out")]
    code, errors = run_in_process(script, args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    assert errors.startswith(f"{script.name}.py: ")
    assert said in errors
    assert contents(tmp_path) == before


def test_finished_run_is_not_overwritten(script, finished_run, small_data, monkeypatch, capsys):
    out, _ = finished_run(script.name)
    before = contents(out)
    args = [*smoke(out, small_data), "--seed", 5]
    code, errors = run_in_process(script, args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    for part in ("a finished run", "seed 0 there, 5 now", "another --out", "--fresh"):
        assert part in errors
    assert contents(out) == before


def test_bad_input_as_a_process(tmp_path):
    process = run_script("ccgan", *smoke(tmp_path / "out"), "--batch-size", "-5")
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
