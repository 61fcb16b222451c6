"""The worked example as a person reads it, first half: the network, the seven steps, the whole word, what comes next.

Every number comes from the `HelloExample`; nothing is computed here but rounding. The second half, how the network
learns, is in `telling_learning`.
"""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from elman.diagnosis.hello.example import HelloExample, Step, letters
from elman.diagnosis.hello.layout import booktabs, equations, heading, numbers, prose, subscripts, verdict
from elman.diagnosis.hello.published import ADDRESS, ALPHABET, TUTORIAL, WORD
from elman.diagnosis.hello.telling_learning import gradients, memory, training, vanishing

REMARKS = {
    1: 'A one-hot input picks one column of W_xh, here that of "h".',
    2: "Nothing has been read before, h₀ = 0, so only the bias is left.",
    3: 'This is the state after "h".',
    4: "Here is the recurrence: h₁ comes back in.",
    5: 'The state after "e" holds both letters.',
    6: 'One score for each letter, in the order "h e l o".',
    7: 'Untrained, it expects "h" after "e". (The published digits are cut off here, not rounded.)',
}


def story(example: HelloExample) -> Group:
    """The whole worked example, from the parameters to what to do next."""
    sections = (network, seven_steps, whole_word, gradients, vanishing, training, memory, what_next)
    return Group(*(part for section in sections for part in section(example)))


def network(example: HelloExample) -> list[RenderableType]:
    """What a recurrent network is, and the given weights."""
    return [
        heading(f'A recurrent network reads "{WORD}"'),
        prose(
            "A recurrent network reads a sequence one item at a time. It keeps a hidden state h, a short list of "
            "numbers that sums up what it has read so far. At each time step t it makes the new state from the new "
            "input x and the old state:"
        ),
        equations(
            ("hₜ = tanh(W_xh xₜ + w_hh hₜ₋₁ + b)", "new state, from input and memory"),
            ("yₜ = W_hy hₜ", "a score for each letter"),
            ("pₜ = softmax(yₜ)", "the scores as probabilities"),
        ),
        prose(
            f"The weights are the same at every step. Here they are {example.parameters.count} numbers, for the "
            f"letters {' '.join(ALPHABET)} and three hidden units; w_hh and b are one number each, shared by the "
            'units. A letter enters as a one-hot vector: "e" is x = (0, 1, 0, 0). The task is to predict, after each '
            f'letter, the next one: "{example.inputs}" should give "{example.outputs}".'
        ),
        weights(example),
    ]


def weights(example: HelloExample) -> Table:
    """The given parameters, by hidden unit."""
    given = example.parameters
    table = booktabs("weights", "unit 1", "unit 2", "unit 3", words=range(4))
    for column, letter in enumerate(ALPHABET):
        table.add_row(f'W_xh  input "{letter}" to state', *numbers(given.W_xh[:, column], 6))
    table.add_section()
    table.add_row("w_hh  old state to new state", *numbers([given.w_hh] * 3, 6))
    table.add_row("b     bias", *numbers([given.b] * 3, 6))
    table.add_section()
    for row, letter in enumerate(ALPHABET):
        table.add_row(f'W_hy  state to output "{letter}"', *numbers(given.W_hy[row], 9))
    return table


def seven_steps(example: HelloExample) -> list[RenderableType]:
    """The seven published steps, computed and printed numbers one below the other."""
    largest = max(comparison.difference for step in example.steps[-2:] for comparison in step.comparisons)
    return [
        heading("Seven steps by hand"),
        prose(
            'From the letter "h" to the prediction after "e", each number as computed now, above the published one, '
            f"which is that of the tutorial that introduced this network ({TUTORIAL}, {ADDRESS}). Equal means within "
            f"1e-6, and within 1e-5 for y and p, whose published digits are up to {largest:.0e} off."
        ),
        *(part for step in example.steps for part in one_step(step)),
    ]


def one_step(step: Step) -> list[RenderableType]:
    """A title, a remark, and a computed above a published row for each quantity."""
    grid = Table.grid(padding=(0, 1))
    for width in (12, 10, 10, 10, 10, 5):
        grid.add_column(min_width=width, no_wrap=True)
    for comparison in step.comparisons:
        blanks = [""] * (4 - comparison.computed.size)
        grid.add_row(subscripts(comparison.what), *numbers(comparison.computed, 8))
        printed = [Text(digits, style="dim") for digits in comparison.printed]
        grid.add_row(Text("published", style="dim"), *printed, *blanks, verdict(comparison))
    title = Text.assemble((f"Step {step.number}  {subscripts(step.title)}", "bold"))
    return [title, Padding(Text(REMARKS[step.number]), (0, 0, 0, 3)), Padding(grid, (0, 0, 1, 3))]


def whole_word(example: HelloExample) -> list[RenderableType]:
    """States, probabilities and losses at every letter."""
    run, said = example.forward, letters(example.forward.p)
    columns = ("t", "in", "target", "unit 1", "unit 2", "unit 3", *(f"p({letter})" for letter in ALPHABET), "−ln p")
    table = booktabs(*columns, words=(0, 1, 2))
    for t, (read, target) in enumerate(zip(example.inputs, example.outputs, strict=True)):
        row = (*run.h[t + 1], *run.p[t], example.losses[t])
        table.add_row(str(t + 1), read, target, *numbers(row, 4))
    count = sum(comparison.computed.size for comparison in example.whole_word)
    error = example.whole_word[-1]
    return [
        heading("The whole word"),
        prose(
            "The same three equations, letter after letter: the three units of the state, the four probabilities, "
            "and the loss −ln p, the surprise at the target letter. It is 0 when the network was sure of it, and 1.386 "
            "for a blind guess among four. The tutorial stops before: from here on the published numbers are "
            "this project's own reference, worked out apart from this program and checked by central differences."
        ),
        table,
        Text.assemble(
            f"E = sum of losses = {example.error:.9f}, published {error.printed[0]}; all {count} numbers: ",
            verdict(*example.whole_word),
        ),
        Text(f'Predicted: "{said}". It never looks right yet; it has to learn.'),
    ]


def what_next(example: HelloExample) -> list[RenderableType]:
    """Whether all was equal, and commands to go on with."""
    comparisons = example.comparisons()
    count = sum(comparison.computed.size for comparison in comparisons)
    return [
        heading("What next"),
        Text.assemble(f"{count} numbers were computed and compared with published ones: ", verdict(*comparisons), "\n"),
        equations(
            ("elman explain hello --picture hello.png", "draw this network"),
            ("elman explain hello --json", "every number, in full"),
            ("elman train language-modeling YOUR.txt", "train one on your own text"),
        ),
    ]
