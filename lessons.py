"""The list of the lessons: each entry contains what tools, tests and pages need for one lesson.

This list does not repeat what the code already says: the settings are in the script's dataclass,
the names of a network's inputs in its `keras.Input(name=...)`, and the text is on the lesson's
pages. To add a lesson, write its script, its entry below, its test file and its two pages.

Every script has the same few names: `Settings`, `load(settings)`, which returns the data sets for
the training, and its model, a keras.Model that is built by `Model(settings, *data)`.
"""

import dataclasses
import importlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The claim that a score of `first` is "higher" or "lower" than that of `second`, or "as good".

    Each is a side of a claim: a script's name and its options. "as good" also holds if `first` is
    better; `good` says whether "higher" or "lower" is better. A tuple of several sides means their
    spread: the largest score divided by the smallest.
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
    """A sentence from the posts, the commands to compare, and the claims about their scores."""

    english: str
    chinese: str
    sides: tuple
    comparisons: tuple = ()
    seeds: int = 3
    progress: bool = False
    """show also what the progress bar showed at the end"""
    over_time: bool = False
    """plot the scores over the seconds of training; the sides may have different budgets"""
    full: bool = False
    """run the sides at full length, by their defaults or options, not with the small budget"""


@dataclasses.dataclass(frozen=True)
class Exercise:
    """What the answer to an exercise of a lesson's page shows."""

    sides: tuple
    """commands, as in a claim"""
    scores: tuple
    """which of their scores, or of what the progress bar showed"""
    claim: str = ""
    """the key of the claim with these measurements; '' = the claim with the lesson's name, see
    claims()"""


@dataclasses.dataclass(frozen=True)
class Lesson:
    """The facts about one lesson. Pairs of texts are (English, Chinese)."""

    name: str
    """name of the script, NAME.py, the pages, docs/NAME.md and docs/NAME.zh-CN.md, and the run"""
    model: str
    """name of the class in the script"""
    title: str
    """the model's name as people write it"""
    paper: str
    """its number at arXiv"""
    idea: tuple[str, str]
    """what the model does; it is written after "NAME: " """
    new: tuple[str, str]
    """what is new for a reader who reads the lessons in order"""
    moves: dict
    """{optimizer: the networks that it updates, and their averages}, by the attributes' names"""
    drawn: tuple
    """the networks that are drawn on the lesson's page"""
    scores: dict
    """{main score: the endings of the names of its reference values}"""
    compared: tuple
    """the scores in the tables of claims and changes"""
    budget: str
    """options of each run of a claim: fewer steps than the defaults"""
    exercises: tuple
    """an Exercise for each one of the lesson's page, in their order"""
    sample: tuple
    """arguments for --sample, as an example"""
    sizes: tuple[str, str]
    """which sides in pixels fit, 8 or more"""
    claims: dict = dataclasses.field(default_factory=dict)
    """{key: Claim}: its files and its anchor have the key as name; numbered claims are listed"""
    probabilities: bool = True
    """True if D returns probabilities; False for the scores of a least-squares loss, which can be
    outside [0, 1]"""
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
    "sizes that give 4 to 7 pixels after repeated halving: 28, 32, 40, 48, 56, 64, 80, 96, 112, "
    "128 ...",
    "可以连续减半，直到剩下 4 到 7 像素：28、32、40、48、56、64、80、96、112、128……",
)
ONE_PAIR = {"g_optimizer": ("generator", "average"), "d_optimizer": ("discriminator",)}
REAL = ("untouched",)
HOLED = ("holed", "untouched")
SAID = ("d_loss", "g_loss", "D(x)", "D(G(z))")  # what the progress bar of each script shows

MAIN = "ccgan"  # the lesson of the first command
# In the order in which students should read them.
LESSONS = [
    Lesson(
        name="dcgan",
        model="DCGAN",
        title="DCGAN",
        paper="1511.06434",
        idea=("makes pictures from random numbers", "用一串随机数画出图片"),
        new=("the game of two networks", "两个网络的博弈"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"frechet": REAL, "smallest_share": REAL, "largest_share": REAL},
        compared=("frechet", "smallest_share", "largest_share"),
        budget="--epochs 2 --steps-per-epoch 500",
        exercises=(
            Exercise(("dcgan.py", "dcgan.py --smoothing 1"), ("D(x)", "D(G(z))", "d_loss"), "3"),
            Exercise(
                ("dcgan.py", "dcgan.py --beta-1 0.5", "dcgan.py --beta-1 0.9"), ("frechet",), "15"
            ),
            Exercise(("dcgan.py", "dcgan.py --latent-dim 100"), ("frechet", "largest_share")),
            Exercise(
                ("dcgan.py", "dcgan.py --penalty 0"),
                ("frechet", "largest_share", "d_loss", "D(x)", "D(G(z))"),
                "3",
            ),
            Exercise(
                (
                    "dcgan.py",
                    "dcgan.py --network mlp",
                    "dcgan.py --network mlp --steps-per-epoch 1500",
                ),
                ("frechet", "train_seconds"),
                "14",
            ),
        ),
        sample=("3",),
        sizes=HALVED,
        claims={
            "2": Claim(
                "Batch normalization speeds up DCGAN's convergence.",
                "批归一化让 DCGAN 收敛更快。",
                (
                    "dcgan.py",
                    "dcgan.py --norm None",
                    "dcgan.py --penalty 0",
                    "dcgan.py --penalty 0 --norm None",
                ),
                (
                    *better("dcgan.py", "dcgan.py --norm None", lower=["frechet"]),
                    *better(
                        "dcgan.py --penalty 0",
                        "dcgan.py --penalty 0 --norm None",
                        lower=["frechet"],
                    ),
                ),
                full=True,
            ),
            "13": Claim(
                "Batch normalization makes DCGAN less sensitive to the initial weights.",
                "批归一化让 DCGAN 对初始权重不那么敏感。",
                (
                    "dcgan.py",
                    "dcgan.py --initial 0.02",
                    "dcgan.py --initial 0.1",
                    "dcgan.py --norm None",
                    "dcgan.py --norm None --initial 0.02",
                    "dcgan.py --norm None --initial 0.1",
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
            "14": Claim(
                "DCGAN converges faster than a fully connected GAN.",
                "DCGAN 比全连接的 GAN 收敛更快。",
                (
                    "dcgan.py",
                    "dcgan.py --network mlp",
                    "dcgan.py --network mlp --steps-per-epoch 1500",
                ),
                (
                    *better("dcgan.py", "dcgan.py --network mlp", lower=["frechet"]),
                    # The fully connected one does three times as many steps in about the same time.
                    *better(
                        "dcgan.py",
                        "dcgan.py --network mlp --steps-per-epoch 1500",
                        lower=["frechet"],
                    ),
                ),
                over_time=True,
            ),
            "15": Claim(
                "With beta_1 = 0.5, DCGAN trains more stably than with the usual 0.9.",
                "beta_1 取 0.5 时，DCGAN 的训练比取常用的 0.9 时更稳定。",
                ("dcgan.py", "dcgan.py --beta-1 0.5", "dcgan.py --beta-1 0.9"),
                (
                    *better("dcgan.py --beta-1 0.5", "dcgan.py --beta-1 0.9", lower=["frechet"]),
                    *better("dcgan.py", "dcgan.py --beta-1 0.5", lower=["frechet"]),
                ),
            ),
            # Settings that break the training on purpose; a page describes the results.
            "unhealthy": Claim(
                "What a run that goes wrong looks like.",
                "出了问题的训练是什么样子。",
                (
                    "dcgan.py",
                    "dcgan.py --penalty 0 --g-learning-rate 1e-5",
                    "dcgan.py --norm None --g-learning-rate 0.1",
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
        exercises=(
            Exercise(("cgan.py",), ("d_loss", "g_loss"), "cgan_seeds"),
            Exercise(
                ("cgan.py",),
                ("conditional_accuracy", "frechet", "worst_class_frechet"),
                "cgan_seeds",
            ),
            Exercise(("cgan.py", "cgan.py --latent-dim 2"), ("conditional_accuracy", "frechet")),
            Exercise(
                ("cgan.py", "cgan.py --network cnn-concat"),
                ("conditional_accuracy", "frechet"),
                "16",
            ),
            Exercise(
                ("cgan.py --steps-per-epoch 150", "cgan.py --network mlp"),
                ("conditional_accuracy", "frechet", "train_seconds"),
                "1",
            ),
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
                    # The fully connected ones do three times as many steps in about the same time.
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
            "16": Claim(
                "A discriminator with projection (inner product of features and label) is better "
                "than one with concatenation (label next to the picture).",
                "判别器把标签与图片特征做内积（投影，projection），"
                "优于把标签与图片拼接（concatenation）。",
                ("cgan.py", "cgan.py --network cnn-concat"),
                better(
                    "cgan.py",
                    "cgan.py --network cnn-concat",
                    ["conditional_accuracy"],
                    ["frechet"],
                ),
            ),
        },
    ),
    Lesson(
        name="ccgan",
        model="CCGAN",
        title="CCGAN",
        paper="1611.06430",
        idea=(
            "fills holes in pictures so that the result looks real",
            "把图上的洞补得不露痕迹",
        ),
        new=("a picture as the condition", "以图片为条件"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"recognised": HOLED, "frechet": HOLED, "hole_psnr": ()},
        compared=("recognised", "frechet", "hole_psnr"),
        budget="--epochs 3 --steps-per-epoch 150",
        exercises=(
            Exercise(("ccgan.py",), ("d_loss", "g_loss", "D(x)", "D(G(z))"), "ccgan_seeds"),
            Exercise(("ccgan.py", "ccgan.py --no-labels"), ("recognised", "frechet"), "4"),
            Exercise(("ccgan.py", "ccgan.py --low-res"), ("recognised", "hole_psnr"), "5"),
            Exercise(
                (
                    "ccgan.py --train-pictures 4000",
                    "ccgan.py --train-pictures 4000 --no-fresh-holes",
                ),
                ("recognised", "frechet", "hole_psnr"),
                "6",
            ),
            Exercise(
                ("ccgan.py", "ccgan.py --norm instance"),
                ("recognised", "frechet", "hole_psnr"),
                "7",
            ),
        ),
        sample=("FILE",),
        sizes=("as for DCGAN, except 10 and 14", "同 DCGAN，10 和 14 除外"),
        claims={
            "4": Claim(
                "Labels help CCGAN's discriminator. Therefore the completions are better.",
                "标签能帮助 CCGAN 的判别器，从而改善补全。",
                ("ccgan.py", "ccgan.py --no-labels"),
                better(
                    "ccgan.py", "ccgan.py --no-labels", ["recognised", "hole_psnr"], ["frechet"]
                ),
                full=True,
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
                # With few digits, so that each is seen several times.
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
            "turns one picture into another, trained with pairs",
            "用成对的图片学习把一张图变成另一张",
        ),
        new=("pairs, and an answer for every patch", "成对的图片，对每个图块分别判断真假"),
        moves=ONE_PAIR,
        drawn=("generator", "discriminator"),
        scores={"recognised": HOLED, "frechet": HOLED, "hole_psnr": ()},
        compared=(
            *("recognised", "frechet", "hole_psnr", "hole_sharpness"),
            *("l1", "psnr", "sharpness", "d_weights"),
        ),
        budget="--epochs 2 --steps-per-epoch 300",
        exercises=(
            Exercise(("pix2pix.py",), ("D(x)", "D(G(z))"), "pix2pix_seeds"),
            Exercise(
                ("pix2pix.py --no-gan", "pix2pix.py --loss l2 --no-gan"),
                ("hole_psnr", "hole_sharpness"),
                "10",
            ),
            Exercise(
                (
                    "pix2pix.py --task edges",
                    "pix2pix.py --task edges --no-skips",
                    "pix2pix.py",
                    "pix2pix.py --no-skips",
                ),
                ("psnr", "l1", "hole_psnr", "hole_sharpness"),
                "8",
            ),
            Exercise(
                ("pix2pix.py", "pix2pix.py --patch full"),
                ("d_weights", "hole_sharpness", "hole_psnr", "frechet"),
                "11",
            ),
            Exercise(
                ("pix2pix.py", "pix2pix.py --weight 1"),
                ("hole_psnr", "hole_sharpness", "frechet"),
            ),
        ),
        sample=("FILE",),
        sizes=("28, 32, 64, 128 or 256, squares only", "28、32、64、128 或 256，只能是正方形"),
        claims={
            "8": Claim(
                "The U-Net's skips keep detail.",
                "U-Net 的跳跃连接保留细节。",
                (
                    "pix2pix.py --task edges",
                    "pix2pix.py --task edges --no-skips",
                    "pix2pix.py",
                    "pix2pix.py --no-skips",
                ),
                (
                    *better(
                        "pix2pix.py --task edges",
                        "pix2pix.py --task edges --no-skips",
                        ["psnr", "sharpness"],
                        ["l1"],
                    ),
                    *better(
                        "pix2pix.py",
                        "pix2pix.py --no-skips",
                        ["hole_psnr", "hole_sharpness"],
                        ["frechet"],
                    ),
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
                full=True,
            ),
            "10": Claim(
                "If several answers are possible, the pixel loss alone gives a blurred mean. The "
                "adversarial loss makes it sharp, but the PSNR is lower.",
                "答案不止一个时，只用像素损失会得到模糊的平均结果；"
                "对抗损失能恢复清晰度，但 PSNR 更低。",
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
                full=True,
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
            "不用成对的图片，把 6 变成 9 再变回来",
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
        exercises=(
            Exercise(("cyclegan.py",), ("D(x)", "D(G(z))", "d_loss"), "cyclegan_seeds"),
            Exercise(
                ("cyclegan.py", "cyclegan.py --no-cycle"),
                ("12_taken", "12_diversity", "12_cycle_l1"),
                "12",
            ),
            Exercise(
                ("cyclegan.py", "cyclegan.py --buffer-size 0"),
                ("12_taken", "21_taken", "12_cycle_l1", "21_cycle_l1"),
            ),
            Exercise(
                ("cyclegan.py", "cyclegan.py --norm batch"),
                ("12_taken", "21_taken", "12_cycle_l1", "21_cycle_l1"),
                "7",
            ),
            Exercise(
                ("cyclegan.py", "cyclegan.py --from 1 --to 8"),
                ("12_cycle_l1", "21_cycle_l1", "12_diversity", "21_diversity"),
            ),
        ),
        sample=("FILE",),
        sizes=("what can be divided by 4", "能被 4 整除"),
        claims={
            "7": Claim(
                "Instance normalization is better than batch normalization in an image-to-image "
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
    """The lesson with this name."""
    return next(lesson for lesson in LESSONS if lesson.name == name)


def claims():
    """{key: Claim} of all lessons, first the numbered ones, in order; then those of one word.

    The key NAME stands for the commands of a lesson's exercises that no other claim has, NAME_seeds
    for the lesson's default run with three seeds.
    """
    found = {key: claim for lesson in LESSONS for key, claim in lesson.claims.items()}
    assert len(found) == sum(len(lesson.claims) for lesson in LESSONS), "duplicate key"
    numbers = sorted(filter(str.isdecimal, found), key=int)
    asked = {
        lesson.name: Claim(
            f"What else the exercises of {lesson.name}.py compare.",
            f"{lesson.name}.py 的练习另外比较的命令。",
            tuple(dict.fromkeys(side for exercise in own for side in exercise.sides)),
        )
        for lesson in LESSONS
        if (own := [exercise for exercise in lesson.exercises if not exercise.claim])
    }
    defaults = {
        f"{lesson.name}_seeds": Claim(
            f"{lesson.name}.py with its defaults.",
            f"{lesson.name}.py：默认参数。",
            (f"{lesson.name}.py",),
            full=True,
        )
        for lesson in LESSONS
    }
    words = {key: claim for key, claim in found.items() if key not in numbers}
    return {number: found[number] for number in numbers} | defaults | asked | words
