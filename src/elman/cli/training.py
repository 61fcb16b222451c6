"""`elman train TASK DATA`: one subcommand per task, with that task's options and no others."""

import dataclasses
import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elman import tasks
from elman.cli import output
from elman.errors import UsageError
from elman.training.options import BUDGETS, TrainingOptions

if TYPE_CHECKING:
    from elman.tasks.base import Task

SHOWN_TEMPERATURE = 0.8
NAMES = ("data", "valid", "test", "pretrained", "out", "resume", "quiet", "json")
DEFAULTS = {"data": inspect.Parameter.empty, "resume": False, "quiet": False, "json": False}

FINE = {field.name for field in dataclasses.fields(TrainingOptions)} - {*BUDGETS}
"""What all tasks can be told of training; it stands last in the help."""


class TaskCommand(typer.core.TyperCommand):
    """A task as a subcommand, whose help has its options in groups, those that are needed first before the others."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List the arguments, then the options by group."""
        groups: dict[str, list[Any]] = {
            name: [] for name in ("Arguments", "Options", "Data and network", "How it is trained")
        }
        for each in self.get_params(ctx):
            if (record := each.get_help_record(ctx)) is not None:
                groups[_group(each)].append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def _group(each: Any) -> str:
    if each.param_type_name == "argument":
        return "Arguments"
    if each.name in {*NAMES, *BUDGETS, "help"}:
        return "Options"
    return "How it is trained" if each.name in FINE else "Data and network"


class TaskGroup(typer.core.TyperGroup):
    """The tasks as subcommands; a task's file is imported only for its own help or run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the tasks."""
        del ctx
        return list(tasks.TASKS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make the subcommand of a task; UsageError names the tasks there are."""
        del ctx
        if cmd_name not in tasks.TASKS and Path(cmd_name).exists():
            raise UsageError(
                f"{cmd_name} stands where the task should; write: elman train TASK {shlex.quote(cmd_name)}"
            )
        return _task_command(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the tasks with their summaries, without importing them."""
        del ctx
        with formatter.section("Tasks"):
            formatter.write_dl([(name, entry.summary) for name, entry in tasks.TASKS.items()])


def _task_command(name: str) -> Any:
    task = tasks.find(name)
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    does = tasks.TASKS[name].summary
    help_text = f"{does[0].upper()}{does[1:]}. Scored by {task.metric}, beside a naive baseline ({task.baseline_name})."
    app.command(name=name, help=help_text, cls=TaskCommand)(_function(task))
    return typer.main.get_command(app)


def _function(task: "Task") -> Callable[..., None]:
    """Return a function whose signature has the common parameters and one per field of the task's options."""

    def command(**values: Any) -> None:
        common = {key: values.pop(key) for key in NAMES}
        options = {name: ",".join(value) if isinstance(value, list) else value for name, value in values.items()}
        _train(task.name, common, options)

    parameters = [_parameter(key, kind, DEFAULTS.get(key), how) for key, (kind, how) in _common(task).items()]
    for field in dataclasses.fields(task.Options):
        default = task.Options.default_in_words(field.name)
        how = typer.Option(
            help=field.metadata["help"] + (f" (default: {default})" if default else ""),
            show_default=False,
            metavar="<name,...>" if "list" in str(field.type) else None,
        )
        parameters.append(_parameter(field.name, _optional(field.type), None, how))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _common(task: "Task") -> dict[str, tuple[Any, Any]]:
    """Return the parameters that all tasks have, in this one's words."""
    valid = f"held-out data to choose the weights by (default: {task.held_out})"
    return {
        "data": (str, typer.Argument(help=f"Training data: {task.data}.", metavar="DATA")),
        "valid": (Path | None, typer.Option(help=valid)),
        "test": (Path | None, typer.Option(help="held-out data that is only scored")),
        "pretrained": (
            Path | None,
            typer.Option(help="a run of this task whose network learns on, from this data, in a new run"),
        ),
        "out": (Path | None, typer.Option(help="run folder to make (default: runs/NAME-1, -2, ...)")),
        "resume": (bool, typer.Option("--resume", help="go on with the run in --out; a new budget may be given")),
        "quiet": (bool, typer.Option("--quiet", help="show no progress")),
        "json": (bool, typer.Option("--json", help="print one JSON object on stdout and nothing else there")),
    }


def _parameter(name: str, kind: Any, default: Any, how: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, how])


def _optional(kind: Any) -> Any:
    """Return the type with None allowed: what is not given stays None, and the task's default holds."""
    return kind | None


def _train(task: str, common: dict[str, Any], options: dict[str, Any]) -> None:
    from elman import report
    from elman.run.sitting import train
    from elman.training.processes import speaks

    as_json = common.pop("json")
    run = train(task, common.pop("data"), **common, **options)
    if not speaks():
        return
    if as_json:
        output.print_json({"run": str(run.path), "report": str(run.report)} | run.description)
        return
    description = run.description
    for sample in [s for s in description.get("samples", []) if s["temperature"] == SHOWN_TEMPERATURE]:
        print(f"A sample at temperature {sample['temperature']}:\n\n{sample['text'].strip()}\n")
    for part, score in run.scores.items():
        output.print_scores(part, score, description["baselines"].get(part, []))
    if remedy := report.remedy(run.path):
        print(f"Not better than the best baseline. {remedy}")
    if message := description.get("message"):
        print(message)
    if description["status"] == "interrupted":
        steps = description["training"]["steps"]
        print(f"Interrupted after {steps} steps; go on with --out {shlex.quote(str(run.path))} --resume")
    print(f"Report: {run.report}\n{run.next_step}")
