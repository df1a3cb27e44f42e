import numpy as np
import pytest
from PIL import Image, ImageFile

import visual


def test_to_uint8():
    values = visual.to_uint8(np.float32([-1, -0.6, 0, 1, 2, -3]))
    assert values.tolist() == [0, 51, 128, 255, 255, 0]
    assert values.dtype == np.uint8


def test_tile_puts_every_picture_in_its_place():
    images = np.stack([np.full((3, 4, 1), value) for value in (-1, -0.6, 0.2, 1)])
    grid = visual.tile(images, columns=3, gap=2)
    assert grid.shape == (2 * 3 + 2, 3 * 4 + 2 * 2, 1)
    assert (grid[:3, :4] == 0).all()
    assert (grid[:3, 6:10] == 51).all()
    assert (grid[:3, 12:16] == 153).all()
    assert (grid[5:8, :4] == 255).all()
    assert (grid[3:5] == visual.BACKGROUND).all()
    assert (grid[5:8, 6:] == visual.BACKGROUND).all()  # nothing there


def test_frame_shows_all_rows_at_one_brightness_scale():
    rows = {"": np.full((4, 8, 8, 1), -0.6), " ": np.full((4, 8, 8, 1), 0.2)}
    frame = visual.frame(rows, "", columns=2, zoom=2)
    pixels = np.asarray(frame)
    assert frame.mode == "L"
    assert (pixels == 51).sum() == (pixels == 153).sum() == 4 * 16 * 16
    assert np.asarray(visual.frame(rows, "epoch 4", columns=2)).shape == pixels.shape
    assert (np.asarray(visual.frame(rows, "epoch 4", columns=2)) != pixels).any()  # the caption


def test_frame_in_colour():
    rows = {"output": np.ones((2, 8, 8, 3)) * [1, -1, -1]}
    pixels = np.asarray(visual.frame(rows, "", columns=2, zoom=1)).reshape(-1, 3)
    assert (pixels == [255, 0, 0]).all(axis=1).sum() == 2 * 8 * 8


@pytest.mark.parametrize("columns", [1, 10, 100])
@pytest.mark.parametrize("side", [28, 48, 64, 256])
def test_frame_is_never_too_wide(side, columns):
    """Whole numbers of times larger, or smaller as far as it must be."""
    images = np.full((columns, side, side, 1), -1.0)
    names = [str(i) for i in range(columns)]
    labelled = visual.frame({"original": images, "completed": images}, "1", columns, names=names)
    assert labelled.width <= 720
    pixels = np.asarray(visual.frame({"": images}, "", columns))
    dark = (pixels < 128).sum(axis=1).max()
    strip = columns * (side + 2) - 2
    zoom = min(2, visual.WIDEST // strip) or visual.WIDEST / strip
    assert dark == zoom * side * columns if zoom >= 1 else dark > 0.9 * zoom * side * columns


def test_a_frame_in_which_large_pictures_are_shown_smaller():
    images = np.full((3, 256, 256, 3), -1.0)
    images[1] = [1, -1, 1]
    frame = visual.frame({"": images}, "", columns=3)
    assert frame.height < 256
    colours = [frame.getpixel((frame.width * x // 6, frame.height - 50)) for x in (1, 3, 5)]
    assert colours == [(0, 0, 0), (255, 0, 255), (0, 0, 0)]


def test_gif_holds_the_frames_in_order(tmp_path):
    paths = []
    for i, grey in enumerate((10, 200, 90)):
        paths.append(tmp_path / f"{i}.png")
        Image.new("L", (20, 12), grey).save(paths[-1])
    visual.save_gif(tmp_path / "moving.gif", paths, seconds=0.5, last_seconds=2)
    with Image.open(tmp_path / "moving.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (3, (20, 12), 0)
        shown, durations = [], []
        for i in range(3):
            gif.seek(i)
            shown.append(gif.convert("L").getpixel((5, 5)))
            durations.append(gif.info["duration"])
    assert shown == [10, 200, 90]
    assert durations == [500, 500, 2000]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_gif_of_a_long_run_has_at_most_50_frames(tmp_path, monkeypatch, mode):
    """What it costs does not grow with the run: no more than 50 files are looked at."""
    paths, greys = [], range(0, 240, 2)  # different ones: equal neighbours become one frame
    for i, grey in enumerate(greys):
        paths.append(tmp_path / f"{i}.png")
        Image.new(mode, (96, 80), grey if mode == "L" else (grey, 255 - grey, 0)).save(paths[-1])
    opened, decoded = [], []
    open_, load = Image.open, ImageFile.ImageFile.load
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or open_(path))

    def counted(picture):
        if picture.tile:  # not yet decoded
            decoded.append(picture.filename)
        return load(picture)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    visual.save_gif(tmp_path / "long.gif", paths, seconds=0.5, last_seconds=2)
    monkeypatch.undo()
    assert len(decoded) == len(set(opened)) == 50
    assert len(opened) <= 100
    with Image.open(tmp_path / "long.gif") as gif:
        assert gif.n_frames == 50
        shown, durations = [], []
        for i in range(50):
            gif.seek(i)
            shown.append(gif.convert("RGB").getpixel((5, 5))[0])
            durations.append(gif.info["duration"])
    assert (shown[0], shown[-1]) == (greys[0], greys[-1])
    assert set(np.diff(shown)) == {4, 6}  # every second or third
    assert durations == [500] * 49 + [2000]


def test_gif_leaves_out_frames_of_another_size(tmp_path):
    sizes = [(24, 12), (20, 12), (20, 12)]
    for i, size in enumerate(sizes):
        Image.new("L", size, 80 * i).save(tmp_path / f"{i}.png")
    visual.save_gif(tmp_path / "moving.gif", [tmp_path / f"{i}.png" for i in range(3)])
    with Image.open(tmp_path / "moving.gif") as gif:
        assert (gif.n_frames, gif.size) == (2, (20, 12))


def test_gif_of_one_frame(tmp_path):
    Image.new("L", (20, 12), 7).save(tmp_path / "0.png")
    visual.save_gif(tmp_path / "still.gif", [tmp_path / "0.png"])
    with Image.open(tmp_path / "still.gif") as gif:
        assert gif.size == (20, 12)


def test_figures(tmp_path):
    rows = {label: np.zeros((23, 28, 28, 1)) for label in ("original", "completed")}
    visual.save_figure(tmp_path / "figure.png", rows, [str(i) for i in range(23)])
    rows = {"colour": np.zeros((1, 32, 32, 3))}
    visual.save_figure(tmp_path / "one.png", rows, ["a_name_that_is_far_too_long.png"])
    history = [
        {"epoch": 1, "step": i, "seconds": i, "g_loss": i, "D(x)": 0.5} for i in range(1, 301)
    ]
    visual.save_losses(tmp_path / "losses.png", history)
    visual.save_losses(tmp_path / "short.png", history[:1])
    for name in ("figure", "one", "losses", "short"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) > 100
            assert len(set(picture.convert("L").tobytes())) > 10  # not blank
