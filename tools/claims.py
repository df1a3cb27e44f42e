"""What blog posts claim about these GANs, measured: every claim is a few commands and their scores.

    python -m tools.claims --list       the claims, and the commands of each
    python -m tools.claims              run what has not been run yet
    python -m tools.claims --only 4 12  some of them; a lesson's name: the commands of its
                                        exercises that no other claim has; NAME_seeds: its default
                                        run, with three seeds

All sides of a claim have the same budget, except where scores are plotted over time. Every side is
run with several seeds. An interrupted run resumes. The results are written into docs/claims/, one
JSON file per claim, and the pictures into docs/img/; `python -m tools.gallery` makes the tables of
the pages from them. The claims and the commands are in lessons.py.

The rule for the result is simple. A difference counts if every seed of one side is better than
every seed of the other; if they overlap, the result is undecided. "As good as" is different: it
holds unless every seed of the first side is worse. (By chance alone, three seeds against three are
separated in this way in 1 of 10 cases.) Times count only if no other run was on the machine at the
same time.
"""

import concurrent.futures
import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Literal

import utils  # must be the first import: it prepares TensorFlow
import keras
import tensorflow as tf

import lessons
import runs
import visual
from tools import gallery

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Settings:
    only: tuple[str, ...] = ()
    """which claims, by their numbers or words; a lesson's name stands for the commands of
    its exercises that no other claim has, NAME_seeds for its default run"""
    list: bool = False
    """print what would be run, and run nothing"""
    colour: str = "cifar10"
    """the colour pictures for the claims that need them: a data set or a folder, as for --data of
    the scripts; '' = leave these runs out"""
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "float32"
    """precision of the runs; float32 as on most laptops, so that scores of different machines can
    be compared"""
    jobs: int = 1
    """number of runs at the same time, each with a part of the cores; with more than one, times
    cannot be compared and have no result"""
    rerun: bool = False
    """repeat the runs that were made by different code, or in a different precision"""
    results: str = "results"
    """folder for the runs; a relative path begins at the repository's folder"""
    docs: str = str(ROOT / "docs")
    """folder for the results"""
    smoke: bool = False
    """a test: runs of two steps, into the folder smoke below --results; docs/ does not change"""


@dataclasses.dataclass
class Result:
    """The result of one run of a side."""

    scores: dict
    precision: str
    """precision of the run; "unknown" for runs of earlier versions"""
    code: str | None
    """digest of the code that made it, see runs.code_digest; None if it is unknown"""
    jobs: int
    """the largest number of runs at the same time"""


# ------------------------------------------------------------------------------------ running sides


def lesson_of(side):
    """The lesson whose script a side runs."""
    return lessons.named(shlex.split(side)[0].removesuffix(".py"))


def arguments(side, settings, full=False):
    """The command line of a side: the script, its budget (not at full length), and the options of
    this side.
    """
    script, *options = shlex.split(side)
    options = [settings.colour if option == "COLOUR" else option for option in options]
    budget = "" if full else lesson_of(side).budget
    shortened = "--epochs 1 --steps-per-epoch 2" if settings.smoke else ""
    # If an option is given twice, the last one counts.
    return [script, *shlex.split(budget), *options, *shlex.split(shortened)]


def folder(side, seed, settings, full=False):
    """The folder of a run of a side; claims with the same side use the same runs."""
    kind = "smoke" if settings.smoke else "claims"
    return gallery.kept_at(settings.results, arguments(side, settings, full), seed, kind)


def sides_of(claim, settings):
    """The sides that can be run: without those in colour if there are no such pictures."""
    return [side for side in claim.sides if settings.colour or "COLOUR" not in side]


def run_side(side, seed, settings, full=False):
    """Run one side with one seed, unless this run exists; returns a Result."""
    out = ROOT / folder(side, seed, settings, full)
    mark, finished = runs.read_mark(out), (out / "scores.json").exists()
    if mark is None and out.exists() and any(out.iterdir()):
        aside(out)  # of an earlier version: no script would use or delete its folder
        finished = False
    older = bool(mark or finished) and made_by(mark) != runs.code_digest(lesson_of(side).script)
    made_in = (mark or {}).get("precision", settings.precision)
    older |= settings.precision not in ("auto", made_in)
    if not finished or (older and settings.rerun):
        # Also with --fresh if the run was interrupted: a run must be finished by the code that
        # started it.
        run_script(side, seed, settings, older, full)
        older = False
    other = "by other code, or in another precision, than today's"
    note = f": made {other}; --rerun runs it again" if older else ""
    print(f"{'older' if older else 'run':10} seed {seed}  {side}{note}")
    scores = json.loads((out / "scores.json").read_text())
    mark = runs.read_mark(out) or {}
    precision = mark.get("precision", "unknown")
    return Result(scores, precision, made_by(mark), jobs_of(out) or settings.jobs)


def aside(out):
    """Rename a folder that the present version cannot use; it stays in the same place."""
    names = (out.with_name(f"{out.name}.old{number}") for number in range(1, 1000))
    name = next(name for name in names if not name.exists())
    out.rename(name)
    print(f"set aside  {name}: of an earlier version")


def run_script(side, seed, settings, fresh, full=False):
    """Run the command of a side, in the repository's folder; BadInput if it fails."""
    out = folder(side, seed, settings, full)
    script, *options = arguments(side, settings, full)
    options += ["--seed", str(seed), "--out", str(out), "--precision", settings.precision]
    options += ["--fresh"] if fresh else []
    (ROOT / out).parent.mkdir(parents=True, exist_ok=True)
    jobs = settings.jobs if fresh else max(settings.jobs, jobs_of(ROOT / out) or 1)
    utils.write_json(jobs_file(ROOT / out), {"jobs": jobs})
    threads = str(max(1, (os.cpu_count() or 1) // settings.jobs))
    # A lesson's script in another folder finds the shared modules by PYTHONPATH.
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
        said = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise utils.BadInput(f"{command} failed: {said}{hint}")


def made_by(mark):
    """The digest of the code that made a run, from its mark; None if that does not say it."""
    return (mark or {}).get("code")


def jobs_file(out):
    """The file next to a run's folder: how many ran at the same time. A run does not know this."""
    return out.with_name(f"{out.name}.json")


def jobs_of(out):
    """The number in this file, or None."""
    path = jobs_file(out)
    return json.loads(path.read_text())["jobs"] if path.exists() else None


def discriminator_weights(side, settings):
    """The number of weights of a side's discriminator."""
    lesson, (_, *options) = lesson_of(side), arguments(side, settings)
    chosen = utils.parse(lesson.module.Settings, "", options)
    model = lesson.build(chosen, *lesson.module.load(chosen))
    return model.discriminator.count_params()


def last_means(run):
    """What the progress bar of a run of any script has shown, over its last epoch."""
    means = gallery.epoch_means(run)
    return {name: means[name][-1] for name in lessons.SAID if name in means}


# ------------------------------------------------------------------------------------------ results


def verdict(comparison, scores, alone=True):
    """ "holds", "does not hold", "too close to say" or, if scores are missing, "not measured".

    Args:
        scores: {side: {score: [one per seed]}}.
        alone: was each run alone on the machine? If not, times are not reliable.
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
    """A score's values, one per seed; for several sides, the largest divided by the smallest."""
    if isinstance(side, str):
        return scores[side][score]
    of_seeds = zip(*(scores[s][score] for s in side), strict=True)
    return [max(found) / min(found) for found in of_seeds]


def picture(claim, settings):
    """What the first seed's runs made in the end: below each command, its pictures.

    Rows that have been shown already, such as the originals, are left out.
    """
    parts, known = [], set()
    for side in sides_of(claim, settings):
        path = runs.frame_paths(ROOT / folder(side, 0, settings, claim.full))[-1]
        rows = [((row.label, row.images[0].tobytes()), row) for row in visual.rows_of([path])]
        parts.append((f"python {side}", None))
        parts += [(row.label, row.images[0]) for key, row in rows if key not in known]
        known |= {key for key, _ in rows}
    return visual.listed(parts)


def gathered(claim, results, settings):
    """{side: {score: [one per seed]}} of a claim's runs.

    Args:
        results: {side: [a Result per seed]}.
    """
    scores = {side: {} for side in results}
    for side, of_seeds in results.items():
        counted = {}
        if any(comparison.score == "d_weights" for comparison in claim.comparisons):
            counted = {"d_weights": discriminator_weights(side, settings)}
        for seed, result in enumerate(of_seeds):
            figures = result.scores | counted
            figures.pop("peak_memory", None)  # nearly the same for all
            figures |= last_means(ROOT / folder(side, seed, settings, claim.full))
            for score, value in figures.items():
                scores[side].setdefault(score, []).append(value)
    return scores


def code_of(side, of_seeds):
    """The digest of the code that made a side's runs; if they differ, not that of today's code."""
    now = runs.code_digest(lesson_of(side).script)
    return next((result.code for result in of_seeds if result.code != now), now)


def write(name, claim, results, settings):
    """Write the JSON file and the picture of one claim."""
    scores = gathered(claim, results, settings)
    every = [result for of_seeds in results.values() for result in of_seeds]
    jobs = max(result.jobs for result in every)
    record = {
        "claim": claim.english,
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}",
        "jobs": jobs,
        "precision": ", ".join(sorted({result.precision for result in every})),
        "code": {side: code_of(side, of_seeds) for side, of_seeds in results.items()},
        "commands": {
            side: " ".join(["python", *arguments(side, settings, claim.full)]) for side in scores
        },
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
    if len(results) > 1:
        with utils.replacing(docs / "img" / f"claim_{name}.png") as part:
            picture(claim, settings).save(part, format="PNG", optimize=True)
    for found in record["verdicts"]:
        claimed = "as good as" if found["claimed"] == "as good" else f"{found['claimed']} than"
        print(
            f"claim {name:8} {found['verdict']:17} {found['score']}: "
            f"{found['first']} {claimed} {found['second']}"
        )


def record_is_older(name, claim, settings):
    """Is there a record of this claim in docs/ that was made by different code than today's?"""
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
                print("       python", *arguments(side, settings, claim.full))
        return
    # Seed by seed, so that all sides of one seed run at about the same time; shared sides run once.
    seeds = {name: range(1 if settings.smoke else claim.seeds) for name, claim in chosen.items()}
    wanted = dict.fromkeys(
        (side, seed, claim.full)
        for name, claim in chosen.items()
        for seed in seeds[name]
        for side in sides_of(claim, settings)
    )
    pool = concurrent.futures.ThreadPoolExecutor(settings.jobs)
    try:
        found = {
            (side, seed, full): pool.submit(run_side, side, seed, settings, full)
            for side, seed, full in wanted
        }
        for name, claim in chosen.items():
            results = {
                side: [found[side, seed, claim.full].result() for seed in seeds[name]]
                for side in sides_of(claim, settings)
            }
            write(name, claim, results, settings)
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    utils.run(main)
