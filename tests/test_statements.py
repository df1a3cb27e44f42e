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
import visual

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


def above_of(first, second, name):
    """Is every seed of a lesson's default run higher than every seed of another lesson's?"""
    return min(seeds(f"{first}_seeds", f"{first}.py", name)) > max(
        seeds(f"{second}_seeds", f"{second}.py", name)
    )


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
        "normal",
        "both values stay away from 0 and 1. D(x) is higher than D(G(z))",
        "两个数都远离 0 和 1，D(x) 高于 D(G(z))",
        all(0.9 > r > f > 0.1 for r, f in zip(real, fake, strict=True)),
    )
    says(
        "README",
        "Both stay away from 0 and 1, and D(x) is the higher one",
        "两个数都远离 0 和 1，D(x) 更高",
    )
    losses = epochs_of(lesson, "d_loss") + epochs_of(lesson, "g_loss")
    for page in ("README", "normal"):
        says(page, "neither loss falls to zero", "两个网络的损失都不会降到零", min(losses) > 0.1)


def test_the_middle_of_dcgan():
    smoothing = dcgan.Settings().smoothing
    middle = f"{smoothing / 2:.2f}"
    means = zip(epochs_of("dcgan", "D(x)"), epochs_of("dcgan", "D(G(z))"), strict=True)
    around = all(abs((real + fake) / 2 - smoothing / 2) < 0.02 for real, fake in means)
    says(
        "normal",
        f"In DCGAN both are near {middle}, not 0.5, because its real pictures have the label "
        f"{smoothing}",
        f"DCGAN 的两个数在 {middle} 附近，而不是 0.5，因为真图的标签是 {smoothing}",
        around,
    )
    real, fake = (epochs_of("dcgan", name)[-1] for name in ("D(x)", "D(G(z))"))
    says(
        "dcgan",
        f"D(x) above: {real:.2f} and {fake:.2f} in the last epoch. The middle is {middle}",
        f"D(x) 在上：最后一轮是 {real:.2f} 和 {fake:.2f}。中间是 {middle}",
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
    says("dcgan", "but the frames get better.", "图却在变好。", score("dcgan", "frechet") < first)


def test_cgans_loss_falls_and_rises():
    g_loss, d_loss = epochs_of("cgan", "g_loss"), epochs_of("cgan", "d_loss")
    turn = g_loss.index(min(g_loss))
    rises = 0 < turn < len(g_loss) / 2 and g_loss[-1] > g_loss[turn] + 0.05
    says(
        "normal",
        "while the pictures get better (see CGAN's curve above). This is normal",
        "例如上面 CGAN 的曲线",
        rises,
    )
    says(
        "cgan",
        "From about step 1,500 on it rises slowly, although the digits get better",
        "约 1,500 步以后又慢慢上升，而数字在变好",
        rises and score("cgan", "frechet") < min(seeds("1", "cgan.py", "frechet")),
    )
    says("cgan", "d_loss falls meanwhile", "d_loss 这时在下降", d_loss[-1] < d_loss[turn])
    higher = all(g > d for g, d in zip(g_loss, d_loss, strict=True))
    says("cgan", "g_loss is the higher of the two losses", "g_loss 比 d_loss 高", higher)


def test_losses_of_the_other_lessons():
    pairs = [(epochs_of("ccgan", name), epochs_of("dcgan", name)) for name in ("d_loss", "g_loss")]
    says(
        "ccgan",
        "so they are above those of DCGAN",
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
        says(lesson, "about 0.1 apart", "相差约 0.1", tenth)
        says(lesson, "on both sides of 0.5", "在 0.5 的两侧")
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
        "cycle_loss 逐轮下降，g_loss 也随之下降",
        cycle == sorted(cycle, reverse=True) and g_loss == sorted(g_loss, reverse=True),
    )
    below = all(0.4 < loss < 0.5 for loss in epochs_of("cyclegan", "d_loss"))
    says("cyclegan", "stays a little below 0.5", "略低于 0.5", below)


def test_what_goes_wrong():
    _, won, black, diverged = read("claims/unhealthy.json")["scores"].values()
    least = entropy(dcgan.Settings().smoothing) / 2
    says("normal", f"d_loss cannot be smaller than {least:.2f}", f"d_loss 的最小值约为 {least:.2f}")
    near = won["d_loss"][0] < least + 0.05 and won["D(G(z))"][0] < 0.05
    says("normal", "stay near their smallest values", "停在最小值附近", near)
    alike = all(abs(won[n][0] - black[n][0]) < 0.05 for n in ("d_loss", "D(x)", "D(G(z))"))
    says(
        "normal",
        "Its d_loss and D's answers are like those of the second run",
        "d_loss 和 D 的回答与第二次运行的相近",
        alike,
    )
    large = min(diverged["d_loss"][0], diverged["g_loss"][0]) > 5000
    says("normal", "a loss grows to many thousands", "损失增大到几千、几万甚至更大", large)
    with Image.open(DOCS / "img" / "claim_unhealthy.png") as picture:
        grey, opacity = (np.asarray(picture.getchannel(c)) for c in "LA")
    # Below each command its two rows of digits; the text has a grey of its own.
    digits = (opacity == 255) & (grey != visual.TEXT)
    rows = np.flatnonzero(digits.any(axis=1))
    blocks = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    (third,) = {int(grey[block][digits[block]].max()) for block in blocks[4:6]}
    says(
        "normal",
        "In this run the pictures are also black",
        "这次运行的图还全是黑的",
        len(blocks) == 8 and third == 0,
    )


# ------------------------------------------------------------------------------ README: other words


def test_times():
    names = [lesson.name for lesson in lessons.LESSONS]
    seconds = [score(n, "train_seconds") / lessons.named(n).module.Settings().epochs for n in names]
    says(
        "README",
        "So you get a picture at least once a minute",
        "这样每分钟至少能看到一张图",
        all(one < 60 for one in seconds),
    )
    better = score("cgan", "frechet") < score("dcgan", "frechet")
    sooner = score("cgan", "train_seconds") < score("dcgan", "train_seconds")
    says("README", "It gets better results in less time", "用更少的时间画得更好", better and sooner)


def test_holes_of_the_long_runs():
    runs = ("ccgan", "pix2pix", "pix2pix_l2")
    readable = all(0.9 < score(run, "recognised") < 0.95 for run in runs)
    says(
        "ccgan",
        "reads more than nine of ten digits; with a grey hole about half",
        "分类器能认出九成以上的数字；洞留着不补，只有约一半",
        readable and abs(score("ccgan", "recognised_holed") - 0.5) < 0.05,
    )
    others = [above_of("ccgan", "pix2pix", name) for name in ("recognised", "hole_sharpness")]
    ahead = all(others) and above_of("pix2pix", "ccgan", "frechet")
    says(
        "ccgan",
        "In the other three scores CCGAN is ahead of Pix2Pix with L1.",
        "其余三项得分都是 CCGAN 胜过用 L1 的 Pix2Pix。",
        ahead,
    )
    says(
        "pix2pix",
        "In the other three scores CCGAN is ahead of Pix2Pix with L1.",
        "其余三项得分都是 CCGAN 胜过用 L1 的 Pix2Pix。",
        ahead,
    )
    says(
        "README",
        "but its digits are recognised a little less often",
        "但数字识别正确的比例稍低一点",
        ahead,
    )
    nearer = score("pix2pix", "hole_psnr") > score("ccgan", "hole_psnr")
    says(
        "README",
        "Pix2Pix is nearer to the original than CCGAN",
        "Pix2Pix 比 CCGAN 更接近原图",
        nearer,
    )
    says("ccgan", "Pix2Pix comes nearer to the original", "Pix2Pix 更接近原图", nearer)
    softer = all(0.85 < score(run, "hole_sharpness") < 1 for run in runs)
    says("README", "are a little more blurred than the originals", "都比原图稍糊", softer)
    higher = [
        score("pix2pix_l2", name) > score("pix2pix", name)
        for name in ("recognised", "hole_psnr", "hole_sharpness")
    ]
    ahead = all(higher) and score("pix2pix_l2", "frechet") < score("pix2pix", "frechet")
    says("pix2pix", "it is ahead of L1 in every score", "它每一项得分都胜过 L1", ahead)


def test_height_of_digits():
    with np.load(ROOT / "data" / "mnist.npz") as file:
        ink = file["x_test"] > 64
    share = np.median(ink.any(axis=2).sum(axis=1)) / ink.shape[1]
    says("howto", "about seven tenths of the height", "占高度的七成左右", abs(share - 0.7) < 0.05)


def test_requirements_and_python():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [line for line in lines if line.startswith("tensorflow") and "-datasets" not in line]
    bounds = re.search(r">=([\d.]+),<[\d.]+", found[0])
    starts = "tensorflow-cpu", f"tensorflow>={bounds[1]}"
    assert [any(line.startswith(s) for line in found) for s in starts] == [True, True]
    assert len(found) == 2
    says(
        "speed",
        f"replace the two lines that begin with `{starts[0]}` and `{starts[1]}` by the line "
        f"`tensorflow[and-cuda]{bounds[0]}`",
        f"以 `{starts[0]}` 和 `{starts[1]}` 开头的两行换成一行 `tensorflow[and-cuda]{bounds[0]}`",
    )
    assert f"tensorflow[and-cuda]{bounds[0]}" in "".join(lines)
    oldest = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text())[1]
    says("README", f"You need Python 3.{oldest}, ", f"需要 Python 3.{oldest}、")


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
        "howto",
        f"sizes that give 4 to 7 pixels after repeated halving: {', '.join(map(str, listed))} ...",
        f"直到剩下 4 到 7 像素：{'、'.join(map(str, listed))}……",
    )
    says("howto", "as for DCGAN, except 10 and 14", "同 DCGAN，10 和 14 除外")
    squares = [str(side) for side in sides if fits(pix2pix, side, **small_hole)]
    says(
        "howto",
        f"| {', '.join(squares[:-1])} or {squares[-1]}, squares only",
        f"| {'、'.join(squares[:-1])} 或 {squares[-1]}，只能是正方形",
    )
    fourths = {side for side in sides if fits(cyclegan, side)}
    says(
        "howto",
        "what can be divided by 4",
        "能被 4 整除",
        fourths == {side for side in sides if side % 4 == 0 and side >= 8},
    )
    says(
        "howto", "Which sizes fit, from 8 pixels up", "哪些尺寸合适（至少 8 像素", min(halved) == 8
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
        "howto",
        "but not with CycleGAN. Its learning rates fall to 0 at the last epoch",
        "但 CycleGAN 不行：它的学习率在最后一轮降为 0",
        growing == [name for name in NAMES if name != "cyclegan"] and last == 0,
    )


def test_what_a_saved_generator_needs():
    tree = ast.parse((ROOT / "gan_cnn.py").read_text())
    nodes = [*ast.walk(tree)]
    imported = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    alone = not imported & {path.stem for path in ROOT.glob("*.py")}
    says(
        "howto",
        "You need `gan_cnn.py`, because it defines the layers. You do not need the training code",
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
    assert first.initial == 0  # Glorot initialization, as in CGAN

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
            "dropout，训练 {} 轮而不是 {} 轮".format(*numbers, *epochs),
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
        f"每个判断对应 {side}x{side} 像素的一个图块",
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
    full = [key for key, claim in lessons.claims().items() if claim.full and key.isdecimal()]
    says(
        "claims",
        "Claims 2, 4, 9 and 10 run at full length",
        "说法 2、4、9、10 按默认步数训练",
        full == ["2", "4", "9", "10"],
    )
    chance = 2 / math.comb(6, 3)
    says("claims", "in one case of ten", "十分之一的概率", chance == 0.1)


def test_claim_1():
    short, long = "cgan.py --steps-per-epoch 150", "cgan.py"
    dense, dense_long = "cgan.py --network mlp", "cgan.py --network mlp --steps-per-epoch 1500"
    third = 0.28 < mean("1", dense, "train_seconds") / mean("1", long, "train_seconds") < 0.4
    says("claims", "takes about a third as long", "全连接的一步用时约为三分之一", third)
    says(
        "claims",
        "As claimed, at every length and in every score.",
        "成立，无论步数多少，每一项得分都如此。",
        set(verdicts("1")) == {"holds"},
    )
    at_first = max(mean("1", side, "train_seconds") for side in (short, dense))
    apart_by = mean("1", short, "conditional_accuracy") - mean("1", dense, "conditional_accuracy")
    says(
        "claims",
        "After ten seconds the digits of the convolutional networks, which have done fewer than "
        "a third of the steps by then, are recognised far more often",
        "训练十秒时，卷积网络的步数不到对方的三分之一，画的数字识别正确的比例却高得多",
        8 < at_first < 13 and apart_by > 0.3,
    )
    deaf = max(seeds("1", dense, "conditional_accuracy")) < 0.3
    says("claims", "hardly use the label yet", "几乎还不用标签", deaf)
    says("cgan", "hardly use the label", "几乎不用标签", deaf)
    as_long = mean("1", dense_long, "train_seconds") / mean("1", long, "train_seconds")
    later = above("1", long, dense_long, "conditional_accuracy") and 0.8 < as_long < 1.25
    heard = min(seeds("1", dense_long, "conditional_accuracy")) > 0.7
    says(
        "cgan",
        "but the convolutional networks are still clearly ahead",
        "而卷积网络仍然明显领先",
        later and heard,
    )


def test_claim_2():
    usual, plain = "dcgan.py", "dcgan.py --penalty 0"
    says(
        "claims",
        "As claimed, with the gradient penalty and without it.",
        "成立，有没有梯度惩罚都一样。",
        set(verdicts("2")) == {"holds"},
    )
    with_, without = mean("2", usual, "frechet"), mean("2", plain, "frechet")
    ends = ("", " --norm None")
    far = min(mean("2", plain + end, "frechet") / mean("2", usual + end, "frechet") for end in ends)
    by_norm = mean("2", f"{plain} --norm None", "frechet") / without
    says(
        "claims",
        f"several times as large ({without:.2f} and not {with_:.2f}, with batch norm)",
        f"好几倍（用批归一化时，是 {without:.2f} 而不是 {with_:.2f}）",
        far > 3 > 2 > by_norm,
    )
    early = mean("3", plain, "frechet")
    says(
        "claims",
        "After 1,000 steps this cannot be seen yet",
        "1,000 步之后还看不出这一点",
        not apart("3", usual, plain, "frechet"),
    )
    says(
        "claims",
        f"hardly falls ({early:.2f} after 1,000 steps, {without:.2f} at the end)",
        f"几乎不再下降（1,000 步之后是 {early:.2f}，最后是 {without:.2f}）",
        0.8 < without / early < 1,
    )
    says(
        "dcgan",
        "At full length it is large",
        "按默认步数训练，差别很大",
        above("2", plain, usual, "frechet") and without / with_ > 3,
    )


def test_half_precision():
    steps = read("bench.json")["steps"]
    times = {
        (step["script"], step["precision"]): step["ms_per_step"]
        for step in steps
        if step["mode"] == "tf.function"
    }
    saved = [1 - times[name, "mixed_bfloat16"] / times[name, "float32"] for name in NAMES]
    least, most = f"{min(saved):.0%}", f"{max(saved):.0%}"
    says(
        "speed",
        f"The CPU of the table below has AMX: there a step in half precision takes {least} to "
        f"{most} less time.",
        f"下表所用的 CPU 有 AMX：半精度的一步用时少 {least} 到 {most}。",
        min(saved) > 0 and "has AMX" in read("bench.json")["machine"],
    )


def test_three_surprises():
    penalty, plain = "dcgan.py", "dcgan.py --penalty 0"
    effect = mean("2", plain, "frechet") - mean("2", penalty, "frechet")
    of_norm = mean("2", f"{penalty} --norm None", "frechet") - mean("2", penalty, "frechet")
    says(
        "README",
        "In DCGAN, a gradient penalty counts for far more than batch norm",
        "在 DCGAN 里，梯度惩罚的作用比批归一化大得多",
        effect > 5 * of_norm,
    )
    l1, l2 = "pix2pix.py", "pix2pix.py --loss l2"
    says(
        "README",
        "a squared error (L2) fills holes better than the paper's L1",
        "平方误差（L2）优于论文的 L1",
        above("9", l2, l1, "recognised") and above("9", l1, l2, "frechet"),
    )
    says(
        "README",
        "After 1,000 steps, DCGAN without momentum is ahead of DCGAN with the paper's `beta_1` of "
        "0.5",
        "训练 1,000 步后，不用动量的 DCGAN 优于用论文的 `beta_1` = 0.5",
        above("15", "dcgan.py --beta-1 0.5", "dcgan.py", "frechet"),
    )


def test_claim_13():
    usual, paper, large = "dcgan.py", "dcgan.py --initial 0.02", "dcgan.py --initial 0.1"
    bare = {
        side: side.replace("dcgan.py", "dcgan.py --norm None") for side in (usual, paper, large)
    }
    says(
        "claims",
        "From Glorot's weights and from the paper's, every seed with batch norm is ahead of every "
        "seed without it.",
        "用 Glorot 的初始权重和论文的初始权重时，有批归一化的每个种子都好过没有的每个种子。",
        all(above("13", bare[side], side, "frechet") for side in (usual, paper)),
    )
    says(
        "claims",
        "With batch norm it hardly matters which of these two kinds of weights is used. Without "
        "it, Glorot's weights are clearly better.",
        "有批归一化时，这两种权重用哪一种几乎没有差别；没有时，Glorot 的明显更好。",
        not apart("13", usual, paper, "frechet")
        and above("13", bare[paper], bare[usual], "frechet"),
    )
    alike = not apart("13", large, bare[large], "frechet")
    says(
        "claims",
        "far too large are equally bad with and without batch norm",
        "用不用批归一化都一样差",
        alike and above("13", large, usual, "frechet"),
    )
    says(
        "claims",
        "is even larger with batch norm",
        "用了批归一化反而更大",
        verdicts("13")[-1] == "does not hold",
    )


def test_claim_3():
    steps = f"{math.prod(budget('dcgan')):,}"
    says(
        "claims",
        f"after {steps} steps there is no measurable difference in the Fréchet distance, neither "
        "with the penalty nor without it. (With the penalty, *largest_share* is a little lower",
        f"{steps} 步之后，不管有没有梯度惩罚，标签用 0.9 和用 1，Fréchet 距离都测不出差别。"
        "（有惩罚时，用 0.9 的 *largest_share* 稍低一点",
        set(verdicts("3")) == {"too close to say"}
        and above("3", "dcgan.py --smoothing 1", "dcgan.py", "largest_share"),
    )


def test_claim_4():
    command = "ccgan.py --no-labels"
    found = seeds("4", command, "recognised")
    holed = seeds("4", command, "recognised_holed")[0]
    share = statistics.mean(found)
    says(
        "claims",
        "As claimed, in every score of the table and in every seed. But without labels most",
        "成立，表里的每项得分、每个种子都如此。但没有标签时",
        set(verdicts("4")) == {"holds"},
    )
    says(
        "claims",
        f"readable as well ({share:.0%}; {holed:.0%} with the hole left grey)",
        f"也能识别（{share:.0%}；不补洞时是 {holed:.0%}）",
        share > holed,
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
        "most digits would be seen once or never in such a short run",
        "这么短的训练里大多数数字只出现一次，或者根本不出现",
        part <= 1 and once_or_never > 0.5,
    )
    overlap = not any(apart("6", fresh, fixed, name) for name in ("recognised", "frechet"))
    says(
        "claims",
        "the fillings come nearer to the original in every seed. The shares of recognised digits "
        "and the Fréchet distances overlap.",
        "每个种子补得都更接近原图；识别正确的比例和 Fréchet 距离有重叠。",
        above("6", fresh, fixed, "hole_psnr") and overlap,
    )


def test_claims_7_and_8():
    found = verdicts("7")
    says(
        "claims",
        "Not here. In none of the scores that are compared is every seed with instance norm ahead.",
        "这里不成立。比较的各项得分里，没有一项是用实例归一化的每个种子都领先",
        "holds" not in found,
    )
    says(
        "claims",
        "the errors of the way there and back are even smaller with batch norm, in every seed",
        "用批归一化的往返误差甚至每个种子都更小",
        found[-2:] == ["does not hold"] * 2,
    )
    says(
        "claims",
        "On outlines as claimed, in every score.",
        "从轮廓生成数字时成立，每一项得分都如此。",
        verdicts("8")[:3] == ["holds"] * 3,
    )
    says(
        "claims",
        "without skips the fillings are even a little better in every score that is compared",
        "去掉跳跃连接，比较的每一项得分反而稍好一点",
        verdicts("8")[3:] == ["does not hold"] * 3,
    )


def test_claims_9_and_10():
    l1, l2 = "pix2pix.py", "pix2pix.py --loss l2"
    alone1, alone2 = f"{l1} --no-gan", f"{l2} --no-gan"
    says(
        "claims",
        "Without the discriminator, as claimed: L1 is sharper, and its Fréchet distance is about "
        "half.",
        "没有判别器时成立：L1 更清晰，Fréchet 距离约为一半。",
        verdicts("9")[2:] == ["holds"] * 2
        and 0.4 < mean("9", alone1, "frechet") / mean("9", alone2, "frechet") < 0.6,
    )
    names = ("recognised", "hole_psnr", "hole_sharpness")
    squared = all(above("9", l2, l1, name) for name in names) and above("9", l1, l2, "frechet")
    says(
        "claims",
        "L2 is better in every score of the table, even in sharpness",
        "表里的每一项得分都是 L2 更好，连清晰度也是",
        squared,
    )
    says(
        "pix2pix",
        "three seeds: the result is the same",
        "用三个种子再比较了一次，结果相同",
        squared,
    )
    says(
        "claims",
        "As claimed, in every score that is compared, and in every seed. In the pictures it is "
        "plain with L2",
        "成立，比较的每项得分、每个种子都如此。从图上看 L2 最明显",
        set(verdicts("10")) == {"holds"},
    )
    says(
        "claims",
        "With L1 alone the fillings are sharper than with L2 alone",
        "只用 L1 比只用 L2 补得清晰",
        above("10", alone1, alone2, "hole_sharpness"),
    )


def test_claim_11():
    patch, full = "pix2pix.py", "pix2pix.py --patch full"
    no_worse = [v for n in ("recognised", "hole_psnr") for v in verdicts("11", n)]
    says(
        "claims",
        "the share that is recognised and the nearness to the original are no worse",
        "识别正确的比例、与原图的接近程度都不差",
        set(no_worse) == {"holds"},
    )
    worse = above("11", full, patch, "hole_sharpness") and above("11", patch, full, "frechet")
    says(
        "claims",
        "but the fillings are a little more blurred, and the Fréchet distance is a little larger",
        "但补得稍糊一点，Fréchet 距离也稍大",
        worse,
    )
    fewer = 1 < mean("11", full, "d_weights") / mean("11", patch, "d_weights") < 1.1
    says("claims", "Fewer weights: a few.", "权重确实少一些", fewer)
    unknown = verdicts("11", "train_seconds") == ["too close to say"]
    says("claims", "Less time: undecided.", "用时无法判断", unknown)


def test_claim_12():
    command = "cyclegan.py --no-cycle"
    same = all(
        max(seeds("12", command, f"{way}_diversity"))
        < 0.1 * seeds("12", command, f"{way}_diversity_untouched")[0]
        for way in ("12", "21")
    )
    says("claims", "all inputs become nearly the same picture", "输出几乎都是同一张图", same)
    says("cyclegan", "nearly the same picture for everything", "输出几乎都是同一张图", same)
    taken = min(seeds("12", command, "12_taken")) < 0.01
    says("claims", "which need not even be a digit", "甚至不一定是数字", taken)


def test_claims_14_to_16():
    dense, long = "dcgan.py --network mlp", "dcgan.py --network mlp --steps-per-epoch 1500"
    times = [mean("14", side, "train_seconds") for side in ("dcgan.py", dense, long)]
    says(
        "claims",
        "As claimed, for the same number of steps and also in about the same time.",
        "成立，步数相同时如此，用时差不多时也如此。",
        set(verdicts("14")) == {"holds"} and 0.8 < times[2] / times[0] < 1.25,
    )
    third = 0.25 < times[1] / times[0] < 0.4
    says("claims", "takes about a third as long", "用时只有约三分之一", third)
    says(
        "claims",
        "As claimed, and no momentum at all is better still",
        "成立，而完全不用动量还要更好",
        set(verdicts("15")) == {"holds"},
    )
    largest = mean("15", "dcgan.py --beta-1 0.9", "largest_share")
    twice = largest / seeds("15", "dcgan.py", "largest_share_untouched")[0]
    says(
        "claims",
        "one digit is drawn twice as often as it should be",
        "有一个数字出现的次数是应有的两倍",
        1.8 < twice < 2.2,
    )
    says(
        "claims",
        "As claimed, in both scores and in every seed.",
        "成立，两项得分、每个种子都如此。",
        set(verdicts("16")) == {"holds"},
    )


# ------------------------------------------------------------------------------- lessons: the text


def sums(scores):
    """D(x) + D(G(z)) of each seed, over the last epoch of a run."""
    return [a + b for a, b in zip(scores["D(x)"], scores["D(G(z))"], strict=True)]


def apart_by(scores):
    """D(x) - D(G(z)) of each seed, over the last epoch of a run."""
    return [a - b for a, b in zip(scores["D(x)"], scores["D(G(z))"], strict=True)]


def test_answers_of_dcgan():
    third = read("claims/3.json")["scores"]
    usual, plain, bare = (
        third[side] for side in ("dcgan.py", "dcgan.py --smoothing 1", "dcgan.py --penalty 0")
    )
    assert abs(dcgan.Settings().smoothing - 0.9) < 1e-9
    says(
        "dcgan",
        "The sum is 0.9, and it does not depend on G. With `--smoothing 1` it is 1.",
        "和是 0.9，与 G 无关。加上 `--smoothing 1`，和是 1。",
        all(abs(one - 0.9) < 0.02 for one in sums(usual))
        and all(abs(one - 1) < 0.02 for one in sums(plain)),
    )
    orders = [f"dcgan.py{end}" for end in ("", " --beta-1 0.5", " --beta-1 0.9")]
    says(
        "dcgan",
        "The best is 0, then 0.5, then 0.9.",
        "最好的是 0，其次是 0.5，最后是 0.9。",
        above("15", orders[1], orders[0], "frechet") and above("15", *orders[:0:-1], "frechet"),
    )
    says(
        "dcgan",
        "They are worse after the same number of steps.",
        "步数相同时更差。",
        above("dcgan", "dcgan.py --latent-dim 100", "dcgan.py", "frechet"),
    )
    says(
        "dcgan",
        "so it distinguishes real and generated pictures better, and d_loss is lower",
        "更能分清真图和生成图，d_loss 也更低",
        min(apart_by(bare)) > max(apart_by(usual)) and max(bare["d_loss"]) < min(usual["d_loss"]),
    )
    same = all(abs(one - 0.9) < 0.02 for one in sums(bare))
    says("dcgan", "*The sum is still 0.9.*", "*和仍然是 0.9。*", same)
    says(
        "dcgan",
        "*The Fréchet distance is about the same*, but without the penalty the classes are a "
        "little less even",
        "*Fréchet 距离差不多，* 但没有惩罚时各类稍不均匀",
        not apart("3", "dcgan.py", "dcgan.py --penalty 0", "frechet")
        and above("3", "dcgan.py --penalty 0", "dcgan.py", "largest_share"),
    )
    says(
        "dcgan",
        "The pictures are worse after the same number of steps.",
        "步数相同时，全连接网络的图更差，",
        above("14", "dcgan.py --network mlp", "dcgan.py", "frechet"),
    )


def test_answers_of_cgan():
    d_loss, g_loss = epochs_of("cgan", "d_loss"), epochs_of("cgan", "g_loss")
    says(
        "cgan",
        "after the first epochs d_loss falls and g_loss rises, although the pictures get better",
        "头几轮之后 d_loss 下降、g_loss 上升，图却在变好",
        d_loss[-1] < d_loss[3] and g_loss[-1] > g_loss[3] and max(d_loss) < math.log(2),
    )
    found = read("claims/cgan_seeds.json")["scores"]["cgan.py"]
    as_often = all(
        one > real - 0.002
        for one, real in zip(
            found["conditional_accuracy"], found["conditional_accuracy_untouched"], strict=True
        )
    )
    times = [
        one / real
        for name in ("frechet", "worst_class_frechet")
        for one, real in zip(found[name], found[f"{name}_untouched"], strict=True)
    ]
    says(
        "cgan",
        "the judge recognises the generated digits about as often as the real ones. But their "
        "Fréchet distance is several times as large",
        "生成的数字识别正确的比例和真实数字差不多，Fréchet 距离却是真实数字的好几倍",
        as_often and min(times) > 3,
    )
    few = "cgan.py --latent-dim 2"
    says(
        "cgan",
        "after 1,000 steps the digits are recognised more often than with 32 numbers, but the "
        "Fréchet distance is about twice as large",
        "训练 1,000 步后，识别正确的比例比用 32 个数时高，Fréchet 距离却大约是两倍",
        above("cgan", few, "cgan.py", "conditional_accuracy")
        and above("cgan", few, "cgan.py", "frechet")
        and 1.7 < mean("cgan", few, "frechet") / mean("cgan", "cgan.py", "frechet") < 2.5,
    )
    concatenated = "cgan.py --network cnn-concat"
    says(
        "cgan",
        "After 1,000 steps projection has the higher *conditional_accuracy*",
        "训练 1,000 步后，投影的 *conditional_accuracy* 更高",
        above("16", "cgan.py", concatenated, "conditional_accuracy"),
    )
    short, dense = "cgan.py --steps-per-epoch 150", "cgan.py --network mlp"
    ratio = mean("1", short, "train_seconds") / mean("1", dense, "train_seconds")
    says(
        "cgan",
        "After about the same time the digits of the convolutional networks are recognised far "
        "more often",
        "用时差不多时，卷积网络的数字识别正确的比例高得多",
        above("1", short, dense, "conditional_accuracy") and 0.75 < ratio < 1.33,
    )


def test_answers_of_ccgan():
    d_loss, g_loss = epochs_of("ccgan", "d_loss")[-1], epochs_of("ccgan", "g_loss")[-1]
    says(
        "ccgan",
        "d_loss ends near 0.693, and g_loss stays far above it",
        "d_loss 最后接近 0.693，g_loss 却一直高得多",
        abs(d_loss - math.log(2)) < 0.02 and g_loss > 0.693 + 0.3,
    )
    bare = "ccgan.py --no-labels"
    says(
        "ccgan",
        "So the completions are recognised less often than with labels.",
        "所以识别正确的比例比有标签时低。",
        above("4", "ccgan.py", bare, "recognised"),
    )
    says(
        "ccgan",
        "They are recognised more often than digits with a grey hole (52.0%)",
        "这个比例高于不补洞时（52.0%）",
        min(seeds("4", bare, "recognised")) > max(seeds("4", bare, "recognised_holed")),
    )
    hint = "ccgan.py --low-res"
    better = [above("5", hint, "ccgan.py", name) for name in ("recognised", "hole_psnr")]
    says(
        "ccgan",
        "the hint helps a lot, also at 28x28",
        "在 28x28 时，提示也很有用",
        all(better) and above("5", "ccgan.py", hint, "frechet"),
    )
    fresh, fixed = sorted(read("claims/6.json")["scores"], key=len)
    overlap = not any(apart("6", fresh, fixed, name) for name in ("recognised", "frechet"))
    says(
        "ccgan",
        "`hole_psnr` is lower in every seed, the other two scores overlap",
        "`hole_psnr` 在每个种子都更低，另外两项得分有重叠",
        above("6", fresh, fixed, "hole_psnr") and overlap,
    )
    norm = "ccgan.py --norm instance"
    near = abs(mean("7", norm, "recognised") - mean("7", "ccgan.py", "recognised")) < 0.03
    says(
        "ccgan",
        "the difference is small, and batch norm is not the worse one",
        "差别不大，而且批归一化并不更差",
        near
        and not any(above("7", norm, "ccgan.py", name) for name in ("recognised", "hole_psnr"))
        and not above("7", "ccgan.py", norm, "frechet"),
    )


def test_answers_of_pix2pix():
    both = zip(epochs_of("pix2pix", "D(x)"), epochs_of("pix2pix", "D(G(z))"), strict=True)
    says(
        "pix2pix",
        "In every epoch the measured sum is very near 1.",
        "每一轮（epoch）测得的和都非常接近 1。",
        all(abs(real + fake - 1) < 0.01 for real, fake in both),
    )
    l1, l2 = "pix2pix.py", "pix2pix.py --loss l2"
    alone1, alone2 = f"{l1} --no-gan", f"{l2} --no-gan"
    says(
        "pix2pix",
        "so L2 has the higher `hole_psnr`",
        "所以 L2 的 `hole_psnr` 更高",
        above("10", alone2, alone1, "hole_psnr"),
    )
    says(
        "pix2pix",
        "Then L1 is sharper.",
        "这时 L1 更清晰。",
        above("10", alone1, alone2, "hole_sharpness"),
    )
    says(
        "pix2pix",
        "without `--no-gan`, L2 is recognised more often than L1, is nearer to the original, and "
        "is even sharper",
        "不加 `--no-gan`，L2 识别正确的比例高于 L1，更接近原图，甚至更清晰",
        all(above("9", l2, l1, n) for n in ("recognised", "hole_psnr", "hole_sharpness")),
    )
    edges, skipless = "pix2pix.py --task edges", "pix2pix.py --task edges --no-skips"
    harm = above("8", edges, skipless, "psnr") and above("8", skipless, edges, "l1")
    says(
        "pix2pix",
        "without skips `psnr` is lower and `l1` is higher",
        "`psnr` 更低，`l1` 更高",
        harm,
    )
    on_holes = "pix2pix.py --no-skips"
    gain = all(above("8", on_holes, l1, name) for name in ("hole_psnr", "hole_sharpness"))
    gain &= above("8", l1, on_holes, "frechet") and not apart("8", l1, on_holes, "recognised")
    says(
        "pix2pix",
        "on outlines `--no-skips` does harm; on holes `hole_psnr`, `hole_sharpness` and `frechet` "
        "are even a little better, and `recognised` is about the same",
        "从轮廓生成数字时变差；补洞时 `hole_psnr`、`hole_sharpness` 和 `frechet` 反而稍好一点，"
        "`recognised` 差不多",
        gain and harm,
    )
    full = "pix2pix.py --patch full"
    says(
        "pix2pix",
        "sharper and have a smaller Fréchet distance, but are a little further from the original",
        "更清晰，Fréchet 距离更小，但离原图稍远",
        above("11", full, l1, "hole_sharpness")
        and above("11", l1, full, "hole_psnr")
        and above("11", l1, full, "frechet"),
    )
    light = "pix2pix.py --weight 1"
    says(
        "pix2pix",
        "sharper fillings, a smaller Fréchet distance, but further from the original",
        "补得更清晰，Fréchet 距离更小，但离原图更远",
        above("pix2pix", light, l1, "hole_sharpness")
        and above("pix2pix", l1, light, "frechet")
        and above("pix2pix", l1, light, "hole_psnr"),
    )


def test_answers_of_cyclegan():
    both = [epochs_of("cyclegan", name) for name in ("D(x)", "D(G(z))", "d_loss")]
    says(
        "cyclegan",
        "on both sides of 0.5, and d_loss stays near D(G(z))",
        "分别在 0.5 的两侧，互为镜像，d_loss 则一直接近 D(G(z))",
        all(
            abs(real + fake - 1) < 0.01 and real > 0.5 > fake and abs(loss - fake) < 0.02
            for real, fake, loss in zip(*both, strict=True)
        ),
    )
    bare, usual = "cyclegan.py --no-cycle", "cyclegan.py"
    bound = seeds("12", bare, "21_diversity_untouched")[0] / 2
    says(
        "cyclegan",
        "Without the cycle 6→9→6 error is above this bound. With the cycle it is well below it",
        "没有循环时，6→9→6 往返误差高于这个下界；有循环时远低于它",
        min(seeds("12", bare, "12_cycle_l1")) > bound
        and max(seeds("12", usual, "12_cycle_l1")) < 0.8 * bound,
    )
    says(
        "cyclegan",
        "It can be near 0",
        "它可能接近 0",
        min(seeds("12", bare, "12_taken")) < 0.01,
    )
    names = [f"{way}_{name}" for way in ("12", "21") for name in ("taken", "cycle_l1", "diversity")]
    steps = f"{math.prod(budget('cyclegan')):,}"
    without = "cyclegan.py --buffer-size 0"
    says(
        "cyclegan",
        f"There is hardly a difference after {steps} steps.",
        f"{steps} 步之后几乎没有差别。",
        all(abs(mean("cyclegan", without, n) - mean("cyclegan", usual, n)) < 0.05 for n in names),
    )
    batch = "cyclegan.py --norm batch"
    says(
        "cyclegan",
        "the error of the way there and back is lower in both directions. The share of accepted "
        "results depends more on the seed than on the norm",
        "两个方向的往返误差都更低。转换成功率的高低更多取决于种子，而不是归一化",
        all(above("7", usual, batch, f"{way}_cycle_l1") for way in ("12", "21"))
        and not any(apart("7", usual, batch, f"{way}_taken") for way in ("12", "21")),
    )
    pair = read("claims/cyclegan.json")["scores"]["cyclegan.py --from 1 --to 8"]
    ones, eights = (
        [
            error / spread
            for error, spread in zip(
                pair[f"{a}_cycle_l1"], pair[f"{b}_diversity_untouched"], strict=True
            )
        ]
        for a, b in (("12", "21"), ("21", "12"))
    )
    says(
        "cyclegan",
        "The way 8 to 1 to 8 is the harder one, also after dividing",
        "仍是 8 变 1 再变 8 更难",
        min(eights) > max(ones) and min(pair["21_cycle_l1"]) > max(pair["12_cycle_l1"]),
    )
