"""What a user can set about training, in one place: names, defaults, help, and the rules that hold between them.

A task's options are a subclass of `TrainingOptions`; the command line, the run folder and the report read the fields.
Nothing here imports torch, so that help is quick.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from elman.errors import UsageError
from elman.names import flag, nearest


def option(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    anew: bool = False,
) -> Any:
    """Declare one option: its default, its line of help, and the values that it may take.

    A task's own options stay what they were where a pretrained network learns on, but for those that are told `anew`.
    """
    rules = {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum, "anew": anew}
    return dataclasses.field(default=default, metadata=rules)


MOST_SEED = (1 << 63) - 1
"""What torch's generators take."""
MOST = {"int": (MOST_SEED, "int64"), "float": (3.4e38, "float32")}
"""By a word in an option's type the largest number that computing is done with, and in what."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How to train. A budget is one of minutes, steps and epochs.

    Attributes:
        budget: the budget where the user gives none.
        usual: by optimizer, what holds for a task's networks instead of what `OPTIMIZERS` says.
    """

    budget: ClassVar[dict[str, float]] = {"minutes": 2.0}
    usual: ClassVar[dict[str, dict[str, float]]] = {}

    minutes: float | None = option(None, "budget: minutes of training", minimum=0.001)
    steps: int | None = option(None, "budget: number of updates", minimum=1)
    epochs: float | None = option(None, "budget: passes over the training data", minimum=0.001)
    optimizer: str = option("adamw", "adamw, rmsprop or sgd", choices=("adamw", "rmsprop", "sgd"))
    rate: float | None = option(None, "peak learning rate", minimum=0.0)
    warmup: int = option(50, "updates over which the rate rises to its peak", minimum=0)
    final_rate: float = option(0.05, "rate at the budget's end, as a share of the peak", minimum=0, maximum=1)
    weight_decay: float | None = option(None, "decay of matrices, apart from the gradient", minimum=0.0)
    momentum: float | None = option(None, "beta1 of adamw, momentum of rmsprop and sgd", minimum=0, maximum=0.9999)
    smoothing: float = option(
        0.99, "decay of squared gradients: alpha (rmsprop), beta2 (adamw)", minimum=0, maximum=0.9999
    )
    clip: float | None = option(1.0, "clip gradients to this norm (0: do not)", minimum=0.0)
    clip_value: float | None = option(None, "clip each gradient entry to this value", minimum=0.0)
    average: float = option(
        0.998, "decay of the weights' running average, which is kept (0: none)", minimum=0, maximum=1
    )
    accumulate: int = option(1, "batches whose gradients are added up for one update", minimum=1)
    patience: int | None = option(None, "stop after this many validations without a better score", minimum=1)
    validations: int = option(10, "how many times the budget is interrupted to validate", minimum=1)
    precision: str = option(
        "auto", "float32, bfloat16, or auto: the faster on this machine", choices=("auto", "float32", "bfloat16")
    )
    device: str = option(
        "auto", "cpu, cuda (a GPU), or auto: the GPU, if its kernels know the cell", choices=("auto", "cpu", "cuda")
    )
    diagnose: str = option("", "look inside while training: every=N updates (left out beyond 5 % of the time)")
    seed: int = option(0, "seed of all random numbers", minimum=0, maximum=MOST_SEED)

    @classmethod
    def given(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Return what was given of these options: without None and empty lists.

        Lists of names are cut up at commas, several numbers for a text are one with commas, a class is its
        module:Class, and what numpy and torch have is what Python has.
        """
        kinds = {field.name: _kind(field) for field in dataclasses.fields(cls)}
        made = {"list": _names, "str": _joined}
        plain = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in options.items()}
        found = {name: made.get(kinds.get(name, ""), _same)(value) for name, value in plain.items()}
        return {name: value for name, value in found.items() if value is not None and value != []}

    @classmethod
    def make(cls, given: dict[str, Any]) -> Self:
        """Make options from those given, the others at their defaults; UsageError for a wrong name or value."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name, value in given.items():
            if name not in fields:
                hint = nearest(name, fields, f"; there are {', '.join(fields)}")
                raise UsageError(f"unknown option {name!r}{hint}")
            _check(name, value, fields[name])
        made = cls(**given)
        budgets = [name for name in BUDGETS if getattr(made, name) is not None]
        if len(budgets) > 1:
            raise UsageError(f"the budget is given twice, in {' and in '.join(budgets)}; give one of them")
        resolved: dict[str, Any] = {} if budgets else dict(cls.budget)
        usual = cls.usual_of(made.optimizer)
        resolved |= {name: value for name, value in usual.items() if getattr(made, name) is None}
        made = dataclasses.replace(made, **resolved)
        made.check()
        made.diagnosis_steps()
        return made

    @classmethod
    def learning_on(cls, stored: dict[str, Any], given: dict[str, Any]) -> Self:
        """Make options for a pretrained network, of those that it was trained with and those given.

        What shapes the network, or what it reads and answers, stays; how to train is told anew, as for a new one, only
        that the rate is a part of what is usual.

        Raises:
            UsageError: if what stays is given another value.

        """
        general = {field.name for field in dataclasses.fields(TrainingOptions)}
        fields = [field for field in dataclasses.fields(cls) if field.name not in general]
        own = [field.name for field in fields if not field.metadata["anew"]]
        for name in own:
            if name in given and given[name] != stored.get(name):
                there = stored.get(name)
                known = "" if there is None else f", {there},"
                raise UsageError(
                    f"{flag(name)} stays what it is in the pretrained run{known} as its network does; leave it out, or "
                    "train a new network without --pretrained"
                )
        kept = {name: stored[name] for name in own if stored.get(name) is not None}
        made = cls.make(kept | given)
        usual = cls.usual_of(made.optimizer)["rate"]
        return made if "rate" in given else dataclasses.replace(made, rate=LEARNING_ON * usual)

    @classmethod
    def usual_of(cls, optimizer: str) -> dict[str, float]:
        """Return what holds for an optimizer where the user says nothing, by option."""
        return OPTIMIZERS[optimizer] | cls.usual.get(optimizer, {})

    @classmethod
    def default_in_words(cls, name: str) -> str:
        """Return the default of an option for people; an empty text where there is none."""
        if name in OPTIMIZERS["adamw"]:
            values = {optimizer: cls.usual_of(optimizer)[name] for optimizer in OPTIMIZERS}
            return ", ".join(f"{optimizer} {value:g}" for optimizer, value in values.items())
        default = cls.budget.get(name, {field.name: field.default for field in dataclasses.fields(cls)}[name])
        return "" if default is None else str(default)

    def diagnosis_steps(self) -> int | None:
        """After how many updates training looks inside each time; None for never, UsageError for what is neither."""
        if not self.diagnose:
            return None
        name, _, count = self.diagnose.partition("=")
        if name != "every" or not count.isdecimal() or int(count) == 0:
            raise UsageError(f"--diagnose {self.diagnose!r} is not understood; write every=N, such as every=100")
        return int(count)

    def check(self) -> None:
        """Raise UsageError where options contradict each other; a task adds its own rules."""

    def to_dict(self) -> dict[str, Any]:
        """Return all options by name, for JSON."""
        return dataclasses.asdict(self)


OPTIMIZERS = {
    "adamw": {"rate": 0.006, "momentum": 0.9, "weight_decay": 0.1},
    "rmsprop": {"rate": 0.004, "momentum": 0.0, "weight_decay": 0.1},
    "sgd": {"rate": 2.0, "momentum": 0.9, "weight_decay": 0.0},
}
"""The optimizers, and what holds for each where the user says nothing."""

LEARNING_ON = 0.5
"""The share of its usual rate at which a pretrained network learns on, where the user says nothing."""

BUDGETS = ("minutes", "steps", "epochs")
"""The options that say how long to train, of which one is given."""

MAY_CHANGE = (*BUDGETS, "patience", "diagnose", "device")
"""The options that may change when a run is continued: none of them changes what an update is."""


def _check(name: str, value: Any, field: "dataclasses.Field[Any]") -> None:
    rules = field.metadata
    called = flag(name)
    if value is None:
        return
    if rules["choices"]:
        if not isinstance(value, str) or value not in rules["choices"]:
            raise UsageError(f"{called} {value!r:.60} is not known; choose one of {', '.join(rules['choices'])}")
        return
    fits, what = KINDS[_kind(field)]
    if not fits(value):
        such = f" such as {field.default!r}" if field.default and isinstance(field.default, str) else ""
        raise UsageError(f"{called} {value!r:.60} is {what}{such}")
    if _kind(field) not in MOST:
        return
    if abs(value) == math.inf:
        raise UsageError(f"{called} {value} is out of range; it must be finite")
    low, high = rules["minimum"], rules["maximum"]
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"at most {high}" if low is None else f"from {low} to {high}"
        raise UsageError(f"{called} {value} is out of range; it must be {bounds}")
    most, held = MOST[_kind(field)]
    if value > most:
        raise UsageError(f"{called} {value} is out of range; it must be at most {most}, what {held} holds")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def _kind(field: "dataclasses.Field[Any]") -> str:
    """The first word of `KINDS` in an option's type."""
    return next(kind for kind in KINDS if kind in str(field.type))


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "list": (
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "not a list of names",
    ),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "not a whole number"),
    "float": (_is_number, "not a number"),
    "bool": (lambda value: isinstance(value, bool), "neither true nor false"),
    "str": (lambda value: isinstance(value, str), "not a text"),
}
"""By a word in an option's type: whether a value fits, and what is said of one that does not."""


def _same(value: Any) -> Any:
    return value


def _joined(value: Any) -> Any:
    """Several numbers as a text with commas between them, a class as its place, anything else as it is."""
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, list | tuple) and value and all(map(_is_number, value)):
        return ",".join(map(str, value))
    return value


def _names(value: Any) -> Any:
    """The names in a text, with commas between them; those of a list, and anything else, as they are."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return list(value) if isinstance(value, tuple) else value
