"""The claims: verdicts follow from the figures, and the commands are ones that can be run."""

import dataclasses
import itertools
import json
import shlex

import utils  # first of all: it prepares TensorFlow
import pytest

import lessons
from conftest import JUDGE, ROOT
from tools import claims

CLAIMS = lessons.claims()
RECORDS = sorted((ROOT / "docs" / "claims").glob("*.json"))
SIDES = sorted({side for claim in CLAIMS.values() for side in claim.sides})


@pytest.mark.parametrize(
    ("first", "second", "claimed", "good", "expected"),
    [
        ([3, 4, 5], [0, 1, 2], "higher", "higher", "holds"),
        ([0, 1, 2], [3, 4, 5], "higher", "higher", "does not hold"),
        ([0, 1, 4], [3, 4, 5], "higher", "higher", "too close to say"),
        ([0, 1, 2], [3, 4, 5], "lower", "higher", "holds"),
        ([3, 4, 5], [0, 1, 2], "lower", "higher", "does not hold"),
        ([2, 2, 2], [2, 2, 2], "lower", "higher", "too close to say"),
        ([0, 1, 2], [3, 4, 5], "as good", "higher", "does not hold"),
        ([0, 1, 3], [3, 4, 5], "as good", "higher", "holds"),
        ([0, 1, 2], [3, 4, 5], "as good", "lower", "holds"),
        ([3, 4, 5], [0, 1, 2], "as good", "lower", "does not hold"),
    ],
)
def test_verdict(first, second, claimed, good, expected):
    comparison = lessons.Comparison("score", "a", claimed, "b", good)
    scores = {"a": {"score": first}, "b": {"score": second}}
    assert claims.verdict(comparison, scores) == expected


def test_no_verdict_for_want_of_figures():
    """Of a score that a run does not have, or of times of runs that had company."""
    scores = {"a": {"train_seconds": [1, 2, 3]}, "b": {"train_seconds": [4, 5, 6]}}
    times = lessons.Comparison("train_seconds", "a", "lower", "b")
    assert claims.verdict(times, scores) == "holds"
    assert claims.verdict(times, scores, alone=False) == "not measured"
    for side in scores.values():
        side["frechet"] = side["train_seconds"]
    assert claims.verdict(dataclasses.replace(times, score="frechet"), scores, False) == "holds"
    del scores["b"]["frechet"]
    missing = lessons.Comparison("frechet", "a", "lower", "b")
    assert claims.verdict(missing, scores) == "not measured"


def test_spread_of_several_sides():
    """Seed by seed the largest divided by the smallest: here 2, 2 and 5, 6."""
    scores = {name: {"score": values} for name, values in
              {"a": [1, 3], "b": [2, 6], "c": [1, 1], "d": [5, 6]}.items()}  # fmt: skip
    assert claims.values(("a", "b"), "score", scores) == [2, 2]
    comparison = lessons.Comparison("score", ("a", "b"), "lower", ("c", "d"))
    assert claims.verdict(comparison, scores) == "holds"


@pytest.mark.parametrize("side", SIDES)
def test_every_side_is_a_command_that_its_script_takes(side):
    for smoke, full in itertools.product((False, True), (False, True)):
        settings = claims.Settings(smoke=smoke)
        _, *options = claims.arguments(side, settings, full)
        parsed = utils.parse(claims.lesson_of(side).module.Settings, "", options)
        assert parsed.steps_per_epoch > 0
        assert not smoke or parsed.epochs * parsed.steps_per_epoch == 2
        assert "COLOUR" not in options


def test_sides_of_a_claim_have_the_same_budget():
    """But for those that are compared over time."""
    for claim in CLAIMS.values():
        budgets = {}
        for side in claim.sides:
            script, *options = claims.arguments(side, claims.Settings(), claim.full)
            parsed = utils.parse(claims.lesson_of(side).module.Settings, "", options)
            budgets.setdefault(script, set()).add((parsed.epochs, parsed.steps_per_epoch))
        assert claim.over_time or all(len(of_script) == 1 for of_script in budgets.values())


def test_comparisons_are_of_sides_that_are_run():
    for claim in CLAIMS.values():
        assert len(claim.sides) == len(set(claim.sides))
        for comparison in claim.comparisons:
            assert set(claims.sides_named(comparison)) <= set(claim.sides)


def test_no_claim_is_missing():
    assert {path.stem for path in RECORDS} == set(CLAIMS)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_what_came_out(path):
    """The committed figures are of the claim's own commands and seeds, and so are the verdicts."""
    found, claim = json.loads(path.read_text()), CLAIMS[path.stem]
    assert found["claim"] == claim.english
    # Those in colour are left out where there are no such pictures.
    sides = [side for side in claim.sides if "COLOUR" not in side or side in found["scores"]]
    assert list(found["scores"]) == list(found["commands"]) == sides
    for side in sides:
        command = " ".join(["python", *claims.arguments(side, claims.Settings(), claim.full)])
        assert found["commands"][side] == command or "COLOUR" in side
    assert found["seeds"] == list(range(claim.seeds))
    for scores in found["scores"].values():
        assert all(len(values) == claim.seeds for values in scores.values())
    comparisons = [c for c in claim.comparisons if isinstance(c.first, tuple) or c.first in sides]
    assert len(found["verdicts"]) == len(comparisons)
    alone = found.get("jobs", 1) == 1
    for verdict, comparison in zip(found["verdicts"], comparisons, strict=True):
        wanted = json.loads(json.dumps(dataclasses.asdict(comparison)))
        follows = claims.verdict(comparison, found["scores"], alone)
        assert verdict == wanted | {"verdict": follows}
    picture = ROOT / "docs" / "img" / f"claim_{path.stem}.png"
    assert picture.exists() == (len(sides) > 1)


@pytest.mark.parametrize("lesson", lessons.LESSONS, ids=lambda lesson: lesson.name)
def test_seed_0_is_the_first_of_the_three(lesson):
    """The scores beside the spread are of the same run."""
    scores = json.loads((ROOT / "docs" / "scores" / f"{lesson.name}.json").read_text())
    record = json.loads((ROOT / "docs" / "claims" / f"{lesson.name}_seeds.json").read_text())
    (of_seeds,) = record["scores"].values()
    assert {k: values[0] for k, values in of_seeds.items() if k not in lessons.SAID} == {
        name: value for name, value in scores.items() if name != "peak_memory"
    }
    assert record["jobs"] == 1  # its times are shown


def test_numbered_claims_have_three_seeds():
    assert all(claim.seeds >= 3 for name, claim in CLAIMS.items() if name.isdecimal())


def times_of(folder, pattern="**/*"):
    """{path: when it was changed} of the files in a folder."""
    return {path: path.stat().st_mtime_ns for path in folder.glob(pattern)}


@pytest.mark.slow
def test_smoke_run_and_going_on(small_data, program, monkeypatch, tmp_path):
    """Runs what is not there yet, leaves docs/ alone, and takes what is there the second time."""
    script = f"dcgan.py --data {shlex.quote(str(small_data))} --judge {shlex.quote(str(JUDGE))}"
    sides = script, f"{script} --penalty 0"
    compared = lessons.better(*sides, lower=["frechet"])
    claim = lessons.Claim("A claim.", "一个说法。", sides, compared, progress=True)
    monkeypatch.setattr(lessons, "claims", lambda: {"12": claim})
    before = times_of(ROOT / "docs")
    asked = ["tools.claims", "--smoke", "--only", "12", "--results", tmp_path]
    said = program(*asked)
    assert said.count("run        seed 0") == 2
    assert "claim 12" in said
    found = json.loads((tmp_path / "smoke" / "claims" / "12.json").read_text())
    for scores in found["scores"].values():
        assert all(len(scores[name]) == 1 for name in ("frechet", *lessons.SAID))
    assert found["verdicts"][0]["verdict"] in ("holds", "does not hold")
    made = times_of(tmp_path / "smoke", "*/seed0/scores.json")
    assert len(made) == 2
    program(*asked)
    assert times_of(tmp_path / "smoke", "*/seed0/scores.json") == made
    assert times_of(ROOT / "docs") == before


def test_full_length_is_what_the_script_does_by_default():
    """In a folder of its own, so that a short run is never taken for it."""
    settings = claims.Settings()
    assert claims.arguments("ccgan.py --no-labels", settings, full=True) == [
        "ccgan.py",
        "--no-labels",
    ]
    short, full = (claims.folder("ccgan.py --no-labels", 1, settings, full) for full in (0, 1))
    assert short != full
    assert full.as_posix() == "results/claims/ccgan.py_no-labels/seed1"


def test_unknown_claim(refused):
    assert "--only 99: expected some of 1, 2, 3" in refused("tools.claims", "--only", "99")
