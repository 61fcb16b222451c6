"""From files to a finished run folder: prepare, fit, score, describe, report."""

import datetime as dt
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman import assets, machine, tasks
from elman.data import given, tables
from elman.errors import ElmanError, NonFiniteError, RunError, UsageError
from elman.names import flag
from elman.randomness import seeded
from elman.run import inspection, learnt
from elman.run.finishing import Trained, scored
from elman.run.folder import Description, RunFolder, create, folder_path, unused
from elman.run.run import Run, load, step_of
from elman.tasks.base import Files, Prepared, Score, Task
from elman.training import device, precision
from elman.training.budget import Progress
from elman.training.interrupt import Interruption, interruptible
from elman.training.loop import Job, Monitor, fit
from elman.training.memory import kept_pages, ran_out
from elman.training.monitor import Display, Lasting, Metrics, Silence, telling
from elman.training.options import BUDGETS, MAY_CHANGE, TrainingOptions
from elman.training.processes import Processes

LASTING = ("task", "created", "data", "modalities", "machine", "pretrained", "step")
"""What a run that is continued keeps of its description; scores are those of a network that is about to change."""

GO_ON = "Ended before the run was complete; --out {path} --resume goes on"


@dataclass
class Sitting:
    """One call of `train`: a run folder and what goes into it."""

    task: Task
    options: TrainingOptions
    folder: RunFolder
    prepared: Prepared
    description: Description
    resume: bool


def train(
    task: str,
    data: Any,
    *,
    valid: Any = None,
    test: Any = None,
    pretrained: str | Path | Run | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Run:
    """Train a network for a task, score it beside a naive baseline, and write it all to a run folder.

    Args:
        task: its name; `elman tasks` lists them.
        data: the training data: a file, the name of a text that ships with Elman ("tinyshakespeare"), or a table in
            memory: rows [{column: value}, ...], columns {column: list or array}, a data frame of polars or pandas. A
            cell may be an array, such as a series (steps, numbers). For a language model a text in memory stands in a
            list, [text]; of several each begins on a line of its own.
        valid: held-out data, likewise, to choose the weights by; without it the task holds a part of `data` out.
        test: held-out data, likewise, that is only scored.
        pretrained: a run of this task whose network learns on, from this data, in a new run. Its columns, labels,
            scales and sizes stay, and words that are new to it are added; options of training are told anew, and the
            rate is half of what is usual.
        out: the run folder, made anew; default runs/NAME-1, -2, ...
        resume: go on with the run in `out`. Beside it a new budget, another device, and what is looked at may be given.
        quiet: show no progress on stderr.
        options: the task's options by name; None means the default. Errors name them as the command line does:
            `--held-out` is `held_out=`.

    Returns:
        The run, trained; interrupted by Ctrl-C it is a complete run as well, whose description has a `message` where a
        second one, or one after training, has left out scores.

    Raises:
        ElmanError: one sentence on what is wrong. A folder in which nothing was trained yet is removed again.
    """
    together = Processes()
    begun: list[Sitting] = []

    def begin() -> tuple[Path, TrainingOptions]:
        chosen = tasks.find(task)
        place = None if out is None else folder_path(out, "out")
        named = chosen.Options.given(options)
        files = _files(data, valid, test)
        if resume and pretrained is not None:
            raise UsageError("--pretrained begins a new run, and --resume goes on with one; give one of them")
        before = None if pretrained is None else learnt.opened(pretrained, chosen)
        with telling(f"Reading {files.train}", quiet=quiet):
            own = (chosen, files, place, named, held)
            begun.append(_reopen(*own) if resume else _begin(*own, before))
        return begun[0].folder.path, begun[0].options

    with ExitStack() as held:
        path, known = together.from_first(begin)
        sitting = begun[0] if together.first else _join(path, known, resume=resume)
        # With gradients, whatever block the caller is in.
        with seeded(known.seed), kept_pages(), torch.inference_mode(mode=False), torch.enable_grad():
            try:
                _train(sitting, together, new=not resume, quiet=quiet)
            except (KeyboardInterrupt, SystemExit):
                if together.first and not quiet:
                    print(GO_ON.format(path=shlex.quote(str(path))), file=Lasting(sys.stderr))
                raise
        together.wait()
    return load(path)


def _files(data: Any, valid: Any, test: Any) -> Files:
    """The parts that are given, files or tables in memory."""

    def part(data: Any, said: str) -> tables.Source:
        found = given.source(data, said)
        if isinstance(found, Path) and RunFolder(found).description.is_file():
            raise UsageError(f"{said} cannot be the run {found}; --out {found} --resume goes on with it")
        return assets.find(found) if isinstance(found, Path) else found

    return Files(
        part(data, "the training data"),
        None if valid is None else part(valid, "the validation data"),
        None if test is None else part(test, "the test data"),
    )


def _begin(
    task: Task, files: Files, out: Path | None, named: dict[str, Any], held: ExitStack, before: Run | None
) -> Sitting:
    """Make the folder, hold it, and make the data in it; leave nothing behind if that fails."""
    options = task.Options.make(named) if before is None else task.Options.learning_on(before.options.to_dict(), named)
    stem = files.train.name.split(".")[0] if isinstance(files.train, Path) else ""
    path = out or unused(stem or task.name)
    existed = out is not None and out.exists()
    folder = create(path)
    held.enter_context(folder.held())
    try:
        folder.clear()
        prepared = task.prepare(files, options, folder.state, None if before is None else before.prepared)
        description = _describe(task, options, prepared)
        if before is not None:
            shutil.copyfile(before.weights, folder.pretrained)
            description["pretrained"] = {"path": str(before.path), "sha256": before.fingerprint}
        folder.write(description)
    except BaseException:
        shutil.rmtree(folder.state if existed else path, ignore_errors=True)
        raise
    return Sitting(task, options, folder, prepared, description, resume=False)


def _reopen(task: Task, files: Files, out: Path | None, named: dict[str, Any], held: ExitStack) -> Sitting:
    """Open and hold the folder of an earlier sitting, and check that it is continued and not changed."""
    if out is None:
        raise RunError("--resume needs --out RUN, the run folder to go on with")
    folder = RunFolder(out)
    folder.read()  # says what is wrong, before the folder is held
    held.enter_context(folder.held())
    run = load(out)
    if run.task != task.name:
        raise RunError(f"{out} is a run of {run.task}, not of {task.name}; continue it as what it is")
    stored = run.options.to_dict()
    for name in named.keys() - set(MAY_CHANGE):
        if name not in stored or stored[name] != named[name]:
            raise RunError(
                f"{flag(name)} cannot change in a run that is continued (it is {stored.get(name)}); the budget can"
            )
    if named.keys() & set(BUDGETS):
        stored |= dict.fromkeys(BUDGETS)
    options = task.Options.make({name: value for name, value in (stored | named).items() if value is not None})
    task.check_same(files, run.prepared)
    if run.other_step:
        raise RunError(f"{run.other_step}; bring its former code back, or train anew in another --out")
    kept = {name: run.description[name] for name in LASTING if name in run.description}
    description = kept | {"options": options.to_dict(), "status": "training"}
    begun = folder.checkpoint.exists()
    if not begun and run.description.get("status") in ("finished", "stopped", "interrupted"):
        raise RunError(f"{folder.checkpoint} is missing, without which the run cannot go on; restore it, or train anew")
    return Sitting(task, options, folder, run.prepared, description, begun)


def _join(path: Path, options: TrainingOptions, *, resume: bool) -> Sitting:
    """Open the folder that the first of several processes has begun or opened."""
    try:
        run = load(path)
    except RunError as error:
        raise RunError(f"{error}; --out must lie where all processes that train together see it") from error
    task, folder = tasks.find(run.task), RunFolder(path)
    go_on = resume and folder.checkpoint.exists()
    return Sitting(task, options, folder, run.prepared, run.description, go_on)


def _network(sitting: Sitting, *, new: bool) -> nn.Module:
    """The network to train; where there is no memory for it, a folder that is new is removed again."""
    try:
        return sitting.task.network(sitting.prepared, sitting.options)
    except (MemoryError, RuntimeError) as error:
        if new:
            shutil.rmtree(sitting.folder.path, ignore_errors=True)
        raise UsageError(
            f"a network of these sizes cannot be made ({str(error)[:100]}); give a smaller --hidden or --layers"
        ) from error


def _device(sitting: Sitting, network: nn.Module, together: Processes, *, new: bool) -> torch.device:
    """Where to train; in what precision is found for that device, written into the options, and kept from then on."""
    wanted = sitting.options
    try:
        found = device.resolve(wanted.device, network)
    except UsageError:
        if new and together.first:
            shutil.rmtree(sitting.folder.path, ignore_errors=True)
        raise
    sitting.options = together.from_first(lambda: replace(wanted, precision=precision.resolve(wanted.precision, found)))
    sitting.description["options"] = sitting.options.to_dict()
    return found


def _job(
    sitting: Sitting,
    network: nn.Module,
    where: torch.device,
    monitor: Monitor,
    interruption: Interruption,
    *,
    quiet: bool = True,
) -> Job:
    """Training as the loop takes it."""
    folder, options = sitting.folder, sitting.options
    batches, objective, validate = sitting.task.material(sitting.prepared, options)

    def validated(network: nn.Module) -> float:
        with telling("Validating", quiet=quiet):
            return validate(network)

    return Job(
        network,
        batches,
        objective,
        validated,
        options=options,
        model_file=folder.model,
        checkpoint_file=folder.checkpoint,
        monitor=monitor,
        device=where,
        resume=sitting.resume,
        pretrained="pretrained" in sitting.description,
        inspect=inspection.during_training(options.clip),
        interruption=interruption,
    )


def _train(sitting: Sitting, together: Processes, *, new: bool, quiet: bool) -> None:
    """Make the network, and fit it: the first process describes how it ended, the others fit with it."""
    network = _network(sitting, new=new and together.first)
    where = _device(sitting, network, together, new=new)
    pretrained = sitting.description.get("pretrained")
    unscored = pretrained is not None and "scores" not in pretrained
    if pretrained is None:
        sitting.task.begin(network, sitting.prepared)
    elif unscored or not sitting.resume:
        learnt.put(sitting.folder.pretrained, network, as_last=sitting.prepared.unknown_last)
    together.draw_apart()
    if together.first:
        _lead(sitting, network, where, together, unscored=unscored, quiet=quiet)
    else:
        _follow(sitting, network, where, together)


def _lead(
    sitting: Sitting, network: nn.Module, where: torch.device, together: Processes, *, unscored: bool, quiet: bool
) -> None:
    """Fit, and describe how it ended, whatever the ending; before that score another run's network that is unscored."""
    task, folder, description = sitting.task, sitting.folder, sitting.description
    description["model"] = task.describe(sitting.options) | {"parameters": sum(p.numel() for p in network.parameters())}
    metrics = Metrics(folder.metrics)

    def begins(step: int) -> None:
        folder.write(description)
        metrics.forget_after(step)

    display = Display(metrics, sitting.prepared.noun, quiet=quiet)
    for note in sitting.prepared.notes:
        display.note(note)
    with interruptible(display.interrupted) as interruption:
        if unscored:
            with telling("Scoring the pretrained network", quiet=quiet):
                scores = interruption.unless_cut(partial(_scores, sitting, network.eval()))
            description["pretrained"] |= {} if scores is None else {"scores": scores}
        with display:
            job = _job(sitting, network, where, display, interruption, quiet=quiet)
            ending, progress = _fitted(sitting, job, begins, together)
        description |= {"status": ending, "training": _summary(progress, where)}
        interruption.nothing_left_to_end()
        Trained(task, network, sitting.prepared, sitting.options, folder, description).finish(interruption, quiet=quiet)


def _follow(sitting: Sitting, network: nn.Module, where: torch.device, together: Processes) -> None:
    """Fit with the first process, which alone writes and tells."""
    try:
        with interruptible(lambda _: None) as interruption:
            fit(_job(sitting, network, where, Silence(), interruption), lambda _: None, together)
    except (NonFiniteError, UsageError) as error:
        error.told = True
        raise


def _scores(sitting: Sitting, network: nn.Module) -> dict[str, Score]:
    """What a network is worth on the parts that are held out."""
    return {part: sitting.task.score(network, sitting.prepared, part) for part in scored(sitting.prepared)}


def _fitted(sitting: Sitting, job: Job, begins: Callable[[int], None], together: Processes) -> tuple[str, Progress]:
    """Fit; that it failed, and why, is kept in the folder."""
    why: ElmanError
    try:
        return fit(job, begins, together)
    except NonFiniteError as error:
        why = error
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        why = UsageError(_too_large(sitting.options))
    sitting.folder.write(sitting.description | {"status": "failed", "message": str(why)})
    raise why


def _too_large(options: TrainingOptions) -> str:
    """What to say where memory has run out in training."""
    smaller = [f"--{name}" for name in ("batch", "lanes", "window", "hidden") if hasattr(options, name)]
    rows = ", or shorten the longest rows" if hasattr(options, "batch") else ""
    return f"there is not enough memory for a batch of this data; give a smaller {' or '.join(smaller)}{rows}"


def _describe(task: Task, options: TrainingOptions, prepared: Prepared) -> Description:
    """Return what is known before training begins."""
    return {
        "task": task.name,
        "status": "training",
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "options": options.to_dict(),
        "counted": prepared.noun,
        "data": prepared.facts,
        "modalities": prepared.to_dict(),
        "machine": machine.facts(),
        "step": step_of(options),
    }


def _summary(progress: Progress, where: torch.device) -> dict[str, Any]:
    return {
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "symbols_seen": progress.symbols,
        "epochs": round(progress.epochs, 3),
        "symbols_per_second": round(progress.symbols / max(progress.seconds, 1e-9), 1),
        "best_step": progress.best_step,
        "device": where.type,
    }
