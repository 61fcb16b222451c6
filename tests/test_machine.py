"""How many cores a process may keep busy, by its affinity and by limits of containers; how the processor is called."""

import pytest

from elman import machine

TREES = {
    "no groups": ("", {}, None),
    "second version": ("0::/", {"cpu.max": "250000 100000"}, 2.5),
    "second version without a limit": ("0::/", {"cpu.max": "max 100000"}, None),
    "the least along the path": (
        "0::/a.slice/b.scope",
        {"a.slice/cpu.max": "150000 100000", "a.slice/b.scope/cpu.max": "max 100000"},
        1.5,
    ),
    "first version": (
        "4:memory:/x\n1:cpu,cpuacct:/x\n0::/",
        {"cpu/x/cpu.cfs_quota_us": "50000\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
        0.5,
    ),
    "first version without a limit": (
        "1:cpu:/",
        {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
        None,
    ),
    "a path that only the host knows": (
        "3:cpu,cpuacct:/docker/4711",
        {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"},
        1.0,
    ),
    "no numbers": ("0::/", {"cpu.max": "many 100000"}, None),
    "no period": ("0::/", {"cpu.max": "100000"}, None),
}


@pytest.fixture
def eight_processors(monkeypatch, tmp_path):
    """On four cores."""
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(machine, "PROCESSORS", tmp_path / "processors")
    for number in range(8):
        topology = tmp_path / "processors" / f"cpu{number}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{number % 4},{number % 4 + 4}\n")


@pytest.mark.parametrize(("own", "files", "granted"), TREES.values(), ids=TREES)
def test_a_limit(monkeypatch, tmp_path, eight_processors, own, files, granted):
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    expected = {None: 8, 2.5: 3, 1.5: 2, 1.0: 1, 0.5: 1}[granted]
    assert machine.cores() == machine.facts()["cores"] == expected
    assert machine.thread_limit() == (None if granted is None else expected)


@pytest.mark.parametrize(("quota", "limit"), [(3, 3), (4, None), (6, None)])
def test_torch_begins_with_a_thread_for_each_whole_core(monkeypatch, tmp_path, eight_processors, quota, limit):
    (tmp_path / "own").write_text("0::/")
    (tmp_path / "cpu.max").write_text(f"{quota}00000 100000")
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "GROUPS", tmp_path)
    assert machine.thread_limit() == limit


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("model name\t: AMD Ryzen 9 7950X\ncpu family\t: 25\nmodel\t\t: 97\n", "AMD Ryzen 9 7950X"),
        ("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n", "AMD EPYC, family 25, model 17"),
        ("model name\t: Cortex-A\n\nmodel name\t: another\n", "Cortex-A"),
    ],
)
def test_a_processor_without_a_number_in_its_name_is_told_by_family_and_model(monkeypatch, tmp_path, lines, name):
    monkeypatch.setattr(machine, "PROCESSOR", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(lines)
    assert machine.facts()["cpu"] == name
