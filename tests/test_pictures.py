"""Single picture files, and folders of them as people have them."""

import io
import os
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc

import utils  # first of all: it prepares TensorFlow
import numpy as np
import pytest
from PIL import Image, features

import dcgan
import mnist_ds
import pictures
from conftest import ROOT


def ink(size=(60, 60), mode="L", paper=255, colour=0):
    """A picture of a vertical stroke on paper."""
    picture = Image.new("L", size, paper)
    picture.paste(colour, (size[0] // 2 - 4, 6, size[0] // 2 + 4, size[1] - 6))
    return picture.convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I;16", "F"])
def test_pictures_of_any_mode(tmp_path, mode):
    path = tmp_path / ("ink.tif" if mode in ("CMYK", "F") else "ink.png")
    if mode == "I;16":
        Image.fromarray(np.asarray(ink()).astype(np.uint16) * 257).save(path)
    else:
        ink(mode=mode).save(path)
    image = pictures.read_all([path], (28, 28, 1))[0]
    assert image.shape == (28, 28, 1)
    assert image.dtype == np.float32
    assert image[14, 14, 0] == pytest.approx(1, abs=0.05)  # the stroke, light
    assert image[14, 2, 0] == pytest.approx(-1, abs=0.05)  # the paper, dark


def test_light_on_dark_stays(tmp_path):
    ink(paper=0, colour=255).save(tmp_path / "chalk.png")
    image = pictures.read_all([tmp_path / "chalk.png"], (28, 28, 1))[0]
    assert image[14, 14, 0] == pytest.approx(1, abs=0.05)
    assert image[0, 0, 0] == pytest.approx(-1, abs=0.05)


def test_transparent_paper_is_white(tmp_path):
    picture = ink(mode="RGBA", paper=0)
    picture.putalpha(ink(paper=0, colour=255))
    picture.save(tmp_path / "clear.png")
    image = pictures.read_all([tmp_path / "clear.png"], (28, 28, 1))[0]
    assert image[14, 14, 0] > 0.9
    assert image[14, 2, 0] < -0.9


def test_narrow_pictures_are_padded_not_cut(tmp_path):
    ink(size=(20, 80)).save(tmp_path / "narrow.png")
    image = pictures.read_all([tmp_path / "narrow.png"], (28, 28, 1))[0, ..., 0]
    rows = np.flatnonzero(image.max(axis=1) > 0)
    assert len(rows) > 20  # the whole stroke, top to bottom
    assert image[:, :8].max() < -0.9


def test_colour_pictures_keep_their_colours(tmp_path):
    Image.new("RGB", (50, 50), (255, 0, 51)).save(tmp_path / "red.png")
    image = pictures.read_all([tmp_path / "red.png"], (32, 32, 3))[0]
    np.testing.assert_allclose(image[16, 16], [1, -1, -0.6], atol=0.02)


@pytest.mark.parametrize("content", [b"", b"just text", b"\x89PNG\r\n\x1a\n broken"])
def test_not_a_picture(tmp_path, content):
    (tmp_path / "file.png").write_bytes(content)
    with pytest.raises(utils.BadInput, match="not a picture"):
        pictures.read_all([tmp_path / "file.png"], (28, 28, 1))
    with pytest.raises(utils.BadInput, match="no such file"):
        pictures.read_all([tmp_path / "absent.png"], (28, 28, 1))


def test_cropped_to_the_middle(tmp_path):
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    picture.save(tmp_path / "wide.png")
    image = pictures.read_all([tmp_path / "wide.png"], (32, 32, 3), "crop")[0]
    assert np.abs(image - np.array([-1, -1, 1]))[:, 1:-1].max() < 0.02  # no red but at the edge


def test_resized_with_antialiasing(tmp_path):
    """Of lines one pixel apart, a smaller picture shows the mean and no moiré."""
    lines = np.zeros((640, 640), np.uint8)
    lines[:, ::2] = 255
    Image.fromarray(lines).save(tmp_path / "lines.png")
    image = pictures.read_all([tmp_path / "lines.png"], (28, 28, 1), "crop")[0]
    assert np.abs(image[2:-2, 2:-2]).max() < 0.05


def test_turned_as_the_camera_says(tmp_path):
    picture = Image.new("L", (60, 60), 0)
    picture.paste(255, (0, 0, 60, 20))  # the upper part is light
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = pictures.read_all([tmp_path / "turned.jpg"], (28, 28, 1), "crop")[0]
    assert image[14, -3] > 0.9
    assert image[3, 3] < -0.9


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not read AVIF")
def test_a_damaged_avif_file(tmp_path):
    """Pillow raises RuntimeError for some; each can be read or is refused in the right way."""
    whole = io.BytesIO()
    ink().save(whole, "AVIF")
    refused = 0
    for i in range(len(whole.getvalue())):
        content = bytearray(whole.getvalue())
        content[i] ^= 255
        (tmp_path / "file.avif").write_bytes(content)
        assert pictures.is_grey(tmp_path / "file.avif") in (True, False)
        try:
            pictures.read_all([tmp_path / "file.avif"], (28, 28, 1))
        except utils.BadInput:
            refused += 1
    assert refused


# ------------------------------------------------------------------------- more than 8 bits, floats


def ramp(largest, dtype):
    """A picture of 16x16 values that rise evenly from 0 to `largest`."""
    return np.linspace(0, largest, 256).reshape(16, 16).astype(dtype)


@pytest.mark.parametrize(
    ("name", "dtype", "largest", "white"),
    [
        ("a.png", np.uint16, 65535, 65535),
        ("a.png", np.uint16, 4000, 65535),  # a dark picture: PNG files use all of their range
        ("a.png", np.uint16, 255, 255),
        ("a.pgm", np.uint16, 4000, 65535),
        ("a.tif", np.uint16, 255, 255),
        ("a.tif", np.uint16, 256, 4095),
        ("a.tif", np.uint16, 4095, 4095),
        ("a.tif", np.uint16, 3000, 4095),
        ("a.tif", np.uint16, 4096, 16383),
        ("a.tif", np.uint16, 16383, 16383),
        ("a.tif", np.uint16, 16384, 65535),
        ("a.tif", np.uint16, 65535, 65535),
        ("a.tif", np.int32, 4000, 4095),
        ("a.tif", np.int32, 1_000_000, 1_000_000),
        ("a.tif", np.float32, 1, 1),
        ("a.tif", np.float32, 0.4, 1),
        ("a.tif", np.float32, 1.1, 1),  # by resampling, whose curves overshoot
        ("a.tif", np.float32, 255, 255),
        ("a.tif", np.float32, 30, 255),
        ("a.tif", np.float32, 4095, 4095),
        ("a.tif", np.float32, 65535, 65535),
    ],
)
def test_white_of_deep_pictures(tmp_path, name, dtype, largest, white):
    values = ramp(largest, dtype)
    Image.fromarray(values).save(tmp_path / name)
    expected = np.round(np.minimum(values.astype(float) / white, 1) * 255)
    np.testing.assert_array_equal(pictures.decoded(tmp_path / name), expected)


@pytest.mark.parametrize(("said", "white"), [(16383, 16383), (200, 4095), (10_000, 10_000)])
def test_a_tiff_file_may_say_what_is_white(tmp_path, said, white):
    values = ramp(3000, np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={281: said})
    expected = np.round(values.astype(float) / white * 255)  # a tag below its values is wrong
    np.testing.assert_array_equal(pictures.decoded(tmp_path / "a.tif"), expected)


def save_deep_colours(path, values, said=0):
    """A TIFF file of 16-bit colours, which Pillow cannot write; `said` as its MaxSampleValue."""
    height, width, _ = values.shape
    pixels = values.astype("<u2").tobytes()
    short, long = 3, 4
    entries = [
        (256, short, 1, width),
        (257, short, 1, height),
        (258, short, 3, 8),  # where the three numbers of bits are
        (259, short, 1, 1),  # not compressed
        (262, short, 1, 2),  # RGB
        (273, long, 1, 14),  # where the pixels are
        (277, short, 1, 3),
        (278, short, 1, height),
        (279, long, 1, len(pixels)),
    ]
    entries += [(281, short, 1, said)] if said else []
    content = struct.pack("<2sHI3H", b"II", 42, 14 + len(pixels), 16, 16, 16) + pixels
    content += struct.pack("<H", len(entries))
    content += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    path.write_bytes(content)


@pytest.mark.parametrize(("largest", "said"), [(4095, 0), (16383, 0), (65535, 0), (4000, 4095)])
def test_deep_colours(tmp_path, largest, said):
    """Of which Pillow keeps the upper 8 bits: 12 used ones are left with 4."""
    values = np.stack([ramp(largest, int), ramp(0, int), ramp(largest // 2, int)], axis=-1)
    save_deep_colours(tmp_path / "a.tif", values, said)
    picture = pictures.decoded(tmp_path / "a.tif")
    assert picture.mode == "RGB"
    np.testing.assert_allclose(picture, values / (said or largest) * 255, atol=17)


@pytest.mark.parametrize("largest", [1, 200, 60000])
def test_what_is_no_number_spoils_nothing(tmp_path, largest):
    values = ramp(largest, np.float32)
    Image.fromarray(values).save(tmp_path / "whole.tif")
    values[0, :3] = np.nan, -np.inf, np.inf
    Image.fromarray(values).save(tmp_path / "holes.tif")
    whole, holes = (
        np.array(pictures.decoded(tmp_path / name)) for name in ("whole.tif", "holes.tif")
    )
    assert holes[0, :3].tolist() == [0, 0, 255]
    np.testing.assert_array_equal(holes.flat[3:], whole.flat[3:])
    Image.fromarray(np.full((16, 16), np.nan, np.float32)).save(tmp_path / "none.tif")
    assert not np.any(pictures.decoded(tmp_path / "none.tif"))


@pytest.mark.parametrize("size", [28, 64])
def test_a_deep_picture_does_not_depend_on_its_neighbours(tmp_path, size):
    Image.fromarray(ramp(4000, np.uint16)).save(tmp_path / "a.tif")
    alone = pictures.load_folder(tmp_path, size)[0]
    Image.fromarray(ramp(60000, np.uint16)).save(tmp_path / "b.tif")
    Image.fromarray(ramp(1, np.float32)).save(tmp_path / "c.tif")
    np.testing.assert_array_equal(pictures.load_folder(tmp_path, size)[0][0], alone[0])
    assert alone.max() > 230


# -------------------------------------------------------------------------------------------- pairs


def pair(width, height, seam=0):
    """Red, and from column `seam` on, or from the middle, blue."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (seam or width // 2, 0, width, height))
    return picture


RED, BLUE = [1, -1, -1], [-1, -1, 1]


@pytest.mark.parametrize("size", [28, 64])
@pytest.mark.parametrize(
    ("width", "height", "seam"),
    [
        (100, 50, 50),
        (101, 50, 50),  # of an odd width, the column in the middle may be of either
        (101, 50, 51),
        (99, 50, 49),
        (99, 50, 50),
        (16, 8, 8),
        (1002, 501, 501),  # reduced as a whole, both would be mixed in the middle
    ],
)
def test_of_a_pair_only_one_half_is_seen(tmp_path, width, height, seam, size):
    pair(width, height, seam).save(tmp_path / "pair.png")
    for half, colour in (("left", RED), ("right", BLUE)):
        image = pictures.read_all([tmp_path / "pair.png"], (size, size, 3), "pair", half)[0]
        assert image.shape == (size, size, 3)
        assert image.dtype == np.float32
        assert (image == np.float32(colour)).all()


def test_of_a_pair_in_a_jpeg_file_only_one_half_is_seen(tmp_path):
    """In a file decoded at a fraction of its size, pixels stand for both halves."""
    pair(1004, 502).save(tmp_path / "pair.jpg", quality=100, subsampling=0)
    for half, colour in (("left", RED), ("right", BLUE)):
        image = pictures.read_all([tmp_path / "pair.jpg"], (28, 28, 3), "pair", half)[0]
        np.testing.assert_allclose(image, np.broadcast_to(colour, image.shape), atol=0.03)


@pytest.mark.parametrize("shape", [(90, 30), (98, 50), (103, 50), (40, 40), (1, 1), (1, 2)])
def test_what_is_no_pair_is_taken_whole(tmp_path, shape):
    pair(*shape).save(tmp_path / "a.png")
    for half in ("left", "right"):
        image = pictures.read_all([tmp_path / "a.png"], (32, 32, 3), "pair", half)
        np.testing.assert_array_equal(
            image, pictures.read_all([tmp_path / "a.png"], (32, 32, 3), "crop")
        )
    if shape[0] > 1:
        np.testing.assert_allclose(image[0, 16, [4, -4]], [RED, BLUE], atol=0.02)


# ------------------------------------------------------------------------------------------ folders


def fill(folder, *names, size=(40, 40), mode="RGB"):
    """Pictures of different greys, in these files."""
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 10 * i % 256 + 5).convert(mode).save(folder / name)


def several(folder, count):
    """{class: its number of pictures} -> names of files."""
    return [f"{folder}/{name}/{i:02}.png" for name, many in count.items() for i in range(many)]


def scanned(folder):
    """What `pictures.scan` finds: {name of the file: (its class, is it in the test part?)}."""
    paths, labels, names, test = pictures.scan(folder)
    assert labels.dtype == np.int32
    assert test.dtype == bool
    return {
        path.relative_to(folder).as_posix(): (names[label], bool(chosen))
        for path, label, chosen in zip(paths, labels, test, strict=True)
    }


@pytest.mark.parametrize("size", [32, 64])
def test_folder_with_sub_folders_as_classes(tmp_path, size):
    fill(tmp_path, *several(".", {"cat": 20, "horse": 20}))
    data = mnist_ds.load(str(tmp_path), size=size)
    assert data.image_shape == (size, size, 3)
    assert data.train.read().dtype == np.uint8
    assert data.class_names == ("cat", "horse")
    assert np.bincount(data.train.labels).tolist() == [18, 18]
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    greys = [10 * i % 256 + 5 for i in range(40)]
    assert data.test.read()[:, 0, 0, 0].tolist() == greys[9::10]
    assert data.train.read()[:, 0, 0, 0].tolist() == [g for g in greys if g not in greys[9::10]]
    assert data.only("horse").train.labels.tolist() == [1] * 18
    with pytest.raises(utils.BadInput, match=r"--label dog: .*cat, horse"):
        data.only("dog")


@pytest.mark.parametrize(
    ("count", "held_out"),
    [(1, []), (2, [1]), (3, [2]), (9, [8]), (10, [9]), (11, [9]), (20, [9, 19]), (25, [9, 19])],
)
def test_of_each_class_some_are_held_out(count, held_out):
    """Also if pictures of the classes lie between each other."""
    labels = np.array([0, 2] * count + [1] * 7 + [0] * (10 - count % 10))
    test = pictures.held_out(labels)
    assert np.flatnonzero(test[labels == 2]).tolist() == held_out
    assert np.flatnonzero(test[labels == 1]).tolist() == [6]
    assert test[labels == 0].sum() == np.sum(labels == 0) // 10


def test_no_class_of_two_is_without_a_test_picture(tmp_path):
    counts = {"one": 1, "two": 2, "nine": 9, "many": 30}
    fill(tmp_path, *several(".", counts))
    found = scanned(tmp_path)
    tested = {name: [f for f, (c, test) in found.items() if c == name and test] for name in counts}
    assert tested == {
        "one": [],
        "two": ["two/01.png"],
        "nine": ["nine/08.png"],
        "many": [f"many/{i}9.png" for i in range(3)],
    }
    assert len(found) == 42


@pytest.mark.parametrize("names", [["a.png"], ["cat/a.png", "dog/a.png"]])
def test_pictures_that_are_alone_serve_for_both_parts(tmp_path, names):
    fill(tmp_path, *names)
    x_train, y_train, x_test, y_test, class_names, _ = pictures.load_folder(tmp_path, 64)
    assert len(x_train) == len(names)
    np.testing.assert_array_equal(x_train, x_test)
    assert y_train.tolist() == y_test.tolist() == list(range(len(names)))
    assert class_names == ([""] if len(names) == 1 else ["cat", "dog"])


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_folder_with_its_own_parts(tmp_path, held_out):
    fill(tmp_path, *several("train", {"horse": 12, "cow": 1}), mode="L")
    fill(tmp_path, *several(held_out, {"horse": 3, "ant": 2}), size=(80, 80), mode="L")
    fill(tmp_path, "elsewhere.png", "more/elsewhere.png")
    if held_out == "test":
        fill(tmp_path, "val/horse/0.png", "val/owl/0.png")
    data = mnist_ds.load(str(tmp_path), size=32)
    assert data.class_names == ("ant", "cow", "horse")
    assert data.train.labels.tolist() == [1] + [2] * 12
    assert data.test.labels.tolist() == [0, 0, 2, 2, 2]
    assert data.train.read()[:, 0, 0, 0].tolist() == [125, *range(5, 125, 10)]
    assert data.test.read()[:, 0, 0, 0].tolist() == [35, 45, 5, 15, 25]


def test_what_programs_leave_behind_is_no_class(tmp_path):
    """Also in a folder that is itself below a hidden one."""
    folder = tmp_path / ".cache" / "p"
    fill(folder, "cat/0.png", "cat/1.png", "cat/__MACOSX.png")
    fill(folder, ".thumbnails/0.png", ".thumbnails/large/0.png", "__MACOSX/cat/0.png")
    fill(folder, "cat/.0.png", "cat/.hidden/0.png", "cat/__MACOSX/0.png", ".0.png")
    assert sorted(scanned(folder)) == ["cat/0.png", "cat/1.png", "cat/__MACOSX.png"]
    fill(folder, "train/a/0.png", "test/a/0.png", "test/.b/0.png", ".git/train/0.png")
    assert scanned(folder) == {"train/a/0.png": ("a", False), "test/a/0.png": ("a", True)}
    assert pictures.load_folder(folder, 32)[4] == ["a"]


def test_many_pictures_of_many_classes_are_sorted_out_soon(tmp_path):
    """In seconds, not hours; their files need not be there."""
    files = [tmp_path / f"{i // 5:05}" / f"{i % 5}.png" for i in range(100_000)]
    began = time.perf_counter()
    paths, labels, class_names, test = pictures.sorted_out(tmp_path, files)
    assert time.perf_counter() - began < 10  # for slow machines; 1 is common
    assert paths == files
    assert labels.tolist() == [i // 5 for i in range(100_000)]
    assert len(class_names) == test.sum() == 20_000


def test_the_order_of_pictures_is_that_of_their_names_everywhere(tmp_path):
    names = ["B/0.png", "a b/0.png", "a/0.png", "a/1.PNG", "a/B.png", "a/b.png"]
    fill(tmp_path, *names[::-1])
    order = ["B/0.png", "a/0.png", "a/1.PNG", "a/B.png", "a/b.png", "a b/0.png"]
    assert list(scanned(tmp_path)) == order


def test_the_fingerprint_is_of_the_test_part(tmp_path):
    fill(tmp_path / "a", *several(".", {"cat": 20, "dog": 3}))
    first = pictures.load_folder(tmp_path / "a", 32)[5]
    tested = [tmp_path / "a" / name for name in ("dog/02.png", "cat/19.png", "cat/09.png")]
    assert first == pictures.fingerprint(tested, tmp_path / "a")
    assert int(first, 16)
    # Not of where the folder is, nor of what becomes of the pictures.
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "c")
    assert pictures.load_folder(tmp_path / "b" / "c", 64)[5] == first
    with open(tmp_path / "a" / "cat" / "03.png", "ab") as file:
        file.write(b" ")
    assert pictures.load_folder(tmp_path / "a", 32)[5] == first
    # Of sizes, names and number.
    with open(tmp_path / "a" / "cat" / "09.png", "ab") as file:
        file.write(b" ")
    larger = pictures.load_folder(tmp_path / "a", 32)[5]
    (tmp_path / "b" / "c" / "cat" / "09.png").rename(tmp_path / "b" / "c" / "cat" / "09.PNG")
    renamed = pictures.load_folder(tmp_path / "b" / "c", 32)[5]
    (tmp_path / "b" / "c" / "dog" / "02.png").unlink()
    (tmp_path / "b" / "c" / "dog" / "01.png").unlink()
    fewer = pictures.load_folder(tmp_path / "b" / "c", 32)[5]
    assert len({first, larger, renamed, fewer}) == 4


def test_folder_of_grey_pictures_is_grey(tmp_path):
    fill(tmp_path, *(f"{i}.png" for i in range(12)), mode="L")
    fill(tmp_path, "16.png", mode="I;16")
    assert mnist_ds.load(str(tmp_path), size=28).image_shape == (28, 28, 1)
    fill(tmp_path, "colour.png")
    assert mnist_ds.load(str(tmp_path)).image_shape == (64, 64, 3)


def test_what_cannot_be_used_is_left_out_and_named(tmp_path, capsys):
    fill(tmp_path, *(f"{i}.png" for i in range(5)))
    fill(tmp_path, "tiny.png", size=(3, 40))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes.txt").write_text("not meant to be a picture")
    (tmp_path / "._0.png").write_text("what a Mac leaves behind")
    data = mnist_ds.load(str(tmp_path), size=32)
    assert (len(data.train), len(data.test)) == (4, 1)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("left out   3 of 8 files: ")
    for part in (
        "broken.jpg: not a picture",
        "empty.png: not a",
        "tiny.png: 3x40 pixels, too small",
    ):
        assert part in said


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("divided", [True, False])
def test_all_is_as_if_what_cannot_be_used_were_not_there(tmp_path, divided, size):
    """Classes, parts and fingerprint; every picture keeps its class and its part."""
    names = several("train" if divided else ".", {"cat": 3, "dog": 12})
    names += several("test", {"cat": 2, "dog": 2}) if divided else []
    fill(tmp_path / "whole", *names)
    expected = pictures.load_folder(tmp_path / "whole", size)
    shutil.copytree(tmp_path / "whole", tmp_path / "p")
    for folder in ("train", "test") if divided else (".",):
        for name in ("ant/0.png", "cat/0.png", "cat/zz.png", "dog/055.png", "dog/zz.png"):
            (tmp_path / "p" / folder / name).parent.mkdir(exist_ok=True)
            (tmp_path / "p" / folder / name).write_text("broken")
    found = pictures.load_folder(tmp_path / "p", size)
    for theirs, ours in zip(found, expected, strict=True):
        np.testing.assert_array_equal(theirs, ours)
    assert expected[0][:, 0, 0, 0].tolist()[:2] == [5, 15]
    assert len(expected[0]) == (15 if divided else 13)


def test_a_folder_without_a_usable_picture(tmp_path):
    (tmp_path / "broken.png").write_text("broken")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(utils.BadInput, match="no picture in this folder can be used"):
            pictures.load_folder(folder, 32)


def test_pictures_of_all_modes_and_sizes_in_one_folder(tmp_path):
    for i, mode in enumerate(("1", "L", "LA", "P", "RGB", "RGBA", "I;16")):
        ink(size=(30 + 50 * i, 90)).convert(mode).save(tmp_path / f"{i}.png")
    ink(mode="CMYK", size=(500, 80)).save(tmp_path / "c.jpg")
    x_train, _, x_test, *_ = pictures.load_folder(tmp_path, 32)
    images = np.concatenate([x_train, x_test])
    assert images.shape == (8, 32, 32, 3)
    for image in images:
        assert image[16, 16].max() < 100  # the stroke in the middle


def test_a_folder_takes_little_more_memory_than_its_pictures(tmp_path):
    fill(tmp_path, *(f"{i:02}.png" for i in range(60)))
    (tmp_path / "30.png").write_text("broken")
    pictures.load_folder(tmp_path, 16)  # what is loaded but once does not count
    tracemalloc.start()
    try:
        x_train, _, x_test, *_ = pictures.load_folder(tmp_path, 256)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(x_train), len(x_test)) == (54, 5)
    assert most < 1.3 * 60 * 256 * 256 * 3


def test_a_huge_picture_takes_little_memory(tmp_path):
    """100 megapixels among small ones, in a process that may have 1 GB more than it began with."""
    fill(tmp_path / "p", *(f"{i}.png" for i in range(3)))
    huge = Image.new("RGB", (10_000, 10_000), (200, 30, 30))
    huge.save(tmp_path / "p" / "huge.png", compress_level=1)
    huge.save(tmp_path / "p" / "huge.jpg")
    process = subprocess.run(
        [sys.executable, "-c", HUGE, str(tmp_path / "p")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.returncode == 0, process.stderr
    assert float(process.stdout) < 1  # GB


HUGE = """
import sys, pictures, runs
before = runs.peak_memory()
x_train, _, x_test, *_ = pictures.load_folder(sys.argv[1], 32)
assert (len(x_train), len(x_test)) == (4, 1)
assert (abs(x_train[3].astype(int) - [200, 30, 30]) < 5).all()
assert (abs(x_test[0].astype(int) - [200, 30, 30]) < 5).all()
print(runs.peak_memory()["peak_memory"] - before["peak_memory"] if before else 0)
"""


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(("width", "height"), [(100, 50), (1002, 501)])
def test_pairs_are_cut_in_halves(tmp_path, width, height, size):
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        for i in range(3):
            pair(width, height).save(tmp_path / name / f"{i}.png")
    data = mnist_ds.load(str(tmp_path), size, pairs=True)
    assert data.image_shape == (size, 2 * size, 3)
    images = data.train.read()
    assert (images[:, :, :size] == [255, 0, 0]).all()
    assert (images[:, :, size:] == [0, 0, 255]).all()


def test_too_many_pictures_for_the_memory(tmp_path, monkeypatch):
    fill(tmp_path, "0.png", "1.png")
    monkeypatch.setattr(pictures, "MOST_BYTES", 5000)
    with pytest.raises(utils.BadInput, match=r"2 pictures of 32x32 do not fit .* smaller --size"):
        pictures.load_folder(tmp_path, 32)


def test_fewer_pictures_than_a_batch(tmp_path, monkeypatch, capsys):
    fill(tmp_path / "few", "a.png", "b.png", "c.png")
    args = ["--data", tmp_path / "few", "--size", 32, "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["dcgan.py", *map(str, args), "--batch-size", "32"])
    with pytest.raises(SystemExit) as exit_:
        utils.run(dcgan.main)
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "--batch-size 32: expected at most 2, the number of training pictures" in errors
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [28, 64])
def test_array_data_are_brought_to_a_size(tmp_path, size):
    digits = mnist_ds.load("mnist").test.read(slice(5))
    labels = np.arange(5)
    np.savez(tmp_path / "five.npz", x_train=digits, y_train=labels, x_test=digits, y_test=labels)
    data = mnist_ds.load(str(tmp_path / "five.npz"), size)
    assert data.image_shape == (size, size, 1)
    assert data.name == ("five" if size == 28 else "five64")
    back = data.resized(28).train.read().astype(int)
    assert np.abs(back - digits).mean() < 4


def test_grey_and_coloured_folders_are_made_alike(tmp_path):
    fill(tmp_path / "a", *(f"{i}.png" for i in range(3)), mode="L")
    fill(tmp_path / "b", *(f"{i}.png" for i in range(3)))
    a, b = mnist_ds.alike(*(mnist_ds.load(str(tmp_path / name), 32) for name in "ab"))
    assert a.image_shape == b.image_shape == (32, 32, 3)
    np.testing.assert_array_equal(a.train.read(), b.train.read())
