"""In which numbers the native engine multiplies: float32, or bfloat16 with sums of float32.

It knows what is asked for, and whether the instruction set in use has such products; not how they are made.
"""

import torch

from elman.engine.asking import Asked, Block
from elman.engine.native.library import library
from elman.engine.watching import untraced
from elman.errors import UsageError

PRODUCTS = {"float32": "float32", "bfloat16": "bfloat16", "bf16": "bfloat16"}

ASKED = Asked("elman_products")


def precision(products: str) -> Block:
    """Choose the products of Elman's float32 layers inside a `with` block: "float32", or "bfloat16".

    With "bfloat16" both sides of every product are rounded to it, 8 bits of precision, forward and backward; sums,
    states, operations and gradients stay float32, and everything outside of recurrent layers is left alone. It needs a
    processor with AVX512-BF16: an AMD Zen 5 takes 0.54 to 0.75 of the time for a training step (`elman doctor` says
    what a matrix product gains). On others the layers stay in float32, which is faster there. Without a block,
    torch.autocast decides. Single steps (cells, steppers, sequences of one step without gradient) and float64 stay as
    they are, and so do second derivatives. A function that torch.compile has compiled is compiled anew where the block
    stands around it; with fullgraph=True it cannot stand inside.

    Args:
        products: "float32", or "bfloat16" ("bf16" for short).

    Raises:
        UsageError: if it is none of these.

    """
    if products not in PRODUCTS:
        raise UsageError(f"unknown products {products!r}; choose one of {', '.join(PRODUCTS)}")
    return Block(ASKED, PRODUCTS[products])


@untraced
def multiplies_bfloat16() -> bool:
    """Whether the instruction set in use has instructions for products of bfloat16."""
    made = library()
    return made is not None and bool(made.multiplies_pairs())


def in_pairs() -> bool:
    """Whether products of bfloat16 are asked for here and now, and make those of float32 faster."""
    asked = ASKED.get() or ("bfloat16" if _autocast_in_bfloat16() else "float32")
    return asked == "bfloat16" and multiplies_bfloat16()


def _autocast_in_bfloat16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
