"""Picture files of any format, as arrays: single files, complete folders, and A|B pairs."""

import hashlib
import os
import pathlib
import sys
import warnings

import utils  # must be the first import: it prepares TensorFlow
import numpy as np
import tqdm
from PIL import Image, ImageOps

TOO_SMALL = 8  # pixels: in smaller pictures there is nothing to learn
MOST_BYTES = 4 * 2**30  # of all pictures of a folder, in memory
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
WHITES = (2**8 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1)  # for the bit depths of cameras and files
# What Pillow raises for damaged files; it depends on the format.
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    SyntaxError,
    Image.DecompressionBombError,
)
BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281  # tags of TIFF files


def decoded(path, width=0, height=0):
    """One picture file, rotated as its EXIF data say: a PIL image of 8 bits per channel.

    With width and height, a JPEG file may be read at a fraction of its size, but never smaller than
    these: then a file of 100 megapixels needs a few MB, not hundreds. Raises utils.BadInput, whose
    message begins with the path, for a file that is not a picture.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            if width:
                file.draft(None, (width, height))
            file.load()
            return in_8_bits(ImageOps.exif_transpose(file), file)
    except FileNotFoundError:
        raise utils.BadInput(f"{path}: no such file; give picture files (PNG, JPEG, ...)") from None
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise utils.BadInput(
            f"{path}: not a picture that can be read ({reason}); give PNG, JPEG, ... files"
        ) from None


def in_8_bits(picture, file):
    """The picture of a file, its values scaled to 0..255 if they have more bits or are floats."""
    tags = getattr(file, "tag_v2", {})  # TIFF files have them
    deep_colours = picture.mode == "RGB" and tags.get(BITS_PER_SAMPLE, (8,))[0] == 16
    if picture.mode[0] not in "IF" and not deep_colours:
        return picture
    values = np.asarray(picture)  # convert() would clip them at 255
    if deep_colours:
        values = values * np.uint16(257)  # Pillow keeps their upper 8 bits
    # Row by row, because the picture may be very large. NaN becomes black.
    largest = max(row[np.isfinite(row)].max(initial=0) for row in values)
    white = white_of(file, tags, largest)
    scaled = np.empty(values.shape, np.uint8)
    for row, out in zip(values, scaled, strict=True):
        out[:] = np.round(np.nan_to_num(np.clip(row.astype(float), 0, white)) * (255 / white))
    return Image.fromarray(scaled)


def white_of(file, tags, largest):
    """The value that means white in a file with this largest value.

    It depends only on the file. If the file does not say how many of its 16 bits are used, their
    number is guessed from the largest value.
    """
    if file.mode == "F" and largest < 2:  # [0, 1]; resampling may give a little more
        return 1
    said = max(tags.get(MAX_SAMPLE_VALUE, (0,)))
    if said and said >= largest:
        return said
    if tags.get(BITS_PER_SAMPLE) == (12,):
        return 2**12 - 1
    if file.format in ("PNG", "PPM", "JPEG2000") and file.mode != "F" and largest > 255:
        return 2**16 - 1  # these formats always use the complete range
    return next((white for white in WHITES if largest <= white), largest)


def reduced(picture, width, height):
    """A PIL image in RGBA; reduced if it is much larger than (width, height), but never below."""
    if picture.mode in ("P", "1"):  # reduce() would average palette numbers
        picture = picture.convert("RGBA")
    factor = min(picture.width // (2 * width), picture.height // (2 * height))
    return (picture.reduce(factor) if factor > 1 else picture).convert("RGBA")


def halves(picture):
    """Left and right half of a PIL image; with an odd width, the middle column is in neither."""
    width, height = picture.size
    half = width // 2
    return picture.crop((0, 0, half, height)), picture.crop((width - half, 0, width, height))


def flat(picture, channels):
    """A PIL image in grey (1 channel) or in colour (3); transparent parts become white."""
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("L" if channels == 1 else "RGB")


def cropped(picture, width, height):
    """The largest part in the middle of a PIL image with the proportions width:height, resized."""
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def padded(picture, width, height):
    """The complete PIL image, padded with the colour of its border, and resized.

    Grey pictures that are dark on light become light on dark, like MNIST's digits.
    """
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    border = np.median(edge, axis=0).astype(int)
    colour = int(border) if picture.mode == "L" else tuple(border.tolist())
    picture = ImageOps.pad(picture, (width, height), Image.Resampling.LANCZOS, color=colour)
    return ImageOps.invert(picture) if picture.mode == "L" and border > 127 else picture


def read_all(paths, image_shape, fit="pad", half="left"):
    """Picture files of any size and mode -> float32 (n, *image_shape) in [-1, 1].

    Transparent parts become white. The pictures are resized with antialiasing. Raises
    utils.BadInput for a file that is not a picture.

    Args:
        paths: the files.
        image_shape: (height, width, channels) of the result; for a pair, of one of its pictures.
        fit: "pad" for drawn digits, see `padded`; "crop" for pictures as `load_folder` reads them;
            "pair" if some files may contain two pictures next to each other. Files that are twice
            as wide as high (within one pixel) are cut in halves first.
        half: which picture of a pair to take, "left" or "right".
    """
    height, width, channels = image_shape
    resized = padded if fit == "pad" else cropped
    arrays = []
    for path in paths:
        if fit == "pair":
            picture = decoded(path)  # in full size: in a fraction the halves would mix
            if picture.width > 1 and abs(picture.width - 2 * picture.height) <= 1:
                picture = halves(picture)[("left", "right").index(half)]
        else:
            picture = decoded(path, 2 * width, 2 * height)
        picture = flat(reduced(picture, width, height), channels)
        arrays.append(np.asarray(resized(picture, width, height), np.float32).reshape(image_shape))
    return np.stack(arrays) / 127.5 - 1


# ------------------------------------------------------------------------------------------ folders


def scan(folder):
    """The files of a folder of pictures, without decoding them: see `sorted_out`."""
    return sorted_out(folder, picture_files(folder))


def picture_files(folder):
    """All files in a folder and its sub-folders with the file ending of a picture, sorted.

    Skips hidden files and folders, and __MACOSX.
    """
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        paths = [pathlib.Path(parent, name) for name in names if name[0] != "."]
        files += [path for path in paths if path.suffix.lower() in known and path.is_file()]
    # By the parts of the path: Windows compares paths differently.
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def sorted_out(folder, files):
    """Classes and parts of the picture files of a folder.

    If there is a folder `train` and a folder `test` or `val`, these are the two parts: other files
    are left out, and the classes are the sub-folders of both. Otherwise the classes are the
    sub-folders, and `held_out` chooses the test part.

    Returns:
        paths, labels, class_names, test: files, int32 numbers of their classes, names of the
        classes, and for each file whether it is in the test part. If no file is, all pictures are
        used for both parts.
    """
    folders = [path.relative_to(folder).parts[:-1] for path in files]
    first = {names[0] for names in folders if names}
    parts = ("train", "test" if "test" in first else "val")
    divided = first.issuperset(parts)
    if divided:  # the training part first, so that both parts are slices
        chosen = [i for part in parts for i, names in enumerate(folders) if names[:1] == (part,)]
        files, folders = [files[i] for i in chosen], [folders[i] for i in chosen]
    depth = 1 if divided else 0  # which part of the path is the class
    classes = ["/".join(names[depth : depth + 1]) for names in folders]
    class_names = sorted(set(classes))
    numbers = {name: i for i, name in enumerate(class_names)}
    labels = np.array([numbers[name] for name in classes], np.int32)
    in_test = [names[0] == parts[1] for names in folders] if divided else held_out(labels)
    return files, labels, class_names, np.array(in_test, bool)


def held_out(labels):
    """Chooses the test pictures: labels (n,) -> bool (n,), True for every tenth of each class.

    Of a class with 2 to 9 pictures, it chooses the last one. A class with one picture has no test
    picture, because it is needed for training.
    """
    counts = np.bincount(labels)
    order = np.argsort(labels, kind="stable")
    position = np.empty(len(labels), int)  # of each picture within its class
    position[order] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    count = counts[labels]
    last_of_few = (position == count - 1) & (count >= 2) & (count < 10)
    return (position % 10 == 9) | last_of_few


def fingerprint(paths, folder):
    """A hash of the names (in the folder) and the sizes of these files, as hexadecimal digits."""
    lines = [f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n" for path in paths]
    return hashlib.sha256("".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


def load_folder(folder, size, pairs=False):
    """All pictures in a folder and its sub-folders, as arrays of one size.

    For classes and parts see `sorted_out`. Pictures are cropped to a square in the middle and
    resized with antialiasing. They are grey if all files are grey, else in colour. Files that
    cannot be read, or that are smaller than 8 pixels, are named on stdout and are ignored.

    Args:
        folder: its path.
        size: the side of the square in pixels.
        pairs: every file contains two pictures next to each other, left A and right B.

    Returns:
        x_train, y_train, x_test, y_test, class_names, fingerprint: pictures uint8
        (n, size, size, channels), for pairs (n, size, 2 size, channels); int32 numbers of their
        classes; the classes' names; the `fingerprint` of the test part.

    Raises:
        utils.BadInput: there is no picture, or there are too many for the memory.
    """
    folder = pathlib.Path(folder)
    files, labels, class_names, test = scan(folder)
    channels = 1 if all(is_grey(path) for path in files) else 3
    width = 2 * size if pairs else size
    most = MOST_BYTES // (size * width * channels)
    if len(files) > most:
        raise utils.BadInput(
            f"--data {folder}: {len(files)} pictures of {width}x{size} do not fit into the memory; "
            f"expected at most {most}, or a smaller --size"
        )
    images = np.empty((len(files), size, width, channels), np.uint8)
    kept, left_out = [], []
    for path in tqdm.tqdm(
        files, "reading", unit="picture", leave=False, disable=None if sys.stderr else True
    ):
        try:
            images[len(kept)] = one_or_pair(path, size, channels, pairs)
            kept.append(path)
        except utils.BadInput as error:
            left_out.append(str(error).removeprefix(f"{folder}{os.sep}").partition("; give ")[0])
    if left_out:
        more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        print(f"left out   {len(left_out)} of {len(files)} files: {'; '.join(left_out[:3])}{more}")
        images = images[: len(kept)]
        files, labels, class_names, test = sorted_out(folder, kept)
    if not kept:
        raise utils.BadInput(
            f"--data {folder}: no picture in this folder can be used; give a folder of PNG, JPEG, "
            f"... files of at least {TOO_SMALL} pixels"
        )
    if not test.any():
        return images, labels, images, labels, class_names, fingerprint(files, folder)
    x_test, train = images[test], np.flatnonzero(~test)
    # The training pictures are moved within their array: a copy would need the same memory again.
    for i, j in enumerate(train):
        if i != j:
            images[i] = images[j]
    tested = [path for path, chosen in zip(files, test, strict=True) if chosen]
    x_train = images[: len(train)]
    return x_train, labels[train], x_test, labels[test], class_names, fingerprint(tested, folder)


def is_grey(path):
    """Is it a picture without colours? Reads only the file's header."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            return file.mode in GREY
    except UNREADABLE:
        return True  # not a picture: it does not count


def one_or_pair(path, size, channels, pair):
    """One file as a uint8 array (size, size, channels), for a pair (size, 2 size, channels)."""
    if pair:
        picture = decoded(path)  # in full size: in a fraction the halves would mix
        sides = halves(picture)
    else:
        picture = decoded(path, 2 * size, 2 * size)
        sides = [picture]
    if min(sides[0].size) < TOO_SMALL:
        raise utils.BadInput(f"{path}: {picture.width}x{picture.height} pixels, too small")
    sides = [cropped(flat(reduced(side, size, size), channels), size, size) for side in sides]
    arrays = [np.asarray(side).reshape(size, size, channels) for side in sides]
    return np.concatenate(arrays, axis=1)
