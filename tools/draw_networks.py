"""Draws the networks of the lessons, with the shapes of everything that flows through them.

    python -m tools.draw_networks                 those of all lessons, into docs/img
    python -m tools.draw_networks --lessons cgan  some of them

Drawn from the models that the scripts build for MNIST: what the picture shows is what is trained.
The inputs are called what their `keras.Input(name=...)` says.
"""

import dataclasses
import pathlib

import utils  # first of all: it prepares TensorFlow
import keras
import matplotlib.figure
import matplotlib.patches
import numpy as np

from tools import bench

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What only changes the values gets no box of its own: its name stands beside the box before it.
BESIDE = {
    "BatchNormalization": "batch norm",
    "InstanceNormalization": "instance norm",
    "LeakyReLU": "LeakyReLU",
    "ReLU": "ReLU",
    "Dropout": "dropout",
    "GaussianNoise": "noise",
    "Activation": "",
    "Identity": "",
    "Greater": "",
}


@dataclasses.dataclass
class Settings:
    lessons: tuple[str, ...] = ()
    """which lessons' networks; without, those of all"""
    out: str = str(ROOT / "docs" / "img")
    """folder for the pictures, LESSON_networks.png"""


@dataclasses.dataclass
class Box:
    """A tensor between two layers: its shape, how it came about, and the boxes it came from."""

    shape: tuple
    made_by: list
    sources: list


def boxes_of(network):
    """The boxes of a built network, in the order of their computation."""
    boxes, box_of = [], {}

    def add(tensor, made_by, sources):
        boxes.append(Box(tuple(tensor.shape[1:]), [made_by], sources))
        box_of[id(tensor)] = len(boxes) - 1

    def walk(model):
        for operation in model.operations:
            kind = type(operation).__name__
            node = operation._inbound_nodes[-1]
            tensors = [tensor for tensor in node.input_tensors if id(tensor) in box_of]
            sources = [box_of[id(tensor)] for tensor in tensors]
            output = node.output_tensors[0]
            if kind == "InputLayer":
                if id(output) not in box_of:  # the inputs of a network within this one are known
                    add(output, f"input: {operation.name.replace('_', ' ')}", [])
            elif isinstance(operation, keras.Model):
                for inner, source in zip(operation.inputs, sources, strict=True):
                    box_of[id(inner)] = source
                walk(operation)
                box_of[id(output)] = box_of[id(operation.outputs[0])]
            elif kind in BESIDE:
                off = 0 in (getattr(operation, "rate", 1), getattr(operation, "stddev", 1))
                said = "" if off else getattr(operation, "activation", None) or BESIDE[kind]
                said = getattr(said, "__name__", said)
                if said and said not in boxes[sources[0]].made_by:
                    boxes[sources[0]].made_by.append(said)
                box_of[id(output)] = sources[0]
            else:
                names = [boxes[source].made_by[0].removeprefix("input: ") for source in sources]
                add(output, described(operation, names), sources)

    walk(network)
    return boxes


def described(operation, sources):
    """What a layer is called in the picture; sources: what its inputs are called."""
    kind = type(operation).__name__
    if kind in ("Conv2D", "Conv2DTranspose"):
        height, width = operation.kernel_size
        stride = f", stride {operation.strides[0]}" if operation.strides[0] > 1 else ""
        return f"{kind} {height}x{width}{stride}"
    if kind == "Where" and len(sources) == 3:
        return "{1} where {0}, else {2}".format(*sources)
    return kind


def draw(ax, title, boxes, weights):
    """One network, from top to bottom; a line on the left is a way past the boxes between."""
    sizes = np.array([np.log2(np.prod(box.shape)) for box in boxes])
    halves = 0.5 + 1.6 * sizes / sizes.max()
    lines = [(i, source) for i, box in enumerate(boxes) for source in box.sources if source < i - 1]
    columns = {line: k for k, line in enumerate(sorted(lines, key=lambda line: line[0] - line[1]))}
    for i, box in enumerate(boxes):
        corner = (-halves[i], -i - 0.28)
        style = {"facecolor": "#dce9f7", "edgecolor": "#30506f"}
        ax.add_patch(matplotlib.patches.Rectangle(corner, 2 * halves[i], 0.56, **style))
        ax.text(0, -i, "x".join(map(str, box.shape)), ha="center", va="center", fontsize=9)
        ax.text(2.4, -i, ", ".join(box.made_by), ha="left", va="center", fontsize=8)
        for source in box.sources:
            if source == i - 1:
                ends = (0, -i + 0.28), (0, -source - 0.28)
                ax.annotate("", *ends, arrowprops={"arrowstyle": "->"})
            else:
                left = -2.4 - 0.35 * columns[i, source]
                # In above the middle and out below it: two lines of one box stay apart.
                xs, ys = [-halves[source], left, left, -halves[i]], [-source - 0.1, -i + 0.1]
                ax.plot(xs, np.repeat(ys, 2), color="#b5651d", lw=1)
                ax.plot(-halves[i], ys[1], ">", color="#b5651d", ms=4)
    ax.set_title(f"{title}\n{weights:,} weights", fontsize=10)
    ax.set_xlim(-4.5, 8)
    ax.axis("off")


def main():
    settings = utils.parse(Settings, __doc__)
    out = utils.folder(settings.out)
    for lesson in bench.lessons_of(settings.lessons):
        chosen = lesson.module.Settings()
        model = lesson.build(chosen, *lesson.module.load(chosen))
        networks = [getattr(model, name) for name in lesson.drawn]
        listed = [boxes_of(network) for network in networks]
        rows = max(map(len, listed))
        figure = matplotlib.figure.Figure(figsize=(12, 0.42 * rows + 0.8), dpi=100)
        axes = figure.subplots(1, len(networks), squeeze=False)[0]
        for ax, name, network, boxes in zip(axes, lesson.drawn, networks, listed, strict=True):
            weights = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
            draw(ax, f"{lesson.script.name}: {name}", boxes, weights)
            ax.set_ylim(-rows + 0.4, 0.6)
        figure.tight_layout()
        path = out / f"{lesson.name}_networks.png"
        with utils.replacing(path) as part:
            figure.savefig(part, format="png")
        print(f"written    {path}")


if __name__ == "__main__":
    utils.run(main)
