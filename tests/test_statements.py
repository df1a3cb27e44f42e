"""What the sentences of the pages say, derived anew from docs/*.json and from the code.

Each `says` names a sentence by a part of it, in both languages, and what has to be true for it. If
the sentence is gone, or the figures no longer bear it out, the message says which one it is: change
it on both pages and here.
"""

# ruff: noqa: RUF001, for the commas and brackets of Chinese

import ast
import dataclasses
import functools
import itertools
import json
import math
import pathlib
import re
import statistics

import utils  # noqa: F401, first of all: it prepares TensorFlow
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import ccgan
import cgan
import cyclegan
import dcgan
import gan_cnn
import lessons
import mnist_ds
import pix2pix

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NAMES = [lesson.name for lesson in lessons.LESSONS]
COUNTS = {0: ("none", "没有"), 1: ("one", "一个"), 2: ("two", "两个"), 3: ("three", "三个")}


@functools.cache
def text_of(path):
    return " ".join(path.read_text(encoding="utf-8").split())


def says(page, english, chinese, true=True):
    """A page and its Chinese twin say so, and it is true."""
    folder = ROOT if page == "README" else DOCS
    for name, part in ((f"{page}.md", english), (f"{page}.zh-CN.md", chinese)):
        assert part in text_of(folder / name), f"{name} does not say: {part}"
        assert true, f"{name} says what the figures do not bear out: {part}"


@functools.cache
def read(path):
    return json.loads((DOCS / path).read_text())


def score(lesson, name):
    """A score of the default run of a lesson (or of another file's run)."""
    return read(f"scores/{lesson}.json")[name]


def epochs_of(lesson, name):
    """The means of a figure over each epoch of the default run."""
    return read(f"scores/{lesson}_epochs.json")[name]


def seeds(key, command, name):
    """A score of a command of a claim, one for each seed."""
    return read(f"claims/{key}.json")["scores"][command][name]


def mean(key, command, name):
    return statistics.mean(seeds(key, command, name))


def above(key, first, second, name):
    """Is every seed of the first command higher than every seed of the second?"""
    return min(seeds(key, first, name)) > max(seeds(key, second, name))


def apart(key, first, second, name):
    """Is every seed of one command higher than every seed of the other?"""
    return above(key, first, second, name) or above(key, second, first, name)


def verdicts(key, name=None):
    """What came out of a claim's comparisons, of one score or of all."""
    found = read(f"claims/{key}.json")["verdicts"]
    return [v["verdict"] for v in found if name in (None, v["score"])]


def budget(lesson):
    """(epochs, steps in an epoch) of a run of a claim."""
    words = lessons.named(lesson).budget.split()
    return int(words[words.index("--epochs") + 1]), int(words[words.index("--steps-per-epoch") + 1])


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def layers_of(network):
    """All layers of a network, also of the networks within it."""
    for layer in network.layers:
        yield from layers_of(layer) if isinstance(layer, keras.Model) else [layer]


# ----------------------------------------------------------------------------------- README: losses


@pytest.mark.parametrize("lesson", NAMES)
def test_a_healthy_run(lesson):
    real, fake = epochs_of(lesson, "D(x)"), epochs_of(lesson, "D(G(z))")
    says(
        "README",
        "both away from 0 and 1, D(x) somewhat above D(G(z))",
        "两个数都离 0 和 1 远远的，D(x) 比 D(G(z)) 略高",
        all(0.9 > r > f > 0.1 for r, f in zip(real, fake, strict=True)),
    )
    losses = epochs_of(lesson, "d_loss") + epochs_of(lesson, "g_loss")
    says(
        "README",
        "neither network's loss falls to zero",
        "两个网络的损失都不会降到零",
        min(losses) > 0.1,
    )


def test_the_middle_of_dcgan():
    smoothing = dcgan.Settings().smoothing
    middle = f"{smoothing / 2:.2f}"
    means = zip(epochs_of("dcgan", "D(x)"), epochs_of("dcgan", "D(G(z))"), strict=True)
    around = all(abs((real + fake) / 2 - smoothing / 2) < 0.02 for real, fake in means)
    says(
        "README",
        f"DCGAN's lie around {middle} and not around a half, for its real pictures are labelled "
        f"{smoothing}",
        f"DCGAN 的两个数在 {middle} 上下，而不是一半，因为真图的标签是 {smoothing}",
        around,
    )
    real, fake = (epochs_of("dcgan", name)[-1] for name in ("D(x)", "D(G(z))"))
    says(
        "dcgan",
        f"D(x) above: {real:.2f} and {fake:.2f} in the last epoch. The middle is {middle}",
        f"D(x) 在上：最后一个 epoch 是 {real:.2f} 和 {fake:.2f}。中间是 {middle}",
        real > fake,
    )
    says("dcgan", f"{smoothing} p / (p + q)", f"{smoothing} p / (p + q)")
    cost = entropy(smoothing / 2)
    says(
        "dcgan",
        f"d_loss stays a little below {cost:.2f}, which is what it costs to say {middle}",
        f"d_loss 略低于 {cost:.2f}，也就是不管什么图都答 {middle} 的损失",
        all(cost - 0.05 < loss < cost for loss in epochs_of("dcgan", "d_loss")),
    )
    first = mean("dcgan", "dcgan.py", "frechet")
    says("dcgan", "but the frames get better.", "画面却在变好。", score("dcgan", "frechet") < first)


def test_cgans_loss_falls_and_rises():
    g_loss, d_loss = epochs_of("cgan", "g_loss"), epochs_of("cgan", "d_loss")
    turn = g_loss.index(min(g_loss))
    rises = 0 < turn < len(g_loss) / 2 and g_loss[-1] > g_loss[turn] + 0.05
    says("README", "is normal, see CGAN's curve above", "上面 CGAN 的曲线就是这样", rises)
    says(
        "cgan",
        "It falls in the first epochs and then rises again, although the digits get better",
        "头几个 epoch 下降，之后又升上去，而数字在变好",
        rises and score("cgan", "frechet") < min(seeds("1", "cgan.py", "frechet")),
    )
    says("cgan", "d_loss falls meanwhile", "同时 d_loss 在下降", d_loss[-1] < d_loss[turn])
    higher = all(g > d for g, d in zip(g_loss, d_loss, strict=True))
    says("cgan", "g_loss is the higher of the two losses", "g_loss 比 d_loss 高", higher)


def test_losses_of_the_other_lessons():
    pairs = [(epochs_of("ccgan", name), epochs_of("dcgan", name)) for name in ("d_loss", "g_loss")]
    says(
        "ccgan",
        "so that they are above those of DCGAN",
        "所以比 DCGAN 的高",
        all(min(ours) > min(theirs) and ours[0] > theirs[0] for ours, theirs in pairs),
    )
    fast = all(ours[0] - ours[1] > ours[1] - ours[-1] > 0 for ours, _ in pairs)
    says(
        "ccgan", "Both fall fast in the first hundreds of steps", "两个损失降得快，之后就慢了", fast
    )
    for lesson in ("ccgan", "pix2pix"):
        both = zip(epochs_of(lesson, "D(x)"), epochs_of(lesson, "D(G(z))"), strict=True)
        tenth = all(real > 0.5 > fake and 0.05 < real - fake < 0.15 for real, fake in both)
        says(lesson, "about a tenth apart", "相差约十分之一", tenth)
        says(lesson, "on both sides of a half", "在一半的两侧")
    g_loss, l1 = epochs_of("pix2pix", "g_loss"), epochs_of("pix2pix", "l1")
    weight = pix2pix.Settings().weight
    mostly = all(weight * pixel > 0.8 * loss for pixel, loss in zip(l1, g_loss, strict=True))
    says(
        "pix2pix",
        f"g_loss is mostly the pixels' loss (λ = {weight:.0f} times l1)",
        f"g_loss 主要是像素损失（λ = {weight:.0f} 乘以 l1）",
        mostly and g_loss == sorted(g_loss, reverse=True),
    )
    cycle, g_loss = epochs_of("cyclegan", "cycle_loss"), epochs_of("cyclegan", "g_loss")
    says(
        "cyclegan",
        "cycle_loss falls from epoch to epoch and pulls g_loss down",
        "cycle_loss 一个 epoch 比一个 epoch 低，带着 g_loss 一起降",
        cycle == sorted(cycle, reverse=True) and g_loss == sorted(g_loss, reverse=True),
    )
    below = all(0.4 < loss < 0.5 for loss in epochs_of("cyclegan", "d_loss"))
    says("cyclegan", "stays a little below 0.5", "略低于 0.5", below)


def test_what_goes_wrong():
    _, won, black, diverged = read("claims/unhealthy.json")["scores"].values()
    least = entropy(dcgan.Settings().smoothing) / 2
    says("README", f"does not get below {least:.2f}", f"d_loss 最低也有 {least:.2f}")
    near = won["d_loss"][0] < least + 0.05 and won["D(G(z))"][0] < 0.05
    says("README", "stay near their smallest values", "贴着最小值", near)
    alike = all(abs(won[n][0] - black[n][0]) < 0.05 for n in ("d_loss", "D(x)", "D(G(z))"))
    says(
        "README",
        "its losses look like those of the second one",
        "损失和第二个差不多",
        alike and abs(won["g_loss"][0] - black["g_loss"][0]) < 1,
    )
    large = min(diverged["d_loss"][0], diverged["g_loss"][0]) > 9999
    says("README", "a loss grows to many thousands", "某个损失大到成千上万", large)
    frames = np.asarray(Image.open(DOCS / "img" / "claim_unhealthy.png").convert("L"))
    height = len(frames) // 4
    third = frames[2 * height + 50 : 3 * height]  # without the two lines of text above
    inside = third[(third != 255).any(axis=1)]
    says(
        "README",
        "In this run they are also all black",
        "还全是黑的",
        set(np.unique(inside)) <= {0, 255},
    )


# ------------------------------------------------------------------------------ README: other words


def test_times():
    names = [lesson.name for lesson in lessons.LESSONS]
    seconds = [score(n, "train_seconds") / lessons.named(n).module.Settings().epochs for n in names]
    says(
        "README",
        "a picture comes at least once a minute",
        "每分钟至少有一张图",
        all(one < 60 for one in seconds),
    )
    better = score("cgan", "frechet") < score("dcgan", "frechet")
    sooner = score("cgan", "train_seconds") < score("dcgan", "train_seconds")
    says("README", "does better in less time", "用更少的时间画得更好", better and sooner)
    small, large = "ccgan.py", "ccgan.py --size 64 --hole 23 37 --batch-size 16"
    per_picture = [
        mean("5", side, "train_seconds") / size
        for side, size in ((small, ccgan.Settings().batch_size), (large, 16))
    ]
    says(
        "README",
        "a picture takes many times as long as one of 28 pixels",
        "一张图的用时是 28 像素时的好多倍",
        per_picture[1] > 5 * per_picture[0],
    )


def test_holes_of_the_long_runs():
    runs = ("ccgan", "pix2pix", "pix2pix_l2")
    readable = all(0.9 < score(run, "recognised") < 0.95 for run in runs)
    says(
        "ccgan",
        "about nine of ten digits readable again",
        "各让大约九成的数字重新认得出来",
        readable,
    )
    nearer = score("pix2pix", "hole_psnr") > score("ccgan", "hole_psnr")
    says(
        "README",
        "Pix2Pix comes nearer to the original than CCGAN",
        "Pix2Pix 比 CCGAN 更接近原图",
        nearer,
    )
    says("ccgan", "Pix2Pix comes nearer to the original", "Pix2Pix 更接近原图", nearer)
    softer = all(0.85 < score(run, "hole_sharpness") < 1 for run in runs)
    says("README", "are a little softer than the originals", "都比原图稍软", softer)
    higher = [
        score("pix2pix_l2", name) > score("pix2pix", name)
        for name in ("recognised", "hole_psnr", "hole_sharpness")
    ]
    ahead = all(higher) and score("pix2pix_l2", "frechet") < score("pix2pix", "frechet")
    says("pix2pix", "it is ahead of L1 in every score", "它每一项得分都胜过 L1", ahead)
    says(
        "claims",
        "in one run each, L2 is even the sharper one",
        "（各跑一次），L2 甚至更清晰",
        ahead,
    )


def test_height_of_digits():
    with np.load(ROOT / "data" / "mnist.npz") as file:
        ink = file["x_test"] > 64
    share = np.median(ink.any(axis=2).sum(axis=1)) / ink.shape[1]
    says("README", "about seven tenths of the height", "占高度的七成左右", abs(share - 0.7) < 0.05)


def test_requirements_and_python():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [line for line in lines if line.startswith("tensorflow") and "-datasets" not in line]
    bounds = re.search(r">=([\d.]+),<[\d.]+", found[0])
    starts = "tensorflow-cpu", f"tensorflow>={bounds[1]}"
    assert [any(line.startswith(s) for line in found) for s in starts] == [True, True]
    assert len(found) == 2
    says(
        "README",
        f"`tensorflow[and-cuda]{bounds[0]}` into `requirements.txt`, in the place of the two lines "
        f"that begin with `{starts[0]}` and `{starts[1]}`",
        f"以 `{starts[0]}` 和 `{starts[1]}` 开头的两行换成一行 `tensorflow[and-cuda]{bounds[0]}`",
    )
    assert f"tensorflow[and-cuda]{bounds[0]}" in "".join(lines)
    oldest = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text())[1]
    says("README", f"It needs Python 3.{oldest}, ", f"需要 Python 3.{oldest}、")


def fits(module, side, **settings):
    """Does a script take square pictures of this side?"""
    try:
        module.Settings(**settings).check_shape((side, side, 1))
    except ValueError:
        return False
    return True


def test_sizes_that_fit():
    sides = range(4, 300)
    small_hole = {"hole": (1, 4)}
    halved = {k << times for k in range(4, 8) for times in range(1, 8)} & {*sides}
    for module in (dcgan, cgan):
        assert {side for side in sides if fits(module, side)} == halved
    assert {side for side in sides if fits(ccgan, side, **small_hole)} == halved - {10, 14}
    listed = sorted(side for side in halved if 28 <= side <= 128)
    says(
        "README",
        f"until 4 to 7 pixels are left: {', '.join(map(str, listed))} ...",
        f"直到剩下 4 到 7 像素：{'、'.join(map(str, listed))}……",
    )
    says("README", "as for DCGAN, except 10 and 14", "同 DCGAN，10 和 14 除外")
    squares = [str(side) for side in sides if fits(pix2pix, side, **small_hole)]
    says(
        "README",
        f"| {', '.join(squares[:-1])} or {squares[-1]}, squares only",
        f"| {'、'.join(squares[:-1])} 或 {squares[-1]}，只能是正方形",
    )
    fourths = {side for side in sides if fits(cyclegan, side)}
    says(
        "README",
        "what can be divided by 4",
        "能被 4 整除",
        fourths == {side for side in sides if side % 4 == 0 and side >= 8},
    )
    says(
        "README", "Which sizes fit, from 8 pixels up", "哪些尺寸合适（至少 8 像素", min(halved) == 8
    )
    depth = gan_cnn.halvings((28, 28, 1))
    deeper = min(side for side in halved if gan_cnn.halvings((side, side, 1)) > depth)
    says(
        "dcgan",
        f"From `--size {deeper}` up both networks get more layers",
        f"从 `--size {deeper}` 起，两个网络会自动加层",
    )


def test_which_runs_go_on():
    growing = [name for name in NAMES if lessons.named(name).module.Settings.may_grow]
    last = float(cyclegan.ConstantThenLinear(0.1, 100)(tf.constant(100)))
    says(
        "README",
        "but not for CycleGAN: its learning rates fall to 0 by the last epoch",
        "只有 CycleGAN 不行：它的学习率到最后一个 epoch 降为 0",
        growing == [name for name in NAMES if name != "cyclegan"] and last == 0,
    )


def test_what_a_saved_generator_needs():
    tree = ast.parse((ROOT / "gan_cnn.py").read_text())
    nodes = [*ast.walk(tree)]
    imported = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    alone = not imported & {path.stem for path in ROOT.glob("*.py")}
    says(
        "README",
        "It needs `gan_cnn.py` for its layers, and nothing else",
        "只需要 `gan_cnn.py` 里的层",
        alone,
    )


# ------------------------------------------------------------------------------------- the networks


def test_how_cgan_differs_from_dcgan():
    """The label is not all: the pages name every other difference."""
    first, second = dcgan.Settings(), cgan.Settings()
    values = [dataclasses.asdict(settings) for settings in (first, second)]
    shared = values[0].keys() & values[1].keys()
    differing = {name for name in shared if values[0][name] != values[1][name]}
    assert differing == {"out", "epochs", "latent_dim"}
    assert {"smoothing", "penalty"}.isdisjoint(values[1])
    assert first.smoothing < 1
    assert first.penalty > 0
    assert first.initial == 0  # Glorot's rule, as in CGAN

    networks = (
        dcgan.build_discriminator(first, (28, 28, 1)),
        cgan.build_discriminator(second, (28, 28, 1), 10),
    )
    noise, dropout = (
        [any(getattr(layer, name, 0) for layer in layers_of(network)) for network in networks]
        for name in ("stddev", "rate")
    )
    assert noise == dropout == [False, True]
    generators = (
        dcgan.build_generator(first, (28, 28, 1)),
        cgan.build_generator(second, (28, 28, 1), 10),
    )
    kinds = [[type(layer) for layer in layers_of(generator)] for generator in generators]
    assert all(keras.layers.BatchNormalization in kind for kind in kinds)

    numbers, epochs = (second.latent_dim, first.latent_dim), (second.epochs, first.epochs)
    for page in ("dcgan", "cgan"):
        says(
            page,
            "{} random numbers instead of {}, no label smoothing, no gradient penalty, in D noise "
            "on the pictures and dropout, and it takes {} epochs instead of {}".format(
                *numbers, *epochs
            ),
            "随机数是 {} 个而不是 {} 个，没有标签平滑，没有梯度惩罚，D 里还有加在图上的噪声和 "
            "dropout，训练 {} 个 epoch 而不是 {} 个".format(*numbers, *epochs),
        )


def fields_of_patches():
    """Which pixels of the picture each decision of Pix2Pix's discriminator sees: (n, 28, 28)."""
    discriminator = pix2pix.build_discriminator(pix2pix.Settings(), (28, 28, 1))
    picture = tf.random.stateless_normal((1, 28, 28, 1), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        decisions = discriminator([tf.zeros_like(picture), picture])
    gradients = tape.jacobian(decisions, picture)
    assert gradients.shape == (1, 7, 7, 1, 1, 28, 28, 1)
    return np.reshape(gradients.numpy() != 0, (49, 28, 28))


def every_hole():
    """All masks that the default settings can draw, and how likely each is."""
    smallest, largest = pix2pix.Settings().hole
    count = largest - smallest + 1
    draws, likely = [], []
    for k in range(count):
        places = 28 - (smallest + k) + 1
        for row, column in itertools.product(range(places), repeat=2):
            draws.append([(k + 0.5) / count, (row + 0.5) / places, (column + 0.5) / places])
            likely.append(1 / count / places**2)
    masks = mnist_ds.masks_at(tf.constant(draws, tf.float32), 28, 28, smallest, largest)
    return masks.numpy(), np.array(likely)


def test_patches_that_see_the_hole():
    fields = fields_of_patches()
    side = int(fields.any(axis=2).sum(axis=1).max())
    says(
        "pix2pix",
        f"each about a patch of {side}x{side} pixels",
        f"每个判断管 {side}x{side} 像素的一块",
    )
    masks, likely = every_hole()
    assert likely.sum() == pytest.approx(1)
    hidden = 1 - masks.reshape(len(masks), -1)
    touched = hidden @ fields.reshape(len(fields), -1).T > 0
    outside = 1 - likely @ touched.mean(axis=1)
    says(
        "pix2pix",
        f"only {outside:.0%} of the patches hold nothing of the hole",
        f"只有 {outside:.0%} 的图块完全碰不到洞",
        outside < 0.2,
    )
    says(
        "claims",
        f"The patches have {side}x{side} of 28x28 pixels here, more than half of the area",
        f"这里的图块是 {side}x{side}，整图才 28x28，一个图块就占了一半以上的面积",
        side**2 > 28**2 / 2,
    )
    says(
        "claims",
        "a patch is a thirteenth of the area",
        "只占面积的十三分之一",
        round(256**2 / 70**2) == 13,
    )


# --------------------------------------------------------------------------------- claims: the text


def test_how_long_the_runs_of_claims_are():
    for lesson in NAMES:
        epochs, steps = budget(lesson)
        default = lessons.named(lesson).module.Settings()
        share = epochs * steps / (default.epochs * default.steps_per_epoch)
        says("claims", "a sixth to a twelfth", "六分之一到十二分之一", 1 / 13 < share < 1 / 5.9)
    chance = 2 / math.comb(6, 3)
    says("claims", "in one case of ten", "十分之一的机会", chance == 0.1)


@pytest.mark.parametrize("lesson", NAMES)
def test_steps_of_the_changes(lesson):
    epochs, steps = budget(lesson)
    total = f"{epochs * steps:,}"
    says(lesson, f"{total} steps of each", f"各训练 {total} 步")


def test_claim_1():
    short, long = "cgan.py --steps-per-epoch 150", "cgan.py"
    dense, dense_long = "cgan.py --network mlp", "cgan.py --network mlp --steps-per-epoch 1500"
    half = mean("1", dense, "train_seconds") / mean("1", long, "train_seconds") < 0.5
    says(
        "claims",
        "A fully connected step takes less than half as long",
        "全连接的一步用时不到一半",
        half,
    )
    says("cgan", "in less than half the time", "用时不到一半", half)
    names = "conditional_accuracy", "frechet"
    better = all(
        above("1", long, other, names[0]) and above("1", other, long, names[1])
        for other in (dense, dense_long)
    )
    as_long = mean("1", dense_long, "train_seconds") / mean("1", long, "train_seconds") > 0.85
    says(
        "claims", "yes, clearly, also in the same time", "用同样的时间也是如此", better and as_long
    )
    says(
        "claims",
        "are recognised more often as what was asked for; the Fréchet distances overlap",
        "画的数字更常被认对，Fréchet 距离则有交叉",
        above("1", dense, short, names[0]) and not apart("1", dense, short, names[1]),
    )
    at_first = max(mean("1", side, "train_seconds") for side in (short, dense))
    says("claims", "In the first half minute", "头半分钟里", 15 < at_first < 40)


def test_claim_2():
    plain = "dcgan.py --penalty 0"
    holds = above("2", f"{plain} --norm None", plain, "frechet")
    says("claims", "Without the gradient penalty, as claimed.", "没有梯度惩罚时，说法成立。", holds)
    paper = "dcgan.py --norm None --initial 0.02"
    says(
        "claims",
        "no clear difference from Glorot's weights, and helps from the paper's weights",
        "从 Glorot 权重出发看不出明显差别，从论文的权重出发有帮助",
        not apart("2", "dcgan.py", "dcgan.py --norm None", "frechet")
        and above("2", paper, "dcgan.py --initial 0.02", "frechet"),
    )
    says(
        "claims",
        "without batch norm, every seed with the penalty is better than every seed without it",
        "不用批归一化时，有惩罚的每个种子都好过没有惩罚的每个种子",
        above("2", f"{plain} --norm None", "dcgan.py --norm None", "frechet"),
    )
    large = "dcgan.py --initial 0.1", "dcgan.py --norm None --initial 0.1"
    hurt = not apart("2", *large, "frechet") and above("2", large[0], "dcgan.py", "frechet")
    says("claims", "far too large hurt both alike", "权重大得离谱时，两边一样差", hurt)


def test_claim_3():
    smooth, plain = "dcgan.py", "dcgan.py --smoothing 1"
    steps = f"{math.prod(budget('dcgan')):,}"
    says(
        "claims",
        f"With the penalty there is no measurable difference after {steps} steps",
        f"有梯度惩罚时，{steps} 步之后测不出差别",
        not apart("3", smooth, plain, "frechet"),
    )
    smooth, plain = "dcgan.py --penalty 0", "dcgan.py --penalty 0 --smoothing 1"
    better = above("3", smooth, plain, "frechet")
    says("claims", "plain labels are even a little better", "不平滑的稍好一点", better)


def test_claim_4():
    command = "ccgan.py --no-labels"
    found = seeds("4", command, "recognised")
    holed = seeds("4", command, "recognised_holed")[0]
    says(
        "claims",
        f"about as often as if the hole had been left grey ({holed:.0%})",
        f"和洞不补时差不多（{holed:.0%}）",
        abs(statistics.mean(found) - holed) < 0.05,
    )
    says(
        "claims", "As claimed, and by far.", "成立，而且差得很远。", set(verdicts("4")) == {"holds"}
    )
    settings = ccgan.Settings(labels=False)  # both of its networks lose the label
    assert "digit" not in ccgan.build_discriminator(settings, (28, 28, 1), 10).output


def test_claim_5():
    colour = "ccgan.py --data COLOUR --size 64 --hole 23 37 --batch-size 16"
    with_hint, without = (seeds("5", f"{colour}{end}", "hole_psnr") for end in (" --low-res", ""))
    nearer = sum(a > b for a, b in zip(with_hint, without, strict=True))
    total = COUNTS[len(without)]
    says(
        "claims",
        f"In colour {COUNTS[nearer][0]} of the {total[0]} seeds come nearer to the original",
        f"彩色图片上，{total[1]}种子里有{COUNTS[nearer][1]}用提示比不用更接近原图",
        0 < nearer < len(without),
    )
    digits = [v for v in read("claims/5.json")["verdicts"] if "COLOUR" not in str(v["first"])]
    held = {v["verdict"] for v in digits if "--size 64" in v["first"]}
    says(
        "claims", "On digits of 64x64 as claimed.", "放大到 64x64 的数字上成立。", held == {"holds"}
    )
    small = {v["verdict"] for v in digits if "--size 64" not in v["first"]}
    against = small == {"does not hold"}
    says(
        "claims", "the hint matters as well, against the claim", "提示同样有用，说法不成立", against
    )


def test_claim_6():
    (epochs, steps), batch = budget("ccgan"), ccgan.Settings().batch_size
    seen = epochs * steps * batch
    fresh, fixed = sorted(read("claims/6.json")["scores"], key=len)
    says("claims", "each is seen about seven times", "每个大约见到七次", round(seen / 4000) == 7)
    # An epoch takes a part of all pictures, no picture twice, in an order of its own.
    part = steps * batch / 60_000
    once_or_never = (1 - part) ** epochs + epochs * part * (1 - part) ** (epochs - 1)
    says(
        "claims",
        "so short a run would see most digits once or never",
        "这么短的训练里大多数数字只出现一次，或者根本不出现",
        part <= 1 and once_or_never > 0.5,
    )
    better = [above("6", fresh, fixed, name) for name in ("recognised", "hole_psnr")]
    says(
        "claims",
        "more digits are recognised, and the fillings come nearer to the original",
        "认对的数字多一些，补得也更接近原图",
        all(better) and not apart("6", fresh, fixed, "frechet"),
    )


def test_claims_7_and_8():
    found = verdicts("7")
    ahead = found.count("does not hold") > len(found) / 2 and "holds" not in found
    says("claims", "batch norm is ahead in most figures", "多数指标是批归一化领先", ahead)
    says(
        "claims",
        "As claimed, in every score.",
        "每一项得分都成立。",
        set(verdicts("8")) == {"holds"},
    )
    norms = seeds("7", "ccgan.py --norm instance", "frechet"), seeds("7", "ccgan.py", "frechet")
    worse = min(norms[0]) > max(norms[1])
    says("ccgan", "`--norm instance`: a little worse", "`--norm instance`：稍差一点", worse)


def test_claims_9_and_10():
    l1, l2 = "pix2pix.py", "pix2pix.py --loss l2"
    alone1, alone2 = f"{l1} --no-gan", f"{l2} --no-gan"
    sharper = set(verdicts("9", "hole_sharpness")) == {"holds"}
    says("claims", "yes, with and without the discriminator", "有没有判别器都一样", sharper)
    says(
        "claims",
        "without it, yes, but for the nearness to the original",
        "没有判别器时是，只是不如 L2 接近原图",
        above("9", alone2, alone1, "frechet")
        and above("9", alone1, alone2, "recognised")
        and above("9", alone2, alone1, "hole_psnr"),
    )
    says(
        "claims",
        "L1 is not ahead in the Fréchet distance, and L2 is recognised more often as the right "
        "digit and comes nearer to the original",
        "L1 的 Fréchet 距离并不领先，L2 反而更常被认对，也更接近原图",
        not above("9", l2, l1, "frechet")
        and above("9", l2, l1, "recognised")
        and above("9", l2, l1, "hole_psnr"),
    )
    plain = set(verdicts("10")) == {"holds"}
    says("claims", "As claimed, and in the pictures it is plain", "成立。在图里看 L2 最明显", plain)
    says(
        "claims",
        "With L1 alone the fillings are sharper than with L2 alone",
        "只用 L1 比只用 L2 补得清晰",
        above("10", alone1, alone2, "hole_sharpness"),
    )
    says(
        "claims",
        "they are recognised a little more often than those of L1 with the discriminator",
        "它还是比有判别器的 L1 稍微更常被认对",
        above("10", alone1, l1, "recognised"),
    )


def test_claim_11():
    patch, full = "pix2pix.py", "pix2pix.py --patch full"
    no_worse = [v for n in ("recognised", "hole_psnr", "frechet") for v in verdicts("11", n)]
    says(
        "claims",
        "the nearness to the original are no worse",
        "与原图的接近程度都不差",
        set(no_worse) == {"holds"},
    )
    softer = above("11", full, patch, "hole_sharpness")
    says("claims", "only the fillings are a little softer", "只是补得稍软一点", softer)
    fewer = 1 < mean("11", full, "d_weights") / mean("11", patch, "d_weights") < 1.1
    says("claims", "Fewer weights: a few", "权重确实少一些", fewer)
    unknown = verdicts("11", "train_seconds") == ["not measured"]
    says("claims", "less time: not measured alone", "用时没有单独测过", unknown)


def test_claim_12():
    command = "cyclegan.py --no-cycle"
    same = all(
        max(seeds("12", command, f"{way}_diversity"))
        < 0.1 * seeds("12", command, f"{way}_diversity_untouched")[0]
        for way in ("12", "21")
    )
    says("claims", "all inputs become nearly the same picture", "输出几乎都是同一张图", same)
    says("cyclegan", "nearly the same picture for everything", "不管什么都变成几乎同一张图", same)
    taken = min(seeds("12", command, "12_taken")) < 0.01
    says("claims", "which need not even be a digit", "甚至不一定是数字", taken)


# ------------------------------------------------------------------------------- lessons: the text


def change(lesson, options, name):
    """A score of one of the lesson's changes, or, with no options, of the lesson as it is."""
    return seeds(lesson, f"{lesson}.py {options}".strip(), name)[0]


def test_changes_of_dcgan():
    usual = seeds("2", "dcgan.py", "frechet")
    steps = f"{math.prod(budget('dcgan')):,}"
    near = [change("dcgan", o, "frechet") for o in ("--norm None", "--smoothing 1", "--penalty 0")]
    says(
        "dcgan",
        f"no measurable difference after {steps} steps",
        f"{steps} 步之后测不出差别",
        all(min(usual) - 0.1 < distance < max(usual) + 0.1 for distance in near),
    )
    wide, dropped = (change("dcgan", o, "frechet") for o in ("--latent-dim 100", "--dropout 0.3"))
    says("dcgan", "worse after as many steps", "步数相同时更差", wide > max(usual))
    says("dcgan", "worse still", "还要差", dropped > wide)


def test_changes_of_cgan():
    name = "conditional_accuracy"
    options = ["", *lessons.named("cgan").changes]
    accuracy = {option: change("cgan", option, name) for option in options}
    usual = seeds("1", "cgan.py", "frechet")
    says(
        "cgan",
        "is recognised most often",
        "最常被认对",
        max(accuracy, key=accuracy.get) == "--latent-dim 2",
    )
    larger = change("cgan", "--latent-dim 2", "frechet") > max(usual)
    says("cgan", "the Fréchet distance is larger", "Fréchet 距离反而更大", larger)
    worse = change("cgan", "--latent-dim 100", "frechet") > max(usual)
    says(
        "cgan",
        "`--latent-dim 100`: worse after as many",
        "`--latent-dim 100`：步数相同时更差",
        worse,
    )
    slow = "--d-learning-rate 5e-5"
    worst = all(change("cgan", o, "frechet") <= change("cgan", slow, "frechet") for o in options)
    worst = worst and min(accuracy, key=accuracy.get) == slow
    says("cgan", f"`{slow}`: the worst", f"`{slow}`：最差", worst)
    batch, usual = (change("cgan", o, "train_seconds") for o in ("--batch-size 128", ""))
    says("cgan", "at three times the time", "用时却是三倍", 2.5 < batch / usual < 3.5)
    better = change("cgan", "--batch-size 128", "frechet") < change("cgan", "", "frechet")
    says("cgan", "better for the same number of steps", "步数相同时更好", better)


def test_changes_of_ccgan():
    recognised = functools.partial(change, "ccgan", name="recognised")
    far = recognised("--low-res") > max(seeds("4", "ccgan.py", "recognised")) + 0.05
    says("ccgan", "`--low-res`: far better", "`--low-res`：好得多", far)
    nearly = recognised("--hole 4 8") > 0.98
    says("ccgan", "nearly all digits are recognised", "几乎都能认对", nearly)
    slow = "--d-learning-rate 5e-5"
    worse = recognised(slow) < min(seeds("4", "ccgan.py", "recognised"))
    says("ccgan", f"`{slow}`: worse", f"`{slow}`：更差", worse)


def test_changes_of_pix2pix():
    usual = {n: seeds("9", "pix2pix.py", n) for n in ("recognised", "hole_psnr", "hole_sharpness")}
    skipless = all(change("pix2pix", "--no-skips", n) > min(usual[n]) - 0.002 for n in usual)
    says("pix2pix", "does no harm on holes", "补洞时没有坏处", skipless)
    says(
        "pix2pix",
        "on outlines it does harm",
        "从轮廓填数字时有坏处",
        set(verdicts("8")) == {"holds"},
    )
    for options, english, chinese in (
        ("--loss l2", "softer, but", "更软，但"),
        ("--no-gan", "softer,", "更软，"),
    ):
        softer = change("pix2pix", options, "hole_sharpness") < min(usual["hole_sharpness"])
        says("pix2pix", f"`{options}`: {english}", f"`{options}`：{chinese}", softer)
    for options, english, chinese in (
        ("--weight 1", "sharper fillings, a smaller Fréchet distance, but further", "但离原图更远"),
        ("--patch full", "sharper, a little further from the original", "更清晰，离原图稍远"),
    ):
        sharper = change("pix2pix", options, "hole_sharpness") > max(usual["hole_sharpness"])
        further = change("pix2pix", options, "hole_psnr") < min(usual["hole_psnr"])
        says("pix2pix", english, chinese, sharper and further)


def test_changes_of_cyclegan():
    usual = {n: seeds("7", "cyclegan.py", n) for n in ("12_cycle_l1", "21_cycle_l1", "12_taken")}
    identity = "--identity-weight 5"
    harmless = all(change("cyclegan", identity, n) < min(usual[n]) for n in [*usual][:2])
    harmless = harmless and change("cyclegan", identity, "12_taken") >= min(usual["12_taken"])
    says("cyclegan", "at least no harm", "至少没有坏处", harmless)
    bare = "--buffer-size 0"
    near = all(abs(change("cyclegan", bare, n) - max(usual[n])) < 0.01 for n in [*usual][:2])
    steps = f"{math.prod(budget('cyclegan')):,}"
    says(
        "cyclegan",
        f"hardly a difference after {steps} steps",
        f"{steps} 步之后几乎没有差别",
        near,
    )
    harder = all(change("cyclegan", "--from 3 --to 8", n) > max(usual[n]) for n in [*usual][:2])
    says("cyclegan", "the way back is harder", "变回来更难一些", harder)
    batch = all(change("cyclegan", "--norm batch", n) < min(usual[n]) for n in [*usual][:2])
    says("cyclegan", "`--norm batch`: a little better", "`--norm batch`：这里稍好一点", batch)
