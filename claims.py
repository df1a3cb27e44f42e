"""What blog posts claim about these GANs, measured: every claim is a few commands and their scores.

    python claims.py --list       the claims, and the commands behind each
    python claims.py              run what has not been run yet: about two hours on two cores
    python claims.py --only 4 12  some of them; a script's name: the changes that its page shows

All sides of a claim get the same budget, and every side is run for several seeds. A run that was
broken off goes on. What came out is written into docs/claims/, one JSON file per claim, and the
pictures into docs/img/; `python gallery.py` makes the tables of the pages from that.

The verdict is the plainest there is. A difference counts if every seed of one side is better than
every seed of the other; where they overlap it is too close to say. (By chance alone, three seeds
against three fall apart like that in 1 of 10 cases, either way.)
"""

import concurrent.futures
import dataclasses
import datetime
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import utils  # first of all: it quiets TensorFlow's start-up messages
import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

import gallery
import mnist_ds

HERE = pathlib.Path(__file__).resolve().parent
# What every run of a script gets: a part of what its defaults take, and the same for all sides.
BUDGET = {
    "ccgan.py": "--epochs 3 --steps-per-epoch 150",
    "cgan.py": "--epochs 2 --steps-per-epoch 500",
    "dcgan.py": "--epochs 2 --steps-per-epoch 500",
    "pix2pix.py": "--epochs 2 --steps-per-epoch 300",
    "cyclegan.py": "--epochs 2 --steps-per-epoch 200",
}
FEW = "results/claims/few/mnist.npz"  # few digits, so that each is seen several times
FEW_COUNT = 4000


@dataclasses.dataclass
class Comparison:
    """`first` is claimed to have a score that is "higher" or "lower" than `second`'s, or "as good".

    "as good" is claimed of `first`, which may be better; `good` says which way is better. Several
    sides on one side of the comparison stand for how far they lie apart: the largest score divided
    by the smallest.
    """

    score: str
    first: str | tuple
    claimed: str
    second: str | tuple
    good: str = "higher"


@dataclasses.dataclass
class Claim:
    """A sentence, the commands to be compared, and what is claimed of their scores."""

    sentence: str
    sides: tuple
    comparisons: tuple = ()
    seeds: int = 3
    progress: bool = False
    """also take down what the progress bar showed at the end"""


def better(first, second, higher=(), lower=()):
    """Comparisons that claim `first` to be better in each of these scores."""
    return (
        *(Comparison(score, first, "higher", second) for score in higher),
        *(Comparison(score, first, "lower", second) for score in lower),
    )


def as_good(first, second, higher=(), lower=()):
    """Comparisons that claim `first` to be no worse in any of these scores."""
    return (
        *(Comparison(score, first, "as good", second) for score in higher),
        *(Comparison(score, first, "as good", second, good="lower") for score in lower),
    )


CONV, MLP = "cgan.py", "cgan.py --network mlp"
CONV_SHORT = "cgan.py --steps-per-epoch 150"
MLP_LONG = "cgan.py --network mlp --steps-per-epoch 1500"
INITIALS = ("", " --initial 0.02", " --initial 0.1")
NORMED = tuple(f"dcgan.py{initial}" for initial in INITIALS)
BARE = tuple(f"dcgan.py --norm None{initial}" for initial in INITIALS)
BIG, BIG_HINT = (
    f"ccgan.py --size 64 --hole 23 37 --batch-size 16{hint}" for hint in ("", " --low-res")
)
COLOUR, COLOUR_HINT = (
    f"ccgan.py --data COLOUR --size 64 --hole 23 37 --batch-size 16{hint}"
    for hint in ("", " --low-res")
)
FRESH, FIXED = f"ccgan.py --data {FEW}", f"ccgan.py --data {FEW} --no-fresh-holes"
L1, L2 = "pix2pix.py", "pix2pix.py --loss l2"
L1_ALONE, L2_ALONE = "pix2pix.py --no-gan", "pix2pix.py --loss l2 --no-gan"
FULL = "pix2pix.py --patch full"
BOTH_WAYS = ("12_taken", "21_taken")

CLAIMS = {
    "1": Claim(
        "Convolutional networks beat fully connected ones: faster and better.",
        (CONV_SHORT, CONV, MLP, MLP_LONG),
        (
            *better(CONV, MLP, ["conditional_accuracy"], ["frechet"]),
            # Three times the steps of the fully connected ones take about the same time.
            *better(CONV_SHORT, MLP, ["conditional_accuracy"], ["frechet"]),
            *better(CONV, MLP_LONG, ["conditional_accuracy"], ["frechet"]),
        ),
    ),
    "2": Claim(
        "Batch normalisation speeds up DCGAN's convergence, and makes it less sensitive to the "
        "initial weights.",
        (*NORMED, *BARE, "dcgan.py --penalty 0", "dcgan.py --penalty 0 --norm None"),
        (
            *(Comparison("frechet", a, "lower", b) for a, b in zip(NORMED, BARE, strict=True)),
            Comparison(
                "frechet", "dcgan.py --penalty 0", "lower", "dcgan.py --penalty 0 --norm None"
            ),
            Comparison("frechet", NORMED, "lower", BARE),
        ),
    ),
    "3": Claim(
        "Label smoothing helps DCGAN.",
        (
            "dcgan.py",
            "dcgan.py --smoothing 1",
            "dcgan.py --penalty 0",
            "dcgan.py --penalty 0 --smoothing 1",
        ),
        (
            *better("dcgan.py", "dcgan.py --smoothing 1", lower=["frechet"]),
            *better(
                "dcgan.py --penalty 0", "dcgan.py --penalty 0 --smoothing 1", lower=["frechet"]
            ),
        ),
    ),
    "4": Claim(
        "Labels help CCGAN's discriminator, and so the completions.",
        ("ccgan.py", "ccgan.py --no-labels"),
        better("ccgan.py", "ccgan.py --no-labels", ["recognised", "hole_psnr"], ["frechet"]),
    ),
    "5": Claim(
        "CCGAN's low-resolution hint does not matter at 28x28, but helps at 64x64.",
        ("ccgan.py", "ccgan.py --low-res", BIG, BIG_HINT, COLOUR, COLOUR_HINT),
        (
            *as_good("ccgan.py", "ccgan.py --low-res", ["recognised", "hole_psnr"], ["frechet"]),
            *better(BIG_HINT, BIG, ["recognised", "hole_psnr"], ["frechet"]),
            *better(COLOUR_HINT, COLOUR, ["hole_psnr"]),
        ),
    ),
    "6": Claim(
        "Fresh random holes for every batch beat a fixed hole per picture.",
        (FRESH, FIXED),
        better(FRESH, FIXED, ["recognised", "hole_psnr"], ["frechet"]),
    ),
    "7": Claim(
        "Instance normalisation is better than batch normalisation in an image-to-image generator.",
        ("ccgan.py --norm instance", "ccgan.py", "cyclegan.py", "cyclegan.py --norm batch"),
        (
            *better("ccgan.py --norm instance", "ccgan.py", ["recognised"], ["frechet"]),
            *better(
                "cyclegan.py",
                "cyclegan.py --norm batch",
                BOTH_WAYS,
                ["12_cycle_l1", "21_cycle_l1"],
            ),
        ),
    ),
    "8": Claim(
        "The U-Net's skips keep detail.",
        ("pix2pix.py --task edges", "pix2pix.py --task edges --no-skips"),
        better(
            "pix2pix.py --task edges",
            "pix2pix.py --task edges --no-skips",
            ["psnr", "sharpness"],
            ["l1"],
        ),
    ),
    "9": Claim(
        "L1 is less blurry than L2.",
        (L1, L2, L1_ALONE, L2_ALONE),
        (
            *better(L1, L2, ["hole_sharpness"], ["frechet"]),
            *better(L1_ALONE, L2_ALONE, ["hole_sharpness"], ["frechet"]),
        ),
    ),
    "10": Claim(
        "The pixels' loss alone blurs towards the mean where several answers fit; the adversarial "
        "part restores sharpness, at some cost in PSNR.",
        (L1, L1_ALONE, L2, L2_ALONE),
        (
            *better(L1, L1_ALONE, ["hole_sharpness"], ["frechet"]),
            Comparison("hole_psnr", L1, "lower", L1_ALONE),
            *better(L2, L2_ALONE, ["hole_sharpness"], ["frechet"]),
            Comparison("hole_psnr", L2, "lower", L2_ALONE),
        ),
    ),
    "11": Claim(
        "Judging patches is as good as judging the whole picture, with fewer weights and less "
        "time.",
        (L1, FULL),
        (
            *as_good(L1, FULL, ["recognised", "hole_psnr", "hole_sharpness"], ["frechet"]),
            *better(L1, FULL, lower=["d_weights", "train_seconds"]),
        ),
    ),
    "12": Claim(
        "Without the cycle loss CycleGAN collapses.",
        ("cyclegan.py", "cyclegan.py --no-cycle"),
        better(
            "cyclegan.py",
            "cyclegan.py --no-cycle",
            ["12_diversity", "21_diversity"],
            ["12_cycle_l1", "21_cycle_l1"],
        ),
    ),
}
# Five things to change in each lesson, once each: its page says what came of it.
CHANGES = {
    "ccgan": (
        "--no-labels",
        "--low-res",
        "--norm instance",
        "--hole 4 8",
        "--d-learning-rate 5e-5",
    ),
    "cgan": (
        "--network mlp",
        "--latent-dim 2",
        "--latent-dim 100",
        "--batch-size 128",
        "--d-learning-rate 5e-5",
    ),
    "dcgan": (
        "--norm None",
        "--penalty 0",
        "--smoothing 1",
        "--latent-dim 100",
        "--dropout 0.3",
    ),
    "pix2pix": ("--no-skips", "--loss l2", "--no-gan", "--weight 1", "--patch full"),
    "cyclegan": (
        "--no-cycle",
        "--norm batch",
        "--identity-weight 5",
        "--buffer-size 0",
        "--from 3 --to 8",
    ),
}
CLAIMS |= {
    script: Claim(
        f"Five things to change in {script}.py.",
        (f"{script}.py", *(f"{script}.py {options}" for options in changes)),
        seeds=1,
    )
    for script, changes in CHANGES.items()
}
# What goes wrong, brought about on purpose: the README says what it looks like.
CLAIMS["unhealthy"] = Claim(
    "What a run that goes wrong looks like.",
    (
        "dcgan.py",
        "dcgan.py --penalty 0 --g-learning-rate 1e-5",
        "dcgan.py --g-learning-rate 0.1",
        "dcgan.py --penalty 0 --d-learning-rate 0.1",
    ),
    seeds=1,
    progress=True,
)


@dataclasses.dataclass
class Settings:
    only: tuple[str, ...] = ()
    """which claims, by their numbers; or a script, by its name; or unhealthy"""
    list: bool = False
    """say what would be run, and run nothing"""
    colour: str = "cifar10"
    """the colour pictures for claim 5: a data set or a folder, as --data of ccgan.py takes it;
    '' = leave them out"""
    jobs: int = os.cpu_count() or 1
    """runs at the same time; each has its share of the cores"""
    smoke: bool = False
    """runs of two steps, into results/smoke, to see that all works; docs/ stays as it is"""


# ------------------------------------------------------------------------------------ running sides


def arguments(side, settings):
    """The command line of a side: the script, its budget, and what makes it this side."""
    script, *options = shlex.split(side)
    options = [settings.colour if option == "COLOUR" else option for option in options]
    shortened = "--epochs 1 --steps-per-epoch 2" if settings.smoke else ""
    # Of an option that is given twice, the last one counts.
    return [script, *shlex.split(BUDGET[script]), *options, *shlex.split(shortened)]


def folder(side, seed, settings):
    """Where a run of a side is kept, within HERE; claims that share a side share its runs.

    Named by the whole command line, so that runs of another budget are never taken for these.
    """
    command = " ".join(arguments(side, settings)).replace("--", "").lower()
    name = re.sub(r"[^a-z0-9.-]+", "_", command)
    kind = "smoke" if settings.smoke else "claims"
    return pathlib.Path("results") / kind / name / f"seed{seed}"


def sides_of(claim, settings):
    """The sides that can be run: without those in colour if there are no such pictures."""
    return [side for side in claim.sides if settings.colour or "COLOUR" not in side]


def run_side(side, seed, settings):
    """Run one side for one seed, unless that has been done; returns its scores."""
    out = folder(side, seed, settings)
    if not (HERE / out / "scores.json").exists():
        threads = str(max(1, (os.cpu_count() or 1) // settings.jobs))
        environment = {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
        command = [*arguments(side, settings), "--seed", str(seed), "--out", str(out)]
        process = subprocess.run(
            [sys.executable, *command],
            cwd=HERE,
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
        if process.returncode:
            hint = "; or leave colour out with --colour ''" if "COLOUR" in side else ""
            raise utils.BadInput(f"{' '.join(command)} failed: {process.stderr.strip()}{hint}")
    scores = json.loads((HERE / out / "scores.json").read_text())
    print(f"run        seed {seed}  {side}")
    return scores


def few_digits():
    """Write the file of few digits, laid out and named as the shipped one."""
    path = HERE / FEW
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        data = mnist_ds.load()
        with utils.replacing(path) as part, open(part, "wb") as file:
            np.savez_compressed(
                file,
                x_train=data.train_images[:FEW_COUNT],
                y_train=data.train_labels[:FEW_COUNT],
                x_test=data.test_images,
                y_test=data.test_labels,
            )


def discriminator_weights(side):
    """How many weights the discriminator of a side of pix2pix has."""
    import pix2pix

    settings = utils.parse(pix2pix.Settings, "", shlex.split(side)[1:])
    return pix2pix.build_discriminator(settings, (28, 28, 1)).count_params()


def last_means(run):
    """What the progress bar of a run has shown, over its last epoch."""
    return {name: means[-1] for name, means in gallery.epoch_means(run).items()}


# ------------------------------------------------------------------------------------ what came out


def verdict(comparison, scores):
    """ "holds", "does not hold" or "too close to say"; scores: {side: {score: [one per seed]}}."""
    first, second = (values(side, comparison.score, scores) for side in sides_compared(comparison))
    above, below = min(first) > max(second), max(first) < min(second)
    if comparison.claimed == "as good":
        worse = below if comparison.good == "higher" else above
        return "does not hold" if worse else "holds"
    wanted, opposite = (above, below) if comparison.claimed == "higher" else (below, above)
    return "holds" if wanted else "does not hold" if opposite else "too close to say"


def sides_compared(comparison):
    return comparison.first, comparison.second


def values(side, score, scores):
    """A score's values, one per seed; of several sides, the largest divided by the smallest."""
    if isinstance(side, str):
        return scores[side][score]
    of_seeds = zip(*(scores[s][score] for s in side), strict=True)
    return [max(found) / min(found) for found in of_seeds]


def picture(claim, settings):
    """The last frames of the first seed's runs below each other, each with its command."""
    sides = sides_of(claim, settings)
    frames = [Image.open(utils.frame_paths(HERE / folder(s, 0, settings))[-1]) for s in sides]
    size = max(560, *(frame.width for frame in frames)), sum(frame.height + 22 for frame in frames)
    mode = "L" if all(frame.mode == "L" for frame in frames) else "RGB"
    whole = Image.new(mode, size, "white")
    draw, font, y = ImageDraw.Draw(whole), ImageFont.load_default(14), 0
    for side, frame in zip(sides, frames, strict=True):
        draw.text((4, y + 4), f"python {side}", fill="black", font=font)
        whole.paste(frame, (0, y + 22))
        y += frame.height + 22
    # Photographs hardly get smaller as PNG; with few colours they do.
    return whole if mode == "L" else whole.quantize(128, dither=Image.Dither.NONE)


def write(name, claim, scores, settings):
    """One claim's JSON file and picture."""
    record = {
        "claim": claim.sentence,
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {settings.jobs} runs at a time, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "commands": {side: " ".join(["python", *arguments(side, settings)]) for side in scores},
        "seeds": list(range(claim.seeds)),
        "scores": scores,
        "verdicts": [
            dataclasses.asdict(comparison) | {"verdict": verdict(comparison, scores)}
            for comparison in claim.comparisons
            if all(
                side in scores
                for part in sides_compared(comparison)
                for side in ([part] if isinstance(part, str) else part)
            )
        ],
    }
    docs = HERE / ("results/smoke" if settings.smoke else "docs")
    for sub in ("claims", "img"):
        (docs / sub).mkdir(parents=True, exist_ok=True)
    utils.write_json(docs / "claims" / f"{name}.json", record)
    with utils.replacing(docs / "img" / f"claim_{name}.png") as part:
        picture(claim, settings).save(part, format="PNG", optimize=True)
    for found in record["verdicts"]:
        claimed = "as good as" if found["claimed"] == "as good" else f"{found['claimed']} than"
        print(
            f"claim {name:8} {found['verdict']:17} {found['score']}: "
            f"{found['first']} {claimed} {found['second']}"
        )


def main():
    settings = utils.parse(Settings, __doc__)
    unknown = [name for name in settings.only if name not in CLAIMS]
    utils.require(not unknown, "--only", " ".join(unknown), f"some of {', '.join(CLAIMS)}")
    utils.require(settings.jobs >= 1, "--jobs", settings.jobs, "1 or more")
    chosen = {name: CLAIMS[name] for name in settings.only or CLAIMS}
    if settings.list:
        for name, claim in chosen.items():
            print(f"{name}. {claim.sentence}")
            for side in sides_of(claim, settings):
                print("       python", *arguments(side, settings))
        return
    if any(FEW in side for claim in chosen.values() for side in claim.sides):
        few_digits()
    # Seed by seed, so that the sides of one seed run side by side; shared sides run once.
    runs = {
        name: [
            (side, seed)
            for seed in range(1 if settings.smoke else claim.seeds)
            for side in sides_of(claim, settings)
        ]
        for name, claim in chosen.items()
    }
    wanted = dict.fromkeys(run for of_claim in runs.values() for run in of_claim)
    pool = concurrent.futures.ThreadPoolExecutor(settings.jobs)
    try:
        found = {run: pool.submit(run_side, *run, settings) for run in wanted}
        for name, claim in chosen.items():
            scores = {side: {} for side in sides_of(claim, settings)}
            for side, seed in runs[name]:
                figures = dict(found[side, seed].result())
                figures.pop("peak_memory", None)  # hardly differs
                if claim.progress:
                    figures |= last_means(HERE / folder(side, seed, settings))
                if any(comparison.score == "d_weights" for comparison in claim.comparisons):
                    figures["d_weights"] = discriminator_weights(side)
                for score, value in figures.items():
                    scores[side].setdefault(score, []).append(value)
            write(name, claim, scores, settings)
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    utils.run(main)
