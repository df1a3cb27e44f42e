"""Puts what the scripts have made into the pages: their GIFs and their scores.

    python gallery.py            from results/ into docs/, and the table into the README files
    python gallery.py --compare  writes nothing; exit code 1 if a README file differs from docs/

A script that has not been run, or not finished, keeps what docs/ has of it.
"""

import dataclasses
import json
import pathlib
import shutil
import sys

import utils

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = ("ccgan", "cgan", "dcgan", "pix2pix", "cyclegan")
REFERENCES = ("_holed", "_untouched")
BEGIN, END = "<!-- scores: written by gallery.py -->\n", "<!-- end of scores -->"


@dataclasses.dataclass
class Settings:
    results: str = "results"
    """folder with a run of each script"""
    compare: bool = False
    """write nothing; exit code 1 if a README file does not show what docs/ has"""


def collect(results):
    """Copy each finished run's GIF, samples and scores into docs/."""
    for script in SCRIPTS:
        run = pathlib.Path(results) / script
        if not (run / "scores.json").exists():
            continue
        for source, target in (
            ("generating.gif", f"img/{script}.gif"),
            ("samples.png", f"img/{script}_samples.png"),
            ("losses.png", f"img/{script}_losses.png"),
            ("scores.json", f"scores/{script}.json"),
        ):
            (HERE / "docs" / target).parent.mkdir(parents=True, exist_ok=True)
            with utils.replacing(HERE / "docs" / target) as part:
                shutil.copyfile(run / source, part)


def shown(name, value):
    """A score as people write it."""
    if name.endswith(("recognised", "accuracy", "share", "taken")):
        return f"{value:.1%}"
    units = {"hole_psnr": " dB", "psnr": " dB", "entropy": " bits", "train_seconds": " s"}
    digits = 0 if name.startswith("train_") else 3 if "l1" in name else 2
    return f"{value:.{digits}f}{units.get(name, '')}"


def table():
    """The scores of all scripts as a Markdown table; beside each, what gives it its meaning.

    A score called frechet_untouched is what frechet is compared with, and so for all the others.
    """
    lines = ["| script | score | reached | for comparison |", "|---|---|---|---|"]
    for script in SCRIPTS:
        path = HERE / "docs" / "scores" / f"{script}.json"
        if not path.exists():
            continue
        scores = json.loads(path.read_text())
        for name, value in scores.items():
            if name.endswith(REFERENCES):
                continue
            references = ", ".join(
                f"{reference[1:]} {shown(name, scores[name + reference])}"
                for reference in REFERENCES
                if name + reference in scores
            )
            lines.append(f"| `{script}.py` | {name} | **{shown(name, value)}** | {references} |")
    return "\n".join(lines) + "\n"


def page_with_table(text):
    """A page's text with the table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def main():
    settings = utils.parse(Settings, __doc__)
    if not settings.compare:
        collect(settings.results)
    for page in (HERE / "README.md", HERE / "README.zh-CN.md"):
        text = page.read_text(encoding="utf-8")
        wanted = page_with_table(text)
        if text != wanted and settings.compare:
            sys.exit(f"{page.name} does not show docs/scores; run python gallery.py")
        if text != wanted:
            with utils.replacing(page) as part:
                part.write_text(wanted, encoding="utf-8")
    print(table(), end="")


if __name__ == "__main__":
    utils.run(main)
