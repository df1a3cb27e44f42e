"""The list of the lessons: one entry for each says what tools, tests and pages need to know of it.

What the code says already is not repeated here: the settings are in the script's dataclass, the
names of a network's inputs in its `keras.Input(name=...)`, and prose is on the lesson's pages. To
add a lesson, write its script, its entry below, its test file and its two pages.

Every script offers the same few names: `Settings`, `load(settings)`, which gives the data sets that
it trains on, and its model, a keras.Model that is built by `Model(settings, *data)`.
"""

import dataclasses
import importlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Comparison:
    """`first` is claimed to have a score that is "higher" or "lower" than `second`'s, or "as good".

    Each is a side of a claim: a script's name and its options. "as good" is claimed of `first`,
    which may be better; `good` says which way is better. Several sides, as a tuple, stand for how
    far they lie apart: the largest score divided by the smallest.
    """

    score: str
    first: str | tuple
    claimed: str
    second: str | tuple
    good: str = "higher"


def better(first, second, higher=(), lower=()):
    """Comparisons that claim `first` to be better in each of these scores."""
    return (
        *(Comparison(score, first, "higher", second) for score in higher),
        *(Comparison(score, first, "lower", second) for score in lower),
    )


def as_good(first, second, higher=(), lower=()):
    """Comparisons that claim `first` to be no worse in any of these scores."""
    return (
        *(Comparison(score, first, "as good", second) for score in higher),
        *(Comparison(score, first, "as good", second, good="lower") for score in lower),
    )


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the posts, the commands to be compared, and what is claimed of their scores."""

    english: str
    chinese: str
    sides: tuple
    comparisons: tuple = ()
    seeds: int = 3
    progress: bool = False
    """also take down what the progress bar showed at the end"""
    over_time: bool = False
    """plot the scores over the seconds of training; the sides may have different budgets"""


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What is to be known of one lesson. Pairs of texts are (English, Chinese)."""

    name: str
    """of its script, NAME.py, of its pages, docs/NAME.md and docs/NAME.zh-CN.md, and of its run"""
    model: str
    """class in the script"""
    title: str
    """how people write the model's name"""
    paper: str
    """its number at arXiv"""
    idea: tuple[str, str]
    """what the model does, to go on after "NAME: " """
    new: tuple[str, str]
    """what is new here for who reads the lessons in their order"""
    moves: dict
    """{optimizer: the networks that it moves, with their averages}, by the attributes' names"""
    drawn: tuple
    """the networks to be drawn on the lesson's page"""
    scores: dict
    """{main score: what stands beside it, by the endings of the reference's name}"""
    compared: tuple
    """the scores in the tables of claims and changes"""
    budget: str
    """options of each run of a claim: a part of what the defaults take"""
    changes: tuple
    """options of the runs that show what a change does, once each"""
    sample: tuple
    """what --sample may be given"""
    sizes: tuple[str, str]
    """which sides in pixels fit, from 8 up"""
    claims: dict = dataclasses.field(default_factory=dict)
    """{key: Claim}: its files and its anchor are named by the key; numbered ones are listed"""
    probabilities: bool = True
    """what D says lies in [0, 1]; scores of a least-squares loss may leave it"""
    folder: pathlib.Path = HERE
    """where its script is"""

    @property
    def module(self):
        """The script, imported; importing trains nothing."""
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        return importlib.import_module(self.name)

    @property
    def script(self):
        """The path of the script."""
        return self.folder / f"{self.name}.py"

    @property
    def networks(self):
        """The names of all networks and averages of the model."""
        return [name for names in self.moves.values() for name in names]

    def build(self, settings, *data):
        """A new model for these settings and data sets."""
        return getattr(self.module, self.model)(settings, *data)


HALVED = (
    "what can be halved until 4 to 7 pixels are left: 28, 32, 40, 48, 56, 64, 80, 96, 112, 128 ...",
    "能一次次减半，直到剩下 4 到 7 像素：28、32、40、48、56、64、80、96、112、128……",
)
ONE_PAIR = {"g_optimizer": ("generator", "average"), "d_optimizer": ("discriminator",)}
REAL = ("untouched",)
HOLED = ("holed", "untouched")
SAID = ("d_loss", "g_loss", "D(x)", "D(G(z))")  # what the progress bar of each script shows

MAIN = "ccgan"  # the lesson of the first command
# In the order in which they are to be read.
LESSONS = [
    Lesson(
        name="dcgan",
        model="DCGAN",
        title="DCGAN",
        paper="1511.06434",
        idea=("draws pictures out of random numbers", "用一串随机数画出图片"),
        new=("the game of two networks", "两个网络的博弈"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"frechet": REAL, "smallest_share": REAL, "largest_share": REAL},
        compared=("frechet", "smallest_share", "largest_share", *SAID),
        budget="--epochs 2 --steps-per-epoch 500",
        changes=(
            "--norm None",
            "--penalty 0",
            "--smoothing 1",
            "--latent-dim 100",
            "--dropout 0.3",
        ),
        sample=("3",),
        sizes=HALVED,
        claims={
            "2": Claim(
                "Batch normalisation speeds up DCGAN's convergence, and makes it less sensitive to "
                "the initial weights.",
                "批归一化让 DCGAN 收敛更快，对初始权重也不那么敏感。",
                (
                    "dcgan.py",
                    "dcgan.py --initial 0.02",
                    "dcgan.py --initial 0.1",
                    "dcgan.py --norm None",
                    "dcgan.py --norm None --initial 0.02",
                    "dcgan.py --norm None --initial 0.1",
                    "dcgan.py --penalty 0",
                    "dcgan.py --penalty 0 --norm None",
                ),
                (
                    *better("dcgan.py", "dcgan.py --norm None", lower=["frechet"]),
                    *better(
                        "dcgan.py --initial 0.02",
                        "dcgan.py --norm None --initial 0.02",
                        lower=["frechet"],
                    ),
                    *better(
                        "dcgan.py --initial 0.1",
                        "dcgan.py --norm None --initial 0.1",
                        lower=["frechet"],
                    ),
                    *better(
                        "dcgan.py --penalty 0",
                        "dcgan.py --penalty 0 --norm None",
                        lower=["frechet"],
                    ),
                    Comparison(
                        "frechet",
                        ("dcgan.py", "dcgan.py --initial 0.02", "dcgan.py --initial 0.1"),
                        "lower",
                        (
                            "dcgan.py --norm None",
                            "dcgan.py --norm None --initial 0.02",
                            "dcgan.py --norm None --initial 0.1",
                        ),
                    ),
                ),
            ),
            "3": Claim(
                "Label smoothing helps DCGAN.",
                "标签平滑对 DCGAN 有好处。",
                (
                    "dcgan.py",
                    "dcgan.py --smoothing 1",
                    "dcgan.py --penalty 0",
                    "dcgan.py --penalty 0 --smoothing 1",
                ),
                (
                    *better("dcgan.py", "dcgan.py --smoothing 1", lower=["frechet"]),
                    *better(
                        "dcgan.py --penalty 0",
                        "dcgan.py --penalty 0 --smoothing 1",
                        lower=["frechet"],
                    ),
                ),
            ),
            # What goes wrong, brought about on purpose: the README says what it looks like.
            "unhealthy": Claim(
                "What a run that goes wrong looks like.",
                "出了问题的训练是什么样子。",
                (
                    "dcgan.py",
                    "dcgan.py --penalty 0 --g-learning-rate 1e-5",
                    "dcgan.py --g-learning-rate 0.1",
                    "dcgan.py --penalty 0 --d-learning-rate 0.1",
                ),
                seeds=1,
                progress=True,
            ),
        },
    ),
    Lesson(
        name="cgan",
        model="CGAN",
        title="CGAN",
        paper="1411.1784",
        idea=("draws the digit that it is asked for", "要哪个数字就画哪个"),
        new=("a label for both networks", "把标签告诉两个网络"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"conditional_accuracy": REAL, "frechet": REAL},
        compared=("conditional_accuracy", "frechet"),
        budget="--epochs 2 --steps-per-epoch 500",
        changes=(
            "--network mlp",
            "--latent-dim 2",
            "--latent-dim 100",
            "--batch-size 128",
            "--d-learning-rate 5e-5",
        ),
        sample=("3", "1", "4"),
        sizes=HALVED,
        claims={
            "1": Claim(
                "Convolutional networks beat fully connected ones: faster and better.",
                "卷积网络胜过全连接网络：更快，也更好。",
                (
                    "cgan.py --steps-per-epoch 150",
                    "cgan.py",
                    "cgan.py --network mlp",
                    "cgan.py --network mlp --steps-per-epoch 1500",
                ),
                (
                    *better(
                        "cgan.py", "cgan.py --network mlp", ["conditional_accuracy"], ["frechet"]
                    ),
                    # Three times the steps of the fully connected ones take about the same time.
                    *better(
                        "cgan.py --steps-per-epoch 150",
                        "cgan.py --network mlp",
                        ["conditional_accuracy"],
                        ["frechet"],
                    ),
                    *better(
                        "cgan.py",
                        "cgan.py --network mlp --steps-per-epoch 1500",
                        ["conditional_accuracy"],
                        ["frechet"],
                    ),
                ),
                over_time=True,
            ),
        },
    ),
    Lesson(
        name="ccgan",
        model="CCGAN",
        title="CCGAN",
        paper="1611.06430",
        idea=("fills holes in pictures so that nobody can tell", "把图上的洞补得不露痕迹"),
        new=("a picture as the condition", "以图片为条件"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"recognised": HOLED, "frechet": HOLED, "hole_psnr": ()},
        compared=("recognised", "frechet", "hole_psnr"),
        budget="--epochs 3 --steps-per-epoch 150",
        changes=(
            "--no-labels",
            "--low-res",
            "--norm instance",
            "--hole 4 8",
            "--d-learning-rate 5e-5",
        ),
        sample=("FILE",),
        sizes=("as for DCGAN, except 10 and 14", "同 DCGAN，10 和 14 除外"),
        claims={
            "4": Claim(
                "Labels help CCGAN's discriminator, and so the completions.",
                "标签能帮助 CCGAN 的判别器，从而改善补全。",
                ("ccgan.py", "ccgan.py --no-labels"),
                better(
                    "ccgan.py", "ccgan.py --no-labels", ["recognised", "hole_psnr"], ["frechet"]
                ),
            ),
            "5": Claim(
                "CCGAN's low-resolution hint does not matter at 28x28, but helps at 64x64.",
                "CCGAN 的低分辨率提示在 28x28 时无关紧要，在 64x64 时有用。",
                (
                    "ccgan.py",
                    "ccgan.py --low-res",
                    "ccgan.py --size 64 --hole 23 37 --batch-size 16",
                    "ccgan.py --size 64 --hole 23 37 --batch-size 16 --low-res",
                    "ccgan.py --data COLOUR --size 64 --hole 23 37 --batch-size 16",
                    "ccgan.py --data COLOUR --size 64 --hole 23 37 --batch-size 16 --low-res",
                ),
                (
                    *as_good(
                        "ccgan.py", "ccgan.py --low-res", ["recognised", "hole_psnr"], ["frechet"]
                    ),
                    *better(
                        "ccgan.py --size 64 --hole 23 37 --batch-size 16 --low-res",
                        "ccgan.py --size 64 --hole 23 37 --batch-size 16",
                        ["recognised", "hole_psnr"],
                        ["frechet"],
                    ),
                    *better(
                        "ccgan.py --data COLOUR --size 64 --hole 23 37 --batch-size 16 --low-res",
                        "ccgan.py --data COLOUR --size 64 --hole 23 37 --batch-size 16",
                        ["hole_psnr"],
                    ),
                ),
            ),
            "6": Claim(
                "Fresh random holes for every batch beat a fixed hole per picture.",
                "每个批次都随机挖新的洞，好过每张图固定一个洞。",
                # Of few digits, so that each is seen several times.
                (
                    "ccgan.py --train-pictures 4000",
                    "ccgan.py --train-pictures 4000 --no-fresh-holes",
                ),
                better(
                    "ccgan.py --train-pictures 4000",
                    "ccgan.py --train-pictures 4000 --no-fresh-holes",
                    ["recognised", "hole_psnr"],
                    ["frechet"],
                ),
            ),
        },
    ),
    Lesson(
        name="pix2pix",
        model="Pix2Pix",
        title="Pix2Pix",
        paper="1611.07004",
        idea=(
            "turns one picture into another, taught by pairs",
            "从成对的例子学会把一张图变成另一张",
        ),
        new=("pairs, and a verdict for every patch", "成对的图片，每个图块一个判断"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"recognised": HOLED, "frechet": HOLED, "hole_psnr": ()},
        compared=(
            *("recognised", "frechet", "hole_psnr", "hole_sharpness"),
            *("l1", "psnr", "sharpness", "d_weights"),
        ),
        budget="--epochs 2 --steps-per-epoch 300",
        changes=("--no-skips", "--loss l2", "--no-gan", "--weight 1", "--patch full"),
        sample=("FILE",),
        sizes=("28, 32, 64, 128 or 256, squares only", "28、32、64、128 或 256，只能是正方形"),
        claims={
            "8": Claim(
                "The U-Net's skips keep detail.",
                "U-Net 的跳跃连接保留细节。",
                ("pix2pix.py --task edges", "pix2pix.py --task edges --no-skips"),
                better(
                    "pix2pix.py --task edges",
                    "pix2pix.py --task edges --no-skips",
                    ["psnr", "sharpness"],
                    ["l1"],
                ),
            ),
            "9": Claim(
                "L1 is less blurry than L2.",
                "L1 没有 L2 那么模糊。",
                (
                    "pix2pix.py",
                    "pix2pix.py --loss l2",
                    "pix2pix.py --no-gan",
                    "pix2pix.py --loss l2 --no-gan",
                ),
                (
                    *better("pix2pix.py", "pix2pix.py --loss l2", ["hole_sharpness"], ["frechet"]),
                    *better(
                        "pix2pix.py --no-gan",
                        "pix2pix.py --loss l2 --no-gan",
                        ["hole_sharpness"],
                        ["frechet"],
                    ),
                ),
            ),
            "10": Claim(
                "The pixels' loss alone blurs towards the mean where several answers fit; the "
                "adversarial part restores sharpness, at some cost in PSNR.",
                "答案不止一个时，只用像素损失会糊成平均值；对抗损失找回清晰度，"
                "代价是 PSNR 低一些。",
                (
                    "pix2pix.py",
                    "pix2pix.py --no-gan",
                    "pix2pix.py --loss l2",
                    "pix2pix.py --loss l2 --no-gan",
                ),
                (
                    *better("pix2pix.py", "pix2pix.py --no-gan", ["hole_sharpness"], ["frechet"]),
                    Comparison("hole_psnr", "pix2pix.py", "lower", "pix2pix.py --no-gan"),
                    *better(
                        "pix2pix.py --loss l2",
                        "pix2pix.py --loss l2 --no-gan",
                        ["hole_sharpness"],
                        ["frechet"],
                    ),
                    Comparison(
                        "hole_psnr",
                        "pix2pix.py --loss l2",
                        "lower",
                        "pix2pix.py --loss l2 --no-gan",
                    ),
                ),
            ),
            "11": Claim(
                "Judging patches is as good as judging the whole picture, with fewer weights and "
                "less time.",
                "判断图块与判断整图一样好，而且权重更少、用时更短。",
                ("pix2pix.py", "pix2pix.py --patch full"),
                (
                    *as_good(
                        "pix2pix.py",
                        "pix2pix.py --patch full",
                        ["recognised", "hole_psnr", "hole_sharpness"],
                        ["frechet"],
                    ),
                    *better(
                        "pix2pix.py",
                        "pix2pix.py --patch full",
                        lower=["d_weights", "train_seconds"],
                    ),
                ),
            ),
        },
    ),
    Lesson(
        name="cyclegan",
        model="CycleGAN",
        title="CycleGAN",
        paper="1703.10593",
        idea=(
            "turns a 6 into a 9 and back, without any pairs",
            "不用成对的例子，把 6 变成 9 再变回来",
        ),
        new=("the cycle, in place of pairs", "用循环一致性代替成对的图片"),
        moves={
            "g12_optimizer": ("g12", "average12"),
            "g21_optimizer": ("g21", "average21"),
            "d1_optimizer": ("d1",),
            "d2_optimizer": ("d2",),
        },
        drawn=("g12", "d2"),
        scores={"12_taken": REAL, "21_taken": REAL, "12_cycle_l1": (), "21_cycle_l1": ()},
        compared=(
            *("12_taken", "21_taken", "12_cycle_l1", "21_cycle_l1"),
            *("12_diversity", "21_diversity"),
        ),
        budget="--epochs 2 --steps-per-epoch 200",
        changes=(
            "--no-cycle",
            "--norm batch",
            "--identity-weight 5",
            "--buffer-size 0",
            "--from 3 --to 8",
        ),
        sample=("FILE",),
        sizes=("what can be divided by 4", "能被 4 整除"),
        claims={
            "7": Claim(
                "Instance normalisation is better than batch normalisation in an image-to-image "
                "generator.",
                "在图到图的生成器里，实例归一化好过批归一化。",
                ("ccgan.py --norm instance", "ccgan.py", "cyclegan.py", "cyclegan.py --norm batch"),
                (
                    *better("ccgan.py --norm instance", "ccgan.py", ["recognised"], ["frechet"]),
                    *better(
                        "cyclegan.py",
                        "cyclegan.py --norm batch",
                        ["12_taken", "21_taken"],
                        ["12_cycle_l1", "21_cycle_l1"],
                    ),
                ),
            ),
            "12": Claim(
                "Without the cycle loss CycleGAN collapses.",
                "没有循环损失，CycleGAN 会出现模式崩溃。",
                ("cyclegan.py", "cyclegan.py --no-cycle"),
                better(
                    "cyclegan.py",
                    "cyclegan.py --no-cycle",
                    ["12_diversity", "21_diversity"],
                    ["12_cycle_l1", "21_cycle_l1"],
                ),
            ),
        },
        probabilities=False,
    ),
]


def named(name):
    """The lesson of this name."""
    return next(lesson for lesson in LESSONS if lesson.name == name)


def claims():
    """{key: Claim} of all lessons, first the numbered ones, in order; then those of one word.

    Under a lesson's name stand its own changes.
    """
    found = {key: claim for lesson in LESSONS for key, claim in lesson.claims.items()}
    assert len(found) == sum(len(lesson.claims) for lesson in LESSONS), "a key stands twice"
    numbers = sorted(filter(str.isdecimal, found), key=int)
    changes = {
        lesson.name: Claim(
            f"Five things to change in {lesson.name}.py.",
            f"{lesson.name}.py：改五个地方。",
            (
                f"{lesson.name}.py",
                *(f"{lesson.name}.py {options}" for options in lesson.changes),
            ),
            seeds=1,
        )
        for lesson in LESSONS
    }
    words = {key: claim for key, claim in found.items() if key not in numbers}
    return {number: found[number] for number in numbers} | changes | words
