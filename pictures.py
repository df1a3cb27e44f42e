"""Picture files of any kind, as arrays: single ones, whole folders, and aligned A|B pairs."""

import os
import pathlib
import warnings

import utils  # first of all: it quiets TensorFlow's start-up messages
import numpy as np
import tqdm
from PIL import Image, ImageOps

TOO_SMALL = 8  # pixels: what has a shorter side shows nothing that could be learned
MOST_BYTES = 4 * 2**30  # of all pictures of a folder, as they are kept in memory
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")


def read(path, width=0, height=0):
    """One picture file, turned as its camera says: a PIL image of 8 bits per channel, in RGBA.

    A picture much larger than (width, height) may come out smaller, though never smaller than
    that: one of 100 megapixels then takes a few hundred MB for a moment, and not a gigabyte.
    Raises utils.BadInput, beginning with the path, for a file that is not a picture.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            if width:
                file.draft(None, (2 * width, 2 * height))  # JPEG can be decoded at a fraction
            file.load()
            picture = ImageOps.exif_transpose(file)
    except FileNotFoundError:
        raise utils.BadInput(f"{path}: no such file; give picture files (PNG, JPEG, ...)") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise utils.BadInput(
            f"{path}: not a picture that can be read ({reason}); give PNG, JPEG, ... files"
        ) from None
    if picture.mode[0] in "IF":  # 16 bits and more: convert() would clip them at 255
        values = np.asarray(picture)
        values = values // 257 if values.max() > 255 else values
        picture = Image.fromarray(np.uint8(np.clip(values, 0, 255)))
    elif picture.mode in ("P", "1"):  # reduce() would mix the numbers of colours
        picture = picture.convert("RGBA")
    if width:
        factor = min(picture.width // (2 * width), picture.height // (2 * height))
        picture = picture.reduce(factor) if factor > 1 else picture
    return picture.convert("RGBA")


def flat(picture, channels):
    """A PIL image on white where it is transparent, grey (1 channel) or in colour (3)."""
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("L" if channels == 1 else "RGB")


def cropped(picture, width, height):
    """The largest part in the middle of a PIL image that has these proportions, resized."""
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def padded(picture, width, height):
    """The whole PIL image on a ground of its border's colour, resized; ink becomes light.

    Grey pictures of dark ink on light paper become light on dark, as MNIST's digits are.
    """
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    border = np.median(edge, axis=0).astype(int)
    colour = int(border) if picture.mode == "L" else tuple(border.tolist())
    picture = ImageOps.pad(picture, (width, height), Image.Resampling.LANCZOS, color=colour)
    return ImageOps.invert(picture) if picture.mode == "L" and border > 127 else picture


def read_all(paths, image_shape, fit=padded):
    """Picture files of any size and mode -> float32 (n, *image_shape) in [-1, 1].

    Transparency becomes white; resized with antialiasing. `fit` is `padded`, for drawn digits, or
    `cropped`, for pictures as `load_folder` reads them. Raises utils.BadInput for a file that is
    not a picture.
    """
    height, width, channels = image_shape
    images = [fit(flat(read(path, width, height), channels), width, height) for path in paths]
    arrays = [np.asarray(image, np.float32).reshape(image_shape) for image in images]
    return np.stack(arrays) / 127.5 - 1


# ------------------------------------------------------------------------------------------ folders


def load_folder(folder, size, pairs=False):
    """All pictures in a folder and its sub-folders, as arrays of one size.

    Where there is a folder `train` and one `test` or `val`, these are the two parts; otherwise
    every tenth picture is held out for the test (of less than ten, all serve for both). The
    classes are the sub-folders. Pictures are cropped to a square in the middle and resized with
    antialiasing; they are grey if all files are, else in colour. Files that cannot be read, or are
    smaller than 8 pixels, are left out and named on stdout.

    Args:
        folder: its path.
        size: the side of the square in pixels.
        pairs: every file holds two pictures beside each other, left A and right B.

    Returns:
        x_train, y_train, x_test, y_test, class_names: pictures uint8 (n, size, size, channels), of
        pairs (n, size, 2 size, channels), and the numbers of their classes.

    Raises:
        utils.BadInput: there is no picture, or there are too many for the memory.
    """
    folder = pathlib.Path(folder)
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in known and path.name[0] != "." and path.is_file()
    )
    parts = [[p for p in files if p.relative_to(folder).parts[0] == n] for n in ("train", "test")]
    if parts[0] and not parts[1]:
        parts[1] = [p for p in files if p.relative_to(folder).parts[0] == "val"]
    divided = all(parts)
    if divided:
        files = parts[0] + parts[1]

    channels = 1 if all(is_grey(path) for path in files) else 3
    width = 2 * size if pairs else size
    most = MOST_BYTES // (size * width * channels)
    if len(files) > most:
        raise utils.BadInput(
            f"--data {folder}: {len(files)} pictures of {width}x{size} do not fit into the memory; "
            f"expected at most {most}, or a smaller --size"
        )
    images, kept, left_out = [], [], []
    for path in tqdm.tqdm(files, "reading", unit="picture", leave=False, disable=None):
        try:
            images.append(one_or_pair(path, size, channels, pairs))
            kept.append(path)
        except utils.BadInput as error:
            left_out.append(str(error).removeprefix(f"{folder}{os.sep}").partition("; give ")[0])
    if left_out:
        more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        print(f"left out   {len(left_out)} of {len(files)} files: {'; '.join(left_out[:3])}{more}")
    if not images:
        raise utils.BadInput(
            f"--data {folder}: no picture in this folder can be used; give a folder of PNG, JPEG, "
            f"... files of at least {TOO_SMALL} pixels"
        )

    depth = 1 if divided else 0  # where in the path the class stands
    names = ["/".join(path.relative_to(folder).parts[depth:-1][:1]) for path in kept]
    class_names = sorted(set(names))
    images = np.stack(images).reshape(-1, size, width, channels)
    labels = np.array([class_names.index(name) for name in names])
    test = np.isin(kept, parts[1]) if divided else np.arange(len(kept)) % 10 == 9
    train = ~test
    if not test.any() or not train.any():
        train = test = np.ones(len(kept), bool)
    return images[train], labels[train], images[test], labels[test], class_names


def is_grey(path):
    """Is it a picture without colours? Reads no more than the file's head."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            return file.mode in GREY
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return True  # not a picture: has no say


def one_or_pair(path, size, channels, pair):
    """One file as a uint8 array (size, size, ...), of a pair (size, 2 size, ...)."""
    picture = read(path, 2 * size if pair else size, size)
    width, height = picture.size
    halves = [(0, 0, width // 2, height), (width // 2, 0, width // 2 * 2, height)]
    sides = [picture.crop(half) for half in halves] if pair else [picture]
    if min(sides[0].size) < TOO_SMALL:
        raise utils.BadInput(f"{path}: {width}x{height} pixels, too small")
    sides = [cropped(flat(side, channels), size, size) for side in sides]
    return np.concatenate([np.asarray(side) for side in sides], axis=1)
