"""The worked example as one picture: the unrolled network above, the gradient that flows back through it below.

Every number in it comes from the `HelloExample`. Drawn with matplotlib's object interface, so that no global state
(pyplot, settings, backend) is touched. Positions are in units of the drawing, WIDTH by HEIGHT.
"""

from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from elman import files
from elman.diagnosis.hello.example import HelloExample
from elman.diagnosis.hello.published import ALPHABET, WORD
from elman.errors import UsageError

FORMATS = (".png", ".svg", ".pdf")
WIDTH, HEIGHT, INCH = 19.2, 13.4, 0.62
FIRST, SPACING = 3.9, 4.4
OUTPUT_Y, STATE_Y, INPUT_Y, GRADIENT_Y = 9.35, 7.0, 4.6, 1.55
INK, FAINT, PALE, OTHER, TARGET = "#222222", "#6b6b6b", "#dddddd", "#8fb8d6", "#d55e00"
STATE_COLOURS, GRADIENT_COLOURS = colormaps["cividis"], colormaps["YlOrBr"]


def draw(example: HelloExample, target: Path) -> Path:
    """Draw the example and write it to `target`, whole or not at all.

    Raises UsageError for an ending other than .png, .svg and .pdf, RunError if the file cannot be written.
    """
    ending = target.suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"cannot draw {target}: its name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    drawn = figure(example)
    return files.replace(target, lambda path: drawn.savefig(path, format=ending[1:], dpi=160))


def figure(example: HelloExample) -> Figure:
    """The picture as a matplotlib figure."""
    drawn = Figure(figsize=(WIDTH * INCH, HEIGHT * INCH), facecolor="white")
    axes = drawn.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    title(axes, example)
    for t in range(len(example.x)):
        outputs(axes, example, t)
        state(axes, example, t)
        inputs(axes, example, t)
    state_scale(drawn, axes)
    flow_back(axes, example)
    return drawn


def title(axes: Axes, example: HelloExample) -> None:
    """What is seen, the equations, and the names of the rows."""
    words(axes, 0.35, 12.9, f'A recurrent network reads "{WORD}"', size=17, weight="bold", ha="left")
    equations = (
        r"$h_t = \tanh(W_{xh}\,x_t + w_{hh}\,h_{t-1} + b)$",
        r"$y_t = W_{hy}\,h_t$",
        r"$p_t = \mathrm{softmax}(y_t)$",
    )
    words(axes, 0.35, 12.25, (" " * 6).join(equations), size=12, ha="left")
    count = example.parameters.count
    words(axes, WIDTH - 0.5, 12.9, f"{count} weights, the same at every step, untrained", ha="right", colour=FAINT)
    for y, name, symbol in ((OUTPUT_Y + 0.75, "output", "$p_t$"), (INPUT_Y + 0.3, "input", "$x_t$")):
        words(axes, 0.35, y, f"{name}  {symbol}", size=12, ha="left")
    words(axes, 0.35, STATE_Y + 1.15, "state  $h_t$", size=12, ha="left")
    words(axes, 0.75, STATE_Y, "$h_0 = 0$", size=12)


def outputs(axes: Axes, example: HelloExample, t: int) -> None:
    """The probability of each letter as a bar; the target is the dark one with the thick edge."""
    x, target = place(t), example.outputs[t]
    for k, letter in enumerate(ALPHABET):
        p, left, right = float(example.forward.p[t, k]), x + 0.8 * (k - 1.5), letter == target
        colour, edge = (TARGET, INK) if right else (OTHER, OTHER)
        bar = Rectangle((left - 0.28, OUTPUT_Y), 0.56, 3 * p, facecolor=colour, edgecolor=edge, linewidth=1.4)
        axes.add_patch(bar)
        words(axes, left, OUTPUT_Y + 3 * p + 0.2, f"{p:.3f}", size=9)
        words(axes, left, OUTPUT_Y - 0.27, letter, size=12, weight="bold" if right else "normal")
    axes.plot([x - 1.6, x + 1.6], [OUTPUT_Y, OUTPUT_Y], color=INK, linewidth=1)
    loss = float(example.losses[t])
    words(axes, x, OUTPUT_Y + 1.98, f'target "{target}"   $-\\ln p$ = {loss:.3f}', size=10.5, colour=TARGET)


def state(axes: Axes, example: HelloExample, t: int) -> None:
    """The hidden units, coloured by value, and the arrows that enter and leave the state."""
    x = place(t)
    box = FancyBboxPatch(
        (x - 1.5, STATE_Y - 0.5), 3.0, 1.0, boxstyle="round,pad=0.12", facecolor="#f5f5f5", edgecolor=INK
    )
    axes.add_patch(box)
    for unit, value in enumerate(example.forward.h[t + 1]):
        colour = STATE_COLOURS(Normalize(-1, 1)(value))
        centre = x + 1.02 * (unit - 1)
        axes.add_patch(Circle((centre, STATE_Y), 0.46, facecolor=colour, edgecolor=INK, linewidth=0.8))
        words(axes, centre, STATE_Y, f"{value:.2f}", size=10, colour=INK if value > 0 else "white")
    words(axes, x - 1.5, STATE_Y + 0.95, f"$h_{t + 1}$", size=13)
    start = 1.35 if t == 0 else place(t - 1) + 1.62
    arrow(axes, (start, STATE_Y), (x - 1.62, STATE_Y))
    words(axes, (max(start, x - 2.78) + x - 1.62) / 2, STATE_Y + 0.3, "$w_{hh}$", size=11)
    arrow(axes, (x, STATE_Y + 0.62), (x, OUTPUT_Y - 0.55))
    words(axes, x + 0.45, STATE_Y + 1.2, "$W_{hy}$", size=11)
    arrow(axes, (x, INPUT_Y + 0.7), (x, STATE_Y - 0.62))
    words(axes, x + 0.45, STATE_Y - 1.15, "$W_{xh}$", size=11)


def inputs(axes: Axes, example: HelloExample, t: int) -> None:
    """The one-hot input as four cells."""
    for k, letter in enumerate(ALPHABET):
        left, on = place(t) + 0.66 * (k - 2), example.inputs[t] == letter
        axes.add_patch(
            Rectangle((left, INPUT_Y), 0.66, 0.62, facecolor=INK if on else "white", edgecolor=INK, linewidth=0.9)
        )
        words(axes, left + 0.33, INPUT_Y + 0.3, "1" if on else "0", size=10, colour="white" if on else FAINT)
        words(axes, left + 0.33, INPUT_Y - 0.28, letter, size=12, weight="bold" if on else "normal")


def state_scale(drawn: Figure, axes: Axes) -> None:
    """The colours of the hidden units, from -1 to 1."""
    scale = axes.inset_axes((WIDTH - 3.6, 12.2, 3.0, 0.2), transform=axes.transData)
    colours = ScalarMappable(Normalize(-1, 1), STATE_COLOURS)
    bar = drawn.colorbar(colours, cax=scale, orientation="horizontal", ticks=[-1, 0, 1])
    bar.ax.tick_params(labelsize=9, length=2)
    words(axes, WIDTH - 3.85, 12.3, "value of a hidden unit", ha="right", colour=FAINT)


def flow_back(axes: Axes, example: HelloExample) -> None:
    """|dE/dh_t| with the loss at the last letter only: wide and dark is much, on a logarithmic scale."""
    norms = example.gradient_norms
    axes.plot([0.35, WIDTH - 0.35], [3.85, 3.85], color=PALE, linewidth=1.2)
    shrinks = f"Back in time the gradient vanishes: {norms[-1] / norms[0]:.0f}-fold in {len(norms) - 1} steps"
    words(axes, 0.35, 3.4, shrinks, size=14, weight="bold", ha="left")
    meaning = "Only the last letter is scored. Each box says how strongly the error depends on that state."
    words(axes, 0.35, 2.85, f"{meaning} Width and colour: logarithmic.", ha="left", colour=FAINT)
    words(axes, 0.35, GRADIENT_Y, r"$\left|\,\partial E/\partial h_t\,\right|$", size=13, ha="left")
    shares = LogNorm(norms.min(), norms.max())(norms)
    for t, norm in enumerate(norms):
        gradient_box(axes, t, norm, shares[t])
        if t:
            colour, width = GRADIENT_COLOURS(0.25 + 0.6 * shares[t]), 1 + 8 * shares[t]
            ends = (place(t) - 1.15, GRADIENT_Y), (place(t - 1) + 1.15, GRADIENT_Y)
            arrow(axes, *ends, width=width, colour=colour)
            words(axes, place(t) - SPACING / 2, GRADIENT_Y + 0.62, f"÷ {norm / norms[t - 1]:.1f}", size=11)


def gradient_box(axes: Axes, t: int, norm: float, share: float) -> None:
    """One |dE/dh_t|, coloured by its share of the way from the smallest to the largest."""
    corner, style = (place(t) - 1.0, GRADIENT_Y - 0.32), "round,pad=0.1"
    colour = GRADIENT_COLOURS(0.25 + 0.6 * share)
    axes.add_patch(FancyBboxPatch(corner, 2.0, 0.64, boxstyle=style, facecolor=colour, edgecolor=INK))
    words(axes, place(t), GRADIENT_Y, f"{norm:#.3g}", size=12, colour="white" if share > 0.8 else INK)
    words(axes, place(t), GRADIENT_Y - 0.8, f"at $h_{t + 1}$", size=11)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], *, width: float = 1.4, colour: Any = INK
) -> None:
    """An arrow whose head grows with its width (points)."""
    style = f"-|>,head_length={4 + width / 2},head_width={2 + width / 2}"
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=style,
            linewidth=width,
            color=colour,
            shrinkA=0,
            shrinkB=0,
            mutation_scale=1,
            joinstyle="miter",
        )
    )


def words(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 10.5,
    ha: str = "center",
    colour: str = INK,
    weight: str = "normal",
) -> None:
    """Text centred on the height y."""
    axes.text(x, y, text, fontsize=size, ha=ha, va="center", color=colour, fontweight=weight, fontfamily="DejaVu Sans")


def place(t: int) -> float:
    """The middle of time step t, counted from 0."""
    return FIRST + SPACING * t
