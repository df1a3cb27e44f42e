"""Puts what the scripts have made into the pages: their GIFs, pictures, scores and measurements.

    python -m tools.gallery            from results/ into docs/, and from there into the pages
    python -m tools.gallery --compare  writes nothing; exit code 1 if a page differs from docs/

A lesson that has not been run, or not finished, keeps what docs/ has of it. What is made stands in
a page between the comments "begin NAME" and "end NAME"; the names are the keys of BLOCKS, below. It
is made from lessons.py, docs/scores (the scripts' scores), docs/claims (tools.claims) and
docs/bench.json (tools.bench).
"""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import sys
from collections import Counter

import utils  # first of all: it prepares TensorFlow
import numpy as np

import lessons
import mnist_ds
import runs
import visual

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# {folder in results/: (lesson, options)} of what fills the same holes.
HOLES = {
    "ccgan": ("ccgan", ""),
    "pix2pix": ("pix2pix", ""),
    "pix2pix_l2": ("pix2pix", "--loss l2"),
}
WORDS = {
    "holds": "成立",
    "does not hold": "不成立",
    "too close to say": "差别太小，说不准",
    "not measured": "未测",
    "higher than": "高于",
    "lower than": "低于",
    "as good as": "不差于",
    "spread of": "几组之间的差距：",
    "untouched": "真实",
    "holed": "不补",
}


@dataclasses.dataclass
class Settings:
    results: str = "results"
    """folder with a run of each lesson"""
    compare: bool = False
    """write nothing; exit code 1 if a page does not show what docs/ has"""


def word(text, chinese):
    return WORDS.get(text, text) if chinese else text


def page_of(lesson, chinese=False):
    """The path of a lesson's page; that of a lesson elsewhere lies beside its script."""
    docs = DOCS if lesson.folder == lessons.HERE else lesson.folder / "docs"
    return docs / f"{lesson.name}{'.zh-CN' if chinese else ''}.md"


def readme(chinese=False):
    return ROOT / f"README{'.zh-CN' if chinese else ''}.md"


def link(target, page):
    """The way from a page to a file."""
    return pathlib.PurePath(os.path.relpath(target, page.parent)).as_posix()


def command(lesson, options=""):
    """What is typed, in the repository's folder, to run a lesson."""
    script = pathlib.PurePath(os.path.relpath(lesson.script, lessons.HERE)).as_posix()
    return f"python {script} {options}".strip()


# -------------------------------------------------------------------------------------- collecting


def collect(results):
    """Copy each finished run's GIF, samples and scores into docs/."""
    results = pathlib.Path(results)
    for lesson in lessons.LESSONS:
        name, run = lesson.name, results / lesson.name
        if not (run / "scores.json").exists():
            continue
        if reason := not_the_default_run(lesson, run):
            print(f"left out   {run}: {reason}")
            continue
        for source, target in (
            ("generating.gif", f"img/{name}.gif"),
            ("samples.png", f"img/{name}_samples.png"),
            ("losses.png", f"img/{name}_losses.png"),
            ("scores.json", f"scores/{name}.json"),
        ):
            if (run / source).exists():
                copy(run / source, target)
        utils.write_json(DOCS / "scores" / f"{name}_epochs.json", epoch_means(run))
        utils.write_json(DOCS / "scores" / f"{name}_run.json", how_made(run))
    for path in sorted((DOCS / "claims").glob("*.json")):
        if read(f"claims/{path.name}")["verdicts"]:
            plot_claim(path.stem, DOCS / "img" / f"claim_{path.stem}_scores.png")
    others = set(HOLES) - {lesson.name for lesson in lessons.LESSONS}
    for run in others:
        scores = results / run / "scores.json"
        if scores.exists():
            reason = not_the_default_run(lesson_of(run), results / run, options_of(run))
            if reason:
                print(f"left out   {results / run}: {reason}")
            else:
                copy(scores, f"scores/{run}.json")
    finished = all((results / run / "generator.keras").exists() for run in HOLES)
    if finished and not any(
        not_the_default_run(lesson_of(run), results / run, options_of(run)) for run in HOLES
    ):
        with utils.replacing(DOCS / "img" / "holes.png") as part:
            side_by_side(results).save(part, format="PNG")


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
    """{figure: its mean over the steps of each epoch} of a run's history."""
    history = utils.read_csv(run / "history.csv")
    epochs = sorted({row["epoch"] for row in history})
    return {
        name: [float(np.mean([row[name] for row in history if row["epoch"] == k])) for k in epochs]
        for name in history[0]
        if name not in ("epoch", "step", "seconds")
    }


def how_made(run):
    """The seed, the precision and the machine of a run, as far as its mark tells."""
    mark = runs.read_mark(run) or {}
    facts = {name: mark.get(name) for name in ("precision", "machine")}
    return {"seed": mark.get("settings", {}).get("seed")} | facts


def side_by_side(results):
    """The same digits with the same holes, completed by each command of HOLES."""
    data = mnist_ds.load()
    images, masks = mnist_ds.held_out_holes(data, mnist_ds.HoleSettings().hole)
    some = mnist_ds.some_of_each_class(data.test.labels)
    rows = {}
    for run, (name, options) in HOLES.items():
        lesson, generator = lessons.named(name), runs.load_generator(results / run)
        settings = utils.parse(lesson.module.Settings, "", shlex.split(options))
        made = lesson.module.complete(generator, settings, images[some], masks[some])
        rows |= {"original": made["original"], "holed": made["holed"]}
        rows[f"{lesson.script.name} {options}".strip()] = made["completed"]
    return visual.frame(rows, "")


# ------------------------------------------------------------------------------------------- scores


def shown(name, value):
    """A score as people write it; nothing where there is none."""
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
    """A score of these in bold; nothing if it is not among them."""
    return f"**{shown(name, scores[name])}**" if scores.get(name) is not None else ""


def read(path):
    """A JSON file of docs/; {} if there is none."""
    path = DOCS / path
    return json.loads(path.read_text()) if path.exists() else {}


def references(lesson):
    """The endings of the names of figures with which those of a lesson are to be compared."""
    return list(dict.fromkeys(ending for endings in lesson.scores.values() for ending in endings))


def with_references(name, scores, endings, chinese):
    """What a score is to be compared with: the same figure for what is named by its ending."""
    return ", ".join(
        f"{word(ending, chinese)} {shown(name, scores[f'{name}_{ending}'])}"
        for ending in endings
        if f"{name}_{ending}" in scores
    )


def rows_of(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


# ------------------------------------------------------------- what stands between begin and end
#
# Each takes whether it is to be Chinese, and the path of the page, and gives the text; or None,
# which leaves the page as it is.


def gallery_block(chinese, page):
    """A row per lesson: its GIF, idea, paper, command, and what the default run has reached."""
    header = (
        ("", "", "训练", "得分（参照）") if chinese else ("", "", "training", "scores (reference)")
    )
    colon, stop = ("：", "。") if chinese else (": ", ". ")
    rows = []
    for lesson in lessons.LESSONS:
        scores = read(f"scores/{lesson.name}.json")
        reached = [
            f"{name} {bold(name, scores)}" + (f" ({beside})" if beside else "")
            for name, endings in lesson.scores.items()
            if scores.get(name) is not None
            for beside in [with_references(name, scores, endings, chinese)]
        ]
        gif, unit = DOCS / "img" / f"{lesson.name}.gif", "分钟" if chinese else "min"
        rows.append(
            (
                f'<img src="{link(gif, page)}" width="300" alt="{gif.name}">',
                f"[**{lesson.title}**]({link(page_of(lesson, chinese), page)}){colon}"
                f"{lesson.idea[chinese]}{stop}"
                f"[arXiv {lesson.paper}](https://arxiv.org/abs/{lesson.paper})<br>"
                f"`{command(lesson)}`",
                f"{scores['train_seconds'] / 60:.1f} {unit}" if "train_seconds" in scores else "",
                "<br>".join(reached),
            )
        )
    return rows_of(header, rows)


def lessons_block(chinese, page):
    """The numbered list of the lessons, in the order in which they are to be read."""
    colon, new, stop = ("：", "。新内容：", "。") if chinese else (": ", ". New: ", ".")
    return "".join(
        f"{number}. [{lesson.title}]({link(page_of(lesson, chinese), page)}){colon}"
        f"{lesson.idea[chinese]}{new}{lesson.new[chinese]}{stop}\n"
        for number, lesson in enumerate(lessons.LESSONS, start=1)
    )


def sizes_block(chinese, page):
    """A row for each rule of which sizes fit: the scripts, and the rule."""
    rules = {}
    for lesson in lessons.LESSONS:
        rules.setdefault(lesson.sizes[chinese], []).append(f"`{lesson.name}.py`")
    header = ("脚本", "边长（像素）") if chinese else ("script", "sides in pixels")
    separator = "、" if chinese else ", "
    return rows_of(header, [(separator.join(names), rule) for rule, names in rules.items()])


def links_block(chinese, page):
    """From a lesson's page to the lesson before it, to all of them, and to the next one."""
    names = [lesson.name for lesson in lessons.LESSONS]
    place = names.index(page.name.partition(".")[0])
    before, after = lessons.LESSONS[:place][-1:], lessons.LESSONS[place + 1 :][:1]
    links = [
        *((f"← {lesson.title}", page_of(lesson, chinese)) for lesson in before),
        ("全部课程" if chinese else "all lessons", readme(chinese)),
        *((f"{lesson.title} →", page_of(lesson, chinese)) for lesson in after),
    ]
    return " · ".join(f"[{text}]({link(target, page)})" for text, target in links) + "\n"


def commands_block(chinese, page):
    """The commands that make all that the pages show of the lessons."""
    commands = [*map(command, lessons.LESSONS), "python -m tools.gallery"]
    return "".join(f"    {line}\n" for line in commands)


def made_block(chinese, page):
    """How the scores were made; None unless docs/ says so of every lesson that has scores."""
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


def way_made(facts, chinese):
    """The seed, precision and machine of a run, as part of a sentence."""
    seed, precision, machine = (facts.get(name) for name in ("seed", "precision", "machine"))
    if chinese:
        parts = [f"种子 {seed}", precision and f"精度 {precision}", machine]
        return "，".join(filter(None, parts))
    parts = [f"(seed {seed})", precision and f"in {precision}", machine and f"on {machine}"]
    return " ".join(filter(None, parts))


def pictures_block(chinese, page):
    """The losses of all lessons, as pictures."""
    paths = [DOCS / "img" / f"{lesson.name}_losses.png" for lesson in lessons.LESSONS]
    return "".join(
        f'<img src="{link(path, page)}" width="270" alt="{path.name}">\n' for path in paths
    )


def scores_block(chinese, page):
    """All scores of all lessons; beside each, what gives it its meaning."""
    header = (
        ("脚本", "得分", "达到", "参照") if chinese else ("script", "score", "reached", "reference")
    )
    rows = []
    for lesson in lessons.LESSONS:
        scores, endings = read(f"scores/{lesson.name}.json"), references(lesson)
        for name in scores:
            if not name.endswith(tuple(f"_{ending}" for ending in endings)):
                beside = with_references(name, scores, endings, chinese)
                rows.append((f"`{lesson.script.name}`", name, bold(name, scores), beside))
    return rows_of(header, rows)


def cost_block(chinese, page):
    """What the first command costs."""
    scores, found = read(f"scores/{lessons.MAIN}.json"), read("bench.json")
    if not {"train_seconds", "peak_memory"} <= set(scores):
        return None
    measured = "download_mb" in found
    utils.require(measured, "docs/bench.json:", "no download_mb", "that of tools.bench --packages")
    minutes, memory = scores["train_seconds"] / 60, shown("peak_memory", scores["peak_memory"])
    download, system = f"{found['download_mb']:.0f} MB", found["system"]
    if chinese:
        return (
            f"安装包共下载 {download}（{system}，不含显卡支持）。"
            f"训练 {minutes:.0f} 分钟，内存最多占用 {memory}。\n"
        )
    return (
        f"The packages are a download of {download} ({system}, without GPU support). "
        f"It trains for {minutes:.0f} minutes and needs {memory} of memory.\n"
    )


def normal_block(chinese, page):
    """What the figures of the progress bar are in the first and in the last epoch."""
    means = [(lesson, read(f"scores/{lesson.name}_epochs.json")) for lesson in lessons.LESSONS]
    names = list(dict.fromkeys([*lessons.SAID, *(name for _, of in means for name in of)]))
    rows = [
        (
            f"`{lesson.script.name}`",
            *(f"{of[name][0]:.2f} → {of[name][-1]:.2f}" if name in of else "" for name in names),
        )
        for lesson, of in means
    ]
    return rows_of(("脚本" if chinese else "script", *names), rows)


def holes_block(chinese, page):
    """What each command of HOLES makes of the same holes."""
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
        for name in ("recognised", "frechet", "hole_psnr", "hole_sharpness", "train_seconds")
    ]
    return rows_of(header, rows)


def bench_block(chinese, page):
    """What tools.bench has measured."""
    found = read("bench.json")
    header = (
        ("脚本", "精度", "方式", "毫秒/步", "图/秒", "加速", "占峰值")
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
    peaks = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in found["peak_gflops"].items())
    return rows_of(header, rows) + f"\n{found['date']}; {found['machine']}; {peaks}.\n"


def claim_block(name, chinese, page):
    """What came out of a claim's commands, mean and spread over the seeds, and the verdicts."""
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
    columns = [*dict.fromkeys(compared), "train_seconds"]
    rows = [
        (
            f"`{side}`",
            *(spread(score, scores[score]) if score in scores else "" for score in columns),
        )
        for side, scores in sides.items()
    ]
    text = rows_of(("", *columns), rows)
    for found_verdict in found["verdicts"]:
        first, second = (
            f"`{side}`"
            if isinstance(side, str)
            else f"{word('spread of', chinese)} `{side[0]}` ..."
            for side in (found_verdict["first"], found_verdict["second"])
        )
        claimed = found_verdict["claimed"]
        claimed = word("as good as" if claimed == "as good" else f"{claimed} than", chinese)
        text += (
            f"\n- {found_verdict['score']}: {first} {claimed} {second}: "
            f"**{word(found_verdict['verdict'], chinese)}**"
        )
    return text + "\n" * bool(found["verdicts"])


def plot_claim(name, path):
    """Every seed's score as a dot, in a row for each side, or over the seconds of the training."""
    import matplotlib.figure

    found, claim = read(f"claims/{name}.json"), lessons.claims().get(name)
    sides, over_time = found["scores"], bool(claim) and claim.over_time
    scores = list(dict.fromkeys(verdict["score"] for verdict in found["verdicts"]))
    rows = 3.2 if over_time else 0.32 * len(sides) + 0.9
    figure = matplotlib.figure.Figure(figsize=(9, rows * len(scores)), dpi=80, layout="constrained")
    for ax, score in zip(figure.subplots(len(scores), 1, squeeze=False)[:, 0], scores, strict=True):
        measured = {side: values for side, values in sides.items() if score in values}
        for row, (side, values) in enumerate(measured.items()):
            if over_time:
                ax.plot(values["train_seconds"], values[score], "o", label=side)
            else:
                ax.plot(values[score], [row] * len(values[score]), "o", color="#30506f")
        if over_time:
            ax.set(xlabel="seconds of training", ylabel=score)
            ax.legend(fontsize="small")
        else:
            ax.set(yticks=range(len(measured)), yticklabels=list(measured), xlabel=score)
            ax.set_ylim(len(measured) - 0.5, -0.5)
        ax.grid(alpha=0.3)
    with utils.replacing(path) as part:
        figure.savefig(part, format="png")


def spread(score, values):
    """Mean and standard deviation of a score over the seeds."""
    mean = shown(score, np.mean(values))
    if len(values) == 1:
        return mean
    deviation = shown(score, np.std(values, ddof=1)).split()[0]
    return f"{mean} ± {deviation}"


def verdicts_block(chinese, page):
    """The verdicts of all claims, a line each."""
    header = ("", "说法", "结果") if chinese else ("", "claim", "what came out")
    paths = sorted((DOCS / "claims").glob("*.json"))
    found = {path.stem: read(f"claims/{path.name}") for path in paths}
    rows = []
    for name, claim in lessons.claims().items():
        if name.isdecimal() and name in found:
            counts = Counter(comparison["verdict"] for comparison in found[name]["verdicts"])
            said = ", ".join(f"{word(text, chinese)} {count}" for text, count in counts.items())
            sentence = claim.chinese if chinese else claim.english
            rows.append((f"[{name}]({claim_link(name, chinese, page)})", sentence, said))
    seconds = {  # of each run, for claims share some
        (command, seed): time
        for claim in found.values()
        for side, command in claim["commands"].items()
        for seed, time in enumerate(claim["scores"][side]["train_seconds"])
    }
    count, hours = len(seconds), sum(seconds.values()) / 3600
    days = sorted({claim["date"] for claim in found.values()})
    if chinese:
        said = f"连同各课的改动，共 {count} 次运行，单是训练就有 {hours:.1f} 小时"
        when = f"，测于 {' 至 '.join(dict.fromkeys((days[0], days[-1])))}。" if days else "。"
    else:
        said = f"With the lessons' changes {count} runs, of {hours:.1f} hours of training in all"
        when = f", measured {span(days)}." if days else "."
    return f"{rows_of(header, rows)}\n{said}{when}\n"


def claim_link(name, chinese, page):
    """The link from a page to where a claim is told: on that page itself, or on its lesson's."""
    anchor = f"claim-{name}"
    owner = next(lesson for lesson in lessons.LESSONS if name in lesson.claims)
    there = page_of(owner, chinese)
    told_there = there.exists() and f'<a id="{anchor}">' in there.read_text(encoding="utf-8")
    return f"{link(there, page)}#{anchor}" if told_there else f"#{anchor}"


def span(days):
    """Days, in order, as part of a sentence."""
    return f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"


BLOCKS = {
    "gallery": gallery_block,
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
    """All pages of the repository, and those of lessons elsewhere, in both languages."""
    inside = [readme(), readme(True), *sorted(DOCS.glob("*.md"))]
    of_lessons = [page_of(lesson, of) for lesson in lessons.LESSONS for of in (False, True)]
    return inside + [page for page in of_lessons if page.parent != DOCS and page.exists()]


def filled(page):
    """A page's text, with what is made for it as it should be."""
    chinese = page.name.endswith(".zh-CN.md")

    def block(match):
        name = match["name"]
        if name.startswith("claim "):
            made = claim_block(name.removeprefix("claim "), chinese, page)
        else:
            made = BLOCKS[name](chinese, page)
        return match[0] if made is None else f"<!-- begin {name} -->\n{made}<!-- end {name} -->"

    pattern = r"<!-- begin (?P<name>[\w ]+) -->\n.*?<!-- end (?P=name) -->"
    return re.sub(pattern, block, page.read_text(encoding="utf-8"), flags=re.DOTALL)


def main():
    settings = utils.parse(Settings, __doc__)
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
