"""Puts what the scripts have made into the pages: their GIFs, pictures, scores and measurements.

    python gallery.py            from results/ into docs/, and the tables into README and docs/*.md
    python gallery.py --compare  writes nothing; exit code 1 if a page differs from docs/

A script that has not been run, or not finished, keeps what docs/ has of it. A table stands in a
page between the comments "begin NAME" and "end NAME"; the names are the keys of TABLES, below. It
is made from docs/scores (the scripts' scores), docs/claims (claims.py) and docs/bench.json
(bench.py).
"""

import dataclasses
import json
import pathlib
import re
import shutil
import sys
from collections import Counter

import utils  # first of all: it quiets TensorFlow's start-up messages
import numpy as np

import gan_cnn
import mnist_ds
import visual

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE / "docs"
SCRIPTS = ("ccgan", "cgan", "dcgan", "pix2pix", "cyclegan")
REFERENCES = ("_holed", "_untouched")

IDEAS = {
    "ccgan": ("fills holes in pictures so that nobody can tell", "把图上的洞补得看不出来"),
    "cgan": ("draws the digit that it is asked for", "要哪个数字就画哪个"),
    "dcgan": ("draws pictures out of random numbers", "用一串随机数画出图片"),
    "pix2pix": (
        "turns one picture into another, taught by pairs",
        "从成对的例子学会把一张图变成另一张",
    ),
    "cyclegan": (
        "turns a 6 into a 9 and back, without any pairs",
        "不用成对的例子，把 6 变成 9 再变回来",
    ),
}
PAPERS = {
    "ccgan": "1611.06430",
    "cgan": "1411.1784",
    "dcgan": "1511.06434",
    "pix2pix": "1611.07004",
    "cyclegan": "1703.10593",
}
MAIN_SCORES = {
    "ccgan": ("recognised", "frechet", "hole_psnr"),
    "cgan": ("conditional_accuracy", "frechet"),
    "dcgan": ("frechet", "smallest_share", "largest_share"),
    "pix2pix": ("recognised", "frechet", "hole_psnr"),
    "cyclegan": ("12_taken", "21_taken", "12_cycle_l1", "21_cycle_l1"),
}
PROGRESS = ("d_loss", "g_loss", "D(x)", "D(G(z))")  # what the progress bar of each script shows
# What is compared in a claim's table, and in that of what changes in a lesson.
CLAIM_SCORES = {
    "ccgan.py": ("recognised", "frechet", "hole_psnr"),
    "cgan.py": ("conditional_accuracy", "frechet"),
    "dcgan.py": ("frechet", "smallest_share", "largest_share", *PROGRESS),
    "pix2pix.py": (
        *("recognised", "frechet", "hole_psnr", "hole_sharpness"),
        *("l1", "psnr", "sharpness", "d_weights"),
    ),
    "cyclegan.py": (
        *("12_taken", "21_taken", "12_cycle_l1", "21_cycle_l1"),
        *("12_diversity", "21_diversity"),
    ),
}
# {folder in results/: command} of what fills the same holes.
HOLES = {
    "ccgan": "ccgan.py",
    "pix2pix": "pix2pix.py",
    "pix2pix_l2": "pix2pix.py --loss l2",
}
OVER_TIME = ("1",)  # claims of which the plot shows the scores over the seconds of training
CHINESE_CLAIMS = {
    "1": "卷积网络胜过全连接网络：更快，也更好。",
    "2": "批归一化让 DCGAN 收敛更快，对初始权重也不那么敏感。",
    "3": "标签平滑对 DCGAN 有好处。",
    "4": "标签能帮助 CCGAN 的判别器，从而改善补全。",
    "5": "CCGAN 的低分辨率提示在 28x28 时无关紧要，在 64x64 时有用。",
    "6": "每个批次都随机挖新的洞，好过每张图固定一个洞。",
    "7": "在图到图的生成器里，实例归一化好过批归一化。",
    "8": "U-Net 的跳跃连接保留细节。",
    "9": "L1 没有 L2 那么模糊。",
    "10": "答案不止一个时，只用像素损失会糊成平均值；对抗损失找回清晰度，代价是 PSNR 低一些。",
    "11": "判断图块与判断整图一样好，而且权重更少、用时更短。",
    "12": "没有循环损失，CycleGAN 会坍缩。",
}
WORDS = {
    "holds": "成立",
    "does not hold": "不成立",
    "too close to say": "差别太小，说不准",
    "higher than": "高于",
    "lower than": "低于",
    "as good as": "不差于",
    "spread of": "各种初始权重之间的差距：",
    "untouched": "真实",
    "holed": "不补",
}


@dataclasses.dataclass
class Settings:
    results: str = "results"
    """folder with a run of each script"""
    compare: bool = False
    """write nothing; exit code 1 if a page does not show what docs/ has"""


def word(text, chinese):
    return WORDS.get(text, text) if chinese else text


# -------------------------------------------------------------------------------------- collecting


def collect(results):
    """Copy each finished run's GIF, samples and scores into docs/."""
    for script in SCRIPTS:
        run = pathlib.Path(results) / script
        if not (run / "scores.json").exists():
            continue
        for source, target in (
            ("generating.gif", f"img/{script}.gif"),
            ("samples.png", f"img/{script}_samples.png"),
            ("losses.png", f"img/{script}_losses.png"),
            ("scores.json", f"scores/{script}.json"),
        ):
            copy(run / source, target)
        utils.write_json(DOCS / "scores" / f"{script}_epochs.json", epoch_means(run))
    for path in (DOCS / "claims").glob("[0-9]*.json"):
        plot_claim(path.stem, DOCS / "img" / f"claim_{path.stem}_scores.png")
    runs = {run: pathlib.Path(results) / run for run in HOLES}
    for run in set(HOLES) - set(SCRIPTS):
        if (runs[run] / "scores.json").exists():
            copy(runs[run] / "scores.json", f"scores/{run}.json")
    if all((folder / "generator.keras").exists() for folder in runs.values()):
        with utils.replacing(DOCS / "img" / "holes.png") as part:
            side_by_side(results).save(part, format="PNG")


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


def side_by_side(results):
    """The same digits with the same holes, completed by each command of HOLES."""
    data = mnist_ds.load()
    images, masks = mnist_ds.held_out_holes(data, mnist_ds.HoleSettings().hole)
    shown = mnist_ds.some_of_each_class(data.test_labels)
    images, masks = images[shown], masks[shown]
    rows = {"original": images, "holed": images * masks}
    for run, command in HOLES.items():
        generator = utils.load_generator(utils.Settings(out=str(pathlib.Path(results) / run)))
        inputs = [images * masks, masks] if run == "ccgan" else images * masks
        rows[command] = gan_cnn.predict(generator, inputs)
    return visual.frame(rows, "")


# ------------------------------------------------------------------------------------------- tables


def shown(name, value):
    """A score as people write it."""
    if name.endswith(("recognised", "accuracy", "share", "taken")):
        return f"{value:.1%}"
    units = {"hole_psnr": " dB", "psnr": " dB", "entropy": " bits", "train_seconds": " s"}
    units |= {"peak_memory": " GB"}
    whole = name.startswith("train_") or name.endswith("weights")
    digits = 0 if whole else 3 if "l1" in name else 2
    return f"{value:,.{digits}f}{units.get(name, '')}"


def read(path):
    """A JSON file of docs/, or None if there is none."""
    path = DOCS / path
    return json.loads(path.read_text()) if path.exists() else None


def with_references(name, scores, chinese):
    """What a score is to be compared with: the same figure for what is named by its ending."""
    return ", ".join(
        f"{word(reference[1:], chinese)} {shown(name, scores[name + reference])}"
        for reference in REFERENCES
        if name + reference in scores
    )


def rows_of(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def gallery_table(chinese, folder):
    """A row per script: its GIF, idea, paper, command, and what the default run has reached."""
    header = (
        ("", "", "训练", "得分（参照）") if chinese else ("", "", "training", "scores (reference)")
    )
    colon, stop = ("：", "。") if chinese else (": ", ". ")
    rows = []
    for script in SCRIPTS:
        scores = read(f"scores/{script}.json")
        reached = [
            f"{name} **{shown(name, scores[name])}**" + (f" ({references})" if references else "")
            for name in MAIN_SCORES[script]
            for references in [with_references(name, scores, chinese)]
        ]
        lesson = f"{folder}{script}{'.zh-CN' if chinese else ''}.md"
        rows.append(
            (
                f'<img src="{folder}img/{script}.gif" width="300" alt="{script}.gif">',
                f"[**{script}**]({lesson}){colon}{IDEAS[script][chinese]}{stop}"
                f"[arXiv {PAPERS[script]}](https://arxiv.org/abs/{PAPERS[script]})<br>"
                f"`python {script}.py`",
                f"{scores['train_seconds'] / 60:.1f} {'分钟' if chinese else 'min'}",
                "<br>".join(reached),
            )
        )
    return rows_of(header, rows)


def scores_table(chinese, folder):
    """All scores of all scripts; beside each, what gives it its meaning."""
    header = (
        ("脚本", "得分", "达到", "参照") if chinese else ("script", "score", "reached", "reference")
    )
    rows = []
    for script in SCRIPTS:
        scores = read(f"scores/{script}.json")
        for name, value in scores.items():
            if not name.endswith(REFERENCES):
                references = with_references(name, scores, chinese)
                rows.append((f"`{script}.py`", name, f"**{shown(name, value)}**", references))
    return rows_of(header, rows)


def cost_table(chinese, folder):
    """What the first command costs."""
    scores, found = read("scores/ccgan.json"), read("bench.json")
    measured = "download_mb" in found
    utils.require(measured, "docs/bench.json:", "no download_mb", "that of bench.py --packages")
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


def normal_table(chinese, folder):
    """What the figures of the progress bar are in the first and in the last epoch."""
    means = {script: read(f"scores/{script}_epochs.json") for script in SCRIPTS}
    names = list(dict.fromkeys([*PROGRESS, *(name for of in means.values() for name in of)]))
    rows = [
        (
            f"`{script}.py`",
            *(f"{of[name][0]:.2f} → {of[name][-1]:.2f}" if name in of else "" for name in names),
        )
        for script, of in means.items()
    ]
    return rows_of(("脚本" if chinese else "script", *names), rows)


def holes_table(chinese, folder):
    """What each command of HOLES makes of the same holes."""
    found = {command: read(f"scores/{run}.json") for run, command in HOLES.items()}
    commands = [f"`{command}`" for command in found]
    first = next(iter(found.values()))
    header = ("得分" if chinese else "score", *commands, word("holed", chinese))
    rows = [
        (
            name,
            *(f"**{shown(name, scores[name])}**" for scores in found.values()),
            shown(name, first[f"{name}_holed"]) if f"{name}_holed" in first else "",
        )
        for name in ("recognised", "frechet", "hole_psnr", "hole_sharpness", "train_seconds")
    ]
    return rows_of(header, rows)


def bench_table(chinese, folder):
    """What bench.py has measured."""
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


def claim_table(name, chinese, folder):
    """What came out of a claim's commands, mean and spread over the seeds, and the verdicts."""
    found = read(f"claims/{name}.json")
    sides = found["scores"]
    scripts = {side.split()[0] for side in sides}
    present = {score for scores in sides.values() for score in scores}
    scores = [
        score for script in sorted(scripts) for score in CLAIM_SCORES[script] if score in present
    ]
    rows = [
        (
            f"`{side}`",
            *(
                spread(score, sides[side][score]) if score in sides[side] else ""
                for score in [*scores, "train_seconds"]
            ),
        )
        for side in sides
    ]
    text = rows_of(("", *scores, "train_seconds"), rows)
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

    found = read(f"claims/{name}.json")
    sides = found["scores"]
    scores = list(dict.fromkeys(verdict["score"] for verdict in found["verdicts"]))
    rows = 0.32 * len(sides) + 0.9 if name not in OVER_TIME else 3.2
    figure = matplotlib.figure.Figure(figsize=(9, rows * len(scores)), dpi=80, layout="constrained")
    for ax, score in zip(figure.subplots(len(scores), 1, squeeze=False)[:, 0], scores, strict=True):
        measured = {side: values for side, values in sides.items() if score in values}
        for row, (side, values) in enumerate(measured.items()):
            if name in OVER_TIME:
                ax.plot(values["train_seconds"], values[score], "o", label=side)
            else:
                ax.plot(values[score], [row] * len(values[score]), "o", color="#30506f")
        if name in OVER_TIME:
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


def verdicts_table(chinese, folder):
    """The verdicts of all claims, a line each."""
    header = ("", "说法", "结果") if chinese else ("", "claim", "what came out")
    found = {path.stem: read(f"claims/{path.name}") for path in (DOCS / "claims").glob("*.json")}
    rows = []
    for name in sorted(filter(str.isdecimal, found), key=int):
        counts = Counter(comparison["verdict"] for comparison in found[name]["verdicts"])
        said = ", ".join(f"{word(text, chinese)} {count}" for text, count in counts.items())
        sentence = CHINESE_CLAIMS[name] if chinese else found[name]["claim"]
        rows.append((f"[{name}](#claim-{name})", sentence, said))
    seconds = {  # of each run, for claims share some
        (command, seed): time
        for claim in found.values()
        for side, command in claim["commands"].items()
        for seed, time in enumerate(claim["scores"][side]["train_seconds"])
    }
    count, hours = len(seconds), sum(seconds.values()) / 3600
    if chinese:
        said = f"连同各课的“改五个地方”，共 {count} 次运行，单是训练就有 {hours:.1f} 小时。"
    else:
        said = f"With the lessons' changes {count} runs, of {hours:.1f} hours of training in all."
    return f"{rows_of(header, rows)}\n{said}\n"


TABLES = {
    "gallery": gallery_table,
    "scores": scores_table,
    "cost": cost_table,
    "normal": normal_table,
    "holes": holes_table,
    "bench": bench_table,
    "verdicts": verdicts_table,
}


# -------------------------------------------------------------------------------------------- pages


def pages():
    """All pages of the repository, in both languages."""
    return [HERE / "README.md", HERE / "README.zh-CN.md", *sorted(DOCS.glob("*.md"))]


def filled(page):
    """A page's text, with its tables as they should be."""
    chinese = page.name.endswith(".zh-CN.md")
    folder = "docs/" if page.parent == HERE else ""

    def table(match):
        name = match["name"]
        if name.startswith("claim "):
            made = claim_table(name.removeprefix("claim "), chinese, folder)
        else:
            made = TABLES[name](chinese, folder)
        return f"<!-- begin {name} -->\n{made}<!-- end {name} -->"

    pattern = r"<!-- begin (?P<name>[\w ]+) -->\n.*?<!-- end (?P=name) -->"
    return re.sub(pattern, table, page.read_text(encoding="utf-8"), flags=re.DOTALL)


def main():
    settings = utils.parse(Settings, __doc__)
    if not settings.compare:
        collect(settings.results)
    for page in pages():
        text = page.read_text(encoding="utf-8")
        wanted = filled(page)
        if text != wanted and settings.compare:
            sys.exit(f"{page.name} does not show docs/; run python gallery.py")
        if text != wanted:
            with utils.replacing(page) as part:
                part.write_text(wanted, encoding="utf-8")
            print(f"written    {page}")
    print(scores_table(False, "docs/"), end="")


if __name__ == "__main__":
    utils.run(main)
