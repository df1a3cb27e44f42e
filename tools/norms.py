"""Draws over which values each kind of normalization computes its mean and variance.

    python -m tools.norms        into docs/img/norms.svg

A column is a picture of the batch, a row is a channel, and each square is one channel of one
picture, with all its pixels. The values in the coloured squares share one mean and one standard
deviation. Sources: batch norm arXiv 1502.03167, layer norm 1607.06450, instance norm 1607.08022,
group norm 1803.08494.
"""

import dataclasses
import pathlib

import utils  # first of all: it prepares TensorFlow
import matplotlib
import matplotlib.patches

import visual

ROOT = pathlib.Path(__file__).resolve().parent.parent
PICTURES, CHANNELS = 4, 6
# {name: (the coloured rows, the coloured columns, what the mean runs over)}
NORMS = {
    "batch norm": ({0}, {0, 1, 2, 3}, r"$\mu_c = \frac{1}{NHW} \sum_{n,i,j} x_{nijc}$"),
    "instance norm": ({0}, {0}, r"$\mu_{nc} = \frac{1}{HW} \sum_{i,j} x_{nijc}$"),
    "layer norm": ({0, 1, 2, 3, 4, 5}, {0}, r"$\mu_n = \frac{1}{HWC} \sum_{i,j,c} x_{nijc}$"),
    "group norm": ({0, 1, 2}, {0}, r"$\mu_{ng} = \frac{1}{HW|g|} \sum_{i,j,c \in g} x_{nijc}$"),
}


@dataclasses.dataclass
class Settings:
    out: str = str(ROOT / "docs" / "img")
    """folder for the picture, norms.svg"""


def draw(ax, title, rows, columns, formula):
    """One kind of normalization: its squares, those that belong together coloured."""
    for row in range(CHANNELS):
        for column in range(PICTURES):
            together = row in rows and column in columns
            style = {"facecolor": "#d1601b90" if together else "none", "edgecolor": visual.GREY}
            ax.add_patch(matplotlib.patches.Rectangle((column, -row), 0.86, -0.86, **style))
    ax.set_title(title, fontsize=12)
    ax.set_xlabel(f"N pictures\n\n{formula}", fontsize=12)
    ax.set_ylabel("C channels", fontsize=11)
    ax.set(xlim=(-0.2, PICTURES), ylim=(-CHANNELS - 0.1, 0.2), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def main():
    settings = utils.parse(Settings, __doc__)
    with matplotlib.rc_context({"svg.hashsalt": "norms", "text.color": visual.GREY}):
        figure, axes = visual.figure_of((10, 4), 1, len(NORMS), layout="constrained")
        for ax, (title, (rows, columns, formula)) in zip(axes[0], NORMS.items(), strict=True):
            draw(ax, title, rows, columns, formula)
        path = utils.folder(settings.out) / "norms.svg"
        with utils.replacing(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None})
    print(f"written    {path}")


if __name__ == "__main__":
    utils.run(main)
