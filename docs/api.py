"""Make docs/api.md, what there is in Python and the options of every task, from docstrings and declarations.

python docs/api.py
"""

import dataclasses
import inspect
import re
from functools import cached_property
from pathlib import Path

import elman
from elman import tasks
from elman.diagnosis.result import Finding, LayerDiagnosis
from elman.engine import Explanation
from elman.generation.events import EventStream
from elman.generation.listening import SpeechStream
from elman.generation.stream import TextStream
from elman.generation.tagging import SeriesStream
from elman.layers.options import Options
from elman.layers.states import States
from elman.layers.stepper import Stepper
from elman.training.options import MAY_CHANGE

PAGE = Path(__file__).parent / "api.md"
PARTS = {
    "Layers": (
        elman.RNN,
        elman.GRU,
        elman.LSTM,
        elman.Recurrent,
        Options,
        States,
        elman.Dropout,
        elman.LockedDropout,
    ),
    "Single steps": (elman.RNNCell, elman.GRUCell, elman.LSTMCell, Stepper),
    "A cell of one's own": (elman.Cell,),
    "Recurrences by themselves": (elman.scan, elman.linear_scan, elman.selective_scan),
    "Models that are there": (
        elman.convert,
        elman.from_keras,
        elman.to_keras,
        elman.explain,
        Explanation,
        elman.diagnose,
        elman.Diagnosis,
        Finding,
        LayerDiagnosis,
    ),
    "How it runs": (elman.backend, elman.precision, elman.kept_pages, elman.Waiting, elman.clear_cache),
    "Runs": (elman.train, elman.load, elman.Run),
    "Streams": (TextStream, SpeechStream, SeriesStream, EventStream),
    "Errors": (
        elman.ElmanError,
        elman.UsageError,
        elman.DataError,
        elman.RunError,
        elman.NonFiniteError,
        elman.FallbackWarning,
    ),
}
MADE = (
    *(States, Stepper, Explanation, elman.Diagnosis, Finding, LayerDiagnosis, elman.Run),
    *(TextStream, SpeechStream, SeriesStream, EventStream),
)
"""What nobody constructs: something else returns it."""

SHARED = ("forward", "stepper", "cell", "output_size", "weights")
"""Methods that all layers have: described once, of the first."""
OWN = "elman."
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")
ENTRY = re.compile(r"([\w, *]+): (.*)")


def page():
    """The whole page."""
    parts = [f"## {title}\n\n" + "\n\n".join(map(described, things)) for title, things in PARTS.items()]
    return "\n\n".join([HEAD, *parts, task_options()]) + "\n"


HEAD = """# Reference

Made by `python docs/api.py` from docstrings. B is the number of rows of a batch, T that of time steps, I and H those
of features of input and state, D that of directions, L that of layers, P that of features of a projection. How layers
are used stands in [layers.md](layers.md), what networks are trained on in [tasks.md](tasks.md), how the engine works in
[engine.md](engine.md), and a whole cell of one's own in [extending.md](extending.md)."""


def described(thing):
    """A function, or a class with its methods."""
    own = [f"### {name_of(thing)}{signature(thing)}", text(thing)]
    if not inspect.isclass(thing) or issubclass(thing, Exception):
        return "\n\n".join(own)
    for name, member in methods(thing):
        mark = "" if isinstance(member, property | cached_property) else signature(member)
        own += [f"**`.{name}`**{mark}", text(_function(member))]
    return "\n\n".join(own)


def methods(thing):
    """Public methods and properties of Elman's own that say something, those that all layers have only once."""
    found = []
    for name, member in inspect.getmembers_static(thing):
        function = _function(member)
        shared = name in SHARED and thing in (elman.GRU, elman.LSTM, elman.Recurrent)
        hidden = name.startswith("_") or name in HIDDEN or shared
        if not hidden and inspect.isfunction(function) and function.__module__.startswith(OWN) and function.__doc__:
            found.append((name, member))
    return found


HIDDEN = (
    "by_layer",
    "evaluated",
    "explain",
    "extra_repr",
    "hidden_sizes",
    "plain_cell",
    "reset_parameters",
    "scan",
    "check_forward_args",
    "permute_hidden",
    "modified",
    "check_layers",
    "start",
    "said",
    "bundle",
    "bundle_type",
    "derive",
    "fields",
    "keep_gate",
    "memory",
    "parameter_count",
    "projects",
    "recurrent_gates",
    "replace_gate",
    "batch_rows",
    "next_step",
    "prepared",
)
"""What is public among rooms, and of little use outside."""


def _function(member):
    """What a property computes its value by, also one that is computed once; any other member as it is."""
    return member.fget if isinstance(member, property) else getattr(member, "func", member)


def name_of(thing):
    """The name to call it by."""
    return f"elman.{thing.__name__}" if thing.__name__ in elman.__all__ else thing.__name__


def signature(thing):
    """The parameters, without the types that the text repeats."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (ValueError, TypeError):
        return ""
    if thing in MADE or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return ""
    shown = [str(p.replace(annotation=p.empty)) for p in parameters if p.name != "self"]
    stars = [k for k, p in enumerate(p for p in parameters if p.name != "self") if p.kind is p.KEYWORD_ONLY]
    if stars and not any(each.startswith("*") for each in shown[: stars[0]]):
        shown.insert(stars[0], "*")
    return f"`({', '.join(shown)})`"


def text(thing):
    """A docstring as Markdown: its sections as lists, indented examples as code."""
    lines = inspect.cleandoc(thing.__doc__ or "").splitlines()
    if inspect.isclass(thing) and thing.__init__.__doc__ and "Args:" in thing.__init__.__doc__:
        lines += ["", *inspect.cleandoc(thing.__init__.__doc__).splitlines()[1:]]
    shown, inside = [], False
    for line in lines:
        if found := SECTION.fullmatch(line.strip()):
            inside = True
            shown += [f"*{found[1]}*", ""]
        elif inside and line.startswith("    "):
            entry = None if line.startswith("     ") else ENTRY.fullmatch(line.strip())
            shown.append(f"- `{entry[1]}`: {entry[2]}" if entry else f"  {line.strip()}")
        else:
            inside = inside and not line.strip()
            shown.append(line)
    return "\n".join(shown).strip()


def task_options():
    """The options of `elman train TASK` and `elman.train(task, ...)`: those that all have, then each task's own."""
    every = [tasks.find(name) for name in tasks.TASKS]
    known = [
        {field.name: task.Options.default_in_words(field.name) for field in dataclasses.fields(task.Options)}
        for task in every
    ]
    common = {
        name
        for name, default in known[0].items()
        if name in MAY_CHANGE or all(each.get(name) == default for each in known)
    }
    shown = ["## Options of tasks", "Of all tasks, with `elman train` as `--name`:", table(every[0], common)]
    for task in every:
        own = {field.name for field in dataclasses.fields(task.Options)} - common
        budget = ", ".join(f"{value:g} {name}" for name, value in task.Options.budget.items())
        patience = task.Options.default_in_words("patience")
        budget += f", or less: patience {patience}" if patience else ""
        shown += [f"### {task.name}", f"Budget where none is given: {budget}.", table(task, own)]
    return "\n\n".join(shown)


def table(task, names):
    """Options by name, with their defaults."""
    rows = ["| option | default | what |", "|---|---|---|"]
    for field in dataclasses.fields(task.Options):
        if field.name in names:
            default = "" if field.name in MAY_CHANGE else task.Options.default_in_words(field.name)
            rows.append(f"| `{field.name}` | {default} | {field.metadata['help'].replace('|', '/')} |")
    return "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
