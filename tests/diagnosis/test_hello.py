"""The worked example: equal to the published digits, right by two other derivations, and told in full."""

import json
import math
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from elman.cli.explain import explain
from elman.diagnosis.hello import example as hello
from elman.diagnosis.hello import picture as hello_picture
from elman.diagnosis.hello import published as hello_published
from elman.diagnosis.hello.as_dict import to_dict
from elman.diagnosis.hello.comparison import exact, near
from elman.diagnosis.hello.layout import subscripts, verdict
from elman.diagnosis.hello.network import backward, central_differences, forward, losses
from elman.diagnosis.hello.telling import story
from elman.errors import ElmanError, UsageError


@pytest.fixture(scope="module")
def example():
    return hello.example()


def digits(text):
    return [float(word) for word in text.split()]


# The reference page's numbers, written out here a second time: a slip in `hello_published` would otherwise pass.
STEPS = {
    (1, 0): ([0.287027, 0.902874, 0.537524], 1e-6),
    (2, 0): ([0.567001] * 3, 1e-6),
    (3, 0): ([0.854028, 1.469875, 1.104525], 1e-6),
    (3, 1): ([0.693168, 0.899554, 0.802118], 1e-6),
    (4, 0): ([0.863014, 0.951149, 0.909540], 1e-6),
    (4, 1): ([0.84606, 0.871522, 0.09224], 1e-6),
    (5, 0): ([1.709074, 1.822671, 1.001780], 1e-6),
    (5, 1): ([0.936534, 0.949104, 0.762341], 1e-6),
    (6, 0): ([1.90607732, 1.13779113, 0.95666016, 1.27422602], 1e-5),
    (7, 0): ([0.41974, 0.19468, 0.16242, 0.22314], 1e-5),
}


@pytest.mark.parametrize(("place", "expected"), STEPS.items())
def test_the_seven_steps_are_the_published_ones(example, place, expected):
    number, line = place
    values, tolerance = expected
    comparison = example.steps[number - 1].comparisons[line]
    np.testing.assert_allclose(comparison.computed, values, rtol=0, atol=tolerance)
    assert comparison.published.tolist() == values
    assert comparison.tolerance == tolerance
    assert comparison.equal


def test_the_published_probabilities_are_cut_off_not_rounded(example):
    computed = example.steps[6].comparisons[0].computed
    assert np.floor(computed * 1e5).tolist() == [41974, 19468, 16242, 22314]
    assert round(computed[0], 5) == 0.41975


def test_the_whole_word_is_the_published_one(example):
    word = example.forward
    np.testing.assert_allclose(word.h[4], [0.910229262, 0.929610819, 0.906533508], rtol=0, atol=5e-10)
    np.testing.assert_allclose(word.p[2], [0.433074809, 0.198776763, 0.158325992, 0.209822436], rtol=0, atol=5e-10)
    np.testing.assert_allclose(example.losses, [1.584146052, 1.817513713, 1.843099128, 1.566515704], atol=5e-10, rtol=0)
    assert example.error == pytest.approx(6.811274597, abs=5e-10)
    assert all(comparison.equal for comparison in example.whole_word)
    assert [comparison.computed.size for comparison in example.whole_word] == [12, 16, 4, 1]


def test_the_gradients_are_the_published_ones(example):
    gradient = example.gradient
    assert float(gradient.w_hh) == pytest.approx(0.235705909, abs=5e-10)
    assert float(gradient.b) == pytest.approx(0.388120535, abs=5e-10)
    np.testing.assert_allclose(gradient.W_xh[2], [-0.013463654, 0.105594850, 0.130429223, 0], rtol=0, atol=5e-10)
    np.testing.assert_allclose(gradient.W_hy[3], [-0.179519654, -0.146348463, -0.196800521], rtol=0, atol=5e-10)
    assert all(comparison.equal for comparison in example.gradients)


def test_the_rows_of_the_gradient_table_add_up_to_the_total(example):
    for name, rows in example.backward.terms.arrays().items():
        total = getattr(example.gradient, name)
        assert len(rows) == 4
        np.testing.assert_allclose(rows[0] + rows[1] + rows[2] + rows[3], total, rtol=0, atol=1e-15)
        assert all(np.abs(row).max() > 0 for row in (rows[1:] if name == "w_hh" else rows))
    assert example.backward.terms.w_hh[0] == 0


def test_each_row_is_the_gradient_of_that_steps_own_copy_of_the_weights(example):
    """Untie the weights: one copy for each time step. The gradient of copy t is row t of the table."""
    copies = {name: torch.tensor(np.stack([array] * 4)) for name, array in example.parameters.arrays().items()}
    for copy in copies.values():
        copy.requires_grad_()
    torch_error(copies, example).backward()
    for name, copy in copies.items():
        np.testing.assert_allclose(copy.grad.numpy(), getattr(example.backward.terms, name), rtol=0, atol=1e-15)


def torch_error(copies, example):
    """The network again, in torch, with the weights of time step t in entry t of each tensor."""
    x, h, error = torch.tensor(example.x), torch.zeros(3, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    for t, target in enumerate(example.targets.argmax(axis=1)):
        memory = copies["w_hh"][t] @ h if copies["w_hh"].ndim == 3 else copies["w_hh"][t] * h
        h = torch.tanh(copies["W_xh"][t] @ x[t] + memory + copies["b"][t])
        error = error - torch.log_softmax(copies["W_hy"][t] @ h, dim=0)[target]
    return error


@pytest.mark.parametrize("form", ["scalar", "full"])
def test_gradients_agree_with_autograd(example, form):
    parameters = example.parameters.full() if form == "full" else example.parameters
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in parameters.arrays().items()}
    torch_error({name: torch.stack([tensor] * 4) for name, tensor in tensors.items()}, example).backward()
    total = backward(parameters, example.x, example.targets, forward(parameters, example.x)).total()
    for name, tensor in tensors.items():
        np.testing.assert_allclose(tensor.grad.numpy(), getattr(total, name), rtol=0, atol=1e-14)


@pytest.mark.parametrize("form", ["scalar", "full"])
@pytest.mark.parametrize("scored", ["every letter", "last letter"])
def test_gradients_agree_with_central_differences(example, form, scored):
    generator = np.random.default_rng(5)
    parameters = example.parameters.full() if form == "full" else example.parameters
    parameters = replace(parameters, w_hh=parameters.w_hh + 0.3 * generator.normal(size=parameters.w_hh.shape))
    targets = hello.last_only(example.targets) if scored == "last letter" else example.targets
    numeric = central_differences(parameters, example.x, targets)
    total = backward(parameters, example.x, targets, forward(parameters, example.x)).total()
    for name, array in numeric.arrays().items():
        np.testing.assert_allclose(array, getattr(total, name), rtol=0, atol=8e-10)
    assert example.finite_difference_gap < 8e-10


def test_scalar_and_full_form_agree_exactly(example):
    ahead, back = example.full_form_gaps
    assert ahead == 0
    assert back <= 2.3e-16
    assert (example.parameters.count, example.parameters.full().count) == (26, 36)


def test_the_gradient_vanishes_1228_fold_in_three_steps(example):
    np.testing.assert_allclose(example.gradient_norms, [0.00050585, 0.0034984, 0.045119, 0.62114], rtol=1.1e-5)
    assert round(example.gradient_norms[3] / example.gradient_norms[0]) == 1228
    carried = example.from_last_letter.dh[1:] * example.step_factors[1:]
    np.testing.assert_allclose(carried, example.from_last_letter.dh[:-1], rtol=1e-14)
    assert all(comparison.equal for comparison in example.vanishing)


def test_training_spells_ello_at_update_74_and_not_before(example):
    spelled = [hello.spelled(indices) for indices in example.trained.predicted]
    assert spelled.index("ello") == 74
    assert set(spelled[74:]) == {"ello"}
    assert spelled[0] == "hhhh"
    assert {0, 1, 10, 74, 100, 1000, 5000} <= set(example.trained.milestones())


@pytest.mark.parametrize(("update", "printed"), [(1, "5.796"), (10, "4.275"), (100, "0.7222"), (1000, "0.02078")])
def test_the_error_falls_as_published(example, update, printed):
    decimals = len(printed) - 2
    assert f"{example.trained.errors[update]:.{decimals}f}" == printed


def test_with_the_last_letter_only_it_says_o_from_update_3_on(example):
    last = [hello.spelled(indices)[-1] for indices in example.trained_on_last_letter.predicted]
    assert "o" not in last[:3]
    assert set(last[3:]) == {"o"}
    assert [comparison.computed for comparison in example.training[-2:]] == [74, 3]


def test_an_update_that_never_comes_is_after_the_end_of_the_run(example):
    assert hello.right_from(example.trained_without_memory, example.targets) == 5001


def test_without_memory_the_error_stays_above_its_floor_and_with_it_goes_below(example):
    without, trained = example.trained_without_memory.errors, example.trained.errors
    assert without.min() > 2 * math.log(2)
    assert f"{without[-1]:.5f}" == "1.38808"
    assert trained[example.below_floor_at - 1] >= 2 * math.log(2) > trained[example.below_floor_at]
    assert trained[-1] < 0.01


def test_a_wrong_digit_is_found():
    assert exact("E", 1.2344, "1.234").equal
    assert not exact("E", 1.2346, "1.234").equal
    assert near("h", [0.5, 0.5000009], "0.5 0.5").equal
    wrong = near("h", [0.5, 0.5000011], "0.5 0.5")
    assert not wrong.equal
    assert verdict(wrong).plain == "differs by 1.1e-06"


def test_a_changed_weight_shows_in_every_part(example):
    other = replace(example.parameters, w_hh=example.parameters.w_hh + 1e-4)
    passed = forward(other, example.x)
    changed = replace(
        example,
        parameters=other,
        forward=passed,
        losses=losses(passed, example.targets),
        backward=backward(other, example.x, example.targets, passed),
    )
    assert not changed.all_equal
    for part in (changed.whole_word, changed.gradients, changed.vanishing):
        assert not any(comparison.equal for comparison in part[:1])
    assert "differs by" in told(changed, 80)


def test_every_comparison_is_equal(example):
    assert example.all_equal
    assert sum(comparison.computed.size for comparison in example.comparisons()) == 104


def told(example, width):
    console = Console(file=StringIO(), width=width)
    console.print(story(example))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_text_fits_the_screen_and_cuts_nothing_off(example, width):
    text = told(example, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "\x1b" not in text
    assert "differs" not in text
    for number in ("1.90607489", "6.811274597", "+0.235705909", "-0.089509632", "0.00050585", "1.38808", "1228-fold"):
        assert number in text


def test_the_published_digits_stand_in_the_text_as_printed(example):
    text = told(example, 80)
    for printed in (hello_published.Y_AFTER_E, hello_published.P_AFTER_E, hello_published.H_AFTER_E):
        assert re.search(r"published\s+" + r"\s+".join(printed.split()) + r"\s+equal", text)


def test_the_story_says_where_the_published_digits_were_published(example):
    text = told(example, 80)
    assert hello_published.ADDRESS in text  # in one piece, to be copied
    assert " ".join(text.split()).count(hello_published.TUTORIAL) == 1
    assert "this project's own reference" in " ".join(text.split())


def test_subscripts():
    assert subscripts("w_hh h_1 + b, x_20") == "w_hh h₁ + b, x_20".replace("_20", "₂0")


def test_json_holds_every_number_in_full(example):
    value = json.loads(json.dumps(to_dict(example), allow_nan=False))
    assert value["whole_word"]["error"] == example.error
    steps = value["back_propagation_through_time"]["time_steps"]
    summed = sum(step["contribution_to_gradient"]["w_hh"] for step in steps)
    assert summed == pytest.approx(value["back_propagation_through_time"]["gradient"]["w_hh"], abs=1e-15)
    assert [step["step"] for step in value["seven_steps"]] == [1, 2, 3, 4, 5, 6, 7]
    course = value["training"]["whole_word"]["course"]
    assert {"update": 74, "error": float(example.trained.errors[74]), "predicted": "ello"} in course
    assert value["all_equal_to_published"] is True


@pytest.fixture
def command():
    app = Typer()
    app.command()(explain)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_command_prints_plain_text(command):
    result = command("hello")
    assert result.exit_code == 0
    assert "elman train language-modeling YOUR.txt" in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_command_prints_one_json_object_and_nothing_else(command, tmp_path):
    result = command("hello", "--json", "--picture", tmp_path / "hello.svg")
    assert json.loads(result.stdout)["word"] == "hello"
    assert (tmp_path / "hello.svg").exists()


def test_an_unknown_topic_names_what_there_is(command):
    error = command("goodbye").exception
    assert isinstance(error, UsageError)
    assert str(error) == "no explanation is called 'goodbye'; there is: hello"


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("c.PDF", b"%PDF")])
def test_the_picture_is_written_in_each_format(example, tmp_path, name, magic):
    hello_picture.draw(example, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_picture_holds_the_live_numbers_and_no_text_overlaps(example):
    drawn = hello_picture.figure(example)
    FigureCanvasAgg(drawn).draw()
    texts = [text for text in drawn.axes[0].texts if text.get_text()]
    written = [text.get_text() for text in texts]
    for number in ("0.69", "0.95", "0.432", "0.209", "0.621", "0.000506", "÷ 13.8"):
        assert number in written
    boxes = [text.get_window_extent() for text in texts]
    page = drawn.bbox
    for place, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        for other, name in zip(boxes[place + 1 :], written[place + 1 :], strict=True):
            assert not box.overlaps(other), (written[place], name)


def test_the_picture_is_not_blank_and_changes_with_the_numbers(example):
    def pixels(shown):
        canvas = FigureCanvasAgg(hello_picture.figure(shown))
        canvas.draw()
        return np.asarray(canvas.buffer_rgba()).astype(int)

    first = pixels(example)
    ink = (first[..., :3] < 250).any(axis=-1)
    assert 0.05 < ink.mean() < 0.5
    other = replace(example, forward=forward(replace(example.parameters, b=np.array(-0.567001)), example.x))
    assert (first != pixels(other)).any(axis=-1).mean() > 0.005


@pytest.mark.parametrize("name", ["hello.gif", "hello", "folder/hello.png"])
def test_a_picture_that_cannot_be_written_is_one_clear_sentence(example, tmp_path, name):
    with pytest.raises(ElmanError) as caught:
        hello_picture.draw(example, tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
