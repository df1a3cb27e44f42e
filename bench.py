"""How fast a training step is: eagerly, as a `tf.function`, and in half precision.

    python bench.py                         float32, eager against tf.function
    python bench.py --precisions float32 mixed_bfloat16

The variants take turns, so that whatever else the machine does hits all of them. Look at the
ratios; the milliseconds differ from machine to machine and from minute to minute.
"""

import dataclasses
import importlib
import os
import time
from typing import Literal

import utils  # first of all: it quiets TensorFlow's start-up messages
import keras
import numpy as np
import tensorflow as tf

import mnist_ds

MODELS = {
    "ccgan": "CCGAN",
    "cgan": "CGAN",
    "dcgan": "DCGAN",
    "pix2pix": "Pix2Pix",
    "cyclegan": "CycleGAN",
}


@dataclasses.dataclass
class Settings:
    scripts: tuple[Literal[tuple(MODELS)], ...] = tuple(MODELS)
    """which scripts' steps"""
    precisions: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32",)
    """with which precisions"""
    rounds: int = 5
    """turns that each variant gets"""
    steps: int = 5
    """steps in a turn"""
    json: str = ""
    """a file for the table as JSON"""


def variants(script, precisions):
    """{(precision, "eager" or "tf.function"): runs one step}, and how many pictures it takes."""
    module = importlib.import_module(script)
    chosen = module.Settings()
    data = module.load(chosen) if script == "cyclegan" else [mnist_ds.load()]
    batch = next(iter(mnist_ds.epochs(chosen, *data)(1)))
    steps = {}
    for precision in precisions:
        with utils.dtype_policy(precision):
            model = getattr(module, MODELS[script])(chosen, *data)
        for mode in ("eager", "tf.function"):

            def step(model=model, eager=mode == "eager"):
                tf.config.run_functions_eagerly(eager)
                try:
                    return [float(value) for value in model.train_step(batch).values()]
                finally:
                    tf.config.run_functions_eagerly(False)

            steps[precision, mode] = step
    return steps, chosen.batch_size


def measure(steps, rounds, count):
    """{variant: seconds of each step}, the variants taking turns."""
    seconds = {variant: [] for variant in steps}
    for step in steps.values():
        step()  # traces, and fills the caches
    for _ in range(rounds):
        for variant, step in steps.items():
            for _ in range(count):
                began = time.perf_counter()
                step()
                seconds[variant].append(time.perf_counter() - began)
    return seconds


def main():
    settings = utils.parse(Settings, __doc__)
    utils.require(settings.rounds >= 1, "--rounds", settings.rounds, "1 or more")
    utils.require(settings.steps >= 1, "--steps", settings.steps, "1 or more")
    keras.utils.set_random_seed(0)
    print(f"{os.cpu_count()} cores; TensorFlow {tf.__version__}, Keras {keras.__version__}")
    print(f"{'script':9} {'precision':15} {'mode':12} ms/step  quartiles      images/s  speed-up")
    table = []
    for script in settings.scripts:
        steps, batch_size = variants(script, settings.precisions)
        seconds = measure(steps, settings.rounds, settings.steps)
        eager = np.median(next(iter(seconds.values())))  # of the first precision named
        for (precision, mode), times in seconds.items():
            low, median, high = np.percentile(times, [25, 50, 75])
            row = {
                "script": script,
                "precision": precision,
                "mode": mode,
                "ms_per_step": 1000 * median,
                "quartiles_ms": [1000 * low, 1000 * high],
                "images_per_second": batch_size / median,
                "speed_up": eager / median,
            }
            table.append(row)
            print(
                f"{script:9} {precision:15} {mode:12} {1000 * median:7.1f}  "
                f"{1000 * low:5.1f} - {1000 * high:5.1f}  {batch_size / median:8.0f}  "
                f"{eager / median:7.2f}x"
            )
    if settings.json:
        utils.write_json(settings.json, table)


if __name__ == "__main__":
    utils.run(main)
