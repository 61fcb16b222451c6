"""Networks with faults planted by chance: the first finding names the fault, and its remedy cures it."""

from dataclasses import replace

import pytest

from elman.experiments.planted_faults import PLANTS, plants

SEED = 7


@pytest.mark.parametrize("number", range(20))
def test_the_first_finding_names_the_planted_fault(number):
    plant = plants(SEED)[number]
    findings = plant.setting.diagnosed().findings
    assert (findings[0].problem if findings else None) == plant.problem, plant.what


def test_twenty_networks_hold_every_kind_of_fault():
    found = plants(SEED)
    assert len(found) == sum(count for _, count in PLANTS) == 20
    kinds = {plant.problem for plant in found}
    assert kinds == {
        "vanishing", "exploding", "saturated", "dead", "window-too-short", "rate-too-high", None,
    }  # fmt: skip
    assert [plant.what for plant in plants(SEED + 1)] != [plant.what for plant in found]


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["vanishing", "dead"])
def test_a_remedy_makes_the_adding_problem_learnable(problem):
    plant = next(each for each in plants(0) if each.problem == problem and each.setting.cell == "rnn-relu")
    setting = replace(plant.setting, steps=100, hidden=48)
    assert not setting.learnt(300).solved
    assert setting.changed(setting.diagnosed().findings[0].change).learnt(2000).solved
