"""What an example writes with an encoder and a decoder: the most probable symbol each time."""

from typing import Any

import numpy as np


def write(encoder: Any, decoder: Any, description: dict[str, Any], given: dict[str, Any], longest: int) -> list[int]:
    """Return the symbols that are written for what is read, without the end."""
    names = [each["name"] for each in description["models"]["encoder"]["outputs"]]
    given = given | dict(zip(names, encoder.run(None, given), strict=True))
    inputs = description["models"]["decoder"]["inputs"]
    fixed = {each["name"]: given[each["name"]] for each in inputs if each["name"] in given}
    carried = {each["name"]: given.get(f"{each['name']}_begin") for each in inputs if each["name"] not in given}
    del carried["symbol"]
    if "fed" in carried:  # what was thought last goes in too
        carried["fed"] = np.zeros((1, inputs[-1]["shape"][1]), np.float32)
    written: list[int] = []
    for _ in range(longest):
        last = np.array(written[-1:] or [description["end"]], np.int64)
        found, _, *after = decoder.run(None, {"symbol": last, **fixed, **carried})
        carried = dict(zip(carried, after, strict=True))
        if description["unknown"] is not None:
            found[0, description["unknown"]] = -np.inf
        best = int(found[0].argmax())
        if best == description["end"]:
            break
        written.append(best)
    return written
