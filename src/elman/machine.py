"""What machine this is, in plain facts; a leaf that the run folder, `elman doctor` and the command line share.

torch is loaded where it is asked, as how many threads it begins with is up to `thread_limit`.
"""

import math
import os
import platform
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
PROCESSORS, PROCESSOR = Path("/sys/devices/system/cpu"), Path("/proc/cpuinfo")


def facts() -> dict[str, Any]:
    """Return processor, GPU if torch finds one, cores, memory, system and versions."""
    import torch

    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {
        "cpu": _cpu(),
        **gpu,
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def cores() -> int:
    """How many cores this process may keep busy: those it may run on, or as many as a container's limit grants it."""
    return math.ceil(min(len(_processors()), _granted()))


def thread_limit() -> int | None:
    """How many threads a container's limit leaves, where torch would begin with more: with one for each whole core."""
    siblings = {_text(PROCESSORS / f"cpu{number}" / "topology" / "thread_siblings_list") for number in _processors()}
    granted = _granted()
    return math.ceil(granted) if granted < len(siblings) else None


def has_matrix_units() -> bool:
    """Whether the processor has units for products of bfloat16 matrices (AMX)."""
    import torch

    return torch.cpu._is_amx_tile_supported()  # noqa: SLF001


def _cpu() -> str:
    """The processor's name; where it has no number, as in virtual machines, with the family and model that tell it."""
    try:
        lines = PROCESSOR.read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = said.get("model name", platform.machine())
    if {"model name", "cpu family", "model"} <= said.keys() and not any(map(str.isdigit, name)):
        name += f", family {said['cpu family']}, model {said['model']}"
    return name


def _processors() -> Collection[int]:
    """Those that this process may run on, by number."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _granted() -> float:
    """How many cores' time the control groups of Linux grant this process, as `docker run --cpus` asks for.

    The least along the path of groups that the process is in. A number that cannot be read is no limit.
    """
    found = [math.inf]
    for quota, period in _limits():
        try:
            granted = float(quota) / float(period)
        except (ValueError, ZeroDivisionError):  # "max"
            continue
        found += [granted] if granted > 0 else []  # -1 is none, too
    return min(found)


def _limits() -> Iterator[tuple[str, str]]:
    """Quota and period of each group, by the second version of control groups and by the first."""
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, name = line.split(":", 2)
        for group in (Path(name), *Path(name).parents):
            inside = str(group).lstrip("/")
            if not controllers:
                quota, _, period = _text(GROUPS / inside / "cpu.max").partition(" ")
                yield quota, period
            elif "cpu" in controllers.split(","):
                place = GROUPS / "cpu" / inside
                yield _text(place / "cpu.cfs_quota_us"), _text(place / "cpu.cfs_period_us")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _memory_gib() -> float | None:
    if sys.platform == "win32":
        return None
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None
