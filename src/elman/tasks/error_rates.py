"""What transcripts are worth beside right ones: word and character error rates, by the library of the field.

Without the library there are none.
"""

from collections.abc import Sequence

LIBRARY = "jiwer"


def error_rates(written: Sequence[str], right: Sequence[str]) -> dict[str, float]:
    """Return the words, and the characters, that are wrong, too many or missing, as shares of those of the right texts.

    All texts are taken together; letter case and punctuation count.
    """
    try:
        import jiwer
    except ImportError:
        return {}
    texts = list(right), list(written)
    return {"wer": float(jiwer.wer(*texts)), "cer": float(jiwer.cer(*texts))}
