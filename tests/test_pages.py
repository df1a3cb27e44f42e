"""What the pages say: their tables, links, pictures and commands, in both languages."""

import json
import re
import shlex
import shutil
import subprocess
import zipfile

import utils  # noqa: F401  first of all: it prepares TensorFlow
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import mnist_ds
from conftest import LESSONS, ROOT, build
from test_pictures import fill
from tools import bench, draw_networks, gallery, norms

PAGES = gallery.pages()
README = ROOT / "README.md"
ENGLISH = [page for page in PAGES if not page.name.endswith(".zh-CN.md")]
LESSON_PAGES = [gallery.page_of(lesson) for lesson in LESSONS]


def chinese(page):
    """The Chinese twin of an English page."""
    return page.with_name(f"{page.stem}.zh-CN.md")


def text_of(page):
    return page.read_text(encoding="utf-8")


def named_by_file(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


# ------------------------------------------------------------------------------ blocks and pictures


@named_by_file(PAGES)
def test_blocks_are_what_the_command_makes(page):
    assert gallery.filled(page) == text_of(page)


def test_every_block_is_shown_somewhere():
    shown = set(re.findall(r"<!-- begin ([\w ]+) -->", "".join(map(text_of, PAGES))))
    claims = {f"claim {path.stem}" for path in (ROOT / "docs" / "claims").glob("*.json")}
    elsewhere = {f"claim {lesson.name}{end}" for lesson in LESSONS for end in ("", "_seeds")}
    answers = {f"answer {number}" for number in range(1, 6)}
    assert shown == set(gallery.BLOCKS) | claims - elsewhere | answers


def test_every_page_leads_on():
    for page in PAGES:
        if page.parent != ROOT:
            assert text_of(page).endswith("<!-- end links -->\n")
    for page in (README, chinese(README)):
        linked = set(re.findall(r"\]\((docs/[\w.-]+\.md)\)", text_of(page)))
        of_its_language = [p for p in PAGES if (p in ENGLISH) == (page == README) and p != page]
        assert linked == {path.relative_to(ROOT).as_posix() for path in of_its_language}


@pytest.mark.parametrize("of", [False, True], ids=["English", "Chinese"])
def test_every_difference_from_the_paper_is_told_with_its_why(lesson, of):
    """Below the script's list stands one with the same numbers."""
    found = gallery.differences_of(lesson)
    assert len(found) >= 5
    _, _, below = text_of(gallery.page_of(lesson, of)).partition("<!-- end differences -->\n")
    below = below.partition("\n## ")[0]
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", below, re.MULTILINE)]
    assert numbers == [*range(1, len(found) + 1)]


@pytest.mark.parametrize("of", [False, True], ids=["English", "Chinese"])
def test_every_exercise_has_a_command_and_a_measured_answer(lesson, of):
    text = text_of(gallery.page_of(lesson, of))
    numbers = re.findall(r"^### (\d)\. ", text, re.MULTILINE)
    assert numbers == ["1", "2", "3", "4", "5"]
    assert len(lesson.exercises) == 5
    for number, exercise in enumerate(lesson.exercises, start=1):
        part = text.partition(f"\n### {number}. ")[2]
        question, folded, answer = part.partition("<details>")
        answer = answer.partition("</details>")[0]
        assert f"\n    python {lesson.script.name}" in question
        assert folded
        assert f"<!-- begin answer {number} -->\n| " in answer
        claims = gallery.lessons.claims()
        assert set(exercise.sides) <= set(claims[exercise.claim or lesson.name].sides)


def test_blocks_change_with_the_scores(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.setattr(gallery, "DOCS", tmp_path / "docs")
    path = tmp_path / "docs" / "scores" / "ccgan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"recognised": 0.1234}))
    for block in ("lessons", "scores", "holes"):
        assert "12.3%" in gallery.BLOCKS[block](False, README)
    path = tmp_path / "docs" / "claims" / "12.json"
    found = json.loads(path.read_text())
    found["scores"]["cyclegan.py"]["12_diversity"] = [0.5, 0.6, 0.7]
    path.write_text(json.dumps(found))
    assert "0.60 ± 0.10" in gallery.claim_block("12", False, README)


def test_gallery_collects_finished_runs(finished_run, tmp_path, monkeypatch, capsys):
    """A run's pictures and scores come into docs/; lessons without a finished run are left out."""
    monkeypatch.setattr(gallery, "DOCS", tmp_path / "docs")
    out, _ = finished_run("dcgan")
    shutil.copytree(out, tmp_path / "results" / "dcgan")
    (tmp_path / "results" / "cgan").mkdir()
    gallery.collect(tmp_path / "results")
    assert not (tmp_path / "docs").exists()  # for it was no run with the defaults
    assert "left out" in capsys.readouterr().out
    monkeypatch.setattr(gallery, "not_the_default_run", lambda *_: "")
    gallery.collect(tmp_path / "results")
    copied = {str(path.relative_to(tmp_path / "docs")) for path in tmp_path.rglob("docs/*/*")}
    ends = ".gif", "_samples.png", "_losses.png", "_progress.png", "_strip.gif"
    images = {f"img/dcgan{end}" for end in ends}
    scores = {f"scores/dcgan{end}.json" for end in ("", "_epochs", "_run")}
    assert copied == images | scores
    means = json.loads((tmp_path / "docs" / "scores" / "dcgan_epochs.json").read_text())
    assert set(means) == {"d_loss", "g_loss", "D(x)", "D(G(z))"}
    assert all(len(values) == 3 for values in means.values())


def test_same_holes_filled_by_each(finished_run, tmp_path, monkeypatch):
    """Side by side stand the same digits with the same holes, and what each generator makes."""
    for run, (name, _) in gallery.HOLES.items():
        shutil.copytree(finished_run(name)[0], tmp_path / run)
    monkeypatch.setattr(gallery.visual, "frame", lambda rows, caption: rows)
    rows = gallery.side_by_side({run: tmp_path / run for run in gallery.HOLES})
    scripts = ["ccgan.py", "pix2pix.py", "pix2pix.py --loss l2"]
    assert list(rows) == ["original", "holed", *scripts]
    original, holed, first, second, third = rows.values()
    assert len(original) == 20
    visible = holed != 0
    assert np.all(holed[visible] == original[visible])
    assert np.all(first[visible] == original[visible])  # CCGAN's own rule
    assert np.all(second == third)  # here they are copies of one run
    assert np.mean(first == second) < 0.9


def test_pictures_and_repository_are_small():
    for path in (ROOT / "docs").rglob("*.*"):
        assert path.stat().st_size < 600_000, path
    # What git would not take is nobody's download: results, caches, a virtual environment.
    ignored = {line.strip().strip("/") for line in text_of(ROOT / ".gitignore").splitlines()}
    assert {"results", ".venv", "__pycache__"} <= ignored
    files = [path for path in ROOT.rglob("*") if path.is_file()]
    hidden = ignored | {".git"}
    size = sum(p.stat().st_size for p in files if not hidden & set(p.relative_to(ROOT).parts))
    assert size < 20e6
    # The history grows by the pictures, about 3 MB, whenever all lessons are measured anew.
    assert size + size_of_history() < 60e6


def size_of_history():
    """Bytes that a clone of this commit downloads (0 without git's folder): what the folder holds
    besides, other branches and what no branch reaches, is nobody's download."""
    if not (ROOT / ".git").exists():
        return 0

    def git(*arguments, **options):
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout

    names = "".join(
        f"{line.split()[0]}\n" for line in git("rev-list", "--objects", "HEAD").splitlines()
    )
    sizes = git("cat-file", "--batch-check=%(objectsize:disk)", input=names).split()
    assert len(sizes) > 100
    return sum(map(int, sizes))


# --------------------------------------------------------------------------------------------- text


@named_by_file(PAGES)
def test_links_and_pictures_resolve(page):
    text = text_of(page)
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert len(targets) > 5
    for target in targets:
        path, _, anchor = target.partition("#")
        if not target.startswith("https://"):
            linked = page.parent / path if path else page
            assert linked.exists(), target
            assert not anchor or f'<a id="{anchor}"></a>' in text_of(linked), target


def outline(page):
    """A page's headings' levels, tables, pictures and quoted code, in order."""
    pattern = r"^#+ |^<!-- begin [^\n]*|!\[[^\n]*?\]\([^\n]*?\)|^```python\n.*?^```"
    found = re.findall(pattern, text_of(page), re.MULTILINE | re.DOTALL)
    code = [part for part in found if part.startswith("```")]
    return [re.sub(r"!\[.*?\]", "", part) for part in found if part not in code], len(code)


@named_by_file(ENGLISH)
def test_both_languages_are_the_same_page(page):
    assert chinese(page).exists()
    assert outline(page) == outline(chinese(page))
    assert commands(page) == commands(chinese(page))
    for language in (page, chinese(page)):
        other = chinese(page) if language == page else page
        assert f"]({other.name})" in text_of(language)


@named_by_file(ENGLISH)
def test_both_languages_have_the_same_figures(page):
    """Numbers with a decimal point, a percentage or a unit, outside of the tables."""

    def figures(text):
        text = re.sub(
            r"<!-- begin.*?<!-- end [\w ]+ -->|```.*?```|https?://\S+", "", text, flags=re.S
        )
        found = re.findall(r"(?<![A-Za-z0-9_.])\d[\d,]*(?:\.\d+)?(?: ?(?:%|dB|MB|GB|x))?", text)
        return sorted({number.replace(",", "").replace(" ", "") for number in found})

    assert figures(text_of(page)) == figures(text_of(chinese(page)))


@named_by_file([page for english in LESSON_PAGES for page in (english, chinese(english))])
def test_quoted_lines_stand_in_the_script(page):
    script = page.name.partition(".")[0]
    lines = [line.strip() for line in text_of(ROOT / f"{script}.py").splitlines()]
    quoted = re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)
    assert len(quoted) >= 4
    for block in quoted:
        wanted = [line.strip() for line in block.strip().splitlines()]
        places = range(len(lines) - len(wanted) + 1)
        assert any(lines[i : i + len(wanted)] == wanted for i in places), block


def prose(page):
    """A page's text without code, in fences, between backticks or in a block of a command."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`|^    .*$", "", text, flags=re.MULTILINE)


@named_by_file(PAGES)
def test_formulas_stand_free(page):
    """GitHub shows no formula whose $ touches a letter, also a Chinese one."""
    places = [match.start() for match in re.finditer(r"\$", prose(page))]
    assert len(places) % 2 == 0
    text = f"\n{prose(page)}\n"
    for begin, end in zip(places[::2], places[1::2], strict=True):
        formula = text[begin : end + 3]
        assert formula[0].isspace(), formula
        assert formula[-1].isspace(), formula
        assert not formula[2].isspace(), formula
        assert "\n" not in formula[1:-1], formula


@named_by_file(PAGES)
def test_what_is_opened_is_closed(page):
    text = text_of(page)
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    assert text.count("\n```") % 2 == 0
    for _, formula in re.findall(r"(```math\n)(.*?)```", text, re.DOTALL):
        assert formula.count("{") == formula.count("}")
        assert len(re.findall(r"\\left\b", formula)) == len(re.findall(r"\\right\b", formula))


def test_lessons_are_drawn():
    for page in LESSON_PAGES:
        for text in (text_of(page), text_of(chinese(page))):
            assert "```mermaid\nflowchart" in text
            assert "```math\n" in text


@named_by_file([README, README.with_name("README.zh-CN.md")])
def test_readme_is_short(page):
    assert len(text_of(page)) <= 10_000


@named_by_file([chinese(page) for page in ENGLISH])
def test_chinese_punctuation(page):
    """Between Chinese characters it is full-width, also in tables."""
    wrong = re.findall(r".{0,12}[\u4e00-\u9fff][,;:!?](?!/).{0,12}", prose(page))
    wrong += re.findall(r".{0,12}[,;:!?] ?[\u4e00-\u9fff].{0,12}", prose(page))
    assert not wrong


def test_alternative_texts_say_what_is_to_be_seen():
    for page in PAGES:
        texts = re.findall(r"!\[(.*?)\]\(", text_of(page))
        texts += re.findall(r'alt="(.*?)"', text_of(page))
        assert all(len(text) >= 6 and not text.endswith((".png", ".gif")) for text in texts), page


# ----------------------------------------------------------------------------------------- commands


def commands(page):
    """The commands that a page shows, on lines of their own or within a sentence."""
    text = text_of(page)
    blocks = re.findall(r"^    (python .*)$", text, re.MULTILINE)
    inline = re.findall(r"`(python (?:\w+\.py|-m tools\.\w+)[^`]*)`", text)
    return sorted({*blocks, *inline})


ALL_COMMANDS = sorted({command for page in PAGES for command in commands(page)})
INSTALL = "python -m pip install -r requirements.txt && python "
TRAINED = [lesson.name for lesson in LESSONS]


def test_the_first_commands_are_those_that_ci_runs():
    ci = text_of(ROOT / ".ci" / "run")
    installing = [command for command in ALL_COMMANDS if command.startswith(INSTALL)]
    assert installing == [f"{INSTALL}-m pytest", f"{INSTALL}ccgan.py"]
    assert all(f'shown "{command}"' in ci for command in installing)


def by_time(command):
    """A command as a test's parameter; slow if it trains a run of its own."""
    script, *args = command.split()[1:]
    used = args == [] or "--sample" in args or "--help" in args  # what another test has trained
    trains = script.endswith(".py") and not used
    return pytest.param(command, marks=[pytest.mark.slow] if trains else [])


@pytest.mark.parametrize(
    "command",
    [by_time(c) for c in ALL_COMMANDS if not c.startswith((INSTALL, "python -m pytest"))],
)
def test_shown_command_in_smoke_form(
    command, finished_run, small_data, program, tmp_path, monkeypatch
):
    """As shown, in an empty folder with what it names, but with few steps of small pictures."""
    name, *args = shlex.split(command.removeprefix("python ").removeprefix("-m "))
    name = name.removesuffix(".py")
    fill(tmp_path / "my_pictures", "a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/2.png")
    for folder in ("my_horses", "my_zebras"):
        fill(tmp_path / folder, *(f"{i}.png" for i in range(5)))
    fill(tmp_path / "my_pairs", *(f"{i}.png" for i in range(5)), size=(64, 32))
    for file in ("some_digit.png", "another.jpg"):
        Image.new("L", (40, 50), "white").save(tmp_path / file)
    (tmp_path / "docs").mkdir()

    def load_tfds(name):
        images = np.zeros((30, 32, 32, 3), np.uint8)
        labels = np.arange(30, dtype=np.int32) % 10
        names = ("airplane", *"bcdefg", "horse", *"ij") if name == "cifar10" else ()
        part = mnist_ds.Arrays(images, labels)
        return mnist_ds.Data(name, part, part, names)

    monkeypatch.setattr(mnist_ds, "load_tfds", load_tfds)
    if "--help" in args:
        with pytest.raises(SystemExit) as ended:
            program(name, *args)
        assert ended.value.code in (0, None)
        return
    short = ["--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 2]
    small = [] if "--data" in args else ["--data", small_data]
    if name in TRAINED and "--sample" in args:
        shutil.copytree(finished_run(name)[0], tmp_path / "results" / name)
        assert "sampled.png" in program(name, *args, cwd=tmp_path)
    elif name in TRAINED and args:
        size = ["--size", 32] if "--size" in args else []
        said = program(name, *args, *small, *size, *short, cwd=tmp_path)
        assert "generating.gif" in said
    elif name in TRAINED:
        assert "generating.gif" in finished_run(name)[1].stdout
    elif name == "classifier":
        assert "test accuracy" in program(name, *args, *small, *short, cwd=tmp_path)
    elif name == "tools.bench":
        few = ["--rounds", 1, "--steps", 1, "--lessons", "dcgan", "--precisions", "float32"]
        monkeypatch.setattr(bench, "download_size", lambda requirements: 1e6)
        assert "dcgan" in program(name, *args, *few, cwd=tmp_path)
    elif name == "tools.norms":
        assert "norms.svg" in program(name, *args, "--out", tmp_path)
        together = [len(rows) * len(columns) for rows, columns, _ in norms.NORMS.values()]
        assert together == [4, 1, 6, 3]  # batch, instance, layer, group norm
    elif name == "tools.draw_networks":
        assert "written" in program(name, *args, "--lessons", "dcgan", "--out", tmp_path)
    elif name == "tools.gallery":
        assert "| `ccgan.py` |" in program(name, *args, "--compare")
    elif name == "tools.claims":
        assert "python " in program(name, *args, "--list")
    else:
        pytest.fail(f"no smoke form is known of: {command}")


def test_bench(tmp_path, program):
    options = ["--rounds", 1, "--steps", 1, "--json", tmp_path / "bench.json"]
    program("tools.bench", "--lessons", "dcgan", *options)
    measured = json.loads((tmp_path / "bench.json").read_text())
    table = measured["steps"]
    assert [(row["script"], row["precision"], row["mode"]) for row in table] == [
        ("dcgan", precision, mode)
        for precision in ("float32", "mixed_bfloat16")
        for mode in ("eager", "tf.function")
    ]
    assert all(row["ms_per_step"] > 0 for row in table)
    assert all(row["share_of_peak"] > 0 for row in table)
    assert all(rate > 1 for rate in measured["peak_gflops"].values())


def test_download_size(tmp_path):
    """What pip takes for a list of requirements, here of one package, made of three files."""
    wheel = tmp_path / "few_lines-1.0-py3-none-any.whl"
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: few-lines\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in about.items():
            archive.writestr(f"few_lines-1.0.dist-info/{name}", text)
    (tmp_path / "requirements.txt").write_text(f"--no-index\n{wheel}\n")
    assert bench.download_size(tmp_path / "requirements.txt") == wheel.stat().st_size


def test_operations_are_counted_as_on_paper():
    """A convolution and a matrix product, and the gradients for their weights and inputs."""

    @tf.function
    def gradients(images, kernel, weights):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel, weights])
            map_ = tf.nn.conv2d(images, kernel, 2, "SAME")
            result = tf.reshape(map_, (2, 4 * 4 * 5)) @ weights
        return tape.gradient(result, [images, kernel, weights])

    arguments = tf.zeros((2, 8, 8, 3)), tf.zeros((4, 4, 3, 5)), tf.zeros((80, 7))
    convolution = 2 * (2 * 4 * 4) * (4 * 4 * 3 * 5)
    product = 2 * 2 * 80 * 7
    counted = bench.operations(gradients.get_concrete_function(*arguments).graph)
    assert counted == 3 * (convolution + product)


def test_drawn_networks_are_those_that_are_built(lesson, small_data):
    """Every kernel of a network is in its picture, and every box is of a layer's shape."""
    model, _, _ = build(lesson, small_data)
    for name in lesson.drawn:
        network = getattr(model, name)
        boxes = draw_networks.boxes_of(network)
        kernels = [weight for weight in network.trainable_weights if len(weight.shape) > 1]
        layers = [box for box in boxes if box.made_by[0].startswith(("Conv2D", "Dense"))]
        assert len(layers) == len(kernels)
        outputs = network.outputs
        assert {tuple(output.shape[1:]) for output in outputs} <= {box.shape for box in boxes}
        inputs = {(box.made_by[0], box.shape) for box in boxes if not box.sources}
        named = {(f"input: {i.name.replace('_', ' ')}", i.shape[1:]) for i in network.inputs}
        assert inputs == named
        assert not [said for said, _ in inputs if said.startswith("input: input")]


def test_nothing_big_or_foreign_is_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:  # not where the project was unpacked from an archive
        assert not [path for path in listed.stdout.split() if path.startswith("results/")]
