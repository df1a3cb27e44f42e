import json
import types

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
    assert grid.shape == (2 * 3 + 2, 3 * 4 + 2 * 2, 2)
    assert (grid[:3, :4] == (0, 255)).all()
    assert (grid[:3, 6:10] == (51, 255)).all()
    assert (grid[:3, 12:16] == (153, 255)).all()
    assert (grid[5:8, :4] == (255, 255)).all()
    assert (grid[3:5, :, 1] == 0).all()  # transparent between the pictures
    assert (grid[5:8, 6:, 1] == 0).all()  # nothing there


def test_frame_shows_all_rows_at_one_brightness_scale():
    rows = {"": np.full((4, 8, 8, 1), -0.6), " ": np.full((4, 8, 8, 1), 0.2)}
    frame = visual.frame(rows, "", columns=2, zoom=2)
    pixels = np.asarray(frame.getchannel("L"))
    assert frame.mode == "LA"
    assert (pixels == 51).sum() == (pixels == 153).sum() == 4 * 16 * 16
    captioned = np.asarray(visual.frame(rows, "epoch 4", columns=2))
    assert captioned.shape == (*pixels.shape, 2)
    assert (captioned[..., 0] != pixels).any()  # the caption


def test_what_is_no_picture_is_transparent_with_grey_text():
    """So that it can be read on light and on dark pages."""
    rows = {"holed": np.full((2, 8, 8, 1), -1.0)}
    pixels = np.asarray(visual.frame(rows, "epoch 4", columns=2)).reshape(-1, 2)
    shown = {tuple(pixel) for pixel in pixels.tolist()}
    assert shown == {(0, 0), (0, 255), (visual.TEXT, 255)}
    contrast = [
        (light(a) + 0.05) / (light(b) + 0.05) for a, b in ((255, visual.TEXT), (visual.TEXT, 17))
    ]
    assert min(contrast) > 4


def light(grey):
    """How bright a grey value is to the eye, as WCAG computes it."""
    return ((grey / 255 + 0.055) / 1.055) ** 2.4


def test_rows_are_called_as_on_the_pages():
    images = np.full((2, 8, 8, 1), -1.0)
    frame = visual.frame({"holed": images, "completed": images}, "", columns=2)
    assert [label for label, *_ in frame.info["strips"]] == ["masked", "completed"]


def test_frame_in_colour():
    rows = {"output": np.ones((2, 8, 8, 3)) * [1, -1, -1]}
    pixels = np.asarray(visual.frame(rows, "", columns=2, zoom=1)).reshape(-1, 4)
    assert (pixels == [255, 0, 0, 255]).all(axis=1).sum() == 2 * 8 * 8


@pytest.mark.parametrize("columns", [1, 10, 100])
@pytest.mark.parametrize("side", [28, 48, 64, 256])
def test_frame_is_never_too_wide(side, columns):
    """Whole numbers of times larger, or smaller as far as it must be."""
    images = np.full((columns, side, side, 1), -1.0)
    names = [str(i) for i in range(columns)]
    labelled = visual.frame({"original": images, "completed": images}, "1", columns, names=names)
    assert labelled.width <= 720
    opaque = np.asarray(visual.frame({"": images}, "", columns).getchannel("A")) > 128
    dark = opaque.sum(axis=1).max()
    strip = columns * (side + 2) - 2
    zoom = min(2, visual.WIDEST // strip) or visual.WIDEST / strip
    assert dark == zoom * side * columns if zoom >= 1 else dark > 0.9 * zoom * side * columns


def test_a_frame_in_which_large_pictures_are_shown_smaller():
    images = np.full((3, 256, 256, 3), -1.0)
    images[1] = [1, -1, 1]
    frame = visual.frame({"": images}, "", columns=3)
    assert frame.height < 256
    colours = [frame.getpixel((frame.width * x // 6, frame.height - 50)) for x in (1, 3, 5)]
    assert colours == [(0, 0, 0, 255), (255, 0, 255, 255), (0, 0, 0, 255)]


def test_a_saved_frame_knows_where_its_rows_are(tmp_path):
    images = {name: np.full((5, 28, 28, 1), value) for name, value in (("a", -1.0), ("b", 0.2))}
    visual.save_frame(tmp_path / "frame.png", visual.frame(images, "epoch 1", columns=3))
    with Image.open(tmp_path / "frame.png") as frame:
        strips = json.loads(frame.text["strips"])
        assert [label for label, *_ in strips] == ["a", "b", "a", "b"]
        for label, *box in strips:
            row = np.asarray(frame.crop(box))
            assert row.shape == (2 * 28, 2 * (3 * 30 - 2), 2)
            assert (row[:, : 2 * 28, 0] == visual.to_uint8(images[label][0, 0, 0])).all()
            assert (row[:, 2 * 28 : 2 * 30, 1] == 0).all()


def test_gif_holds_the_frames_in_order(tmp_path):
    paths = []
    for i, grey in enumerate((10, 200, 90)):
        paths.append(tmp_path / f"{i}.png")
        Image.new("LA", (20, 12), (grey, 255)).save(paths[-1])
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


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_gif_of_a_long_run_has_at_most_50_frames(tmp_path, monkeypatch, mode):
    """What it costs does not grow with the run: no more than 50 files are looked at."""
    paths, greys = [], range(2, 242, 2)  # different ones: equal neighbours become one frame
    for i, grey in enumerate(greys):
        paths.append(tmp_path / f"{i}.png")
        colour = (grey, 255) if mode == "LA" else (grey, 255 - grey, 0, 255)
        Image.new(mode, (96, 80), colour).save(paths[-1])
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
        Image.new("LA", size, (80 * i, 255)).save(tmp_path / f"{i}.png")
    visual.save_gif(tmp_path / "moving.gif", [tmp_path / f"{i}.png" for i in range(3)])
    with Image.open(tmp_path / "moving.gif") as gif:
        assert (gif.n_frames, gif.size) == (2, (20, 12))


def test_gif_of_one_frame(tmp_path):
    Image.new("LA", (20, 12), (7, 255)).save(tmp_path / "0.png")
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
            assert picture.getpixel((0, 0))[3] == 0  # a transparent background
            assert len(set(picture.convert("RGBA").tobytes())) > 10  # not blank


@pytest.mark.parametrize("channels", [1, 3])
def test_gif_is_transparent_where_frames_are(tmp_path, channels):
    """In each frame: none shows what lay there in the one before."""
    paths = []
    for i in range(3):
        images = np.full((2, 8, 8, channels), -1.0)
        images[0] = 0.5
        frame = visual.frame({"": np.roll(images, i, axis=0)}, f"epoch {i}", columns=2)
        paths.append(tmp_path / f"{i}.png")
        visual.save_frame(paths[-1], frame)
    visual.save_gif(tmp_path / "moving.gif", paths)
    with Image.open(tmp_path / "moving.gif") as gif:
        for i, path in enumerate(paths):
            gif.seek(i)
            shown, wanted = (
                np.asarray(x.convert("RGBA")).astype(int) for x in (gif, Image.open(path))
            )
            opaque = wanted[..., 3] > 0
            assert (shown[..., 3] == wanted[..., 3]).all()
            assert np.abs(shown - wanted)[opaque].max() <= 1  # black is nearly 0


def moving_frames(folder, count, labels=("original", "completed")):
    """Frames whose first row stays and whose last row gets brighter; the paths."""
    paths = []
    for i in range(count):
        rows = {label: np.full((20, 8, 8, 1), -1.0) for label in labels}
        rows[labels[-1]] += 1.5 * i / count
        paths.append(folder / f"{i:03d}.png")
        visual.save_frame(paths[-1], visual.frame(rows, f"epoch {i}"))
    return paths


def test_progress_has_a_row_for_each_epoch(tmp_path):
    """Of the pictures that change, not of the originals; at most 20 of them."""
    for count, rows in ((3, 3), (60, 20)):
        visual.save_progress(tmp_path / "progress.png", moving_frames(tmp_path, count))
        with Image.open(tmp_path / "progress.png") as progress:
            grey, opacity = (np.asarray(progress.getchannel(c)).astype(int) for c in "LA")
        middle = progress.width - 10  # a place in the last column of pictures
        inside = grey[:, middle][opacity[:, middle] > 0]
        assert len(set(inside.tolist())) == rows
        assert (np.diff(inside) >= 0).all()  # in order


@pytest.mark.parametrize("before", [("generated",), ("source", "generated", "target", "more")])
def test_frames_from_before_a_change_are_left_out(before, tmp_path):
    """After a change of the rows that a script shows, a run can still resume."""
    old = moving_frames(tmp_path, 2, before)
    (tmp_path / "now").mkdir()
    now = moving_frames(tmp_path / "now", 3, ("source", "generated"))
    assert visual.alike(old + now) == now
    for part in ("progress.png", "strip.gif"):
        save = visual.save_progress if part == "progress.png" else visual.save_strip
        save(tmp_path / part, old + now)
        save(tmp_path / f"now_{part}", now)
        assert (tmp_path / part).read_bytes() == (tmp_path / f"now_{part}").read_bytes()


def test_strip_of_a_single_frame(tmp_path):
    visual.save_strip(tmp_path / "strip.gif", moving_frames(tmp_path, 1))
    with Image.open(tmp_path / "strip.gif") as gif:
        assert gif.n_frames == 1


@pytest.mark.parametrize(("smoothing", "middle"), [(0.9, 0.45), (None, 0.5)])
def test_middle_is_half_of_the_label_of_real_pictures(smoothing, middle, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(visual, "save_losses", lambda path, history, middle: given.append(middle))
    settings = types.SimpleNamespace(**({"smoothing": smoothing} if smoothing else {}))
    frames = moving_frames(tmp_path, 2)
    run = types.SimpleNamespace(settings=settings, history=[{}], frames=frames)
    visual.of_a_run(run, {}, ())["losses.png"](tmp_path / "losses.png")
    assert given == [pytest.approx(middle)]


def test_strip_shows_what_was_given_and_what_is_made(tmp_path):
    paths = moving_frames(tmp_path, 4, ("original", "holed", "completed"))
    visual.save_strip(tmp_path / "strip.gif", paths, count=8)
    with Image.open(tmp_path / "strip.gif") as gif:
        assert gif.n_frames == 4
        assert gif.size == (156, 2 * 16 + 4)  # eight tenths of a row's width
        brightness = []
        for i in range(4):
            gif.seek(i)
            shown = gif.convert("RGBA")
            assert shown.getpixel((5, 5))[0] <= 1  # the row above does not change
            brightness.append(shown.getpixel((5, 30))[0])
    assert brightness == sorted(set(brightness))


def test_what_the_discriminator_says_is_drawn_from_0_to_1(tmp_path, monkeypatch):
    """With a line where it cannot tell, and every loss in its own colour."""
    drawn = []
    figure_of = visual.figure_of

    def kept(*args, **options):
        figure, axes = figure_of(*args, **options)
        drawn.append(axes)
        return figure, axes

    monkeypatch.setattr(visual, "figure_of", kept)
    history = [{"epoch": 1, "step": i, "seconds": i, "g_loss": i, "D(x)": 0.5} for i in range(9)]
    visual.save_losses(tmp_path / "losses.png", history, middle=0.45)
    losses, said = drawn[0][:, 0]
    assert said.get_ylim() == (0, 1)
    assert [line.get_ydata()[0] for line in said.lines][-1] == 0.45
    assert losses.lines[0].get_color() == visual.COLOURS["g_loss"]
    history[3]["D(x)"] = 1.5  # a score, not a probability
    visual.save_losses(tmp_path / "losses.png", history)
    assert drawn[1][1, 0].get_ylim()[1] > 1.5
