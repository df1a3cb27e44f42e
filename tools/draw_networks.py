"""Draws the networks of the lessons, with the shapes of all tensors between the layers.

    python -m tools.draw_networks                 those of all lessons, into docs/img
    python -m tools.draw_networks --lessons cgan  some of them

The scripts build the models for MNIST, so the picture shows the networks that are trained. The
names of the inputs come from `keras.Input(name=...)`.
"""

import dataclasses
import pathlib

import utils  # must be the first import: it prepares TensorFlow
import keras
import matplotlib
import matplotlib.patches
import numpy as np

import visual
from tools import bench

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Layers that change only the values have no box: their names stand next to the box before them.
BESIDE = {
    "BatchNormalization": "batch norm",
    "InstanceNormalization": "instance norm",
    "LeakyReLU": "LeakyReLU",
    "ReLU": "ReLU",
    "Dropout": "dropout",
    "SpatialDropout2D": "dropout of channels",
    "GaussianNoise": "noise",
    "Activation": "",
    "Identity": "",
    "Greater": "",
}
# Letters as letters, not as outlines; the same file for the same networks.
AS_SVG = {"svg.fonttype": "none", "svg.hashsalt": "networks", "text.color": visual.GREY}


@dataclasses.dataclass
class Settings:
    lessons: tuple[str, ...] = ()
    """the lessons whose networks are drawn; none = all"""
    out: str = str(ROOT / "docs" / "img")
    """folder for the pictures, LESSON_networks.svg"""


@dataclasses.dataclass
class Box:
    """A tensor between two layers: its shape, the layers that made it, and the boxes before it."""

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
    """The name of a layer in the picture; sources: the names of its inputs."""
    kind = type(operation).__name__
    if kind in ("Conv2D", "Conv2DTranspose"):
        height, width = operation.kernel_size
        stride = f", stride {operation.strides[0]}" if operation.strides[0] > 1 else ""
        return f"{kind} {height}x{width}{stride}"
    if kind == "Where" and len(sources) == 3:
        return "{1} where {0}, else {2}".format(*sources)
    return kind


def draw(ax, title, boxes, weights):
    """Draw one network, from top to bottom; a line on the left skips the boxes in between."""
    sizes = np.array([np.log2(np.prod(box.shape)) for box in boxes])
    halves = 0.5 + 1.6 * sizes / sizes.max()
    lines = [(i, source) for i, box in enumerate(boxes) for source in box.sources if source < i - 1]
    columns = {line: k for k, line in enumerate(sorted(lines, key=lambda line: line[0] - line[1]))}
    for i, box in enumerate(boxes):
        corner = (-halves[i], -i - 0.28)
        style = {"facecolor": "#4f8fd040", "edgecolor": "#4f8fd0"}
        ax.add_patch(matplotlib.patches.Rectangle(corner, 2 * halves[i], 0.56, **style))
        ax.text(0, -i, "x".join(map(str, box.shape)), ha="center", va="center", fontsize=10)
        ax.text(2.4, -i, ", ".join(box.made_by), ha="left", va="center", fontsize=10)
        for source in box.sources:
            if source == i - 1:
                ends = (0, -i + 0.28), (0, -source - 0.28)
                ax.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": visual.GREY})
            else:
                left = -2.4 - 0.35 * columns[i, source]
                # Lines enter above the middle and leave below it: two lines do not meet.
                xs, ys = [-halves[source], left, left, -halves[i]], [-source - 0.1, -i + 0.1]
                ax.plot(xs, np.repeat(ys, 2), color="#b5651d", lw=1)
                ax.plot(-halves[i], ys[1], ">", color="#b5651d", ms=4)
    ax.set_title(f"{title}: {weights:,} weights", fontsize=12)
    ax.set_xlim(-4, 10)
    ax.set_ylim(-len(boxes) + 0.4, 0.6)
    ax.axis("off")


def main():
    settings = utils.parse(Settings, __doc__)
    out = utils.folder(settings.out)
    for lesson in bench.lessons_of(settings.lessons):
        chosen = lesson.module.Settings()
        model = lesson.build(chosen, *lesson.module.load(chosen))
        networks = [getattr(model, name) for name in lesson.drawn]
        listed = [boxes_of(network) for network in networks]
        # Below each other and no wider than a page shows it, so that all letters can be read.
        rows = [len(boxes) for boxes in listed]
        options = {"layout": "constrained", "height_ratios": rows}
        size = 7.5, 0.42 * sum(rows) + 0.5 * len(rows)
        with matplotlib.rc_context(AS_SVG):
            figure, axes = visual.figure_of(size, len(networks), **options)
            drawn = zip(axes[:, 0], lesson.drawn, networks, listed, strict=True)
            for ax, name, network, boxes in drawn:
                weights = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
                draw(ax, f"{lesson.script.name}: {name}", boxes, weights)
            path = out / f"{lesson.name}_networks.svg"
            with utils.replacing(path) as part:
                figure.savefig(part, format="svg", metadata={"Date": None})
        print(f"written    {path}")


if __name__ == "__main__":
    utils.run(main)
