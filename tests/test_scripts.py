"""What holds for every lesson, tested on every lesson of the list."""

import ast
import csv
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import gan_cnn
import runs
import utils
from conftest import (
    LESSONS,
    ROOT,
    batches_of,
    build,
    contents,
    run_script,
    smoke,
    weights_of,
)

# -------------------------------------------------------------------------------- the training step


def test_each_gradient_step_moves_only_its_own_network(lesson, small_data, eagerly):
    """With all optimizers but one doing nothing, nothing but that one's networks may move."""
    for optimizer, moved in lesson.moves.items():
        model, settings, sets = build(lesson, small_data, "--batch-size", 4)
        for name in lesson.moves:
            if name != optimizer:
                getattr(model, name).apply = lambda gradients, weights: None
        before = {name: weights_of(getattr(model, name)) for name in lesson.networks}
        for batch in batches_of(settings, sets, 2):
            model.train_step(batch)
        for name in lesson.networks:
            after = weights_of(getattr(model, name))
            same = [np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)]
            # Every weight of the networks that should move, for a layer left out would not learn.
            assert not any(same) if name in moved else all(same), (optimizer, name)


def test_every_optimizer_takes_its_settings(lesson, small_data):
    rates, beta_1 = {"g": 0.125, "d": 0.25}, 0.5
    options = ["--g-learning-rate", rates["g"], "--d-learning-rate", rates["d"]]
    if hasattr(lesson.module.Settings(), "beta_1"):
        beta_1 = 0.25
        options += ["--beta-1", beta_1]
    model, *_ = build(lesson, small_data, *options)
    for name in lesson.moves:
        optimizer = getattr(model, name)
        assert float(optimizer.learning_rate) == rates[name[0]], name
        assert optimizer.beta_1 == beta_1, name


def test_every_network_has_the_optimizer_of_its_entry(lesson, small_data):
    model, _, _ = build(lesson, small_data)
    found = {name: v for name, v in vars(model).items() if name.endswith("_optimizer")}
    assert set(found) == set(lesson.moves)
    assert all(map(callable, (model.fit, model.compile, model.save)))  # hidden by no attribute
    optimizers = list(found.values())
    assert len({id(optimizer) for optimizer in optimizers}) == len(lesson.moves)
    assert all(optimizer.built for optimizer in optimizers)  # an unbuilt one traces twice


def test_training_is_passed_at_every_call_of_a_network(lesson):
    """In train_step every `self.<network>(...)` says whether it trains: Keras's default is no."""
    tree = ast.parse(lesson.script.read_text())
    steps = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "train_step"]
    networks = set(lesson.networks)
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


def test_what_is_random_in_a_step_goes_through_one_helper(lesson, small_data):
    """gan_cnn.RandomStream, which gives every replica its own numbers, in a stream of its own."""
    source = lesson.script.read_text()
    assert "SeedGenerator" not in source
    assert "tf.random." not in source
    model, _, _ = build(lesson, small_data, "--seed", 3)
    assert isinstance(model.random, gan_cnn.RandomStream)
    assert model.random._initial_seed == utils.stream(3, "training")
    layers = [x for name in lesson.networks for x in getattr(model, name)._flatten_layers()]
    generators = [x.seed_generator for x in layers if hasattr(x, "seed_generator")]
    assert all(isinstance(one, gan_cnn.RandomStream) for one in generators)


def test_batches_of_any_size_give_finite_figures(lesson, small_data, eagerly):
    for size in (1, 7):
        model, settings, sets = build(lesson, small_data, "--batch-size", size)
        for name, value in model.train_step(batches_of(settings, sets, 1)[0]).items():
            assert value.shape == ()
            assert np.isfinite(value)
            low, high = (0, 1) if lesson.probabilities else (-2, 3)
            assert not name.startswith("D(") or low < value < high


def test_another_seed_gives_another_run(lesson, small_data, eagerly):
    """That the same seed gives the same run is seen where a killed run resumes, below."""

    def figures(seed):
        model, settings, sets = build(lesson, small_data, "--seed", seed, "--batch-size", 4)
        return model.train_step(batches_of(settings, sets, 1)[0])

    first, other = figures(seed=3), figures(seed=4)
    assert all(first[name] != other[name] for name in first)


@pytest.mark.slow
def test_compile_and_fit_in_half_precision(lesson, small_data):
    """Keras's own loop takes the model, traces the step once, and all networks learn in bfloat16.

    Its first figures are those of float32, as far as bfloat16 can give them.
    """
    options = ["--batch-size", 32]
    tf.config.run_functions_eagerly(True)
    model, settings, sets = build(lesson, small_data, *options)
    batch = batches_of(settings, sets, 1)[0]
    exact = model.train_step(batch)
    tf.config.run_functions_eagerly(False)
    keras.config.set_dtype_policy("mixed_bfloat16")
    model, _, _ = build(lesson, small_data, *options)
    before = {name: weights_of(getattr(model, name)) for name in lesson.networks}
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


@pytest.mark.slow
def test_two_replicas(lesson, small_data, tmp_path):
    """Steps under a distribution strategy, on two logical processors, each with its own noise."""
    code = """
import sys, utils, tensorflow as tf, gan_cnn, lessons, runs, training
from PIL import Image
from conftest import build
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
name, small = sys.argv[1:]
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    lesson = lessons.named(name)
    options = "--out", "run", "--epochs", 1, "--steps-per-epoch", 2, "--batch-size", 4
    model, settings, sets = build(lesson, small, *options)
    run = runs.Run(settings, sets, "float32")
    runs.open_run(run)
    training.train(run, model, lambda caption: Image.new("LA", (8, 8)))
    noise = gan_cnn.GaussianNoise(1.0)

    def drawn():
        seeds = model.random, noise.seed_generator
        return [utils.keras.random.normal((2,), seed=seed) for seed in seeds]

    pairs = [numbers.values for numbers in strategy.run(drawn)]
    differ = all(first.numpy().tolist() != second.numpy().tolist() for first, second in pairs)
    same = all(
        len({copy.numpy().tobytes() for copy in strategy.experimental_local_results(v.value)}) == 1
        for optimizer, networks in lesson.moves.items()
        for v in [
            *getattr(model, optimizer).variables,
            *(v for name in networks for v in getattr(model, name).trainable_variables),
        ]
    )
    print(len(run.history), run.history[-1]["g_loss"], differ, same)
"""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.run(
        [sys.executable, "-c", code, lesson.name, str(small_data)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert process.returncode == 0, process.stderr
    steps, g_loss, differ, same = process.stdout.splitlines()[-1].split()
    assert int(steps) == 2
    assert np.isfinite(float(g_loss))
    assert differ == "True"
    assert same == "True"  # the replicas have the same weights, averages and optimizers


# ------------------------------------------------------------------------------------- as a program


def test_help_explains_every_setting(lesson, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{lesson.name}.py", "--help"])
    with pytest.raises(SystemExit) as exit_:
        utils.run(lesson.module.main)
    assert not exit_.value.code
    said, errors = capsys.readouterr()
    for field in dataclasses.fields(lesson.module.Settings):
        assert f"--{field.name.strip('_').replace('_', '-')}" in said
    assert f"arxiv.org/abs/{lesson.paper}" in said
    assert errors == ""


def test_importing_trains_nothing(tmp_path):
    names = ", ".join(lesson.name for lesson in LESSONS)
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


def test_smoke_run_writes_everything(lesson, finished_run):
    out, process = finished_run(lesson.name)
    assert process.stderr == ""
    for word in ("data       few: ", "CPU", "float32", "batch_size=8", "epoch 3"):
        assert word in process.stdout
    frames = runs.frame_paths(out)
    assert [path.name for path in frames] == ["000.png", "001.png", "002.png", "003.png"]
    with Image.open(out / "generating.gif") as gif:
        assert gif.n_frames == 4
        for i, path in enumerate(frames):
            gif.seek(i)
            with Image.open(path) as frame:
                assert gif.size == frame.size
                assert frame.width <= 720
                difference = np.asarray(gif.convert("RGB"), int) - np.asarray(frame.convert("RGB"))
                assert np.abs(difference).mean() < 1
            assert gif.info["duration"] == (3000 if i == 3 else 600)
    for name in ("samples.png", "progress.png", "losses.png"):
        with Image.open(out / name) as picture:
            assert picture.width > 600
    history = utils.read_csv(out / "history.csv")
    assert [(row["epoch"], row["step"]) for row in history] == [
        (1 + i // 4, 1 + i) for i in range(12)
    ]
    scores = json.loads((out / "scores.json").read_text())
    assert set(lesson.scores) <= set(scores)
    for name, references in lesson.scores.items():
        assert all(f"{name}_{reference}" in scores for reference in references)
    for name, value in scores.items():
        assert f"{name} " in process.stdout
        assert np.isfinite(value)
    mark = runs.read_mark(out)
    assert mark["lesson"] == lesson.name
    assert mark["code"] == runs.code_digest(lesson.script)
    assert not list(out.glob("**/.part-*"))
    generators = list(out.glob("generator*.keras"))
    assert len(generators) == len([name for name in lesson.networks if "average" in name])
    assert process.stdout.count("written    ") == 5 + len(generators)


def test_saved_generators_need_no_code_but_the_layers(finished_run, tmp_path):
    """Loaded beside a copy of gan_cnn.py alone, from any folder; tested in one process for all."""
    (tmp_path / "gan_cnn.py").write_bytes((ROOT / "gan_cnn.py").read_bytes())
    found = [finished_run(one.name)[0].glob("generator*.keras") for one in LESSONS]
    paths = [path for of_one in found for path in of_one]
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


# The moment at which a run is killed: as soon as this file is there. Lessons take turns.
MOMENTS = [
    "history.csv",  # its first checkpoint is not there
    "frames/002.png",  # its checkpoint is
    "checkpoint/ckpt-2.index",  # half a checkpoint, or its end
]


@pytest.mark.slow
def test_killed_run_resumes_as_if_it_had_not_been(lesson, finished_run, small_data, tmp_path):
    whole, _ = finished_run(lesson.name)
    out = tmp_path / "run"
    options = [str(option) for option in smoke(out, small_data)]
    wanted = out / MOMENTS[LESSONS.index(lesson) % len(MOMENTS)]
    process = subprocess.Popen(
        [sys.executable, str(lesson.script), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not wanted.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate(timeout=120)
    assert not (out / "scores.json").exists()

    process = run_script(lesson.name, *options)
    assert process.returncode == 0, process.stderr
    begun_anew = wanted.name == "history.csv"
    assert begun_anew or "resuming   " in process.stdout
    assert figures(out / "history.csv") == figures(whole / "history.csv")
    assert len(runs.frame_paths(out)) == 4
    for path in runs.frame_paths(out):
        assert path.read_bytes() == (whole / "frames" / path.name).read_bytes()
    mine, theirs = (json.loads((f / "scores.json").read_text()) for f in (out, whole))
    measured = {"train_seconds", "peak_memory"}
    assert mine.keys() == theirs.keys()
    assert all(mine[name] == theirs[name] for name in mine.keys() - measured)


def test_more_epochs_resume_as_one_run(finished_run, small_data, tmp_path, program):
    """In this process: a run of two epochs and then of three is the run of three, to the bit."""
    whole, _ = finished_run("dcgan")
    out = tmp_path / "run"
    for epochs in (2, 3):
        keras.utils.set_random_seed(99)  # what was random before must not matter
        said = program("dcgan", *smoke(out, small_data, epochs=epochs))
    assert "resuming   2 of 3 epochs are there" in said
    assert figures(out / "history.csv") == figures(whole / "history.csv")
    mine, theirs = (runs.read_scores(folder) for folder in (out, whole))
    assert mine["frechet"] == theirs["frechet"]


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--batch-size", "0"], "--batch-size 0"),
        (["--batch-size", "60001"], "--batch-size 60001"),
        (["--epochs", "-3"], "--epochs -3"),
        (["--steps-per-epoch", "-3"], "--steps-per-epoch -3"),
        (["--g-learning-rate", "-1"], "--g-learning-rate -1"),
        (["--d-learning-rate", "nan"], "--d-learning-rate nan"),
        (["--data", "FOLDER/absent.npz"], "absent.npz: no such file"),
        (["--data", "FOLDER/text.npz"], "text.npz"),
        (["--data", "FOLDER/pickled.npz"], "pickled"),
        (["--data", "no_such_data_set"], "no_such_data_set"),
        (["--out", "FOLDER/text.npz/below"], "cannot write there"),
        (["--out", "FOLDER"], "no run of this program"),
        (["--sample", "SAMPLE"], "--sample needs a trained generator"),
        (["--sample"], "--sample"),
        (["--size", "3"], "--size 3"),
        (["--judge", "FOLDER/absent.keras"], "--judge"),
        (["--data", "FOLDER/empty"], "no picture in this folder"),
        (["--data", "FOLDER/odd.npz"], "pictures of 27x27: expected "),
        (["--data", "FOLDER/tiny.npz"], ": expected "),
        (["--no-such-option"], "--no-such-option"),
        (["--precision", "float8"], "float8"),
        (["stray"], "stray"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(lesson, args, said, tmp_path, small_data, refused):
    (tmp_path / "text.npz").write_text("text")
    np.savez(tmp_path / "pickled.npz", x_train=np.array([{}], dtype=object))
    for name, size in (("odd", 27), ("tiny", 4)):
        x, y = np.zeros((400, size, size), np.uint8), np.arange(400) % 10
        np.savez(tmp_path / f"{name}.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    before = contents(tmp_path)
    (tmp_path / "empty").mkdir()
    args = [arg.replace("FOLDER", str(tmp_path)) for arg in args]
    args = [part for arg in args for part in (lesson.sample if arg == "SAMPLE" else [arg])]
    if "--out" not in args:
        args += ["--out", str(tmp_path / "out")]
    if "--data" not in args and "60001" not in args:
        args += ["--data", str(small_data)]
    assert said in refused(lesson.name, *args)
    assert contents(tmp_path) == before


def test_finished_run_is_not_overwritten(lesson, finished_run, small_data, refused):
    out, _ = finished_run(lesson.name)
    before = contents(out)
    errors = refused(lesson.name, *smoke(out, small_data), "--seed", 5)
    for part in ("a finished run", "seed 0 there, 5 now", "another --out", "--fresh"):
        assert part in errors
    other = next(one for one in LESSONS if one is not lesson)
    for options in ([], ["--fresh"]):  # of another lesson, not even to delete it
        errors = refused(other.name, *smoke(out, small_data), *options)
        assert f"the folder holds a run of {lesson.name}.py" in errors
    assert contents(out) == before


def test_bad_input_as_a_process(tmp_path):
    process = run_script("ccgan", *smoke(tmp_path / "out"), "--batch-size", "-5")
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_every_lesson_offers_the_same_names(lesson):
    """So that no tool has to ask which lesson it is."""
    module = importlib.import_module(lesson.name)
    for name in ("Settings", "load", "main", lesson.model):
        assert hasattr(module, name)
    assert (ROOT / "docs" / f"{lesson.name}.md").exists()
    assert (ROOT / "docs" / f"{lesson.name}.zh-CN.md").exists()
    assert (ROOT / "tests" / f"test_{lesson.name}.py").exists()
