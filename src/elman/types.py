"""The types that cross rooms, and the legend of sizes used in every docstring.

    T time    B batch    I input    H hidden    G gates    V vocabulary    L layers    D directions

Time comes first inside; batch comes first only at the user's edge.
"""

from torch import Tensor

State = tuple[Tensor, ...]
"""A recurrent state: tensors of shape (B, H) each; `state[0]` is what the next layer sees.

Nobody owns a state: it is passed in and returned. A stack of L layers in D directions keeps the tensors of all of
them in one, (D*L, B, H), in torch.nn's order (layer outside, direction inside).
"""
