"""Single picture files, and folders of them as people have them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import mnist_ds
import pictures
import utils
from conftest import ROOT, named, part_of
from test_scripts import run_in_process


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
    image = pictures.read_all([tmp_path / "wide.png"], (32, 32, 3), pictures.cropped)[0]
    assert np.abs(image - np.array([-1, -1, 1]))[:, 1:-1].max() < 0.02  # no red but at the edge


def test_resized_with_antialiasing(tmp_path):
    """Of lines one pixel apart, a smaller picture shows the mean and no moiré."""
    lines = np.zeros((640, 640), np.uint8)
    lines[:, ::2] = 255
    Image.fromarray(lines).save(tmp_path / "lines.png")
    image = pictures.read_all([tmp_path / "lines.png"], (28, 28, 1), pictures.cropped)[0]
    assert np.abs(image[2:-2, 2:-2]).max() < 0.05


def test_turned_as_the_camera_says(tmp_path):
    picture = Image.new("L", (60, 60), 0)
    picture.paste(255, (0, 0, 60, 20))  # the upper part is light
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = pictures.read_all([tmp_path / "turned.jpg"], (28, 28, 1), pictures.cropped)[0]
    assert image[14, -3] > 0.9
    assert image[3, 3] < -0.9


# ------------------------------------------------------------------------------------------ folders


def fill(folder, *names, size=(40, 40), mode="RGB"):
    """Pictures of different greys, in these files."""
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 10 * i + 5).convert(mode).save(folder / name)


def test_folder_with_sub_folders_as_classes(tmp_path):
    fill(tmp_path, *(f"{name}/{i:02}.png" for name in ("cat", "horse") for i in range(20)))
    data = mnist_ds.load(str(tmp_path), size=32)
    assert data.train_images.shape == (36, 32, 32, 3)
    assert data.train_images.dtype == np.uint8
    assert data.class_names == ("cat", "horse")
    assert np.bincount(data.train_labels).tolist() == [18, 18]
    assert np.bincount(data.test_labels).tolist() == [2, 2]
    assert data.only("horse").train_labels.tolist() == [1] * 18
    with pytest.raises(utils.BadInput, match=r"--label dog: .*cat, horse"):
        data.only("dog")


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_folder_with_its_own_parts(tmp_path, held_out):
    fill(tmp_path, *(f"train/horse/{i}.png" for i in range(5)))
    fill(tmp_path, *(f"{held_out}/horse/{i}.png" for i in range(3)), mode="L")
    fill(tmp_path, "elsewhere.png")
    data = mnist_ds.load(str(tmp_path), size=32)
    assert (len(data.train_images), len(data.test_images)) == (5, 3)
    assert data.class_names == ("horse",)


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
    assert len(data.train_images) == 5
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("left out   3 of 8 files: ")
    for part in (
        "broken.jpg: not a picture",
        "empty.png: not a",
        "tiny.png: 3x40 pixels, too small",
    ):
        assert part in said


def test_pictures_of_all_modes_and_sizes_in_one_folder(tmp_path):
    for i, mode in enumerate(("1", "L", "LA", "P", "RGB", "RGBA", "I;16")):
        ink(size=(30 + 50 * i, 90)).convert(mode).save(tmp_path / f"{i}.png")
    ink(mode="CMYK", size=(500, 80)).save(tmp_path / "c.jpg")
    data = mnist_ds.load(str(tmp_path), size=32)
    assert data.train_images.shape == (8, 32, 32, 3)
    for image in data.train_images:
        assert image[16, 16].max() < 100  # the stroke in the middle


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
    assert "5 32x32" in process.stdout
    assert int(process.stdout.split()[-1]) < 1000


HUGE = """
import resource, sys, utils, mnist_ds
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = mnist_ds.load(sys.argv[1], 32).train_images
assert (abs(images[3:].astype(int) - [200, 30, 30]) < 5).all()
print(len(images), "32x32", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_pairs_are_cut_in_halves(tmp_path):
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        for i in range(3):
            picture = Image.new("RGB", (100, 50), "red")
            picture.paste("blue", (50, 0, 100, 50))
            picture.save(tmp_path / name / f"{i}.png")
    data = mnist_ds.load(str(tmp_path), 32, pairs=True)
    assert data.image_shape == (32, 64, 3)
    np.testing.assert_array_equal(data.train_images[0, :, :32, 0], 255)
    np.testing.assert_array_equal(data.train_images[0, :, 32:, 2], 255)


def test_too_many_pictures_for_the_memory(tmp_path, monkeypatch):
    fill(tmp_path, "0.png", "1.png")
    monkeypatch.setattr(pictures, "MOST_BYTES", 5000)
    with pytest.raises(utils.BadInput, match=r"2 pictures of 32x32 do not fit .* smaller --size"):
        mnist_ds.load(str(tmp_path), 32)


def test_fewer_pictures_than_a_batch(tmp_path, monkeypatch, capsys):
    fill(tmp_path / "few", "a.png", "b.png")
    args = ["--data", tmp_path / "few", "--size", 32, "--out", tmp_path / "out"]
    code, errors = run_in_process(named("dcgan"), args, monkeypatch, capsys)
    assert code == 2
    assert errors.count("\n") == 1
    assert "--batch-size 32: expected at most 2, the number of training pictures" in errors
    assert not (tmp_path / "out").exists()


def test_array_data_are_brought_to_a_size(data):
    small = part_of(data, 5)
    large = small.resized(64)
    assert large.image_shape == (64, 64, 1)
    assert large.name == "mnist64"
    back = large.resized(28).train_images.astype(int)
    assert np.abs(back - small.train_images).mean() < 4
    assert mnist_ds.load(size=28).name == "mnist"


def test_grey_and_coloured_folders_are_made_alike(tmp_path):
    fill(tmp_path / "a", *(f"{i}.png" for i in range(3)), mode="L")
    fill(tmp_path / "b", *(f"{i}.png" for i in range(3)))
    a, b = mnist_ds.alike(*(mnist_ds.load(str(tmp_path / name), 32) for name in "ab"))
    assert a.image_shape == b.image_shape == (32, 32, 3)
    np.testing.assert_array_equal(a.train_images, b.train_images)
