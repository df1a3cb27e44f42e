"""All pictures: grids tiled as arrays, frames and their GIF, and plots with axes or labels.

Pictures are given as the networks return them, (n, height, width, channels) in [-1, 1]. Input and
output are always drawn with the same brightness scale: -1 is black, 1 is white.

What is drawn around the pictures is transparent, with grey text, so that it can be read on light
and on dark pages.
"""

import dataclasses
import json

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

TEXT = 0x77  # a grey with about the same contrast on white as on GitHub's dark background
GREY = f"#{TEXT:02x}{TEXT:02x}{TEXT:02x}"
WIDEST = 620  # pixels of a row of pictures in a frame
MOST_FRAMES = 50  # of a GIF
MOST_ROWS = 20  # of progress.png
# {label of a row in the scripts: label in the pictures}
SHOWN = {"holed": "masked"}
# The same value has the same colour in every plot.
COLOURS = {
    "d_loss": "#d1601b",
    "g_loss": "#2a7fc4",
    "D(x)": "#3a9e3a",
    "D(G(z))": "#c2459b",
    "l1": "#8a6fc9",
    "l2": "#8a6fc9",
    "cycle_loss": "#9c7a1c",
}


def to_uint8(images):
    """[-1, 1] -> uint8 [0, 255]; values outside are clipped."""
    return np.uint8(np.clip(np.round((np.asarray(images) + 1) * 127.5), 0, 255))


def tile(images, columns, gap=2):
    """Pictures (n, height, width, channels) in [-1, 1] -> one uint8 array, row by row.

    (height, width, channels + 1): the last channel is the opacity, 0 where there is no picture.
    """
    images = to_uint8(images)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    shape = rows * columns, height + gap, width + gap, channels + 1
    cells = np.zeros(shape, np.uint8)
    cells[:count, :height, :width, :channels] = images
    cells[:count, :height, :width, channels] = 255
    cells = cells.reshape(rows, columns, *shape[1:])
    grid = cells.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap), shape[-1])
    return grid[: rows * (height + gap) - gap, : columns * (width + gap) - gap]


def tiled(images, columns):
    """The same as a PIL image, "LA" or "RGBA"."""
    grid = tile(images, columns)
    return Image.fromarray(grid, "LA" if grid.shape[-1] == 2 else "RGBA")


def picture(image):
    """One picture (height, width, channels) in [-1, 1] as a PIL image."""
    pixels = to_uint8(image)
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def frame(rows, caption, columns=10, zoom=2, names=()):
    """A picture of labelled rows, as a PIL image; one is saved after every epoch.

    It is at most about 700 pixels wide; large pictures are shown smaller. Its `info["strips"]` says
    where each row of pictures is: (label, left, top, right, bottom).

    Args:
        rows: {label: pictures}, sets of the same size; they are shown below each other, and a set
            of more than `columns` pictures continues in another block of rows.
        caption: the line above, e.g. "epoch 3".
        names: the names of the columns, if they have any.
    """
    sets = {label: np.asarray(images) for label, images in rows.items()}
    count = len(next(iter(sets.values())))
    strips = [
        (SHOWN.get(label, label), tiled(images[start : start + columns], columns))
        for start in range(0, count, columns)
        for label, images in sets.items()
    ]
    font = ImageFont.load_default(14)
    left = 10 + min(130, max(int(font.getlength(label)) for label, _ in strips))
    top, gap, block_gap = 24 + 18 * bool(len(names)), 4, 10
    width, height = strips[0][1].size
    # If enlarged, by an integer, so that all pixels have the same size.
    zoom = min(zoom, WIDEST // width) or WIDEST / width
    width, height = round(width * zoom), round(height * zoom)
    blocks = len(strips) // len(sets) if len(sets) > 1 else 1  # one row needs no gaps
    size = left + width + gap, top + len(strips) * (height + gap) + (blocks - 1) * block_gap
    canvas = Image.new(strips[0][1].mode, size)
    write(canvas, (left, 3), caption)
    for i, name in enumerate(names):
        write(canvas, (left + width * (i + 0.5) / columns, top - 2), str(name)[:8], anchor="mb")
    y, canvas.info["strips"] = top, []
    filter_ = Image.Resampling.NEAREST if zoom >= 1 else Image.Resampling.LANCZOS
    for i, (label, strip) in enumerate(strips):
        canvas.paste(strip.resize((width, height), filter_), (left, y))
        canvas.info["strips"].append((label, left, y, left + width, y + height))
        while font.getlength(label) > left - 8:
            label = label.rstrip("…")[:-1] + "…"
        write(canvas, (4, y + (height - 14) // 2), label)
        y += height + gap + (block_gap if blocks > 1 and (i + 1) % len(sets) == 0 else 0)
    return canvas


def write(canvas, place, text, anchor=None):
    """Write grey text onto a transparent "LA" or "RGBA" image."""
    # No half-transparent pixels: a GIF cannot have them, and PNG and GIF should look the same.
    mask = Image.new("1", canvas.size)
    ImageDraw.Draw(mask).text(place, text, fill=1, font=ImageFont.load_default(14), anchor=anchor)
    grey = (TEXT, 255) if canvas.mode == "LA" else (TEXT, TEXT, TEXT, 255)
    canvas.paste(grey, (0, 0), mask)


def save_frame(path, frame):
    """Save a picture of `frame` as a PNG, together with the places of its rows of pictures."""
    facts = PngImagePlugin.PngInfo()
    facts.add_text("strips", json.dumps(frame.info.get("strips", [])))
    frame.save(path, format="PNG", pnginfo=facts)


def save_gif(path, frames, seconds=0.6, last_seconds=3.0):
    """Frames (paths of pictures), in this order, as a GIF that loops for ever.

    A GIF has at most 50 frames: the first, the last, and some in between at equal distances. So the
    time and memory for the GIF do not grow with the run. The last frame is shown longer, because it
    is the result. Frames whose size is not that of the last one are left out: they are from before
    the script was changed.
    """
    frames = evenly(frames, MOST_FRAMES)
    sizes = []
    for frame in frames:
        with Image.open(frame) as opened:
            sizes.append(opened.size)
    frames = [frame for frame, size in zip(frames, sizes, strict=True) if size == sizes[-1]]
    milliseconds = [int(1000 * seconds)] * (len(frames) - 1) + [int(1000 * last_seconds)]

    def opened():  # one by one, so that they are not all in memory
        for frame in frames:
            with Image.open(frame) as picture:
                yield picture.copy()

    write_gif(path, opened(), milliseconds)


def write_gif(path, pictures, milliseconds):
    """Save "LA" or "RGBA" images, one or more, as a GIF that loops for ever.

    Args:
        pictures: an iterable of them; it is iterated over once.
        milliseconds: how long each is shown.
    """
    shown = map(indexed, pictures)
    next(shown).save(
        path,
        format="GIF",
        save_all=True,
        append_images=shown,
        duration=milliseconds if len(milliseconds) > 1 else milliseconds[0],
        loop=0,
        transparency=0,
        disposal=2,  # each frame is drawn on an empty canvas
    )


def indexed(picture):
    """An "LA" or "RGBA" image with at most 256 colours, of which number 0 is transparent."""
    opaque = np.asarray(picture.getchannel("A")) >= 128
    if picture.mode == "LA":
        levels = np.asarray(picture.getchannel("L")).clip(1)  # black is nearly 0
        palette = np.repeat(np.arange(256, dtype=np.uint8), 3)
    else:
        reduced = picture.convert("RGB").quantize(255, dither=Image.Dither.NONE)
        levels = np.asarray(reduced) + 1
        palette = [0, 0, 0, *reduced.getpalette()]
    found = Image.fromarray(np.where(opaque, levels, 0).astype(np.uint8), "P")
    found.putpalette(bytes(palette))
    return found


def of_a_run(run, rows, names):
    """{file name: function that saves the picture to a path} for the pictures of a finished run.

    Args:
        run: a runs.Run, after the training.
        rows, names: the samples and their names, see `save_figure`.
    """
    pictures = {"samples.png": lambda path: save_figure(path, rows, names)}
    if run.history:
        # D's best answer if it cannot tell real from generated: half of the label of real pictures.
        middle = getattr(run.settings, "smoothing", 1.0) / 2
        if strips_of(run.frames[-1]):
            pictures["progress.png"] = lambda path: save_progress(path, run.frames)
        pictures["losses.png"] = lambda path: save_losses(path, run.history, middle)
    return pictures


@dataclasses.dataclass
class Row:
    """A row of pictures in the frames of a run."""

    label: str
    images: list
    """in each frame, as PIL images"""

    @property
    def moves(self):
        """Does it change from frame to frame? It does if a network has made it."""
        return self.images[0].tobytes() != self.images[-1].tobytes()


def strips_of(path):
    """Where the rows of pictures of a saved frame lie; [] if it does not say."""
    with Image.open(path) as frame:
        return json.loads(frame.text.get("strips", "[]"))


def alike(frames):
    """Those frames whose rows of pictures lie where those of the last one do. The others are from
    before the script was changed.
    """
    last = strips_of(frames[-1])
    return [path for path in frames if strips_of(path) == last]


def rows_of(frames):
    """The first block of rows of pictures, cut out of frames: a list of Rows. Where all rows have
    one label, the first two of them.

    Args:
        frames: paths of pictures that `save_frame` has written, in order.
    """
    rows = []
    for path in frames:
        strips = strips_of(path)
        count = len({label for label, *_ in strips})
        with Image.open(path) as frame:
            for i, (label, *box) in enumerate(strips[: count if count > 1 else 2]):
                if path == frames[0]:
                    rows.append(Row(label, []))
                rows[i].images.append(frame.crop(box))
    return rows


def first_moving(rows):
    """The number of the first row that changes from frame to frame; if none does, of the last."""
    return next((i for i, row in enumerate(rows) if row.moves), len(rows) - 1)


def listed(parts):
    """Rows of pictures below each other, each with its label; and lines of text between them.

    Args:
        parts: (label, a PIL image, "LA" or "RGBA"), or (text, None).
    """
    left, gap, line = 96, 4, 26
    images = [image for _, image in parts if image]
    colour = any(image.mode == "RGBA" for image in images)
    font = ImageFont.load_default(14)
    texts = [int(font.getlength(text)) + 8 for text, image in parts if not image]
    width = max([left + image.width for image in images] + texts)
    height = sum(image.height + gap if image else line for _, image in parts)
    canvas, y = Image.new("RGBA" if colour else "LA", (width, height)), 0
    for text, image in parts:
        if image:
            write(canvas, (4, y + (image.height - 14) // 2), text)
            canvas.paste(image.convert(canvas.mode), (left, y))
            y += image.height + gap
        else:
            write(canvas, (4, y + 6), text)
            y += line
    # Photographs are large as PNG; with fewer colours they are smaller.
    return canvas.quantize(128, method=Image.Quantize.FASTOCTREE) if colour else canvas


def save_strip(path, frames, count=8):
    """A GIF without text: the first pictures of a run, and above them the row that they were made
    from, if there is one.
    """
    frames = alike(frames)
    rows = rows_of(frames)
    number = first_moving(rows)
    shown = rows[max(0, number - 1) : number + 1]

    def drawn(frame):
        width, height = shown[0].images[0].size
        part = width * count // 10, height
        canvas = Image.new(shown[0].images[0].mode, (part[0], len(shown) * (height + 4) - 4))
        for i, row in enumerate(shown):
            canvas.paste(row.images[frame].crop((0, 0, *part)), (0, i * (height + 4)))
        return canvas

    milliseconds = [500] * (len(frames) - 1) + [2500]
    write_gif(path, map(drawn, range(len(frames))), milliseconds)


def evenly(items, most):
    """At most `most` items: the first, the last, and others at equal distances."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def save_progress(path, frames):
    """One row per epoch, at most 20 rows: the same pictures after each epoch.

    If frames have several rows, it shows the first row that changes from epoch to epoch.
    """
    frames = evenly(alike(frames), MOST_ROWS)
    rows = rows_of(frames)
    labels = [f"epoch {int(frame.stem)}" for frame in frames]
    listed([*zip(labels, rows[first_moving(rows)].images, strict=True)]).save(
        path, format="PNG", optimize=True
    )


def figure_of(size, rows=1, columns=1, height_ratios=None, **options):
    """A matplotlib figure of this size in inches, with a transparent background and grey text; and
    its axes, as an array (rows, columns).
    """
    import matplotlib.figure  # without pyplot: draws to a file on any machine, opens no window

    names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    with matplotlib.rc_context(dict.fromkeys(names, GREY)):
        figure = matplotlib.figure.Figure(figsize=size, facecolor="none", **options)
        axes = figure.subplots(rows, columns, squeeze=False, height_ratios=height_ratios)
        for ax in axes.flat:
            ax.set_facecolor("none")
            ax.tick_params(colors=GREY)
    return figure, axes


def save_figure(path, rows, names, columns=10):
    """A large labelled figure: a named row for each set of pictures, a name above each column.

    Args:
        rows: {label: pictures (n, height, width, channels)}.
        names: n names, e.g. the classes; more than `columns` continue in another block of rows.
    """
    count = len(names)
    columns = min(columns, count)
    starts = range(0, count, columns)
    size = (0.8 * columns + 1.2, (0.85 * len(rows) + 0.2) * len(starts))
    figure, axes = figure_of(size, len(rows) * len(starts), dpi=120, layout="constrained")
    axes = iter(axes[:, 0])
    for start in starts:
        shown = [str(name)[:12] for name in names[start : start + columns]]
        for i, (label, images) in enumerate(rows.items()):
            ax = next(axes)
            strip = tiled(images[start : start + columns], columns).convert("RGBA")
            cell = (strip.width + 2) / columns
            ax.imshow(np.asarray(strip))
            ax.set_ylabel(SHOWN.get(label, label), rotation=0, ha="right", va="center")
            ax.set_yticks([])
            ax.set_xticks([cell * (k + 0.5) for k in range(len(shown))], shown)
            ax.tick_params(length=0, top=False, labeltop=i == 0, labelbottom=False)
            ax.spines[:].set_visible(False)
    figure.savefig(path, bbox_inches="tight")


def save_losses(path, history, middle=0.5):
    """The losses and what the discriminator says, over the steps, as two plots below each other.

    Args:
        history: a list of {"epoch", "step", "seconds", and the step's figures}; figures whose names
            begin with "D(" are what the discriminator says, and go into the lower plot.
        middle: what D says of every picture when it can no longer tell real from generated.
    """
    names = [name for name in history[0] if name not in ("epoch", "step", "seconds")]
    window = max(1, len(history) // 100)
    mean = f" (mean over {window} steps)" if window > 1 else ""
    groups = {
        f"losses{mean}": [name for name in names if not name.startswith("D(")],
        f"what D says{mean}: 1 = real, 0 = generated": [n for n in names if n.startswith("D(")],
    }
    groups = {title: group for title, group in groups.items() if group}
    figure, axes = figure_of((8, 3 * len(groups)), len(groups), dpi=100, layout="constrained")
    steps = np.arange(len(history))[window - 1 :] + 1
    for ax, (title, group) in zip(axes[:, 0], groups.items(), strict=True):
        for name in group:
            values = np.array([row[name] for row in history])
            shown = np.convolve(values, np.ones(window) / window, "valid")
            ax.plot(steps, shown, label=name, color=COLOURS.get(name), lw=1.2)
        if title.startswith("what D says"):
            ax.axhline(middle, color=GREY, ls="--", lw=1, label=f"{middle:g}: cannot tell")
            low, high = ax.get_ylim()
            ax.set_ylim(min(0, low), max(1, high))
        ax.set_title(title, fontsize=11)
        ax.grid(alpha=0.3)
        ax.legend(
            loc="upper right", ncols=3, fontsize="small", labelcolor="linecolor", frameon=False
        )
    axes[-1, 0].set_xlabel("training step")
    figure.savefig(path)
