"""What blog posts claim about these GANs, measured: every claim is a few commands and their scores.

    python -m tools.claims --list       the claims, and the commands behind each
    python -m tools.claims              run what has not been run yet
    python -m tools.claims --only 4 12  some of them; a lesson's name: what its page shows changed

All sides of a claim get the same budget, and every side is run for several seeds. An interrupted
run resumes. What came out is written into docs/claims/, one JSON file per claim, and the
pictures into docs/img/; `python -m tools.gallery` makes the tables of the pages from that. The
claims themselves, and the commands, are in lessons.py.

The verdict is the plainest there is. A difference counts if every seed of one side is better than
every seed of the other; where they overlap it is too close to say. (By chance alone, three seeds
against three fall apart like that in 1 of 10 cases, either way.) Times count only if each run had
the machine to itself.
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

import utils  # first of all: it prepares TensorFlow
import keras
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

import lessons
import runs
from tools import gallery

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Settings:
    only: tuple[str, ...] = ()
    """which claims, by their numbers or words; a lesson's name stands for its changes"""
    list: bool = False
    """say what would be run, and run nothing"""
    colour: str = "cifar10"
    """the colour pictures, where a claim wants them: a data set or a folder, as --data of the
    scripts takes it; '' = leave them out"""
    jobs: int = 1
    """runs at the same time, each with its share of the cores; with more than one, times are not
    comparable, and no verdict is made of them"""
    rerun: bool = False
    """run those again that were made by other code than today's"""
    results: str = "results"
    """folder for the runs, below the repository's if it is no absolute path"""
    docs: str = str(ROOT / "docs")
    """folder for what came out"""
    smoke: bool = False
    """runs of two steps, into the folder smoke of the results, to see that all works; docs/ stays
    as it is"""


@dataclasses.dataclass
class Result:
    """What is to be known of one run of a side."""

    scores: dict
    code: str | None
    """by which it was made, as runs.code_digest gives it"""
    jobs: int
    """how many ran at the same time, at the most"""


# ------------------------------------------------------------------------------------ running sides


def lesson_of(side):
    """The lesson whose script a side is a command of."""
    return lessons.named(shlex.split(side)[0].removesuffix(".py"))


def arguments(side, settings):
    """The command line of a side: the script, its budget, and what makes it this side."""
    script, *options = shlex.split(side)
    options = [settings.colour if option == "COLOUR" else option for option in options]
    shortened = "--epochs 1 --steps-per-epoch 2" if settings.smoke else ""
    # Of an option that is given twice, the last one counts.
    return [script, *shlex.split(lesson_of(side).budget), *options, *shlex.split(shortened)]


def folder(side, seed, settings):
    """Where a run of a side is kept; claims that share a side share its runs.

    Named by the whole command line, so that runs of another budget are never taken for these.
    """
    command = " ".join(arguments(side, settings)).replace("--", "").lower()
    name = re.sub(r"[^a-z0-9.-]+", "_", command)
    kind = "smoke" if settings.smoke else "claims"
    return pathlib.Path(settings.results) / kind / name / f"seed{seed}"


def sides_of(claim, settings):
    """The sides that can be run: without those in colour if there are no such pictures."""
    return [side for side in claim.sides if settings.colour or "COLOUR" not in side]


def run_side(side, seed, settings):
    """Run one side for one seed, unless that has been done; returns a Result."""
    out = ROOT / folder(side, seed, settings)
    mark, finished = runs.read_mark(out), (out / "scores.json").exists()
    if mark is None and out.exists() and any(out.iterdir()):
        aside(out)  # a run of an earlier version: no script would take, or delete, its folder
        finished = False
    older = bool(mark or finished) and made_by(mark) != runs.code_digest(lesson_of(side).script)
    if not finished or (older and settings.rerun):
        # Fresh, too, if it was broken off: no run is finished by other code than began it.
        run_script(side, seed, settings, fresh=older)
        older = False
    note = ": made by other code than today's; --rerun runs it again" if older else ""
    print(f"{'older' if older else 'run':10} seed {seed}  {side}{note}")
    scores = json.loads((out / "scores.json").read_text())
    return Result(scores, made_by(runs.read_mark(out)), jobs_of(out) or settings.jobs)


def aside(out):
    """Give a folder that no run of today can use another name, beside it."""
    names = (out.with_name(f"{out.name}.old{number}") for number in range(1, 1000))
    name = next(name for name in names if not name.exists())
    out.rename(name)
    print(f"set aside  {name}: of an earlier version")


def run_script(side, seed, settings, fresh):
    """Run the command of a side, in the repository's folder; BadInput if it fails."""
    out = folder(side, seed, settings)
    script, *options = arguments(side, settings)
    options += ["--seed", str(seed), "--out", str(out), *(["--fresh"] if fresh else [])]
    (ROOT / out).parent.mkdir(parents=True, exist_ok=True)
    jobs = settings.jobs if fresh else max(settings.jobs, jobs_of(ROOT / out) or 1)
    utils.write_json(jobs_file(ROOT / out), {"jobs": jobs})
    threads = str(max(1, (os.cpu_count() or 1) // settings.jobs))
    # The script of a lesson elsewhere finds the shared modules by PYTHONPATH.
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
    process = subprocess.run(
        [sys.executable, str(lesson_of(side).script), *options],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        hint = "; or leave colour out with --colour ''" if "COLOUR" in side else ""
        command = " ".join([script, *options])
        raise utils.BadInput(f"{command} failed: {process.stderr.strip()}{hint}")


def made_by(mark):
    """The digest of the code that made a run, by its mark; None where that does not say."""
    return (mark or {}).get("code")


def jobs_file(out):
    """Beside a run's folder: how many ran at the same time, which no run knows of itself."""
    return out.with_name(f"{out.name}.json")


def jobs_of(out):
    """What stands there, or None."""
    path = jobs_file(out)
    return json.loads(path.read_text())["jobs"] if path.exists() else None


def discriminator_weights(side, settings):
    """How many weights the discriminator of a side has."""
    lesson, (_, *options) = lesson_of(side), arguments(side, settings)
    chosen = utils.parse(lesson.module.Settings, "", options)
    model = lesson.build(chosen, *lesson.module.load(chosen))
    return model.discriminator.count_params()


def last_means(run):
    """What the progress bar of a run has shown, over its last epoch."""
    return {name: means[-1] for name, means in gallery.epoch_means(run).items()}


# ------------------------------------------------------------------------------------ what came out


def verdict(comparison, scores, alone=True):
    """ "holds", "does not hold", "too close to say" or, for want of figures, "not measured".

    Args:
        scores: {side: {score: [one per seed]}}.
        alone: did each run have the machine to itself? If not, times say nothing.
    """
    missing = any(comparison.score not in scores[side] for side in sides_named(comparison))
    if missing or (comparison.score == "train_seconds" and not alone):
        return "not measured"
    first, second = (values(side, comparison.score, scores) for side in sides_compared(comparison))
    above, below = min(first) > max(second), max(first) < min(second)
    if comparison.claimed == "as good":
        worse = below if comparison.good == "higher" else above
        return "does not hold" if worse else "holds"
    wanted, opposite = (above, below) if comparison.claimed == "higher" else (below, above)
    return "holds" if wanted else "does not hold" if opposite else "too close to say"


def sides_compared(comparison):
    return comparison.first, comparison.second


def sides_named(comparison):
    """All commands on both sides of a comparison."""
    parts = sides_compared(comparison)
    return [side for part in parts for side in ([part] if isinstance(part, str) else part)]


def values(side, score, scores):
    """A score's values, one per seed; of several sides, the largest divided by the smallest."""
    if isinstance(side, str):
        return scores[side][score]
    of_seeds = zip(*(scores[s][score] for s in side), strict=True)
    return [max(found) / min(found) for found in of_seeds]


def picture(claim, settings):
    """The last frames of the first seed's runs below each other, each with its command."""
    sides = sides_of(claim, settings)
    frames = [Image.open(runs.frame_paths(ROOT / folder(s, 0, settings))[-1]) for s in sides]
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


def gathered(claim, results, settings):
    """{side: {score: [one per seed]}} of a claim's runs, {side: [a Result per seed]}."""
    scores = {side: {} for side in results}
    for side, of_seeds in results.items():
        counted = {}
        if any(comparison.score == "d_weights" for comparison in claim.comparisons):
            counted = {"d_weights": discriminator_weights(side, settings)}
        for seed, result in enumerate(of_seeds):
            figures = result.scores | counted
            figures.pop("peak_memory", None)  # hardly differs
            if claim.progress:
                figures |= last_means(ROOT / folder(side, seed, settings))
            for score, value in figures.items():
                scores[side].setdefault(score, []).append(value)
    return scores


def code_of(side, of_seeds):
    """The digest of the code that made a side's runs; if they differ, one that is not today's."""
    now = runs.code_digest(lesson_of(side).script)
    return next((result.code for result in of_seeds if result.code != now), now)


def write(name, claim, results, settings):
    """One claim's JSON file and picture."""
    scores = gathered(claim, results, settings)
    jobs = max(result.jobs for of_seeds in results.values() for result in of_seeds)
    record = {
        "claim": claim.english,
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}",
        "jobs": jobs,
        "code": {side: code_of(side, of_seeds) for side, of_seeds in results.items()},
        "commands": {side: " ".join(["python", *arguments(side, settings)]) for side in scores},
        "seeds": list(range(len(next(iter(results.values()))))),
        "scores": scores,
        "verdicts": [
            dataclasses.asdict(comparison) | {"verdict": verdict(comparison, scores, jobs == 1)}
            for comparison in claim.comparisons
            if set(sides_named(comparison)) <= set(scores)
        ],
    }
    docs = ROOT / settings.results / "smoke" if settings.smoke else pathlib.Path(settings.docs)
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


def record_is_older(name, claim, settings):
    """Is there a record of this claim in docs/, made by other code than today's?"""
    path = pathlib.Path(settings.docs) / "claims" / f"{name}.json"
    if not path.exists():
        return False
    record = json.loads(path.read_text())
    # The sides in colour may have been left out.
    made = record.get("code", {})
    sides = [side for side in claim.sides if "COLOUR" not in side or side in record["scores"]]
    now = {script: runs.code_digest(script) for script in {lesson_of(s).script for s in sides}}
    return any(made.get(side) != now[lesson_of(side).script] for side in sides)


def main():
    settings = utils.parse(Settings, __doc__)
    claims = lessons.claims()
    unknown = [name for name in settings.only if name not in claims]
    utils.require(not unknown, "--only", " ".join(unknown), f"some of {', '.join(claims)}")
    utils.require(settings.jobs >= 1, "--jobs", settings.jobs, "1 or more")
    chosen = {name: claims[name] for name in settings.only or claims}
    if settings.list:
        for name, claim in chosen.items():
            older = " (docs: older than the code)" if record_is_older(name, claim, settings) else ""
            print(f"{name}. {claim.english}{older}")
            for side in sides_of(claim, settings):
                print("       python", *arguments(side, settings))
        return
    # Seed by seed, so that the sides of one seed run side by side; shared sides run once.
    seeds = {name: range(1 if settings.smoke else claim.seeds) for name, claim in chosen.items()}
    wanted = dict.fromkeys(
        (side, seed)
        for name, claim in chosen.items()
        for seed in seeds[name]
        for side in sides_of(claim, settings)
    )
    pool = concurrent.futures.ThreadPoolExecutor(settings.jobs)
    try:
        found = {run: pool.submit(run_side, *run, settings) for run in wanted}
        for name, claim in chosen.items():
            results = {
                side: [found[side, seed].result() for seed in seeds[name]]
                for side in sides_of(claim, settings)
            }
            write(name, claim, results, settings)
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    utils.run(main)
