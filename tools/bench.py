"""How fast a training step is: eagerly and as a `tf.function`, in full and in half precision.

    python -m tools.bench                                      all lessons
    python -m tools.bench --lessons cgan --precisions float32  a part of it
    python -m tools.bench --packages --json docs/bench.json    the data of the table on the pages

The variants run alternately. So other programs on the machine slow down all of them. The time of a
turn is the mean of its steps, because a script may do more in some steps than in others. The table
shows the median and the quartiles of the turns. Look at the ratios: the milliseconds differ from
machine to machine and from minute to minute. The speed-up is relative to the eager step in the
first precision. The last column is the number of operations per second in a training step, divided
by that in a product of two large matrices in the same precision.
"""

import dataclasses
import datetime
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from typing import Literal

import utils  # must be the first import: it prepares TensorFlow
import keras
import numpy as np
import tensorflow as tf

import lessons
import mnist_ds

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Settings:
    lessons: tuple[str, ...] = ()
    """the lessons whose steps are measured; none = all"""
    precisions: tuple[Literal["float32", "mixed_bfloat16"], ...] = (
        "float32",
        "mixed_bfloat16",
    )
    """the precisions to measure"""
    rounds: int = 7
    """number of turns of each variant"""
    steps: int = 4
    """steps in a turn"""
    packages: bool = False
    """also measure the download size of requirements.txt, by downloading the packages"""
    json: str = ""
    """file for the table as JSON"""


def lessons_of(names):
    """The lessons with these names, from --lessons; all if there are none."""
    known = [lesson.name for lesson in lessons.LESSONS]
    unknown = [name for name in names if name not in known]
    utils.require(not unknown, "--lessons", " ".join(unknown), f"some of {', '.join(known)}")
    return [lessons.named(name) for name in names or known]


def variants(lesson, precisions):
    """Functions that run one step, and the numbers of pictures and of operations in a step.

    The functions are {(precision, "eager" or "tf.function"): function}.
    """
    chosen = lesson.module.Settings()
    data = lesson.module.load(chosen)
    batch = next(iter(mnist_ds.epochs(chosen, *data)(1)))
    steps, before = {}, keras.config.dtype_policy()
    for precision in precisions:
        keras.config.set_dtype_policy(precision)
        model = lesson.build(chosen, *data)
        keras.config.set_dtype_policy(before)
        for mode in ("eager", "tf.function"):

            def step(model=model, eager=mode == "eager"):
                tf.config.run_functions_eagerly(eager)
                try:
                    return [float(value) for value in model.train_step(batch).values()]
                finally:
                    tf.config.run_functions_eagerly(False)

            steps[precision, mode] = step
    return steps, chosen.batch_size, operations(model.train_step.get_concrete_function(batch).graph)


def operations(graph):
    """The number of multiplications and additions in a graph's convolutions and matrix products.

    Each position of a convolution's output uses the complete kernel once, forward and in both
    gradients. Operations that only some steps do, in a branch of the graph, are not counted.
    """
    count = 0
    for operation in graph.get_operations():
        tensors, output = operation.inputs, operation.outputs[0] if operation.outputs else None
        if operation.type == "MatMul":
            inner = tensors[0].shape[0 if operation.get_attr("transpose_a") else 1]
            count += 2 * inner * output.shape.num_elements()
        elif operation.type in ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"):
            to_filter = operation.type == "Conv2DBackpropFilter"
            kernel = output.shape if to_filter else tensors[1].shape
            places = (output if operation.type == "Conv2D" else tensors[2]).shape[:3]
            count += 2 * kernel.num_elements() * places.num_elements()
    return count


def peak(precision, side=2048, rounds=10):
    """Operations per second in the fastest of several products of two large matrices."""
    dtype = "float32" if precision == "float32" else "bfloat16"
    matrix = tf.cast(tf.random.normal((side, side)), dtype)
    product = tf.function(lambda: tf.reduce_sum(matrix @ matrix))
    product()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        float(product())
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds)


def measure(steps, rounds, count):
    """{variant: [mean seconds of a step, one for each turn]}; the variants run alternately."""
    seconds = {variant: [] for variant in steps}
    for step in steps.values():
        step()  # traces, and fills the caches
    for _ in range(rounds):
        for variant, step in steps.items():
            began = time.perf_counter()
            for _ in range(count):
                step()
            seconds[variant].append((time.perf_counter() - began) / count)
    return seconds


def download_size(requirements):
    """Bytes that pip downloads for these requirements on this machine, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir"]
        process = subprocess.run([*pip, "--dest", folder, "--requirement", requirements])
        utils.require(not process.returncode, "--packages", requirements, "packages in pip's reach")
        return sum(path.stat().st_size for path in pathlib.Path(folder).iterdir())


def main():
    settings = utils.parse(Settings, __doc__)
    chosen = lessons_of(settings.lessons)
    utils.require(settings.rounds >= 1, "--rounds", settings.rounds, "1 or more")
    utils.require(settings.steps >= 1, "--steps", settings.steps, "1 or more")
    utils.require(settings.precisions, "--precisions", "", "at least one precision")
    there = not settings.json or pathlib.Path(settings.json).resolve().parent.is_dir()
    utils.require(there, "--json", settings.json, "a file in a folder that exists")
    keras.utils.set_random_seed(0)
    peaks = {precision: peak(precision) for precision in settings.precisions}
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, {utils.bfloat16_pays()[1]}; "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )
    print(machine)
    for precision, rate in peaks.items():
        print(f"products of matrices in {precision}: {rate / 1e9:.0f} GFLOP/s")
    print(
        "script    precision       mode         ms/step  quartiles      images/s  speed-up  of peak"
    )
    table = []
    for lesson in chosen:
        steps, batch_size, count = variants(lesson, settings.precisions)
        seconds = measure(steps, settings.rounds, settings.steps)
        eager = np.median(next(iter(seconds.values())))  # of the first precision
        for (precision, mode), times in seconds.items():
            low, median, high = np.percentile(times, [25, 50, 75])
            row = {
                "script": lesson.name,
                "precision": precision,
                "mode": mode,
                "ms_per_step": 1000 * median,
                "quartiles_ms": [1000 * low, 1000 * high],
                "images_per_second": batch_size / median,
                "speed_up": eager / median,
                "share_of_peak": count / median / peaks[precision],
            }
            table.append(row)
            print(
                f"{lesson.name:9} {precision:15} {mode:12} {1000 * median:7.1f}  "
                f"{1000 * low:5.1f} - {1000 * high:5.1f}  {batch_size / median:8.0f}  "
                f"{row['speed_up']:7.2f}x  {row['share_of_peak']:7.1%}"
            )
    found = {}
    if settings.packages:
        size = download_size(ROOT / "requirements.txt")
        found = {"download_mb": size / 1e6, "system": platform.system()}
        print(f"packages   {size / 1e6:.0f} MB to download, {platform.system()}")
    if settings.json:
        about = {
            "date": datetime.date.today().isoformat(),
            "machine": machine,
            "peak_gflops": {precision: rate / 1e9 for precision, rate in peaks.items()},
        }
        utils.write_json(settings.json, about | found | {"steps": table})


if __name__ == "__main__":
    utils.run(main)
