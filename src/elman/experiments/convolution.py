"""With convolution, recurrence widens the pixel neighbourhood: receptive fields, by the gradient of one output."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from elman.experiments.base import Experiment, Outcome, Verdict, interval
from elman.experiments.learning import gate_bias
from elman.layers import build

SIDE, CHANNELS, IMAGES, FAINT = 65, 16, 2, 0.01
MIDDLE = SIDE // 2
BIAS = 4.2
"""The logarithm of SIDE: gates that hold over the image."""


class Lines(nn.Module):
    """A bidirectional GRU over each row of an image, or over each column: the rows of the batch are the lines.

    Source: F. Visin et al., "ReNet: a recurrent neural network based alternative to convolutional networks" (2015).

    Args:
        axis: 3 along the rows, 2 along the columns.
        holds: whether the gates hold from the start.
    """

    def __init__(self, axis: int, *, holds: bool) -> None:
        super().__init__()
        self.axis, self.layer = axis, build("gru", CHANNELS, CHANNELS // 2, bidirectional=True)
        if holds:
            gate_bias(self.layer, "z", BIAS)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, height, width), from the same."""
        turned = image.movedim(self.axis, 0).movedim(2, -1)
        output, _ = self.layer.scan(turned.flatten(1, 2))
        return output.reshape(turned.shape).movedim(-1, 2).movedim(0, self.axis)


def _convolutions(*dilations: int) -> list[nn.Module]:
    """3x3 convolutions from one channel, one after the other, that keep the size of the image."""
    layers: list[nn.Module] = []
    for depth, dilation in enumerate(dilations):
        inputs = CHANNELS if depth else 1
        layers += [nn.Conv2d(inputs, CHANNELS, 3, padding=dilation, dilation=dilation), nn.ReLU()]
    return layers


ALONE, ROWS, BOTH, HOLDING, DILATED = (
    *("2 convolutions", "2 convolutions, rows", "2 convolutions, rows and columns"),
    *("2 convolutions, rows and columns that hold", "6 convolutions, dilated 1 to 32"),
)
NETWORKS: dict[str, Callable[[], list[nn.Module]]] = {
    ALONE: lambda: _convolutions(1, 1),
    "8 convolutions": lambda: _convolutions(*[1] * 8),
    ROWS: lambda: [*_convolutions(1, 1), Lines(3, holds=False)],
    BOTH: lambda: [*_convolutions(1, 1), Lines(3, holds=False), Lines(2, holds=False)],
    HOLDING: lambda: [*_convolutions(1, 1), Lines(3, holds=True), Lines(2, holds=True)],
    DILATED: lambda: _convolutions(1, 2, 4, 8, 16, 32),
}


class Convolution(Experiment):
    """The gradient of the middle of the output by every pixel."""

    name = "convolution"
    claim = "With convolution, recurrence widens the pixel neighbourhood."
    expected = (
        "After two 3x3 convolutions an output depends on 5 x 5 pixels; with a recurrence over rows and columns on all."
    )
    method = (
        f"Images of {SIDE} x {SIDE} random pixels, {CHANNELS} channels, networks at torch's start, no training, "
        "float64; the gradient of the middle output by every pixel. A pixel counts if it is not zero. Seen is the "
        f"greatest distance, in rows or columns, at which a pixel has more than {FAINT:.0%} of the largest gradient. "
        f'Rows and columns are read by bidirectional GRUs; "hold" is an update bias of {BIAS}.'
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, count, seen = [], {}, {}
        for name, network in NETWORKS.items():
            tell(name)
            gradients = [_gradient(network, seed) for seed in seeds]
            count[name] = min(int((gradient > 0).sum()) for gradient in gradients)
            seen[name] = [_seen(gradient) for gradient in gradients]
            far = [_strongest(gradient, MIDDLE) for gradient in gradients]
            rows.append(
                {
                    "network": name,
                    "parameters": f"{sum(p.numel() for p in nn.Sequential(*network()).parameters()):,}",
                    "pixels that count": f"{count[name]:,} of {SIDE**2:,}",
                    "seen up to": interval(seen[name]),
                    f"gradient {MIDDLE} pixels away": f"{max(far):.0e}" if any(far) else "0",
                }
            )
        return Outcome(rows, _measured(count, seen), *_judged(count, seen), list(seeds))


def _measured(count: dict[str, int], seen: dict[str, list[int]]) -> str:
    return (
        f"Two convolutions depend on {count[ALONE]} of {SIDE**2:,} pixels, with rows on {count[ROWS]:,}, with rows and "
        f"columns on {count[BOTH]:,}. More than {FAINT:.0%} of the largest gradient comes from at most "
        f"{max(seen[ALONE])} pixels away by the convolutions alone, {max(seen[BOTH])} with both as torch starts them, "
        f"and {min(seen[HOLDING])} or more where the gates hold; {max(seen[DILATED])} with dilated convolutions."
    )


def _judged(count: dict[str, int], seen: dict[str, list[int]]) -> tuple[Verdict, str]:
    """Verdict and reason."""
    if not count[ALONE] < count[ROWS] < count[BOTH] or min(seen[BOTH]) <= max(seen[ALONE]):
        return "does not hold", "Recurrence added no pixel."
    return "holds", (
        "Two recurrences, over rows and over columns, let every pixel count, at whatever size. How much the far ones "
        "count is another matter: at the usual start the gradient vanishes over pixels as it does over time, and "
        f"{MIDDLE} pixels away it is next to nothing; the whole image is seen where the gates hold. Nor is recurrence "
        "the only way: dilated convolutions reach as far, up to a distance that is fixed in advance."
    )


def _gradient(network: Callable[[], list[nn.Module]], seed: int) -> Tensor:
    """The size of the middle output's gradient by every pixel, (SIDE, SIDE), over some images."""
    torch.manual_seed(seed)
    layers = nn.Sequential(*network()).double()
    image = torch.randn(IMAGES, 1, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    middle = layers(image)[..., MIDDLE, MIDDLE]
    (gradient,) = torch.autograd.grad((middle * torch.randn_like(middle)).sum(), image)
    size: Tensor = gradient[:, 0].norm(dim=0)
    return size


def _strongest(gradient: Tensor, distance: int) -> float:
    """Of the pixels at a distance from the middle, the largest gradient, beside the largest of all."""
    places = (torch.arange(SIDE) - MIDDLE).abs()
    away = torch.maximum(places[:, None], places)
    return float(gradient[away == distance].max() / gradient.max())


def _seen(gradient: Tensor) -> int:
    return max(distance for distance in range(MIDDLE + 1) if _strongest(gradient, distance) > FAINT)
