import json
import re

import pytest

import bench
import gallery
from conftest import ROOT, SCRIPTS

PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_what_the_command_prints(page):
    text = page.read_text(encoding="utf-8")
    assert gallery.table() in text
    assert gallery.page_with_table(text) == text


def test_table_changes_with_the_scores(tmp_path, monkeypatch):
    scores = json.loads((ROOT / "docs" / "scores" / "ccgan.json").read_text())
    (tmp_path / "docs" / "scores").mkdir(parents=True)
    path = tmp_path / "docs" / "scores" / "ccgan.json"
    path.write_text(json.dumps(scores | {"recognised": 0.1234}))
    monkeypatch.setattr(gallery, "HERE", tmp_path)
    assert "12.3%" in gallery.table()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 5
    for target in targets:
        assert target.startswith("https://") or (ROOT / target).exists(), target


def commands(page):
    return re.findall(r"^    (python .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_both_languages_show_the_same_commands():
    english, chinese = (commands(page) for page in PAGES)
    assert english == chinese
    assert len(english) >= 6


def test_pictures_are_small():
    for path in (ROOT / "docs").rglob("*.*"):
        assert path.stat().st_size < 600_000, path


def test_bench(tmp_path, program):
    options = ["--rounds", 1, "--steps", 1, "--json", tmp_path / "bench.json"]
    program("bench", "--scripts", "dcgan", "cyclegan", *options)
    measured = json.loads((tmp_path / "bench.json").read_text())
    table = measured["steps"]
    assert [(row["script"], row["precision"], row["mode"]) for row in table] == [
        (script, precision, mode)
        for script in ("dcgan", "cyclegan")
        for precision in ("float32", "mixed_bfloat16")
        for mode in ("eager", "tf.function")
    ]
    assert all(row["ms_per_step"] > 0 for row in table)
    assert all(row["share_of_peak"] > 0 for row in table)
    assert all(rate > 1 for rate in measured["peak_gflops"].values())


def test_every_script_is_known_to_the_tools():
    names = {script.name for script in SCRIPTS}
    assert set(bench.MODELS) == set(gallery.SCRIPTS) == names
