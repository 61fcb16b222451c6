"""Cells by name: equal ones have one, changed ones another, and an exported program brings its own."""

import json
import subprocess
import sys

import pytest
import torch
from tests.tolerance import assert_close, assert_equal

import elman
from elman.cells.modified.zoneout import Zoneout
from elman.engine.native import programs
from elman.engine.native.programs import cell_of, handle

X = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))


class Scaled(elman.Cell):
    """A factor before the nonlinearity.

    h' = tanh(k a)
    """

    gates = ("a",)
    states = ("h",)

    def __init__(self, factor, kind=None):
        self.factor, self.kind = factor, kind

    def step(self, projected, state, weights):
        return (torch.tanh(self.factor * (projected + weights.recurrent(state[0]))),)


def by_reference(layer, *arguments):
    with elman.backend("reference"):
        return layer(*arguments)[0]


def forgotten(name):
    """A cell as a process makes it in which it was never used."""
    programs._cells.pop(name)
    return cell_of(name)


@pytest.mark.parametrize("options", [{}, {"zoneout": 0.3}], ids=["plain", "inside"])
def test_a_changed_attribute_counts(options):
    cell = Scaled(1.0)
    layer = elman.Recurrent(cell, 4, 8, **options).eval()
    for factor in (1.0, 2.0, 1.0):
        cell.factor = factor
        assert_close(layer(X)[0], by_reference(layer, X))


@pytest.mark.parametrize("options", [{}, {"zoneout": 0.3}], ids=["plain", "inside"])
def test_what_is_changed_in_a_list_or_a_dictionary_counts(options):
    class Listed(Scaled):
        def step(self, projected, state, weights):
            return (torch.tanh(self.factor[0]["k"] * (projected + weights.recurrent(state[0]))),)

    cell = Listed([{"k": 1.0}])
    layer = elman.Recurrent(cell, 4, 8, **options, dtype=torch.float64).eval()
    for factor in (1.0, 2.0, 1.0):
        cell.factor[0]["k"] = factor
        assert_close(layer(X.double())[0], by_reference(layer, X.double()))


def test_a_cell_that_changes_before_backward_has_the_gradients_of_what_it_was():
    cell = Scaled(1.125)
    layer = elman.Recurrent(cell, 4, 8, zoneout=0.3, dtype=torch.float64).eval()
    x, found = X.double().requires_grad_(), []
    for factor in (1.125, 2.0):
        cell.factor = 1.125
        (gradient,) = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
        cell.factor = factor
        found += torch.autograd.grad(gradient.square().sum(), x)
    assert_equal(*found)


def test_a_changed_attribute_counts_for_single_steps():
    cell = Scaled(1.0)
    layer = elman.Recurrent(cell, 4, 8)
    with torch.no_grad():
        for factor in (1.0, 1.0, 2.0):
            cell.factor = factor
            assert_close(layer(X[:1])[0], by_reference(layer, X[:1]))


@pytest.mark.one_graph
def test_a_changed_attribute_compiles_anew():
    cell = Scaled(1.0)
    layer = elman.Recurrent(cell, 4, 8, zoneout=0.3).eval()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for factor in (1.0, 2.0):
        cell.factor = factor
        assert_close(compiled(X)[0], by_reference(layer, X))


def test_equal_cells_have_one_handle_and_others_another():
    inner = elman.LSTM(4, 8).cell
    assert handle(Zoneout(inner, (0.1, 0.2), False)) == handle(Zoneout(inner, (0.1, 0.2), False))
    assert (
        len({handle(Zoneout(inner, (0.1, 0.2), False)), handle(Zoneout(inner, (0.1, 0.3), False)), handle(Scaled(1.0))})
        == 3
    )


def test_a_class_that_is_defined_again_is_another():
    again = type("Scaled", (Scaled,), {"__module__": Scaled.__module__, "__qualname__": "Scaled"})
    again.step = lambda self, projected, state, weights: (projected + weights.recurrent(state[0]),)
    for kind in (Scaled, again):
        layer = elman.Recurrent(kind(1.0), 4, 8)
        assert_close(layer(X)[0], by_reference(layer, X))


def test_a_handle_brings_its_cell_to_another_process():
    cell = Zoneout(Scaled(0.1, {"a": [1, (2.0, None)]}), (0.1,), False)
    made = forgotten(handle(cell))
    assert type(made) is Zoneout
    assert (made.rates, made.training, vars(made.inner)) == (cell.rates, False, vars(cell.inner))


def test_an_attribute_that_is_an_object_stays_in_its_process(monkeypatch):
    cell = Scaled(1.0, kind=object())
    name = handle(cell)
    assert cell_of(name).kind is cell.kind
    with pytest.raises(elman.UsageError, match="an attribute that is no number, text or cell"):
        forgotten(name)


def test_a_class_that_is_not_there_is_named():
    name = json.dumps({"class": "somewhere.else:Own"})
    with pytest.raises(elman.UsageError, match=r"the cell Own .* is not known here; import somewhere\.else first"):
        cell_of(name)


def test_cells_that_are_gone_leave_nothing():
    cell = Scaled(7.0)
    handle(cell)
    number = id(cell)
    assert number in programs._named
    del cell
    assert number not in programs._named


LOADS = """
import sys, torch, elman.engine
elman.GRU(4, 8, zoneout=0.5).eval()(torch.zeros(5, 3, 4))
x, y = torch.load(sys.argv[2])
assert torch.equal(torch.export.load(sys.argv[1]).module()(x)[0], y)
"""


def test_an_exported_program_runs_in_a_process_that_has_used_other_cells(tmp_path):
    layer = elman.GRU(4, 8, zoneout=0.1, layer_norm=True).eval()
    torch.export.save(torch.export.export(layer, (X,), strict=False), tmp_path / "layer.pt2")
    torch.save((X, layer(X)[0].detach()), tmp_path / "expected.pt")
    files = [tmp_path / "layer.pt2", tmp_path / "expected.pt"]
    done = subprocess.run([sys.executable, "-c", LOADS, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_programs_of_an_attribute_that_always_changes_are_bounded(monkeypatch):
    monkeypatch.setattr(programs, "MOST", len(programs._programs) + 3)
    cell = Scaled(1.0)
    layer = elman.Recurrent(cell, 4, 8)
    for factor in range(2, 10):
        cell.factor = float(factor)
        layer(X)
    assert len(programs._programs) <= programs.MOST
    assert_equal(layer(X)[0], layer(X)[0])
