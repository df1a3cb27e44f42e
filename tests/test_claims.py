"""claims.py: its verdicts follow from the figures, and its commands are ones that can be run."""

import dataclasses
import importlib
import json
import shutil

import pytest

import claims
import gallery
import utils
from conftest import ROOT

RECORDS = sorted((ROOT / "docs" / "claims").glob("*.json"))
SIDES = sorted({side for claim in claims.CLAIMS.values() for side in claim.sides})


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
    comparison = claims.Comparison("score", "a", claimed, "b", good)
    scores = {"a": {"score": first}, "b": {"score": second}}
    assert claims.verdict(comparison, scores) == expected


def test_spread_of_several_sides():
    """Seed by seed the largest divided by the smallest: here 2, 2 and 5, 6."""
    scores = {name: {"score": values} for name, values in
              {"a": [1, 3], "b": [2, 6], "c": [1, 1], "d": [5, 6]}.items()}  # fmt: skip
    assert claims.values(("a", "b"), "score", scores) == [2, 2]
    comparison = claims.Comparison("score", ("a", "b"), "lower", ("c", "d"))
    assert claims.verdict(comparison, scores) == "holds"


@pytest.mark.parametrize("side", SIDES)
def test_every_side_is_a_command_that_its_script_takes(side):
    for smoke in (False, True):
        settings = claims.Settings(smoke=smoke)
        script, *options = claims.arguments(side, settings)
        module = importlib.import_module(script.removesuffix(".py"))
        parsed = utils.parse(module.Settings, "", options)
        assert parsed.steps_per_epoch > 0
        assert not smoke or parsed.epochs * parsed.steps_per_epoch == 2
        assert "COLOUR" not in options


def test_sides_of_a_claim_have_the_same_budget():
    """But for those of claim 1, which are also compared over time."""
    for name, claim in claims.CLAIMS.items():
        budgets = {}
        for side in claim.sides:
            script, *options = claims.arguments(side, claims.Settings())
            module = importlib.import_module(script.removesuffix(".py"))
            parsed = utils.parse(module.Settings, "", options)
            budgets.setdefault(script, set()).add((parsed.epochs, parsed.steps_per_epoch))
        assert name == "1" or all(len(of_script) == 1 for of_script in budgets.values())


def test_comparisons_are_of_sides_that_are_run():
    for claim in claims.CLAIMS.values():
        assert len(claim.sides) == len(set(claim.sides))
        for comparison in claim.comparisons:
            for part in claims.sides_compared(comparison):
                assert {part} if isinstance(part, str) else set(part) <= set(claim.sides)


def test_no_claim_is_missing():
    assert {path.stem for path in RECORDS} == set(claims.CLAIMS)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_what_came_out(path):
    """The committed figures are of the claim's own commands and seeds, and so are the verdicts."""
    found, claim = json.loads(path.read_text()), claims.CLAIMS[path.stem]
    assert found["claim"] == claim.sentence
    # Those in colour are left out where there are no such pictures.
    sides = [side for side in claim.sides if "COLOUR" not in side or side in found["scores"]]
    assert list(found["scores"]) == list(found["commands"]) == sides
    assert found["seeds"] == list(range(claim.seeds))
    for scores in found["scores"].values():
        assert all(len(values) == claim.seeds for values in scores.values())
    comparisons = [c for c in claim.comparisons if isinstance(c.first, tuple) or c.first in sides]
    assert len(found["verdicts"]) == len(comparisons)
    for verdict, comparison in zip(found["verdicts"], comparisons, strict=True):
        wanted = json.loads(json.dumps(dataclasses.asdict(comparison)))
        assert verdict == wanted | {"verdict": claims.verdict(comparison, found["scores"])}
    assert (ROOT / "docs" / "img" / f"claim_{path.stem}.png").exists()


def test_numbered_claims_have_three_seeds():
    assert all(claim.seeds >= 3 for name, claim in claims.CLAIMS.items() if name.isdecimal())


def test_smoke_run_and_going_on(small_data, program, monkeypatch):
    """Runs what is not there yet, leaves docs/ alone, and takes what is there the second time."""
    script = f"dcgan.py --data {small_data}"
    sides = script, f"{script} --penalty 0"
    compared = claims.better(*sides, lower=["frechet"])
    claim = claims.Claim("A claim.", sides, compared, progress=True)
    monkeypatch.setattr(claims, "CLAIMS", {"12": claim})
    smoke = ROOT / "results" / "smoke"
    shutil.rmtree(smoke, ignore_errors=True)
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*")}
    try:
        said = program("claims", "--smoke", "--only", "12")
        assert said.count("run        seed 0") == 2
        assert "claim 12" in said
        found = json.loads((smoke / "claims" / "12.json").read_text())
        for scores in found["scores"].values():
            assert all(len(scores[name]) == 1 for name in ("frechet", *gallery.PROGRESS))
        assert found["verdicts"][0]["verdict"] in ("holds", "does not hold")
        runs = {path: path.stat().st_mtime_ns for path in smoke.glob("*/seed0/scores.json")}
        assert len(runs) == 2
        program("claims", "--smoke", "--only", "12")
        assert {path: path.stat().st_mtime_ns for path in runs} == runs
    finally:
        shutil.rmtree(smoke, ignore_errors=True)
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*")} == before


def test_unknown_claim(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["claims.py", "--only", "13"])
    with pytest.raises(SystemExit) as exit_:
        utils.run(claims.main)
    errors = capsys.readouterr().err
    assert exit_.value.code == 2
    assert errors.count("\n") == 1
    assert errors.startswith("claims.py: --only 13: expected some of 1, 2, 3")
