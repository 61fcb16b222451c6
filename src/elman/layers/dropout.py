"""Dropout with one mask for all time steps."""

from torch import Tensor, nn

from elman.layers.masks import keep


class LockedDropout(nn.Module):
    """Zero the same features of a row at every time step, and scale the others up, while training.

    Source: Gal & Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural networks. Beside
    torch's dropout of single elements it draws T times fewer random numbers.

    Args:
        p: the probability with which a feature is zeroed, less than 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, features: Tensor) -> Tensor:
        """Return features (T, B, H) with the mask (1, B, H) applied; unchanged in eval mode."""
        if not self.training or self.p == 0:
            return features
        return features * keep((1, *features.shape[1:]), self.p, features, scaled=True)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"
