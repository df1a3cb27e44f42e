"""Puts the results of the scripts into the pages: their GIFs, pictures, scores and measurements.

    python -m tools.gallery            from results/ into docs/, and from there into the pages
    python -m tools.gallery --compare  writes nothing; exit code 1 if a page differs from docs/

A lesson's run is that of `python -m tools.claims --only NAME_seeds`, or else of its own command. If
a lesson has no finished run, its files in docs/ stay as they are. The generated text of a page is
between the comments "begin NAME" and "end NAME"; the names are the keys of BLOCKS, below. It is
made from lessons.py, docs/scores (the scripts' scores), docs/claims (tools.claims) and
docs/bench.json (tools.bench).
"""

import ast
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import sys
import textwrap
from collections import Counter

import utils  # must be the first import: it prepares TensorFlow
import numpy as np

import lessons
import mnist_ds
import runs
import visual

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# {folder in results/: (lesson, options)} of the runs that fill the same holes.
HOLES = {
    "ccgan": ("ccgan", ""),
    "pix2pix": ("pix2pix", ""),
    "pix2pix_l2": ("pix2pix", "--loss l2"),
}
HORSES = "dcgan_horses"  # the folder of the run in colour that DCGAN's page shows
# The pages that are no lesson's, in the order in which they are linked.
OTHER_PAGES = ("claims", "scores", "gallery", "normal", "speed", "howto", "posts", "glossary")
# {text in the files: text on the pages (English, Chinese)}
WORDS = {
    "holds": ("holds", "成立"),
    "does not hold": ("does not hold", "不成立"),
    "too close to say": ("undecided", "无法判断"),
    "not measured": ("not measured", "未测"),
    "higher than": ("higher than", "高于"),
    "lower than": ("lower than", "低于"),
    "as good as": ("as good as", "不差于"),
    "spread of": ("spread of ", "几组初始权重之间的差距，"),
    "untouched": ("real digits", "真实数字"),
    "holed": ("masked", "未补全"),
}
# The same for the scores of the way from class 1 to class 2 (12) and back (21).
TRANSLATED = {
    "taken": ("{}→{} accepted", "{}→{} 转换成功率"),
    "diversity": ("{}→{} diversity", "{}→{} 多样性"),
    "frechet": ("{}→{} frechet", "{}→{} frechet"),
    "cycle_l1": ("{}→{}→{} error", "{}→{}→{} 往返误差"),
}


@dataclasses.dataclass
class Settings:
    results: str = "results"
    """folder with a run of each lesson"""
    compare: bool = False
    """write nothing; exit code 1 if a page differs from docs/"""


def word(text, chinese):
    return WORDS[text][chinese] if text in WORDS else text


def called(score, chinese, sides=()):
    """What a score is called on the pages, where these commands are compared.

    Those of CycleGAN have the names of the two classes, 6 and 9; or A and B, where commands choose
    others.
    """
    way, _, rest = score.partition("_")
    if way not in ("12", "21") or rest not in TRANSLATED:
        return score
    first, second = "AB" if any("--from" in side for side in sides) else "69"
    if way == "21":
        first, second = second, first
    return TRANSLATED[rest][chinese].format(first, second, first)


def page_of(lesson, chinese=False):
    """The path of a lesson's page; for a lesson in another folder, in docs/ next to its script."""
    docs = DOCS if lesson.folder == lessons.HERE else lesson.folder / "docs"
    return docs / f"{lesson.name}{'.zh-CN' if chinese else ''}.md"


def readme(chinese=False):
    return ROOT / f"README{'.zh-CN' if chinese else ''}.md"


def link(target, page):
    """The relative path from a page to a file."""
    return pathlib.PurePath(os.path.relpath(target, page.parent)).as_posix()


def command(lesson, options=""):
    """The command that runs a lesson, in the repository's folder."""
    script = pathlib.PurePath(os.path.relpath(lesson.script, lessons.HERE)).as_posix()
    return f"python {script} {options}".strip()


# -------------------------------------------------------------------------------------- collecting


def collect(results):
    """Copy each finished run's GIF, samples and scores into docs/."""
    results = pathlib.Path(results)
    for lesson in lessons.LESSONS:
        name, run = lesson.name, run_of(results, lesson.name, lesson.script.name)
        if not (run / "scores.json").exists():
            continue
        if reason := not_the_default_run(lesson, run):
            print(f"left out   {run}: {reason}")
            continue
        for source, target in (
            ("generating.gif", f"img/{name}.gif"),
            ("samples.png", f"img/{name}_samples.png"),
            ("losses.png", f"img/{name}_losses.png"),
            ("progress.png", f"img/{name}_progress.png"),
            ("scores.json", f"scores/{name}.json"),
        ):
            if (run / source).exists():
                copy(run / source, target)
        with utils.replacing(DOCS / "img" / f"{name}_strip.gif") as part:
            visual.save_strip(part, runs.frame_paths(run))
        utils.write_json(DOCS / "scores" / f"{name}_epochs.json", epoch_means(run))
        utils.write_json(DOCS / "scores" / f"{name}_run.json", how_made(run))
    if (results / HORSES / "scores.json").exists():
        frames = runs.frame_paths(results / HORSES)
        rows = [
            (f"epoch {int(path.stem)}", row.images[0])
            for path in (frames[0], frames[-1])
            for row in visual.rows_of([path])
        ]
        with utils.replacing(DOCS / "img" / f"{HORSES}.png") as part:
            visual.listed(rows).save(part, format="PNG", optimize=True)
    for path in sorted((DOCS / "claims").glob("*.json")):
        if read(f"claims/{path.name}")["verdicts"]:
            plot_claim(path.stem, DOCS / "img" / f"claim_{path.stem}_scores.png")
    others = set(HOLES) - {lesson.name for lesson in lessons.LESSONS}
    places = {
        run: run_of(results, run, lesson_of(run).script.name, *options_of(run)) for run in HOLES
    }
    for run in others:
        scores = places[run] / "scores.json"
        if scores.exists():
            reason = not_the_default_run(lesson_of(run), places[run], options_of(run))
            if reason:
                print(f"left out   {places[run]}: {reason}")
            else:
                copy(scores, f"scores/{run}.json")
    finished = all((place / "generator.keras").exists() for place in places.values())
    if finished and not any(
        not_the_default_run(lesson_of(run), place, options_of(run)) for run, place in places.items()
    ):
        with utils.replacing(DOCS / "img" / "holes.png") as part:
            side_by_side(places).save(part, format="PNG")


def kept_at(results, words, seed, kind="claims"):
    """The folder where tools.claims keeps a run of a command line.

    Its name contains the complete command line, so that runs of a different length are elsewhere.
    """
    name = re.sub(r"[^a-z0-9.-]+", "_", " ".join(words).replace("--", "").lower())
    return pathlib.Path(results) / kind / name / f"seed{seed}"


def run_of(results, name, *words):
    """The folder of a lesson's run with this name: that of tools.claims, or else that of the
    command itself.
    """
    kept = kept_at(results, words, 0)
    return kept if kept.exists() else results / name


def not_the_default_run(lesson, run, options=()):
    """Why a folder is not a finished run of this lesson's command with its options, or ""."""
    mark = runs.read_mark(run)
    if (
        not (run / "scores.json").exists()
        or mark is None
        or mark.get("format") != runs.FORMAT
        or mark["lesson"] != lesson.name
    ):
        return f"not a finished run of {lesson.name}.py as it is today"
    settings = utils.parse(lesson.module.Settings, "", list(options))
    defaults = json.loads(json.dumps(dataclasses.asdict(settings)))
    changed = [
        name
        for name, value in mark["settings"].items()
        if name != "precision" and defaults.get(name) != value
    ]
    return f"other settings than the defaults: {', '.join(changed)}" if changed else ""


def lesson_of(run):
    """The lesson of a run of HOLES."""
    return lessons.named(HOLES[run][0])


def options_of(run):
    """The options of a run of HOLES."""
    return shlex.split(HOLES[run][1])


def copy(source, target):
    """Copy a file of a run to a place in docs/."""
    (DOCS / target).parent.mkdir(parents=True, exist_ok=True)
    with utils.replacing(DOCS / target) as part:
        shutil.copyfile(source, part)


def epoch_means(run):
    """{name: [mean of this value over the steps of each epoch]} from a run's history."""
    history = utils.read_csv(run / "history.csv")
    epochs = sorted({row["epoch"] for row in history})
    return {
        name: [float(np.mean([row[name] for row in history if row["epoch"] == k])) for k in epochs]
        for name in history[0]
        if name not in ("epoch", "step", "seconds")
    }


def how_made(run):
    """The seed, the precision and the machine of a run, if its mark contains them."""
    mark = runs.read_mark(run) or {}
    facts = {name: mark.get(name) for name in ("precision", "machine")}
    return {"seed": mark.get("settings", {}).get("seed")} | facts


def side_by_side(places):
    """The same digits with the same holes, completed by each command of HOLES."""
    data = mnist_ds.load()
    images, masks = mnist_ds.held_out_holes(data, mnist_ds.HoleSettings().hole)
    some = mnist_ds.some_of_each_class(data.test.labels)
    rows = {}
    for run, (name, options) in HOLES.items():
        lesson, generator = lessons.named(name), runs.load_generator(places[run])
        settings = utils.parse(lesson.module.Settings, "", shlex.split(options))
        made = lesson.module.complete(generator, settings, images[some], masks[some])
        rows |= {"original": made["original"], "holed": made["holed"]}
        rows[f"{lesson.script.name} {options}".strip()] = made["completed"]
    return visual.frame(rows, "")


# ------------------------------------------------------------------------------------------- scores


def shown(name, value):
    """A score as text, with its unit; "" if there is none."""
    if value is None:
        return ""
    if name.endswith(("recognised", "accuracy", "share", "taken")):
        return f"{value:.1%}"
    units = {"hole_psnr": " dB", "psnr": " dB", "entropy": " bits", "train_seconds": " s"}
    units |= {"peak_memory": " GB"}
    whole = name.startswith("train_") or name.endswith("weights")
    digits = 0 if whole else 3 if "l1" in name else 2
    return f"{value:,.{digits}f}{units.get(name, '')}"


def bold(name, scores):
    """One of these scores in bold; "" if it is not among them."""
    return f"**{shown(name, scores[name])}**" if scores.get(name) is not None else ""


def read(path):
    """A JSON file of docs/; {} if there is none."""
    path = DOCS / path
    return json.loads(path.read_text()) if path.exists() else {}


def references(lesson):
    """The endings of the names of a lesson's reference values."""
    return list(dict.fromkeys(ending for endings in lesson.scores.values() for ending in endings))


def with_references(name, scores, endings, chinese):
    """The reference values of a score, as text; endings: those of their names."""
    return ("，" if chinese else ", ").join(
        f"{word(ending, chinese)} {shown(name, scores[f'{name}_{ending}'])}"
        for ending in endings
        if f"{name}_{ending}" in scores
    )


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


# -------------------------------------------------------------------- text between begin and end
#
# The arguments of each function: is the page Chinese, and its path. It returns the text, or None:
# then the page stays as it is.


def strips_block(chinese, page):
    """A row per lesson: what it does, and a few pictures of it that move."""
    colon = "：" if chinese else ": "
    rows = []
    for lesson in lessons.LESSONS:
        gif = link(DOCS / "img" / f"{lesson.name}_strip.gif", page)
        linked = f"[**{lesson.title}**]({link(page_of(lesson, chinese), page)})"
        said = f"{linked}{colon}{lesson.idea[chinese]}"
        rows.append((said, f"![{alternative(lesson, chinese)}]({gif})"))
    header = ("课程", "训练过程") if chinese else ("lesson", "as it learns")
    return table(header, rows)


def alternative(lesson, chinese):
    """The alternative text of a lesson's GIF."""
    if chinese:
        return f"{lesson.title}：{lesson.idea[True]}；同样的几张图，逐轮的变化"
    return f"{lesson.title} {lesson.idea[False]}: the same pictures, epoch by epoch"


def gallery_block(chinese, page):
    """The moving pictures of each lesson in full size, with its command."""
    text = ""
    for lesson in lessons.LESSONS:
        gif = link(DOCS / "img" / f"{lesson.name}.gif", page)
        text += (
            f"\n## [{lesson.title}]({link(page_of(lesson, chinese), page)})\n\n"
            f"    {command(lesson)}\n\n![{alternative(lesson, chinese)}]({gif})\n"
        )
    return text + "\n"


def lessons_block(chinese, page):
    """A row per lesson, in the order in which they are to be read: what is new in it, how long it
    trains, and its two main scores. In brackets stand their mean and standard deviation over the
    seeds, and what real digits get.
    """
    header = (
        ("", "课程", "新内容", "训练", "种子 0 的得分（三个种子；真实数字）")
        if chinese
        else ("", "lesson", "new here", "training", "scores of seed 0 (three seeds; real digits)")
    )
    rows = []
    for number, lesson in enumerate(lessons.LESSONS, start=1):
        scores, unit = read(f"scores/{lesson.name}.json"), "分钟" if chinese else "min"
        seeds = scores_of_seeds(lesson)
        reached = []
        for name in [name for name in lesson.scores if scores.get(name) is not None][:2]:
            beside = mean_and_deviation(name, seeds), shown(name, scores.get(f"{name}_untouched"))
            said = ("；" if chinese else "; ").join(filter(None, beside))
            said = said and (f"（{said}）" if chinese else f" ({said})")
            reached.append(f"{called(name, chinese)} {bold(name, scores)}{said}")
        rows.append(
            (
                number,
                f"[{lesson.title}]({link(page_of(lesson, chinese), page)})<br>`{command(lesson)}`",
                lesson.new[chinese],
                f"{scores['train_seconds'] / 60:.1f} {unit}" if "train_seconds" in scores else "",
                "<br>".join(reached),
            )
        )
    return table(header, rows)


def scores_of_seeds(lesson):
    """{score: [one per seed]} of a lesson's default run; {} if it was not measured."""
    return read(f"claims/{lesson.name}_seeds.json").get("scores", {}).get(lesson.script.name, {})


def lesson_on(page):
    """The lesson whose page this is."""
    return lessons.named(page.name.partition(".")[0])


def step_block(chinese, page):
    """The whole training step of a lesson, out of its script, folded."""
    lesson = lesson_on(page)
    source = lesson.script.read_text(encoding="utf-8")
    (model,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == lesson.model
    )
    (step,) = (node for node in model.body if getattr(node, "name", "") == "train_step")
    lines = source.splitlines()[step.decorator_list[0].lineno - 1 : step.end_lineno]
    code = textwrap.dedent("\n".join(lines))
    name = f"<code>{lesson.script.name}</code>"
    title = f"{name} 的整个训练步骤" if chinese else f"The whole training step of {name}"
    return f"<details>\n<summary>{title}</summary>\n\n```python\n{code}\n```\n\n</details>\n"


def differences_of(lesson):
    """The numbered differences from the paper in the docstring of a lesson's script, in order."""
    docstring = ast.get_docstring(ast.parse(lesson.script.read_text(encoding="utf-8")))
    told = docstring.partition("Deliberate differences from the paper:")[2]
    items = re.split(r"^ *\d+\. ", told, flags=re.MULTILINE)[1:]
    return [" ".join(item.partition("\n\n")[0].split()) for item in items]


def differences_block(chinese, page):
    """The list of differences of a lesson's script, on its page; folded on the Chinese one."""
    items = enumerate(differences_of(lesson_on(page)), start=1)
    text = "".join(f"{number}. {item}\n" for number, item in items)
    if not chinese:
        return text
    title = "脚本开头的原文（英文）"
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n</details>\n"


def answer_block(number, chinese, page):
    """What the commands of an exercise of a lesson's page have given: means and standard
    deviations.
    """
    exercise = lesson_on(page).exercises[number - 1]
    name = exercise.claim or page.name.partition(".")[0]
    found, epochs = read(f"claims/{name}.json"), f"scores/{name.removesuffix('_seeds')}_epochs.json"
    if not set(exercise.sides) <= set(found.get("scores", {})):
        return None
    rows = []
    for side in exercise.sides:
        scores = found["scores"][side]
        cells = [mean_and_deviation(score, scores) for score in exercise.scores]
        rows.append((f"`{shown_command(found, side)}`", *cells))
    if name.endswith("_seeds") and not set(exercise.scores) & set(read(epochs)):
        endings = references(lesson_on(page))
        for ending in endings:
            cells = [
                shown(score, scores[f"{score}_{ending}"][0])
                if f"{score}_{ending}" in scores
                else ""
                for score in exercise.scores
            ]
            rows.append((word(ending, chinese), *cells))
    names = [called(score, chinese, exercise.sides) for score in exercise.scores]
    last = bool(set(exercise.scores) & {*lessons.SAID})
    return table(("", *names), rows) + told_how(found, last, chinese)


def shown_command(found, side):
    """The command line of a side, as it was run: without options that a later one replaces, or
    that are the defaults.
    """
    script, *words = shlex.split(found["commands"][side].removeprefix("python "))
    starts = [i for i, one in enumerate(words) if one.startswith("--")]
    ends = [*starts[1:], len(words)]
    options = {words[i]: words[i + 1 : j] for i, j in zip(starts, ends, strict=False)}
    defaults = dataclasses.asdict(lessons.named(script.removesuffix(".py")).module.Settings())
    kept = [
        " ".join([option, *values])
        for option, values in options.items()
        if values != [str(defaults.get(option.removeprefix("--").replace("-", "_")))]
    ]
    return " ".join([script, *kept])


def told_how(found, last, chinese):
    """A line that says what the cells of a table of a claim are."""
    count = len(found["seeds"])
    if chinese:
        of = "损失和 D 的回答取最后一轮的平均值。" if last else ""
        return f"\n{count} 个种子的平均值和标准差。{of}\n"
    of = " The losses and D's answers are means over the last epoch." if last else ""
    return f"\nMean and standard deviation over {count} seeds.{of}\n"


def sizes_block(chinese, page):
    """One row for each rule about the sizes that fit: the scripts, and the rule."""
    rules = {}
    for lesson in lessons.LESSONS:
        rules.setdefault(lesson.sizes[chinese], []).append(f"`{lesson.name}.py`")
    header = ("脚本", "边长（像素）") if chinese else ("script", "sides in pixels")
    separator = "、" if chinese else ", "
    return table(header, [(separator.join(names), rule) for rule, names in rules.items()])


def links_block(chinese, page):
    """From a page to the one before it, to the README, and to the next one."""
    folder = page.parent
    order = [(lesson.title, page_of(lesson, chinese)) for lesson in lessons.LESSONS]
    for name in OTHER_PAGES:
        other = DOCS / f"{name}{'.zh-CN' if chinese else ''}.md"
        if other.exists():
            order.append((title_of(other), other))
    place = [target for _, target in order].index(folder / page.name)
    links = [
        *((f"← {title}", target) for title, target in order[:place][-1:]),
        ("目录" if chinese else "contents", readme(chinese)),
        *((f"{title} →", target) for title, target in order[place + 1 :][:1]),
    ]
    return " · ".join(f"[{text}]({link(target, page)})" for text, target in links) + "\n"


def title_of(page):
    """A page's first heading."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def commands_block(chinese, page):
    """The commands for all results of the lessons' default runs on the pages."""
    names = [lesson.name for lesson in lessons.LESSONS]
    commands = [*(f"python -m tools.claims --only {name}_seeds" for name in names)]
    commands += ["python -m tools.gallery"]
    return "".join(f"    {line}\n" for line in commands)


def made_block(chinese, page):
    """How the scores were made; None if docs/ does not say this for every lesson with scores."""
    ran = [lesson for lesson in lessons.LESSONS if read(f"scores/{lesson.name}.json")]
    if not ran or not all(read(f"scores/{lesson.name}_run.json") for lesson in ran):
        return None
    ways = {}
    for lesson in ran:
        facts = read(f"scores/{lesson.name}_run.json")
        ways.setdefault(way_made(facts, chinese), []).append(f"`{lesson.script.name}`")
    if len(ways) == 1:
        (way,) = ways
        said = (
            f"各脚本都用默认参数训练（{way}）"
            if chinese
            else f"Made by each script with its defaults {way}"
        )
    else:
        parts = [
            f"{'、'.join(scripts)}（{way}）" if chinese else f"{', '.join(scripts)} {way}"
            for way, scripts in ways.items()
        ]
        said = "；".join(parts) if chinese else "; ".join(parts)
        said = (
            f"都用默认参数训练：{said}" if chinese else f"Made with the scripts' defaults: {said}"
        )
    return said + ("。\n" if chinese else ".\n")


def in_chinese(machine):
    """What a run or tools.bench says about its machine."""
    for english, said in (
        ("this CPU has AMX, which is faster with it", "这个 CPU 有 AMX，bfloat16 因此更快"),
        (
            "this CPU has no AMX, without which bfloat16 is slower",
            "这个 CPU 没有 AMX，bfloat16 因此更慢",
        ),
        ("cores", "核"),
        (", ", "，"),
        ("; ", "；"),
    ):
        machine = machine.replace(english, said)
    return machine


def way_made(facts, chinese):
    """The seed, precision and machine of a run, as part of a sentence."""
    seed, precision, machine = (facts.get(name) for name in ("seed", "precision", "machine"))
    if chinese:
        parts = [f"种子 {seed}", precision and f"精度 {precision}", machine and in_chinese(machine)]
        return "，".join(filter(None, parts))
    parts = [f"(seed {seed})", precision and f"in {precision}", machine and f"on {machine}"]
    return " ".join(filter(None, parts))


def pictures_block(chinese, page):
    """The losses of all lessons, as pictures."""
    said = " 的损失，以及判别器的回答" if chinese else ": the losses, and what D says"
    text = ""
    for lesson in lessons.LESSONS:
        path = link(DOCS / "img" / f"{lesson.name}_losses.png", page)
        text += f'<img src="{path}" width="400" alt="{lesson.script.name}{said}">\n'
    return text


def scores_block(chinese, page):
    """All scores of all lessons, each with its mean, its standard deviation and its references."""
    header = (
        ("脚本", "得分", "种子 0", "三个种子", "参照")
        if chinese
        else ("script", "score", "seed 0", "three seeds", "reference")
    )
    rows = []
    for lesson in lessons.LESSONS:
        scores, endings = read(f"scores/{lesson.name}.json"), references(lesson)
        seeds = scores_of_seeds(lesson)
        for name in scores:
            if not name.endswith(tuple(f"_{ending}" for ending in endings)):
                beside = with_references(name, scores, endings, chinese)
                of_seeds = mean_and_deviation(name, seeds)
                cells = (called(name, chinese), bold(name, scores), of_seeds, beside)
                rows.append((f"`{lesson.script.name}`", *cells))
    return table(header, rows)


def cost_block(chinese, page):
    """The download, time and memory of the first command."""
    scores, found = read(f"scores/{lessons.MAIN}.json"), read("bench.json")
    if not {"train_seconds", "peak_memory"} <= set(scores):
        return None
    if "download_mb" not in found:
        raise utils.BadInput(
            "docs/bench.json has no size of the packages; run python -m tools.bench --packages "
            "--json docs/bench.json"
        )
    minutes, memory = scores["train_seconds"] / 60, shown("peak_memory", scores["peak_memory"])
    download, system = f"{found['download_mb']:.0f} MB", found["system"]
    title = lessons.named(lessons.MAIN).title
    if chinese:
        return (
            f"依赖包共下载 {download}（{system}，不含显卡支持）。"
            f"{title} 训练 {minutes:.0f} 分钟，内存最多占用 {memory}。\n"
        )
    return (
        f"The packages are a download of {download} ({system}, without GPU support). "
        f"{title} trains for {minutes:.0f} minutes and needs {memory} of memory.\n"
    )


def normal_block(chinese, page):
    """The values of the progress bar in the first and in the last epoch."""
    means = [(lesson, read(f"scores/{lesson.name}_epochs.json")) for lesson in lessons.LESSONS]
    names = list(dict.fromkeys([*lessons.SAID, *(name for _, of in means for name in of)]))
    rows = [
        (
            f"`{lesson.script.name}`",
            *(f"{of[name][0]:.2f} → {of[name][-1]:.2f}" if name in of else "" for name in names),
        )
        for lesson, of in means
    ]
    return table(("脚本" if chinese else "script", *names), rows)


def holes_block(chinese, page):
    """The scores of each command of HOLES, for the same holes."""
    found = {
        f"{lessons.named(name).script.name} {options}".strip(): read(f"scores/{run}.json")
        for run, (name, options) in HOLES.items()
    }
    first = next(iter(found.values()))
    header = ("得分" if chinese else "score", *(f"`{c}`" for c in found), word("holed", chinese))
    rows = [
        (
            name,
            *(bold(name, scores) for scores in found.values()),
            shown(name, first.get(f"{name}_holed")),
        )
        for name in ("recognised", "frechet", "hole_psnr", "hole_sharpness")
    ]
    return table(header, rows)


def bench_block(chinese, page):
    """The measurements of tools.bench."""
    found = read("bench.json")
    if not found:
        return None
    header = (
        ("脚本", "精度", "执行方式", "毫秒/步", "张/秒", "加速", "与峰值之比")
        if chinese
        else ("script", "precision", "mode", "ms per step", "pictures/s", "speed-up", "of peak")
    )
    rows = [
        (
            f"`{row['script']}.py`",
            row["precision"],
            row["mode"],
            f"{row['ms_per_step']:.0f} ({row['quartiles_ms'][0]:.0f}-{row['quartiles_ms'][1]:.0f})",
            f"{row['images_per_second']:.0f}",
            f"{row['speed_up']:.1f}x",
            f"{row['share_of_peak']:.0%}",
        )
        for row in found["steps"]
    ]
    rates = found["peak_gflops"].items()
    if chinese:
        peaks = "，".join(f"{name} 每秒 {rate:.0f} GFLOP" for name, rate in rates)
        machine = in_chinese(found["machine"])
        return table(header, rows) + f"\n测于 {found['date']}：{machine}；大矩阵乘法：{peaks}。\n"
    peaks = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in rates)
    machine = found["machine"].replace("which is faster with it", "with which bfloat16 is faster")
    return table(header, rows) + f"\n{found['date']}; {machine}; {peaks}.\n"


def claim_block(name, chinese, page):
    """The scores of a claim's commands, their means and standard deviations, and its results."""
    found = read(f"claims/{name}.json")
    if not found:
        return None
    sides = found["scores"]
    scripts = {side.split()[0] for side in sides}
    present = {score for scores in sides.values() for score in scores}
    compared = [
        score
        for lesson in lessons.LESSONS
        if lesson.script.name in scripts
        for score in lesson.compared
        if score in present
    ]
    # Times are not reliable if several runs were on the machine at the same time.
    times = ["train_seconds"] if found["jobs"] == 1 else []
    said = lessons.SAID if lessons.claims()[name].progress else ()
    columns = [*dict.fromkeys([*compared, *said]), *times]
    rows = [
        (
            f"`{side}`",
            *(mean_and_deviation(score, scores) for score in columns),
        )
        for side, scores in sides.items()
    ]
    names = [called(score, chinese, sides) for score in columns]
    text = table(("", *names), rows)
    colon = "：" if chinese else ": "
    for found_verdict in found["verdicts"]:
        first, second = (
            f"`{side}`" if isinstance(side, str) else f"{word('spread of', chinese)}`{side[0]}` …"
            for side in (found_verdict["first"], found_verdict["second"])
        )
        claimed = found_verdict["claimed"]
        claimed = word("as good as" if claimed == "as good" else f"{claimed} than", chinese)
        text += (
            f"\n- {called(found_verdict['score'], chinese, sides)}{colon}{first} {claimed} {second}"
            f"{colon}**{word(found_verdict['verdict'], chinese)}**"
        )
    return text + "\n" * bool(found["verdicts"])


def plot_claim(name, path):
    """Plot a dot for the score of every seed, in a row for each side or over the training time."""
    found, claim = read(f"claims/{name}.json"), lessons.claims().get(name)
    sides, over_time = found["scores"], bool(claim) and claim.over_time
    scores = list(dict.fromkeys(verdict["score"] for verdict in found["verdicts"]))
    height = 3.2 if over_time else 0.32 * len(sides) + 0.9
    size = 9, height * len(scores)
    figure, axes = visual.figure_of(size, len(scores), dpi=80, layout="constrained")
    for ax, score in zip(axes[:, 0], scores, strict=True):
        measured = {side: values for side, values in sides.items() if score in values}
        said = called(score, False, sides)
        for row, (side, values) in enumerate(measured.items()):
            if over_time:
                ax.plot(values["train_seconds"], values[score], "o", label=side)
            else:
                ax.plot(values[score], [row] * len(values[score]), "o", color="#4f8fd0")
        if over_time:
            ax.set(xlabel="seconds of training", ylabel=said)
            ax.legend(fontsize="small", labelcolor="linecolor", frameon=False)
        else:
            ax.set(yticks=range(len(measured)), yticklabels=list(measured), xlabel=said)
            ax.set_ylim(len(measured) - 0.5, -0.5)
        ax.grid(alpha=0.3)
    with utils.replacing(path) as part:
        figure.savefig(part, format="png")


def mean_and_deviation(score, scores):
    """Mean and standard deviation of a score over the seeds; "" if it is not among `scores`."""
    if (values := scores.get(score)) is None:
        return ""
    mean = shown(score, np.mean(values))
    if len(values) == 1:
        return mean
    deviation = shown(score, np.std(values, ddof=1)).split()[0]
    return f"{mean} ± {deviation}"


def verdicts_block(chinese, page):
    """The results of all claims, one line for each."""
    header = ("", "说法", "结果") if chinese else ("", "claim", "result")
    paths = sorted((DOCS / "claims").glob("*.json"))
    found = {path.stem: read(f"claims/{path.name}") for path in paths}
    rows = []
    for name, claim in lessons.claims().items():
        if name.isdecimal() and name in found:
            said = counted(
                [comparison["verdict"] for comparison in found[name]["verdicts"]], chinese
            )
            sentence = claim.chinese if chinese else claim.english
            rows.append((f"[{name}]({claim_link(name, chinese, page)})", sentence, said))
    seconds = {  # of each run once, because claims share runs
        (command, seed): time
        for claim in found.values()
        for side, command in claim["commands"].items()
        for seed, time in enumerate(claim["scores"][side]["train_seconds"])
    }
    count, hours = len(seconds), sum(seconds.values()) / 3600
    days = sorted({claim["date"] for claim in found.values()})
    if chinese:
        said = (
            f"连同各课的默认运行和练习，共 {count} 次运行，逐个运行，训练最多需要 {hours:.1f} 小时"
        )
        when = f"，测于 {' 至 '.join(dict.fromkeys((days[0], days[-1])))}。" if days else "。"
    else:
        said = (
            f"With the default runs and the exercises these are {count} runs; one after another, "
            f"they train for at most {hours:.1f} hours in all"
        )
        when = f", measured {span(days)}." if days else "."
    return f"{table(header, rows)}\n{said}{when}\n"


def counted(verdicts, chinese):
    """The verdicts of a claim in words, such as "2 of 5 hold, 3 undecided"."""
    counts, count = Counter(verdicts), len(verdicts)
    if len(counts) == 1 and count > 1:
        (only,) = counts
        of_all = {
            "holds": (f"all {count} hold", f"{count} 项都成立"),
            "does not hold": (f"none of {count} holds", f"{count} 项都不成立"),
            "too close to say": (f"all {count} undecided", f"{count} 项都无法判断"),
        }
        if only in of_all:
            return of_all[only][chinese]
    parts = [
        (counts["holds"], "holds" if counts["holds"] == 1 else "hold", "项成立"),
        (
            counts["does not hold"],
            "does not hold" if counts["does not hold"] == 1 else "do not hold",
            "项不成立",
        ),
        (counts["too close to say"], "undecided", "项无法判断"),
        (counts["not measured"], "not measured", "项未测"),
    ]
    parts = [part for part in parts if part[0]]
    if chinese:
        return f"{count} 项中 " + "，".join(f"{number} {said}" for number, _, said in parts)
    texts = [f"{number} {said}" for number, said, _ in parts]
    texts[0] = texts[0].replace(" ", f" of {count} ", 1)
    return ", ".join(texts)


def claim_link(name, chinese, page):
    """The link from a page to the text about a claim: on that page, or on its lesson's page."""
    anchor = f"claim-{name}"
    owner = next(lesson for lesson in lessons.LESSONS if name in lesson.claims)
    there = page_of(owner, chinese)
    told_there = there.exists() and f'<a id="{anchor}">' in there.read_text(encoding="utf-8")
    return f"{link(there, page)}#{anchor}" if told_there else f"#{anchor}"


def span(days):
    """Days, in order, as part of a sentence."""
    return f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"


BLOCKS = {
    "strips": strips_block,
    "gallery": gallery_block,
    "step": step_block,
    "differences": differences_block,
    "lessons": lessons_block,
    "links": links_block,
    "sizes": sizes_block,
    "commands": commands_block,
    "made": made_block,
    "pictures": pictures_block,
    "scores": scores_block,
    "cost": cost_block,
    "normal": normal_block,
    "holes": holes_block,
    "bench": bench_block,
    "verdicts": verdicts_block,
}


# -------------------------------------------------------------------------------------------- pages


def pages():
    """All pages of the repository, and those of lessons in other folders, in both languages."""
    inside = [readme(), readme(True), *sorted(DOCS.glob("*.md"))]
    of_lessons = [page_of(lesson, of) for lesson in lessons.LESSONS for of in (False, True)]
    return inside + [page for page in of_lessons if page.parent != DOCS and page.exists()]


def filled(page):
    """The text of a page, with all its blocks filled."""
    chinese = page.name.endswith(".zh-CN.md")

    def block(match):
        name = match["name"]
        if name.startswith("claim "):
            made = claim_block(name.removeprefix("claim "), chinese, page)
        elif name.startswith("answer "):
            made = answer_block(int(name.removeprefix("answer ")), chinese, page)
        else:
            made = BLOCKS[name](chinese, page)
        return match[0] if made is None else f"<!-- begin {name} -->\n{made}<!-- end {name} -->"

    pattern = r"<!-- begin (?P<name>[\w ]+) -->\n.*?<!-- end (?P=name) -->"
    return re.sub(pattern, block, page.read_text(encoding="utf-8"), flags=re.DOTALL)


def main():
    settings = utils.parse(Settings, __doc__)
    given = settings.results == Settings.results or pathlib.Path(settings.results).is_dir()
    utils.require(given, "--results", settings.results, "a folder with runs")
    if not settings.compare:
        collect(settings.results)
    for page in pages():
        text = page.read_text(encoding="utf-8")
        wanted = filled(page)
        if text != wanted and settings.compare:
            sys.exit(f"{page.name} does not show docs/; run python -m tools.gallery")
        if text != wanted:
            with utils.replacing(page) as part:
                part.write_text(wanted, encoding="utf-8")
            print(f"written    {page}")
    print(scores_block(False, readme()), end="")


if __name__ == "__main__":
    utils.run(main)
