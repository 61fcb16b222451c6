"""The worked example as a person reads it, second half: gradients, why they vanish, training, memory.

Every number comes from the `HelloExample`; nothing is computed here but rounding.
"""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from elman.diagnosis.hello.comparison import Comparison
from elman.diagnosis.hello.example import FLOOR, HelloExample, spelled
from elman.diagnosis.hello.layout import booktabs, closeness, equations, heading, numbers, prose, verdict
from elman.diagnosis.hello.published import ALPHABET, ERROR_AFTER

UNITS = ("unit 1", "unit 2", "unit 3")
PUBLISHED = Text("published", style="dim")


def gradients(example: HelloExample) -> list[RenderableType]:
    """What each time step adds to each gradient, and the sums."""
    w_hy = example.gradients[3]
    return [
        heading("Back-propagation through time"),
        prose(
            "To learn, the network needs the gradient of E for each weight: how E changes when the weight does. It is "
            "found from the last letter back to the first, with δₜ the gradient inside the tanh:"
        ),
        equations(
            ("∂E/∂yₜ = pₜ − targetₜ", "probabilities less the one-hot target"),
            ("∂E/∂hₜ = W_hyᵀ ∂E/∂yₜ + w_hh δₜ₊₁", "from its own output, from the future"),
            ("δₜ = (1 − hₜ²) ∂E/∂hₜ", "through the tanh"),
        ),
        prose(
            "A weight is used at every time step, so every step adds a term to its gradient. Step 1 adds nothing to "
            "∂E/∂w_hh, since there is no memory yet."
        ),
        state_gradients(example),
        "",
        prose("For W_xh, step t adds δₜ to the column of the letter that it read, and nothing elsewhere."),
        input_gradients(example),
        "",
        prose(
            "For W_hy, step t adds (pₜ − targetₜ) hₜᵀ. Descent goes against the sign: + lowers the letter's score, "
            "− raises it."
        ),
        output_gradients(example, 0, 2),
        "",
        output_gradients(example, 2, 4),
        Text.assemble("The twelve sums and the published ones, to nine decimals: ", verdict(w_hy)),
        *checks(example),
    ]


def checks(example: HelloExample) -> list[RenderableType]:
    """The gradient found in two other ways: by moving each weight, and in the full form."""
    ahead, back = example.full_form_gaps
    return [
        "",
        prose(
            f"Moving each of the {example.parameters.count} weights a little and computing E again gives the same "
            f"gradient, {closeness(example.finite_difference_gap)}. So does the general form, in which w_hh is a full "
            "3x3 matrix (here w_hh times the identity) and b a vector: states and probabilities agree "
            f"{closeness(ahead)}, gradients {closeness(back)}, with ∂E/∂w_hh the trace of the matrix and ∂E/∂b the sum "
            "of the vector."
        ),
    ]


def state_gradients(example: HelloExample) -> Table:
    """The terms of dE/dw_hh and dE/db."""
    terms, (w_hh, b) = example.backward.terms, example.gradients[:2]
    table = booktabs("t", "in", "δ unit 1", "unit 2", "unit 3", "∂E/∂w_hh", "∂E/∂b", "", words=(0, 1, 7))
    for t, letter in enumerate(example.inputs):
        delta = numbers(example.backward.delta[t], 5, sign=True)
        table.add_row(str(t + 1), letter, *delta, *numbers((terms.w_hh[t], terms.b[t]), 9, sign=True))
    table.add_section()
    table.add_row("sum", "", "", "", "", *numbers((w_hh.computed, b.computed), 9, sign=True))
    table.add_row(PUBLISHED, "", "", "", "", *printed(w_hh), *printed(b), verdict(w_hh, b))
    return table


def input_gradients(example: HelloExample) -> Table:
    """The terms of dE/dW_xh, one part for each letter, that is for each column."""
    comparison = example.gradients[2]
    width = len(ALPHABET)
    table = booktabs("∂E/∂W_xh", "", *(f"{unit}" for unit in UNITS), words=(0, 1))
    for column, letter in enumerate(ALPHABET):
        steps = [t for t, read in enumerate(example.inputs) if read == letter]
        rows = [(f"step {t + 1}", example.backward.terms.W_xh[t, :, column]) for t in steps]
        if len(steps) != 1:
            rows.append(("sum" if steps else "never read", comparison.computed[:, column]))
        for place, (label, row) in enumerate(rows):
            table.add_row("" if place else f'column "{letter}"', label, *numbers(row, 9, sign=True))
        if steps:
            table.add_row("", PUBLISHED, *printed(comparison)[column::width])
        table.add_section()
    table.add_row("all twelve", "", "", "", verdict(comparison))
    return table


def output_gradients(example: HelloExample, first: int, last: int) -> Table:
    """The terms of dE/dW_hy for the output letters first .. last-1, that is for these rows."""
    comparison = example.gradients[3]
    H = comparison.computed.shape[1]
    columns = [f'"{letter}" {unit}' if unit == UNITS[0] else unit for letter in ALPHABET[first:last] for unit in UNITS]
    table = booktabs("∂E/∂W_hy", *columns)
    for t in range(len(example.x)):
        table.add_row(f"step {t + 1}", *numbers(example.backward.terms.W_hy[t, first:last], 6, sign=True))
    table.add_section()
    table.add_row("sum", *numbers(comparison.computed[first:last], 6, sign=True))
    published = comparison.published.ravel()[first * H : last * H]
    table.add_row(PUBLISHED, *(Text(digits, style="dim") for digits in numbers(published, 6, sign=True)))
    return table


def printed(comparison: Comparison) -> list[Text]:
    """The printed digits with a sign, and with the zero that their source leaves out before the point."""
    decimals = [len(digits.partition(".")[2]) for digits in comparison.printed]
    values = zip(comparison.published.ravel(), decimals, strict=True)
    return [Text(numbers([value], places, sign=True)[0], style="dim") for value, places in values]


def vanishing(example: HelloExample) -> list[RenderableType]:
    """How little of the last letter's loss reaches the first letter, and why."""
    norms, (compared, shrinks) = example.gradient_norms, example.vanishing
    T = len(norms)
    columns = ("t", "in", "|∂E/∂hₜ|", "published", "", "factor, unit 1", "unit 2", "unit 3")
    table = booktabs(*columns, words=(0, 1, 4))
    for t in reversed(range(T)):
        digits = compared.printed[t]
        factors = numbers(example.step_factors[t], 4) if t else ["", "", ""]
        verdicts = verdict(compared) if t == T - 1 else ""
        row = format(norms[t], f".{len(digits) - 2}f")
        table.add_row(str(t + 1), example.inputs[t], row, Text(digits, style="dim"), verdicts, *factors)
    return [
        heading("The gradient vanishes"),
        prose(
            "Now score the last letter only, and ask how much each earlier state is held responsible for it. On its "
            "way from hₜ to hₜ₋₁ the gradient of each unit is multiplied by w_hh (1 − hₜ²):"
        ),
        table,
        "",
        Text.assemble(
            f"All factors are far below 1, so in {T - 1} steps the gradient shrinks {float(shrinks.computed):.0f}-fold "
            f"(published {shrinks.printed[0]}: ",
            verdict(shrinks),
            "). Over a sentence nothing would be left: the network could not learn from what it read long ago. With "
            "factors above 1 the gradient would explode instead. LSTM and GRU cells were made so that it can pass.",
        ),
    ]


def training(example: HelloExample) -> list[RenderableType]:
    """Gradient descent until the network spells "ello"."""
    run = example.trained
    right, last_right = example.training[-2:]
    by_update = dict(zip(ERROR_AFTER, example.training, strict=False))
    table = booktabs("update", "E", "published", "", "predicts", words=(3, 4))
    for update in run.milestones():
        cells: tuple[RenderableType, ...] = ("", "")
        if update in by_update:
            cells = Text(by_update[update].printed[0], style="dim"), verdict(by_update[update])
        table.add_row(str(update), f"{run.errors[update]:.5f}", *cells, spelled(run.predicted[update]))
    return [
        heading("Training"),
        prose(
            f"Plain gradient descent: from every weight, take {run.rate} times its gradient, compute again, repeat. "
            "The rows show the round numbers, and each update at which a predicted letter changes."
        ),
        table,
        "",
        Text.assemble(
            f"Right from update {int(right.computed)} on (published {right.printed[0]}: ",
            verdict(right),
            f'). With the last letter as the only target it predicts "o" from update {int(last_right.computed)} on '
            f"(published {last_right.printed[0]}: ",
            verdict(last_right),
            ").",
        ),
    ]


def memory(example: HelloExample) -> list[RenderableType]:
    """The proof that the recurrent network remembers: it goes below what is possible without memory."""
    floor, held = example.memory
    without, trained = example.trained_without_memory, example.trained
    table = booktabs("", "E", "published", "", words=(0, 3))
    table.add_row("least possible without memory, 2 ln 2", f"{FLOOR:.6f}", *compared(floor))
    table.add_row("this network, w_hh held at 0", f"{without.errors[-1]:.5f}", *compared(held))
    table.add_row("this network, recurrent", f"{trained.errors[-1]:.5f}", "", "")
    below = example.below_floor_at
    return [
        heading("Is it memory?"),
        prose(
            'After "l" comes "l" once and "o" once. Whoever sees only the current letter can at best give both 1/2, '
            "which costs ln 2 twice. Only by remembering what came before can E go lower."
        ),
        table,
        "",
        Text(
            f"Both after {len(without.errors) - 1} updates at rate {without.rate}. The recurrent network is below the "
            f'floor from update {below} on: it remembers whether it has read one "l" or two.'
        ),
    ]


def compared(comparison: Comparison) -> tuple[Text, Text]:
    """The printed number and the verdict."""
    return Text(comparison.printed[0], style="dim"), verdict(comparison)
