"""Makes tests/data/instance_norm.npz: what tensorflow-addons' InstanceNormalization computes.

tensorflow-addons 0.23 is its last release and needs TensorFlow 2.15, so this runs in an environment
of its own (Python 3.10 or 3.11):

    python3.11 -m venv addons
    addons/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0
    addons/bin/python tests/make_instance_norm_reference.py
"""

import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

random = np.random.default_rng(0)
channels = 5
arrays = {
    "inputs": random.normal(1.5, 2.0, (3, 7, 9, channels)),  # odd sizes: no padding can hide
    "gamma": random.normal(1.0, 0.5, channels),
    "beta": random.normal(0.0, 0.5, channels),
    "upstream": random.normal(0.0, 1.0, (3, 7, 9, channels)),  # the gradient that comes from above
}
arrays = {name: array.astype(np.float32) for name, array in arrays.items()}

layer = tfa.layers.InstanceNormalization()
layer.build(arrays["inputs"].shape)
layer.gamma.assign(arrays["gamma"])
layer.beta.assign(arrays["beta"])
inputs = tf.constant(arrays["inputs"])
with tf.GradientTape() as tape:
    tape.watch(inputs)
    outputs = layer(inputs)
    loss = tf.reduce_sum(outputs * arrays["upstream"])
gradients = tape.gradient(loss, [inputs, layer.gamma, layer.beta])
arrays["outputs"] = outputs.numpy()
for name, gradient in zip(("inputs", "gamma", "beta"), gradients, strict=True):
    arrays[f"gradient_{name}"] = gradient.numpy()

path = pathlib.Path(__file__).parent / "data" / "instance_norm.npz"
np.savez(path, **arrays)
print(f"{path}: TensorFlow {tf.__version__}, tensorflow-addons {tfa.__version__}")
