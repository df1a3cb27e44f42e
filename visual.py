"""All pictures: grids tiled as arrays, frames and their GIF, and figures with axes or labels.

Pictures come in as the networks give them, (n, height, width, channels) in [-1, 1]. Input and
output are always drawn with the same brightness scale: -1 is black, 1 is white.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = 255  # white, as the pages on which the pictures are shown
WIDEST = 620  # pixels of a row of pictures in a frame
MOST_FRAMES = 50  # of a GIF


def to_uint8(images):
    """[-1, 1] -> uint8 [0, 255]; what lies outside is clipped."""
    return np.uint8(np.clip(np.round((np.asarray(images) + 1) * 127.5), 0, 255))


def tile(images, columns, gap=2):
    """Pictures (n, height, width, channels) in [-1, 1] -> one uint8 array, row by row."""
    images = to_uint8(images)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height + gap, width + gap, channels), BACKGROUND, np.uint8)
    cells[:count, :height, :width] = images
    cells = cells.reshape(rows, columns, height + gap, width + gap, channels)
    grid = cells.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap), channels)
    return grid[: rows * (height + gap) - gap, : columns * (width + gap) - gap]


def picture(image):
    """One picture (height, width, channels) in [-1, 1] as a PIL image."""
    pixels = to_uint8(image)
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def frame(rows, caption, columns=10, zoom=2, names=()):
    """One picture of labelled rows, as a PIL image: what is saved after every epoch.

    At most about 700 pixels wide, whatever the size of the pictures: larger ones are shown smaller.

    Args:
        rows: {label: pictures}, sets of the same size; they are shown below each other, and a set
            of more than `columns` pictures goes on in a further block of rows.
        caption: the line above, e.g. "epoch 3".
        names: of the columns, if they have any.
    """
    sets = {label: np.asarray(images) for label, images in rows.items()}
    count = len(next(iter(sets.values())))
    strips = [
        (label, tile(images[start : start + columns], columns))
        for start in range(0, count, columns)
        for label, images in sets.items()
    ]
    font = ImageFont.load_default(14)
    left = 10 + min(130, max(int(font.getlength(label)) for label in sets))
    top, gap, block_gap = 24 + 18 * bool(len(names)), 4, 10
    height, width, channels = strips[0][1].shape
    # By a whole number if larger, so that all pixels stay squares of one size.
    zoom = min(zoom, WIDEST // width) or WIDEST / width
    width, height = round(width * zoom), round(height * zoom)
    blocks = len(strips) // len(sets) if len(sets) > 1 else 1  # one row needs no gaps
    canvas = Image.new(
        "L" if channels == 1 else "RGB",
        (left + width + gap, top + len(strips) * (height + gap) + (blocks - 1) * block_gap),
        color="white",
    )
    draw = ImageDraw.Draw(canvas)
    draw.text((left, 3), caption, fill="black", font=font)
    for i, name in enumerate(names):
        center = left + width * (i + 0.5) / columns
        draw.text((center, top - 2), str(name)[:8], fill="black", font=font, anchor="mb")
    y = top
    filter_ = Image.Resampling.NEAREST if zoom >= 1 else Image.Resampling.LANCZOS
    for i, (label, strip) in enumerate(strips):
        shown = Image.fromarray(strip.squeeze(-1) if channels == 1 else strip)
        canvas.paste(shown.resize((width, height), filter_), (left, y))
        while font.getlength(label) > left - 8:
            label = label.rstrip("…")[:-1] + "…"
        draw.text((4, y + (height - 14) // 2), label, fill="black", font=font)
        y += height + gap + (block_gap if blocks > 1 and (i + 1) % len(sets) == 0 else 0)
    return canvas


def save_gif(path, frames, seconds=0.6, last_seconds=3.0):
    """Frames (paths of pictures), in this order, as a GIF that loops for ever.

    Of more than 50 frames the first, the last, and as many evenly between: what it costs to write
    the GIF, in time and memory, does not grow with the run. The last frame is held longer, for it
    is the one that people want to look at. Frames of another size than the last one, from before a
    script was changed, are left out.
    """
    if len(frames) > MOST_FRAMES:
        evenly = np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int)
        frames = [frames[i] for i in evenly]
    sizes = []
    for frame in frames:
        with Image.open(frame) as opened:
            sizes.append(opened.size)
    frames = [frame for frame, size in zip(frames, sizes, strict=True) if size == sizes[-1]]
    milliseconds = [int(1000 * seconds)] * (len(frames) - 1) + [int(1000 * last_seconds)]

    def opened():  # one after the other, so that they are not all in memory as they are drawn
        for frame in frames:
            with Image.open(frame) as picture:
                yield picture.convert("L" if picture.mode == "L" else "RGB")

    pictures = opened()
    next(pictures).save(
        path,
        format="GIF",
        save_all=True,
        append_images=pictures,
        duration=milliseconds if len(frames) > 1 else milliseconds[0],
        loop=0,
    )


def save_figure(path, rows, names, columns=20):
    """A large labelled figure: a named row for each set of pictures, a name above each column.

    Args:
        rows: {label: pictures (n, height, width, channels)}.
        names: n names, e.g. the classes; more than `columns` go on in a further block of rows.
    """
    import matplotlib.figure  # without pyplot: draws to a file on any machine, opens no window

    count = len(names)
    columns = min(columns, count)
    starts = range(0, count, columns)
    size = (0.8 * columns + 1.2, (0.85 * len(rows) + 0.2) * len(starts))
    figure = matplotlib.figure.Figure(figsize=size, dpi=120, layout="constrained")
    axes = iter(figure.subplots(len(rows) * len(starts), 1, squeeze=False)[:, 0])
    for start in starts:
        shown = [str(name)[:12] for name in names[start : start + columns]]
        for i, (label, images) in enumerate(rows.items()):
            ax = next(axes)
            strip = tile(images[start : start + columns], columns)
            cell = (strip.shape[1] + 2) / columns
            ax.imshow(
                strip.squeeze(-1) if strip.shape[-1] == 1 else strip, cmap="gray", vmin=0, vmax=255
            )
            ax.set_ylabel(label, rotation=0, ha="right", va="center")
            ax.set_yticks([])
            ax.set_xticks([cell * (k + 0.5) for k in range(len(shown))], shown)
            ax.tick_params(length=0, top=False, labeltop=i == 0, labelbottom=False)
            ax.spines[:].set_visible(False)
    figure.savefig(path, bbox_inches="tight")


def save_losses(path, history):
    """The losses and what the discriminator says, over the steps, as two plots below each other.

    Args:
        history: a list of {"epoch", "step", "seconds", and the step's figures}; figures whose names
            begin with "D(" are what the discriminator says, and go into the lower plot.
    """
    import matplotlib.figure

    names = [name for name in history[0] if name not in ("epoch", "step", "seconds")]
    groups = {
        "loss": [name for name in names if not name.startswith("D(")],
        "what D says": [name for name in names if name.startswith("D(")],
    }
    groups = {title: group for title, group in groups.items() if group}
    figure = matplotlib.figure.Figure(figsize=(8, 3 * len(groups)), dpi=100)
    axes = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    window = max(1, len(history) // 100)
    steps = np.arange(len(history))[window - 1 :] + 1
    for ax, (title, group) in zip(axes, groups.items(), strict=True):
        for name in group:
            values = np.array([row[name] for row in history])
            ax.plot(steps, np.convolve(values, np.ones(window) / window, "valid"), label=name)
        ax.set_ylabel(title)
        ax.grid(alpha=0.3)
        ax.legend(loc="center right", fontsize="small")
    axes[0].set_title(f"mean over {window} steps" if window > 1 else "")
    axes[-1].set_xlabel("training step")
    figure.tight_layout()
    figure.savefig(path)
