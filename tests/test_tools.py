"""The tools: what they make of runs by other code, of inputs' names, and of one lesson more."""

import dataclasses
import json
import shutil
import subprocess
import sys

import utils  # first of all: it prepares TensorFlow
import keras
import numpy as np
import pytest
from PIL import Image

import lessons
import runs
import visual
from conftest import LESSONS, ROOT, build
from tools import claims, draw_networks, gallery

TODAY = runs.code_digest(ROOT / "dcgan.py")
SIDES = ("dcgan.py", "dcgan.py --penalty 0")


# -------------------------------------------------------------------------------- claims: old runs


class FakeRuns:
    """Folders as runs leave them, without any training, for a claim that compares two commands."""

    def __init__(self, tmp_path, program):
        self.settings = claims.Settings(results=str(tmp_path / "results"))
        self.docs, self.program, self.begun = tmp_path / "docs", program, []

    def make(self, side, code=TODAY, finished=True, jobs=None, full=False, precision="float32"):
        out = ROOT / claims.folder(side, 0, self.settings, full)
        (out / "frames").mkdir(parents=True, exist_ok=True)
        Image.new("L", (60, 40)).save(out / "frames" / "000.png")
        if code:
            mark = {"program": "mnist-gans", "code": code, "precision": precision}
            utils.write_json(out / "run.json", mark)
        if finished:
            utils.write_json(out / "scores.json", {"frechet": len(side), "train_seconds": 9.0})
        if jobs:
            utils.write_json(claims.jobs_file(out), {"jobs": jobs})

    def begin(self, side, seed, settings, fresh, full=False):
        """In the place of claims.run_script."""
        self.begun.append((side, fresh))
        self.make(side, full=full)

    def claims(self, *options):
        """What the tool says."""
        folders = "--results", self.settings.results, "--docs", self.docs
        return self.program("tools.claims", *folders, *options)

    @property
    def record(self):
        """What came out, as docs/ has it."""
        return json.loads((self.docs / "claims" / "1.json").read_text())


@pytest.fixture
def fake(tmp_path, program, monkeypatch):
    found = FakeRuns(tmp_path, program)
    found.patch = monkeypatch
    monkeypatch.setattr(claims, "run_script", found.begin)
    monkeypatch.setattr(claims, "last_means", lambda run: {})
    compared = lessons.better(*SIDES, lower=["frechet", "train_seconds"])
    claim = lessons.Claim("A claim.", "一个说法。", SIDES, compared, seeds=1)
    monkeypatch.setattr(lessons, "claims", lambda: {"1": claim})
    return found


def test_run_of_an_earlier_version_is_set_aside_and_run_again(fake):
    """No script would take its folder, or delete it."""
    fake.make(SIDES[0])
    fake.make(SIDES[1], None)
    said = fake.claims()
    assert "set aside" in said
    assert fake.begun == [(SIDES[1], False)]
    assert fake.record["code"] == dict.fromkeys(SIDES, TODAY)
    assert fake.record["precision"] == "float32"


def test_run_in_another_precision_is_older(fake):
    """It is taken and said, or run again; "auto" takes what is there."""
    fake.make(SIDES[0])
    fake.make(SIDES[1], precision="mixed_bfloat16")
    assert "older      seed 0  " + SIDES[1] in fake.claims()
    assert fake.record["precision"] == "float32, mixed_bfloat16"
    assert "older" not in fake.claims("--precision", "auto")
    assert fake.begun == []
    fake.claims("--rerun")
    assert fake.begun == [(SIDES[1], True)]
    assert fake.record["precision"] == "float32"


def test_runs_at_full_length_are_others(fake, monkeypatch):
    """Short ones are not taken for them; their frames and figures are what is shown."""
    claim = dataclasses.replace(lessons.claims()["1"], full=True, progress=True)
    monkeypatch.setattr(lessons, "claims", lambda: {"1": claim})
    monkeypatch.setattr(claims, "last_means", lambda run: {"place": run.parent.name})
    for side in SIDES:
        fake.make(side)
    fake.claims()
    assert fake.begun == [(side, False) for side in SIDES]
    assert fake.record["commands"] == {side: f"python {side}" for side in SIDES}
    places = [claims.folder(side, 0, fake.settings, full=True) for side in SIDES]
    found = [scores["place"] for scores in fake.record["scores"].values()]
    assert found == [[place.parent.name] for place in places]
    for side in SIDES:
        shutil.rmtree(ROOT / claims.folder(side, 0, fake.settings).parent)
    fake.claims()  # nor are they needed for the picture


def test_picture_of_a_claim_shows_the_originals_once(fake):
    """Below the first command; then what each command made of them."""
    for number, side in enumerate(SIDES):
        fake.make(side)
        made = np.full((2, 8, 8, 1), -0.5 + number)
        rows = {"original": np.full((2, 8, 8, 1), -1.0), "completed": made}
        frame = ROOT / claims.folder(side, 0, fake.settings) / "frames" / "000.png"
        visual.save_frame(frame, visual.frame(rows, "", columns=2, zoom=1))
    shown = []
    listed = visual.listed
    fake.patch.setattr(visual, "listed", lambda parts: shown.extend(parts) or listed(parts))
    fake.claims()
    labels = [label for label, _ in shown]
    first, second = (f"python {side}" for side in SIDES)
    assert labels == [first, "original", "completed", second, "completed"]
    with Image.open(fake.docs / "img" / "claim_1.png") as picture:
        assert picture.height == 2 * 26 + 3 * (8 + 4)


def test_run_by_other_code_is_taken_and_said(fake):
    code = "of another day"
    fake.make(SIDES[0])
    fake.make(SIDES[1], code)
    said = fake.claims().splitlines()
    assert said[:2] == [
        f"run        seed 0  {SIDES[0]}",
        f"older      seed 0  {SIDES[1]}: made by other code, or in another precision, than "
        "today's; --rerun runs it again",
    ]
    assert fake.record["code"] == {SIDES[0]: TODAY, SIDES[1]: code}
    assert fake.begun == []
    assert "1. A claim. (docs: older than the code)\n" in fake.claims("--list")


def test_rerun_runs_what_is_older(fake):
    fake.make(SIDES[0])
    fake.make(SIDES[1], "of another day")
    said = fake.claims("--rerun")
    assert fake.begun == [(SIDES[1], True)]
    assert "older" not in said
    assert fake.record["code"] == dict.fromkeys(SIDES, TODAY)
    assert "1. A claim.\n" in fake.claims("--list")


def test_broken_off_run_is_not_finished_by_other_code(fake):
    fake.make(SIDES[0], finished=False)
    fake.make(SIDES[1], "of another day", finished=False)
    fake.claims()
    assert fake.begun == [(SIDES[0], False), (SIDES[1], True)]


def test_record_without_code_is_older(fake):
    for side in SIDES:
        fake.make(side)
    assert "1. A claim.\n" in fake.claims("--list")  # there is none yet
    fake.claims()
    record = {name: value for name, value in fake.record.items() if name != "code"}
    utils.write_json(fake.docs / "claims" / "1.json", record)
    assert "1. A claim. (docs: older than the code)\n" in fake.claims("--list")


@pytest.mark.parametrize(("made_with", "asked", "jobs"), [(None, 1, 1), (None, 2, 2), (2, 1, 2)])
def test_times_of_runs_side_by_side_get_no_verdict(fake, made_with, asked, jobs):
    for side in SIDES:
        fake.make(side, jobs=made_with)
    said = fake.claims("--jobs", asked)
    verdicts = {verdict["score"]: verdict["verdict"] for verdict in fake.record["verdicts"]}
    assert verdicts["frechet"] == "holds"
    assert verdicts["train_seconds"] == ("not measured" if jobs > 1 else "too close to say")
    assert fake.record["jobs"] == jobs
    assert said.count("not measured") == (jobs > 1)


def test_command_of_a_run(tmp_path, monkeypatch):
    """Its threads and folder, and how it fails; that it had company is kept beside the folder."""
    settings, asked = claims.Settings(jobs=2, results=str(tmp_path / "results")), []

    def run(command, env, **options):
        asked.append((command, env, options))
        return subprocess.CompletedProcess(command, 2, "", "dcgan.py: no\n")

    monkeypatch.setattr(claims.subprocess, "run", run)
    with pytest.raises(utils.BadInput, match=r"^dcgan\.py --epochs 2 .* failed: dcgan\.py: no$"):
        claims.run_script(SIDES[1], 1, settings, fresh=True)
    (command, environment, options) = asked[0]
    out = claims.folder(SIDES[1], 1, settings)
    assert command[:2] == [sys.executable, str(ROOT / "dcgan.py")]
    assert command[-7:-3] == ["--seed", "1", "--out", str(out)]
    assert command[-3:] == ["--precision", "float32", "--fresh"]
    assert environment["TF_NUM_INTRAOP_THREADS"] == environment["OMP_NUM_THREADS"]
    assert environment["PYTHONPATH"].startswith(str(ROOT))
    assert options["cwd"] == ROOT
    assert claims.jobs_of(out) == 2
    with pytest.raises(utils.BadInput, match="failed"):  # goes on alone: half of it had company
        claims.run_script(SIDES[1], 1, claims.Settings(results=settings.results), fresh=False)
    assert claims.jobs_of(out) == 2


# ------------------------------------------------------------------------------ drawing of networks


def test_inputs_are_called_by_their_own_names():
    """Whatever the order of the layers, and whatever the inputs of networks within are called."""
    small, large = keras.Input((2, 2, 1), name="low_res"), keras.Input((4, 4, 1), name="picture")
    inner = keras.Input((4, 4, 1), name="inner")
    inner = keras.Model(inner, keras.layers.Conv2D(3, 1)(inner))
    both = keras.layers.Concatenate()([inner(large), keras.layers.UpSampling2D(2)(small)])
    for inputs in ([small, large], [large, small]):
        boxes = draw_networks.boxes_of(keras.Model(inputs, both))
        named = {box.made_by[0]: box.shape for box in boxes if not box.sources}
        assert named == {"input: low res": (2, 2, 1), "input: picture": (4, 4, 1)}


def test_inputs_of_ccgan(small_data):
    """Its picture and its mask have the same shape: the mask is what hides the picture's pixels."""
    model, _, _ = build(lessons.named("ccgan"), small_data, "--low-res")
    boxes = draw_networks.boxes_of(model.generator)
    inputs = [box.made_by[0] for box in boxes if not box.sources]
    assert sorted(inputs) == ["input: low res", "input: mask", "input: picture"]
    assert [i.name for i in model.generator.inputs] == ["picture", "mask", "low_res"]
    assert boxes[-1].made_by == ["picture where mask, else Conv2DTranspose 6x6, stride 2"]


@pytest.mark.parametrize("tool", ["bench", "draw_networks"])
def test_unknown_lesson(tool, refused):
    known = ", ".join(lesson.name for lesson in LESSONS)
    line = refused(f"tools.{tool}", "--lessons", LESSONS[0].name, "nothing")
    assert line == f"{tool}.py: --lessons nothing: expected some of {known}\n"


# ------------------------------------------------------------------------------ blocks of the pages


def test_links_lead_to_the_neighbours():
    """From the first lesson to the last, and on to the other pages."""
    for end, contents in (("", "contents"), (".zh-CN", "目录")):
        pages = [ROOT / "docs" / f"{lesson.name}{end}.md" for lesson in LESSONS]
        titles = [lesson.title for lesson in LESSONS]
        for name in gallery.OTHER_PAGES:
            pages.append(ROOT / "docs" / f"{name}{end}.md")
            titles.append(pages[-1].read_text().splitlines()[0].removeprefix("# "))
        for i, page in enumerate(pages):
            links = [f"[{contents}](../README{end}.md)"]
            if i:
                links.insert(0, f"[← {titles[i - 1]}]({pages[i - 1].name})")
            if page != pages[-1]:
                links.append(f"[{titles[i + 1]} →]({pages[i + 1].name})")
            assert gallery.links_block(bool(end), page) == f"{' · '.join(links)}\n"


def test_step_on_the_page_is_that_of_the_script(lesson):
    block = gallery.step_block(False, gallery.page_of(lesson))
    code = block.partition("```python\n")[2].partition("\n```")[0]
    assert code.startswith("@tf.function\ndef train_step(self, batch):\n")
    assert code.rstrip().endswith("}")
    script = [line.strip() for line in lesson.script.read_text().splitlines()]
    lines = [line.strip() for line in code.splitlines()]
    place = script.index(lines[1])
    assert script[place - 1 : place - 1 + len(lines)] == lines
    assert code in gallery.step_block(True, gallery.page_of(lesson, True))


def test_differences_on_the_page_are_those_of_the_script(tmp_path):
    lesson = lessons.named("dcgan")
    found = gallery.differences_of(lesson)
    docstring = " ".join(lesson.module.__doc__.split())
    numbered = " ".join(f"{i}. {text}" for i, text in enumerate(found, start=1))
    assert docstring.endswith(numbered)
    assert gallery.differences_block(False, gallery.page_of(lesson)).startswith(f"1. {found[0]}\n")
    assert "<details>" in gallery.differences_block(True, gallery.page_of(lesson, True))


def test_answers_show_what_was_measured(docs):
    """Mean and spread of the commands of an exercise; and, of a default run, what real ones get."""
    page = docs / "cgan.md"
    record = json.loads((docs / "claims" / "1.json").read_text())
    side = lessons.named("cgan").exercises[4].sides[0]
    record["scores"][side]["frechet"] = [0.5, 0.6, 0.7]
    utils.write_json(docs / "claims" / "1.json", record)
    rows = gallery.answer_block(5, False, page).splitlines()
    start = "| `cgan.py --epochs 2 --steps-per-epoch 150` | "  # as short as it can be written
    assert any(row.startswith(start) and "| 0.60 ± 0.10 |" in row for row in rows)
    second = gallery.answer_block(2, False, page)
    assert "\n| real digits | " in second
    assert "\n| 真实数字 | " in gallery.answer_block(2, True, docs / "cgan.zh-CN.md")
    (docs / "claims" / "1.json").unlink()
    assert gallery.answer_block(5, False, page) is None


@pytest.mark.parametrize(
    ("verdicts", "english", "chinese"),
    [
        (["holds"] * 3, "all 3 hold", "3 项都成立"),
        (["does not hold"] * 2, "none of 2 holds", "2 项都不成立"),
        (["holds"], "1 of 1 holds", "1 项中 1 项成立"),
        (
            ["holds", "too close to say", "holds", "does not hold"],
            "2 of 4 hold, 1 does not hold, 1 undecided",
            "4 项中 2 项成立，1 项不成立，1 项无法判断",  # noqa: RUF001
        ),
    ],
)
def test_verdicts_in_words(verdicts, english, chinese):
    assert gallery.counted(verdicts, False) == english
    assert gallery.counted(verdicts, True) == chinese


def test_names_of_scores():
    assert gallery.called("12_taken", False) == "6→9 accepted"
    assert gallery.called("21_cycle_l1", True) == "9→6→9 往返误差"
    assert gallery.called("21_taken", False, ["cyclegan.py --from 1 --to 8"]) == "B→A accepted"
    assert gallery.called("hole_psnr", False) == "hole_psnr"


def test_list_and_commands_and_pictures_are_in_the_order_of_the_lessons():
    page = ROOT / "docs" / "claims.zh-CN.md"
    for name in ("strips", "lessons", "commands", "pictures", "gallery"):
        for chinese in (False, True):
            text = gallery.BLOCKS[name](chinese, page)
            places = [text.index(f"{lesson.name}.") for lesson in LESSONS if name != "commands"]
            places += [text.index(f"{lesson.name}_") for lesson in LESSONS if name == "commands"]
            assert places == sorted(places)
    assert "| 1 | [DCGAN](dcgan.zh-CN.md)<br>" in gallery.lessons_block(True, page)
    assert '<img src="img/cgan_losses.png"' in gallery.pictures_block(False, page)


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """A copy of the pages and of docs/, without the pictures, which the gallery is to look at."""
    shutil.copytree(ROOT / "docs", tmp_path / "copy" / "docs", ignore=lambda *_: {"img"})
    for page in (gallery.readme(), gallery.readme(True)):
        shutil.copy(page, tmp_path / "copy")
    (tmp_path / "copy" / "docs" / "img").mkdir()
    monkeypatch.setattr(gallery, "ROOT", tmp_path / "copy")
    monkeypatch.setattr(gallery, "DOCS", tmp_path / "copy" / "docs")
    return tmp_path / "copy" / "docs"


def test_lessons_show_the_seeds_and_what_real_digits_get(docs):
    scores = {"frechet": 0.5, "smallest_share": 0.08, "frechet_untouched": 0.02}
    utils.write_json(docs / "scores" / "dcgan.json", scores)
    record = {"scores": {"dcgan.py": {"frechet": [0.3, 0.5, 0.7]}}}
    utils.write_json(docs / "claims" / "dcgan_seeds.json", record)
    row = gallery.lessons_block(False, gallery.readme()).splitlines()[2]
    assert "frechet **0.50** (0.50 ± 0.20; 0.02)<br>smallest_share **8.0%** |" in row
    row = gallery.lessons_block(True, gallery.readme(True)).splitlines()[2]
    assert "frechet **0.50**（0.50 ± 0.20；0.02）" in row  # noqa: RUF001
    (docs / "claims" / "dcgan_seeds.json").unlink()
    assert "frechet **0.50** (0.02)" in gallery.lessons_block(False, gallery.readme())


def test_how_the_scores_were_made(docs, monkeypatch):
    """One way for all, or several; as long as docs/ does not say it of all, the old text stays."""
    first, second = LESSONS[:2]
    monkeypatch.setattr(lessons, "LESSONS", [first, second])
    for path in (docs / "scores").glob("*_run.json"):
        path.unlink()
    facts = {"seed": 0, "precision": "float32", "machine": "x86_64, 2 cores, Keras 3.15.1"}
    utils.write_json(docs / "scores" / f"{first.name}_run.json", facts)
    page = docs / "scores.md"
    page.write_text("<!-- begin made -->\nSo far.\n<!-- end made -->\n")
    assert "So far." in gallery.filled(page)
    utils.write_json(docs / "scores" / f"{second.name}_run.json", facts)
    assert gallery.made_block(False, page) == (
        "Made by each script with its defaults (seed 0) in float32 on x86_64, 2 cores, "
        "Keras 3.15.1.\n"
    )
    said = gallery.made_block(True, page)
    assert all(part in said for part in ("种子 0", "精度 float32", "x86_64", "2 核"))
    other = facts | {"precision": "mixed_bfloat16", "machine": None}
    utils.write_json(docs / "scores" / f"{second.name}_run.json", other)
    assert gallery.made_block(False, page) == (
        "Made with the scripts' defaults: `dcgan.py` (seed 0) in float32 on x86_64, 2 cores, "
        "Keras 3.15.1; `cgan.py` (seed 0) in mixed_bfloat16.\n"
    )


def test_blocks_of_what_was_not_measured(docs):
    """Scores that are missing leave their cells empty; records that are missing, the page."""
    (docs / "scores" / "pix2pix.json").write_text('{"frechet": 0.25}')
    (docs / "scores" / "dcgan.json").unlink()
    (docs / "claims" / "3.json").unlink()
    before = {page: page.read_text() for page in gallery.pages()}
    after = {page: gallery.filled(page) for page in gallery.pages()}
    (docs / "claims" / "pix2pix_seeds.json").unlink(missing_ok=True)
    page = docs / "scores.md"
    assert "| `pix2pix.py` | frechet | **0.25** |  |  |\n" in gallery.filled(page)
    assert "`dcgan.py` | frechet" not in after[page]
    assert "| recognised | **" in after[docs / "pix2pix.md"]
    old, new = (
        of[docs / "claims.md"].partition("<!-- begin claim 3 -->")[2].partition("<!-- end")[0]
        for of in (before, after)
    )
    assert old == new


def test_seeds_stand_beside_seed_0(docs):
    record = {"scores": {"pix2pix.py": {"frechet": [0.25, 0.35, 0.45]}}}
    utils.write_json(docs / "claims" / "pix2pix_seeds.json", record)
    utils.write_json(docs / "scores" / "pix2pix.json", {"frechet": 0.25, "l1": 0.125})
    block = gallery.scores_block(False, gallery.readme())
    assert "| `pix2pix.py` | frechet | **0.25** | 0.35 ± 0.10 |  |\n" in block
    assert "| `pix2pix.py` | l1 | **0.125** |  |  |\n" in block


def test_runs_of_claims_come_first(tmp_path):
    """A lesson's pictures are of the run whose scores stand among those of the three seeds."""
    first, second = LESSONS[:2]
    settings = claims.Settings(results=str(tmp_path))
    kept = claims.folder(f"{first.name}.py", 0, settings, full=True)
    kept.mkdir(parents=True)
    assert gallery.run_of(tmp_path, first.name, f"{first.name}.py") == kept
    assert gallery.run_of(tmp_path, second.name, f"{second.name}.py") == tmp_path / second.name


def test_dates_of_the_measurements(docs):
    path = docs / "claims" / "12.json"
    record = json.loads(path.read_text())
    utils.write_json(path, record | {"date": "2001-02-03"})
    days = sorted(json.loads(p.read_text())["date"] for p in (docs / "claims").glob("*.json"))
    page = docs / "claims.md"
    wanted = f", measured from 2001-02-03 to {days[-1]}.\n"
    assert gallery.verdicts_block(False, page).endswith(wanted)
    assert f"2001-02-03 至 {days[-1]}。" in gallery.verdicts_block(True, page)


# ---------------------------------------------------------------------------------- one lesson more

TOY = '''"""Toy: two numbers make a picture, by one dense layer, and another one judges it."""

import dataclasses
import math

import utils  # first of all: it prepares TensorFlow
import keras
import tensorflow as tf

import gan_cnn
import mnist_ds
import runs
import training
import visual


@dataclasses.dataclass
class Settings(utils.Settings):
    out: str = "results/toy"
    """folder for everything that the run writes"""
    batch_size: int = 16
    """pictures in a batch"""
    learning_rate: float = 1e-3
    """of both Adams"""


def load(settings):
    return [mnist_ds.load(settings.data, settings.size, settings.train_pictures)]


def build_generator(image_shape):
    numbers = keras.Input((2,), name="two_numbers")
    pixels = keras.layers.Dense(math.prod(image_shape), activation="tanh")(numbers)
    return keras.Model(numbers, keras.layers.Reshape(image_shape)(pixels))


def build_discriminator(image_shape):
    picture = keras.Input(image_shape, name="picture")
    return keras.Model(picture, keras.layers.Dense(1)(keras.layers.Flatten()(picture)))


class Toy(keras.Model):
    def __init__(self, settings, data):
        super().__init__()
        self.generator = build_generator(data.image_shape)
        self.discriminator = build_discriminator(data.image_shape)
        self.average = gan_cnn.averaged(self.generator, build_generator, data.image_shape)
        self.g_optimizer = gan_cnn.adam(self.generator, settings.learning_rate)
        self.d_optimizer = gan_cnn.adam(self.discriminator, settings.learning_rate)
        self.random = gan_cnn.RandomStream(utils.stream(settings.seed, "training"))
        self.built = True

    @tf.function
    def train_step(self, batch):
        images, _ = batch
        numbers = keras.random.normal((tf.shape(images)[0], 2), dtype="float32", seed=self.random)
        with tf.GradientTape(persistent=True) as tape:
            fake = self.discriminator(self.generator(numbers))
            g_loss = tf.reduce_mean(tf.nn.softplus(-fake))
            d_loss = tf.reduce_mean(tf.nn.softplus(fake))
            d_loss += tf.reduce_mean(tf.nn.softplus(-self.discriminator(images)))
        for network, optimizer, loss in (
            (self.generator, self.g_optimizer, g_loss),
            (self.discriminator, self.d_optimizer, d_loss),
        ):
            weights = network.trainable_weights
            optimizer.apply(tape.gradient(loss, weights), weights)
        gan_cnn.update_average(self.average, self.generator, self.g_optimizer.iterations)
        return {"d_loss": d_loss, "g_loss": g_loss}


def main():
    settings = runs.parse(Settings, __doc__)
    (data,) = load(settings)
    run = training.start(settings, data)
    gan = Toy(settings, data)

    def rows():
        return {"": gan.average(tf.eye(2)).numpy()}

    training.train(run, gan, lambda caption: visual.frame(rows(), caption))
    found = {"brightness": float(rows()[""].mean()), "brightness_untouched": -0.7}
    training.finish(run, {"generator": gan.average}, found, rows(), ["1, 0", "0, 1"])


if __name__ == "__main__":
    utils.run(main)
'''
PAGE = """# Toy

<a id="claim-99"></a>

<!-- begin answer 1 -->
<!-- end answer 1 -->

<!-- begin claim 99 -->
<!-- end claim 99 -->

<!-- begin links -->
<!-- end links -->
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """One lesson more, in a folder of its own: a script, two pages, and its entry in the list."""
    folder = tmp_path / "elsewhere"
    (folder / "docs").mkdir(parents=True)
    (folder / "toy.py").write_text(TOY)
    for name in ("toy.md", "toy.zh-CN.md"):
        (folder / "docs" / name).write_text(PAGE)
    sides = "toy.py", "toy.py --batch-size 8"
    compared = lessons.better(*sides, higher=["brightness"], lower=["d_weights"])
    lesson = lessons.Lesson(
        name="toy",
        model="Toy",
        title="Toy",
        paper="1406.2661",
        idea=("plays", "玩"),
        new=("nothing", "没有"),
        moves={"optimizer": ("generator", "average", "discriminator")},
        drawn=("generator", "discriminator"),
        scores={"brightness": ("untouched",)},
        compared=("brightness", "d_weights"),
        budget="--epochs 2 --steps-per-epoch 2",
        exercises=(lessons.Exercise(sides, ("brightness",)),),
        sample=("1",),
        sizes=("any", "都行"),
        claims={"99": lessons.Claim("Toys are bright.", "玩具很亮。", sides, compared)},
        folder=folder,
    )
    monkeypatch.setattr(lessons, "LESSONS", [*LESSONS, lesson])
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield lesson
    sys.modules.pop("toy", None)


def test_tools_take_one_lesson_more(toy, docs, program, tmp_path, monkeypatch):
    """Nothing but its entry in the list is needed for it to be run, measured, drawn and shown."""
    results = tmp_path / "results"
    said = program("tools.claims", "--smoke", "--only", "toy", "99", "--results", results)
    assert (
        said.count("run        seed 0  toy.py") == 2
    )  # the claim's runs are those of the exercise
    found = json.loads((results / "smoke" / "claims" / "99.json").read_text())
    assert found["scores"]["toy.py"]["d_weights"] == [28 * 28 + 1]
    assert set(found["code"].values()) == {runs.code_digest(toy.script)}

    options = "--lessons", "toy", "--rounds", 1, "--steps", 1, "--precisions", "float32"
    assert "toy       float32" in program("tools.bench", *options)

    chosen = toy.module.Settings()
    boxes = draw_networks.boxes_of(toy.build(chosen, *toy.module.load(chosen)).generator)
    assert [box.made_by[0] for box in boxes] == ["input: two numbers", "Dense", "Reshape"]
    program("tools.draw_networks", "--lessons", "toy", "--out", docs / "img")
    assert (docs / "img" / "toy_networks.svg").exists()

    (run,) = results.glob("smoke/toy.py_epochs_2_steps-per-epoch_2_epochs_1*/seed0")
    shutil.copytree(run, results / "toy")
    shutil.rmtree(docs / "claims")  # the others' plots take a while
    shutil.copytree(results / "smoke" / "claims", docs / "claims")
    assert "left out" in program("tools.gallery", "--results", results)  # it was a short run
    monkeypatch.setattr(gallery, "not_the_default_run", lambda *_: "")
    program("tools.gallery", "--results", results)
    shown = gallery.readme(True).read_text()
    shown += "".join((docs / f"{name}.zh-CN.md").read_text() for name in ("scores", "normal"))
    for line in (
        "| `toy.py` | brightness | **",
        f"| {len(LESSONS) + 1} | [Toy](../elsewhere/docs/toy.zh-CN.md)<br>",
        "[**Toy**](../elsewhere/docs/toy.zh-CN.md)：玩",  # noqa: RUF001
        '<img src="img/toy_losses.png"',
        "    python -m tools.claims --only toy_seeds\n    python -m tools.gallery\n",
    ):
        assert line in shown
    page = (toy.folder / "docs" / "toy.md").read_text()
    assert "| `toy.py --batch-size 8` |" in page
    back = "../../copy"
    last = LESSONS[-1]
    links = f"[← {last.title}]({back}/docs/{last.name}.md) · [contents]({back}/README.md)"
    assert f"{links} · [" in page
    assert "[Toy →](../../elsewhere/docs/toy.md)\n" in (docs / f"{last.name}.md").read_text()
    assert "[← Toy](../../elsewhere/docs/toy.md)" in (docs / "claims.md").read_text()
    where = "../../elsewhere/docs/toy.md#claim-99"
    assert f"| [99]({where}) | Toys are bright. |" in (docs / "claims.md").read_text()
    assert (docs / "img" / "claim_99_scores.png").exists()
    program("tools.gallery", "--compare")
