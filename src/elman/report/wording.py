"""Numbers, durations and names as people read them; each is a filter of the templates.

It knows nothing of HTML, except where a line may end: the templates escape.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import markupsafe

from elman.report.record import is_number

ABSENT = "–"
THIN = "\u202f"  # a narrow space that does not break: groups of thousands
MOST_DIGITS = 12
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
CONTROLS = (
    *range(9),
    *range(11, 32),
    *range(0x7F, 0xA0),
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
INVISIBLE = dict.fromkeys(CONTROLS, "\ufffd")


def number(value: Any, digits: int | None = None) -> str:
    """1003854 as 1 003 854, 1.4972 with 3 digits as 1.497, 0.00042 as 4.2×10⁻⁴; what is no number as it is."""
    if value is None:
        return ABSENT
    if not is_number(value):
        return str(value)
    if digits is None:
        digits = 0 if float(value).is_integer() else 2
    elif (0 < abs(value) < 0.5 * 10**-digits) or abs(value) >= 1e9:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return f"{value:,.{digits}f}".replace(",", THIN)


def compact(value: float, more: int = 0) -> str:
    """The shortest form for an axis: 0, 0.004, 1.5, 12 000, 10⁻⁷; with more digits 1.2×10⁶ and 12 000.5 too."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = max(0, 3 + more - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{digits}f}".replace(",", THIN)
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.{more}e}".split("e")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return power if mantissa == "1" else f"{mantissa}×{power}"


def apart(values: Sequence[float]) -> list[str]:
    """The shortest forms in which the values of an axis differ."""
    texts = [compact(value) for value in values]
    for more in range(1, MOST_DIGITS):
        if len(set(texts)) == len(values):
            break
        texts = [compact(value, more) for value in values]
    return texts


def duration(seconds: Any) -> str:
    """130.4 as 2 min 10 s."""
    if not is_number(seconds):
        return ABSENT
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"


def brief_duration(seconds: float) -> str:
    """130.4 as 2.2 min: one unit, for an axis."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{compact(round(seconds / size, 1 if seconds < 10 * size else 0))} {unit}"
    return f"{round(seconds)} s"


def percent(fraction: float) -> str:
    """0.0412 as 4.1 %; what is not nothing never as 0 %."""
    share = 100 * fraction
    digits = 0 if share >= 10 or share == 0 else 1 if share >= 0.1 else min(6, 1 - math.floor(math.log10(share)))
    return f"{share:.{digits}f}{THIN}%"


def setting(value: Any) -> str:
    """The value of an option."""
    if value is None or value in ("", [], {}):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(setting(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) else str(value)


def title(name: Any) -> str:
    """language-modeling as Language modeling."""
    text = str(name).replace("-", " ").replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def visible(text: Any) -> str:
    """A generated text with a visible sign for every control character, those of writing direction included."""
    return str(text).replace("\r\n", "\n").translate(INVISIBLE)


def breakable(text: Any) -> markupsafe.Markup:
    """The same for a name of a label, escaped, with places behind its underscores where a line may end."""
    return markupsafe.Markup("_<wbr>").join(markupsafe.escape(visible(text)).split("_"))
