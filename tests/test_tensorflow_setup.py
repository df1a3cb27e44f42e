import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

# What holding_back does needs no TensorFlow, whose import takes seconds.
WITHOUT_TENSORFLOW = """
import os, sys, unittest.mock
sys.modules["tensorflow"] = unittest.mock.MagicMock()
import tensorflow_setup
"""
forks = pytest.mark.skipif(os.name == "nt", reason="nothing is held back on Windows")


def run(code, **environment):
    """A new Python with this code, in the environment in which a user starts a script."""
    ours = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_importing_says_nothing_and_prepares_tensorflow():
    code = """
import os, utils, tensorflow as tf, keras
print(tf.config.optimizer.get_experimental_options()["remapping"], keras.backend.backend())
print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3)])
network.add(keras.layers.LeakyReLU())
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.function(network)(tf.ones((2, 8, 8, 1))))
tape.gradient(loss, network.trainable_weights)
"""
    process = run(code, KERAS_BACKEND="jax")
    assert process.returncode == 0, process.stderr
    assert process.stdout == "False tensorflow\n2\n"
    assert process.stderr == ""


@forks
def test_what_is_held_back_is_dropped_when_all_goes_well():
    code = """
os.write(2, b"before\\n")
for _ in range(2):
    with tensorflow_setup.holding_back():
        os.write(2, b"chatter\\n" * 50_000)
        print("chatter", file=sys.stderr)
os.write(2, b"after\\n")
"""
    process = run(WITHOUT_TENSORFLOW + code)
    assert process.returncode == 0
    assert process.stderr == "before\nafter\n"


@forks
@pytest.mark.parametrize("end", ["os.abort()", "os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_what_is_held_back_is_shown_when_the_process_dies(end):
    code = f"""
with tensorflow_setup.holding_back():
    os.write(2, b"why\\n")
    {end}
"""
    process = run(WITHOUT_TENSORFLOW + code)
    assert process.returncode != 0
    assert process.stderr == "why\n"


@forks
def test_what_is_held_back_is_shown_before_an_error():
    code = """
with tensorflow_setup.holding_back():
    os.write(2, b"why\\n")
    raise ImportError("no library")
"""
    process = run(WITHOUT_TENSORFLOW + code)
    assert process.returncode == 1
    assert process.stderr.startswith("why\nTraceback")
    assert process.stderr.endswith("ImportError: no library\n")


@forks
def test_holding_back_leaves_no_process_and_no_file_open():
    code = """
def count():
    return len(os.listdir("/dev/fd"))
before = count()
for _ in range(3):
    with tensorflow_setup.holding_back():
        pass
print(count() - before)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
"""
    assert run(WITHOUT_TENSORFLOW + code).stdout == "0\nno child\n"


def test_only_one_module_changes_the_process():
    environment = r"environ\[[^]]*\] *=[^=]|environ *\|=|environ\.(setdefault|update|pop|clear)"
    pattern = re.compile(rf"{environment}|del os\.environ|putenv|unsetenv|remapping|dup2")
    files = [*ROOT.glob("*.py"), *ROOT.glob("tools/*.py")]
    found = {file.name for file in files if pattern.search(file.read_text(encoding="utf-8"))}
    assert found == {"tensorflow_setup.py"}
    for line in ('os.environ["A"] = "1"', "os.environ.setdefault('A', 'b')", "os.environ |= more"):
        assert pattern.search(line)
    for line in ('os.environ.get("A")', "env=os.environ | more", 'if os.environ["A"] == "1":'):
        assert not pattern.search(line)
