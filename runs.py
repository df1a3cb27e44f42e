"""The folder of a run: what it contains, whether the run can resume, and how it is used later.

`run.json` says that a folder belongs to a run. It names the script, the settings, the precision,
the data and the code. In this module, the content of `run.json` is called the mark of the run.
"""

import ast
import dataclasses
import hashlib
import json
import math
import pathlib
import sys

import utils  # must be the first import: it prepares TensorFlow
import keras

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM, FORMAT = "mnist-gans", 2
MARK = "run.json"
# Settings whose text is not compared: instead, the precision that was chosen is compared, and the
# content of the data.
NOT_COMPARED = ("data", "precision")
# What --fresh deletes: all that a run writes into its folder, except run.json, which is replaced.
WRITTEN = (
    "frames/[0-9][0-9][0-9]*.png",
    "checkpoint/ckpt-*_temp/*",
    "checkpoint/ckpt-*",
    "checkpoint/checkpoint*",
    "generating.gif",
    "samples.png",
    "sampled.png",
    "sampled/[0-9][0-9][0-9][0-9]_*.png",
    "losses.png",
    "progress.png",
    "history.csv",
    "scores.json",
    "generator*.keras",
    ".part-*",
    "frames/.part-*",
)
# Files that the operating system creates.
NOBODYS = (".DS_Store", "Thumbs.db", "desktop.ini")
# Modules that do not change the results.
NO_PART_OF_THE_CODE = ("visual", "runs", "lessons")


@dataclasses.dataclass
class Run:
    """A run that was started: its settings, its data sets, and its precision."""

    settings: utils.Settings
    data: tuple
    precision: str
    history: list = dataclasses.field(default_factory=list)
    """one row of values for every training step, see training.train_epoch"""
    trained: bool = False
    """True if this process has trained, False if the run was already finished"""

    @property
    def out(self):
        """Its folder."""
        return pathlib.Path(self.settings.out)

    @property
    def frames(self):
        """The paths of its frames, in order."""
        return frame_paths(self.out)

    @property
    def chosen(self):
        """The settings as JSON returns them, without those that belong to one command only."""
        chosen = dataclasses.asdict(self.settings)
        chosen = {k: v for k, v in chosen.items() if k not in ("out", "fresh", "sample", "judge")}
        return json.loads(json.dumps(chosen))

    @property
    def mark(self):
        """The content of its run.json."""
        return {
            "program": PROGRAM,
            "format": FORMAT,
            "lesson": lesson_of(self.settings),
            "code": code_digest(script_of(self.settings)),
            "precision": self.precision,
            "machine": utils.device(),
            "data": [
                {
                    "name": part.name,
                    "fingerprint": part.fingerprint,
                    "train_fingerprint": part.train_fingerprint,
                    "train_pictures": len(part.train),
                    "image_shape": list(part.image_shape),
                    "class_names": part.names,
                    "fit": part.fit,
                }
                for part in self.data
            ],
            "settings": self.chosen,
        }


def script_of(settings):
    """The path of the script whose Settings these are."""
    return pathlib.Path(sys.modules[type(settings).__module__].__file__)


def lesson_of(settings):
    """The name of the script whose Settings these are, such as "ccgan"."""
    return script_of(settings).stem


def code_digest(script):
    """A hash of a script and of all that it uses from the project's modules, also indirectly.

    Definitions that the script does not use do not count; comments, docstrings and layout do not
    count either. A different version of Python may give a different hash.
    """
    sources, pieces, waiting = {}, {}, [(pathlib.Path(script), None)]
    while waiting:
        path, name = waiting.pop()
        if (path, name) in pieces:
            continue
        if path not in sources:
            sources[path] = Source(path)
            whole = sources[path].imports.get("tensorflow_setup")  # its import alone has an effect
            waiting += [(whole, None)] if whole else []
        source = sources[path]
        nodes = source.definitions.get(name, []) if name else source.tree.body
        pieces[path, name] = "".join(ast.dump(node) for node in nodes)
        for node in (part for whole in nodes for part in ast.walk(whole)):
            of_module = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if of_module and node.value.id in source.imports:
                waiting.append((source.imports[node.value.id], node.attr))
            elif isinstance(node, ast.Name) and node.id in source.definitions:
                waiting.append((path, node.id))
    text = sorted(f"{path.name} {name} {piece}" for (path, name), piece in pieces.items())
    return hashlib.sha256("".join(text).encode()).hexdigest()[:16]


class Source:
    """The source of a module: its syntax tree without docstrings, its definitions and imports."""

    def __init__(self, path):
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.definitions, self.imports = {}, {}
        for node in ast.walk(self.tree):
            if isinstance(getattr(node, "body", None), list):
                node.body = [part for part in node.body if not is_text(part)]
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    files = [folder / f"{alias.name}.py" for folder in (path.parent, HERE)]
                    file = next((file for file in files if file.exists()), None)
                    if file and alias.name not in NO_PART_OF_THE_CODE:
                        self.imports[alias.asname or alias.name] = file
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            inner = [part for target in filter(None, targets) for part in ast.walk(target)]
            names = [getattr(node, "name", None), *(getattr(part, "id", None) for part in inner)]
            for name in filter(None, names):
                self.definitions.setdefault(name, []).append(node)


def is_text(statement):
    """Is this statement only a string, such as a docstring?"""
    constant = getattr(statement, "value", None) if isinstance(statement, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def read_mark(folder):
    """The mark of the run in a folder: the content of run.json; None if there is no run."""
    try:
        mark = json.loads((pathlib.Path(folder) / MARK).read_text())
    except (OSError, ValueError):
        return None
    ours = isinstance(mark, dict) and mark.get("program") == PROGRAM
    return mark if ours else None


def checked_mark(settings):
    """The mark of the run in the output folder; None if the folder is empty.

    Raises BadInput if the folder contains anything else than a run of this script.
    """
    out = pathlib.Path(settings.out)
    mark = read_mark(out)
    if mark is None:
        files = (path for path in out.rglob("*") if path.is_file() and path.name not in NOBODYS)
        if is_old(out):
            what = "a run of an earlier version of this program, which cannot resume it"
        elif any(not path.name.startswith(".part-") for path in files):
            what = "files, but no run of this program"
        else:
            return None
    elif mark.get("format") != FORMAT:
        what = "a run of another version of this program"
    elif mark["lesson"] != lesson_of(settings):
        what = f"a run of {mark['lesson']}.py"
    else:
        return mark
    remedy = "choose an empty or a new one"
    if settings.sample is not None:
        remedy = "name the folder of a finished run of this script"
    raise utils.BadInput(f"--out {out}: the folder holds {what}; {remedy}")


def is_old(out):
    """Is this the folder of a run of an earlier version, which had no run.json?"""
    try:
        settings = json.loads((out / "settings.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and "steps_per_epoch" in settings


def open_run(run):
    """Prepare the folder of a run: a new one, or that of an earlier run that can resume.

    An unfinished run can resume; a finished run can continue with more epochs. Raises BadInput, and
    changes nothing, if the folder contains anything else. A run that stopped before its first
    checkpoint starts again: nothing is lost.
    """
    out = utils.folder(run.settings.out)
    mark, now = checked_mark(run.settings), run.mark
    if mark and not run.settings.fresh:
        if checkpoints(out):
            compare(run, mark, now)
            if mark["code"] != now["code"]:
                print("warning    the code has changed since this run began; --fresh starts over")
            now["code"] = mark["code"]
            now["machine"] = mark.get("machine", now["machine"])
        elif mark["settings"].get("epochs") and (out / "scores.json").exists():
            raise utils.BadInput(
                f"--out {out}: a finished run is there, whose checkpoint is gone; choose another "
                "--out, or delete that run with --fresh"
            )
    if mark and (run.settings.fresh or not checkpoints(out)):
        # First: if the process is killed here, the old run.json is still there for the remaining
        # files.
        delete(out)
    utils.write_json(out / MARK, now)
    (out / "frames").mkdir(exist_ok=True)


def checkpoints(out):
    """The paths of a run's checkpoints, without file endings, the newest last."""
    found = [path.with_suffix("") for path in out.glob("checkpoint/ckpt-*.index")]
    return sorted(found, key=epoch_of)


def epoch_of(checkpoint):
    """The epoch of a checkpoint, from its name."""
    return int(checkpoint.name.rpartition("-")[2])


def delete(out, patterns=WRITTEN):
    """Delete from a folder what a run has written there, and nothing else; BadInput on errors."""
    try:
        for pattern in patterns:
            for path in out.glob(pattern):
                path.rmdir() if path.is_dir() else path.unlink()
    except OSError as error:
        raise utils.BadInput(
            f"--out {out}: {error.filename} cannot be deleted ({error.strerror}); close what has "
            "it open, or choose another --out"
        ) from None


def compare(run, mark, now):
    """Raise BadInput unless the marks `mark` and `now` are of one run; `now` may be longer."""
    mine, theirs = now["settings"], mark["settings"]
    longer = run.settings.epochs > (theirs.get("epochs") or 0)
    differences = [
        f"{name} {theirs.get(name)} there, {mine.get(name)} now"
        for name in sorted((mine.keys() | theirs.keys()) - set(NOT_COMPARED))
        if theirs.get(name) != mine.get(name)
        and not (name == "epochs" and longer and run.settings.may_grow)
    ]
    if mark["precision"] != run.precision:
        differences.append(f"precision {mark['precision']} there, {run.precision} now")
    known = ("fingerprint", "train_fingerprint", "train_pictures", "image_shape", "class_names")
    pictures = [[[part.get(name) for name in known] for part in m["data"]] for m in (mark, now)]
    if not differences and pictures[0] != pictures[1]:
        counts = [[len(part["class_names"]) for part in m["data"]] for m in (mark, now)]
        differences = [f"other pictures in {' '.join(part['name'] for part in now['data'])}"]
        if counts[0] != counts[1]:
            differences += [f"{counts[0]} classes there, {counts[1]} now"]
    if not differences:
        return
    state = "a finished run" if (run.out / "scores.json").exists() else "an unfinished run"
    hint = ""
    if differences[0].startswith("epochs") and longer:
        hint = "; its learning rates fall to 0 at the last epoch, so more epochs need a new run"
    raise utils.BadInput(
        f"--out {run.out}: {state} with other settings is there ({'; '.join(differences)}{hint}); "
        "choose another --out, or delete that run with --fresh"
    )


def frame_paths(out):
    """The paths of a run's frames, in order."""
    return sorted((out / "frames").glob("[0-9]*.png"), key=lambda path: int(path.stem))


def read_scores(out):
    """The scores of a run; {} if it is not finished."""
    try:
        return json.loads((pathlib.Path(out) / "scores.json").read_text())
    except (OSError, ValueError):
        return {}


def peak_memory():
    """{"peak_memory": the largest memory of this process in GB}; {} where this is unknown."""
    try:
        import resource  # not on Windows
    except ImportError:
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}


# ----------------------------------------------------------------------------------------- sampling


def parse(settings_class, doc):
    """The settings of a script from the command line, see utils.parse.

    With --sample, settings that are not on the command line come from the run whose generator is
    used.
    """
    settings = utils.parse(settings_class, doc)
    if settings.sample is None:
        check_rates(settings)
        return settings
    mark = trained(settings)
    theirs = {k: tuple(v) if isinstance(v, list) else v for k, v in mark["settings"].items()}
    try:
        default = settings_class(**theirs, out=settings.out)
    except TypeError as error:  # an older run: a setting was renamed since
        raise utils.BadInput(f"--out {settings.out}: {error}; train again with --fresh") from None
    return utils.parse(settings_class, doc, default=default)


def check_rates(settings):
    """Raise BadInput for a learning rate with which nothing can be trained."""
    for field in dataclasses.fields(settings):
        if field.name.endswith("learning_rate"):
            option, rate = f"--{field.name.replace('_', '-')}", getattr(settings, field.name)
            utils.require(0 <= rate < math.inf, option, rate, "0 or more")


def trained(settings):
    """The mark of the finished run in the output folder; BadInput if there is none."""
    mark = checked_mark(settings)
    if mark is None or not (pathlib.Path(settings.out) / "scores.json").exists():
        raise utils.BadInput(
            f"--sample needs a trained generator, and there is none in {settings.out}; train one "
            "first by the same command without --sample, or name its folder with --out"
        )
    return mark


def trained_data(settings):
    """What the mark of the run in the output folder says about its training data."""
    return trained(settings)["data"][0]


def load_generator(out, name="generator"):
    """The generator that an earlier run saved in its folder, a keras.Model; BadInput on errors."""
    path = pathlib.Path(out) / f"{name}.keras"
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise utils.BadInput(
            f"{path} cannot be loaded ({reason}); train it again with --fresh"
        ) from None
