"""The scores: how good generated, completed and translated pictures are.

Pictures are (n, height, width, channels) in [-1, 1]. Many scores have reference values: the same
score for real pictures, `NAME_untouched`, and for pictures whose hole stays grey, `NAME_holed`. The
judge is the classifier of classifier.py.
"""

import numpy as np

import classifier
import mnist_ds

# The distance compares 64 features. With fewer pictures, the covariance matrices do not have full
# rank. Then the distance depends mostly on the number of pictures.
FEWEST = 100


def frechet_distance(a, b):
    """Frechet distance between two sets of features, (n, d) and (m, d), treated as Gaussians.

    |mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)): Heusel et al., arXiv
    1706.08500, section 2. It is 0 for equal sets. For two sets from the same distribution it is
    larger if there are fewer pictures.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # trace((AB)^(1/2)) = trace((A^(1/2) B A^(1/2))^(1/2)), whose argument is symmetric: no complex
    # square roots, and rounding can only make an eigenvalue slightly negative.
    values, vectors = np.linalg.eigh(cov_a)
    root_a = vectors * np.sqrt(values.clip(0)) @ vectors.T
    trace_root = np.sqrt(np.linalg.eigvalsh(root_a @ cov_b @ root_a).clip(0)).sum()
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * trace_root)


def frechet_scores(name, sets, reference):
    """{name + ending: Frechet distance} of sets of features {ending: (n, 64)} from a reference.

    If a set has fewer than 100 pictures: {}, with a message.
    """
    fewest = min(map(len, [reference, *sets.values()]))
    if fewest < FEWEST:
        print(f"score      no {name}: it needs {FEWEST} pictures, and there are {fewest}")
        return {}
    return {f"{name}{end}": frechet_distance(found, reference) for end, found in sets.items()}


def reference_of(data, judge, count):
    """Features and labels of `count` real training pictures, chosen at random from all of them.

    If the data are sorted by class, as in folders, the first ones would all have one class.
    """
    index = np.random.default_rng(0).permutation(len(data.train))[:count]
    features, _ = judge(mnist_ds.floats(data.train, index))
    return features, data.train.labels[index]


def completion_scores(data, masks, completed, judge=""):
    """Scores of completed pictures, with their reference values.

    Args:
        data: a mnist_ds.Data, whose test pictures were completed.
        masks: (n, height, width, 1), 1 = was visible, 0 = was hidden.
        completed: (n, height, width, channels) in [-1, 1].
        judge: see classifier.load_judge.

    Returns:
        hole_psnr: in dB, over all hidden pixels (peak = 2, the width of [-1, 1]); hole_sharpness:
        how sharp the fillings are, compared with what was hidden (see sharpness). If there is a
        classifier for the data, also recognised: the share of completed pictures that it recognises
        correctly, and frechet: their Frechet distance from real training pictures. Both also for
        the test pictures with a grey hole (*_holed) and for the real test pictures (*_untouched);
        perfect completions would reach the value of the real ones.
    """
    images = mnist_ds.floats(data.test)
    hidden = np.broadcast_to(masks == 0, images.shape)
    scores = {
        "hole_psnr": psnr(images[hidden], completed[hidden]),
        "hole_sharpness": sharpness(images, completed, masks == 0),
    }
    judge = classifier.load_judge(data, judge)
    if judge is None:
        return scores
    reference, _ = reference_of(data, judge, len(images))
    sets = {"": completed, "_holed": images * masks, "_untouched": images}
    said = {name: judge(shown) for name, shown in sets.items()}
    for name, (_, labels) in said.items():
        scores[f"recognised{name}"] = float(np.mean(labels == data.test.labels))
    features = {name: found for name, (found, _) in said.items()}
    return scores | frechet_scores("frechet", features, reference)


def pair_scores(target, generated):
    """How near pictures (n, height, width, channels) in [-1, 1] are to their targets.

    l1: the mean absolute difference; psnr: in dB, over all pixels; sharpness: see `sharpness`.
    """
    return {
        "l1": float(np.mean(np.abs(generated - target))),
        "psnr": psnr(target, generated),
        "sharpness": sharpness(target, generated),
    }


def psnr(target, generated):
    """Peak signal-to-noise ratio of values in [-1, 1], in dB: the peak is 2."""
    return float(10 * np.log10(4 / max(np.mean((generated - target) ** 2), 1e-12)))


def sharpness(target, generated, where=np.True_):
    """The difference between neighbouring pixels, divided by the same difference in the target.

    1 = edges as strong and as many as in the target; below 1 = blurred, or strokes are missing.

    Args:
        target, generated: (n, height, width, channels) in [-1, 1].
        where: (n, height, width, 1), True for the pixels that count: both neighbours must count.
    """
    where = np.broadcast_to(where, target.shape)
    sums = {"target": 0.0, "generated": 0.0}
    for axis in (1, 2):
        first, second = ([slice(None)] * 4 for _ in range(2))
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        both = where[tuple(first)] & where[tuple(second)]
        for name, images in (("target", target), ("generated", generated)):
            sums[name] += float(np.abs(np.diff(images, axis=axis)[both]).sum())
    return sums["generated"] / max(sums["target"], 1e-12)


def translation_scores(data, translated, judge=""):
    """Scores of pictures that were translated into the class of `data`, with reference values.

    Args:
        data: a mnist_ds.Data with the real pictures of that class.
        translated: (n, height, width, channels) in [-1, 1].
        judge: see classifier.load_judge.

    Returns:
        diversity: the mean absolute difference between two of them, chosen at random; near 0 if all
        results are the same. If there is a classifier for the data, also taken: the share that it
        recognises as that class, and frechet: their Frechet distance from the training pictures of
        that class. *_untouched is the same score for the real test pictures of that class.
    """
    images = mnist_ds.floats(data.test)
    sets = {"": translated, "_untouched": images}
    scores = {}
    for name, shown in sets.items():
        shuffled = np.random.default_rng(0).permutation(shown)
        others = np.roll(shuffled, 1, axis=0)
        scores[f"diversity{name}"] = float(np.mean(np.abs(shuffled - others)))
    judge = classifier.load_judge(data, judge)
    if judge is None or len(np.unique(data.test.labels)) > 1:
        return scores
    reference, _ = reference_of(data, judge, len(data.train))
    said = {name: judge(shown) for name, shown in sets.items()}
    for name, (_, labels) in said.items():
        scores[f"taken{name}"] = float(np.mean(labels == data.test.labels[0]))
    features = {name: found for name, (found, _) in said.items()}
    return scores | frechet_scores("frechet", features, reference)


def generation_scores(data, generated, labels=None, judge=""):
    """Scores of generated pictures, with their reference values.

    Args:
        data: a mnist_ds.Data.
        generated: (n, height, width, channels) in [-1, 1], as many as there are test pictures.
        labels: (n,) the classes that were asked for; None if there were none.
        judge: see classifier.load_judge.

    Returns:
        {} without a classifier for the data; else frechet, the Frechet distance from real training
        pictures; smallest_share and largest_share of the classes among the pictures, and their
        entropy in bits; with labels also conditional_accuracy, the share of pictures in which the
        classifier recognises the class that was asked for, and worst_class_frechet, the largest
        distance within a class. *_untouched is the same score for the real test pictures; perfect
        pictures would reach it.
    """
    judge = classifier.load_judge(data, judge)
    if judge is None:
        return {}
    reference, reference_labels = reference_of(data, judge, len(data.test))
    real = (*judge(mnist_ds.floats(data.test)), data.test.labels)
    sets = {"": (*judge(generated), labels), "_untouched": real}
    scores = frechet_scores("frechet", {name: of[0] for name, of in sets.items()}, reference)
    for name, (_, read, _) in sets.items():
        shares = np.bincount(read, minlength=data.num_classes) / len(read)
        scores[f"smallest_share{name}"] = float(shares.min())
        scores[f"largest_share{name}"] = float(shares.max())
        scores[f"entropy{name}"] = float(-(shares * np.log2(shares.clip(1e-12))).sum())
    if labels is None:
        return scores
    for name, (_, read, asked) in sets.items():
        scores[f"conditional_accuracy{name}"] = float(np.mean(read == asked))
    worst = {}
    classes = range(data.num_classes)
    counted = [labels, data.test.labels, reference_labels]
    enough = [k for k in classes if min(np.sum(of_set == k) for of_set in counted) >= FEWEST]
    for k in enough:
        of_class = {name: found[asked == k] for name, (found, _, asked) in sets.items()}
        distances = frechet_scores(
            "worst_class_frechet", of_class, reference[reference_labels == k]
        )
        worst = {name: max(value, worst.get(name, 0)) for name, value in distances.items()}
    if len(enough) < data.num_classes:
        few = data.num_classes - len(enough)
        print(f"score      worst_class_frechet leaves out {few} classes of under {FEWEST} pictures")
    return scores | worst
