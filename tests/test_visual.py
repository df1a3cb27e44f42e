import numpy as np
from PIL import Image

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
