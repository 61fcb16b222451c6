"""Names that are asked for: which of the known ones an unknown one is close to."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return "; did you mean ...?" where a known name is close, and `otherwise` where none is."""
    found = get_close_matches(name, [*known], 1)
    return f"; did you mean {found[0]!r}?" if found else otherwise
