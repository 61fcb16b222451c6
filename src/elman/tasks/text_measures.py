"""What written texts are worth beside right ones, by the libraries that the field reports with.

BLEU, chrF and ROUGE are on the scale to 100, error rates are shares. Without the libraries there are none.
"""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import zip_longest
from typing import Any

import numpy as np

INSTALL = "pip install 'elman[metrics]'"
WORD = re.compile(r"[^\W_]+")
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
ROUGE = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l"}


def missing(library: str, measures: str) -> tuple[str, ...]:
    """What to tell the user before training where a library is not installed."""
    if find_spec(library) is not None:
        return ()
    return (f"{measures} will not be measured, as they need {library.replace('_', '-')}: {INSTALL}",)


def bleu(written: Sequence[str], right: Sequence[Sequence[str]]) -> dict[str, Any]:
    """BLEU and chrF of texts, (Papineni et al. 2002; Popović 2015), with sacrebleu's signature of the first.

    Each row has one right text, or several. Where none of them has as many words as BLEU takes at once, BLEU would be 0
    whatever was written, and is left out.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        return {}
    measure = BLEU(tokenize="char" if _without_spaces([texts[0] for texts in right]) else "13a")
    references = [list(texts) for texts in zip_longest(*right)]  # a list for every first text, every second, ...
    found = measure.corpus_score(list(written), references)
    chrf = CHRF().corpus_score(list(written), references)
    if all(len(measure.tokenizer(text).split()) < measure.max_ngram_order for texts in right for text in texts):
        return {"chrf": chrf.score}
    return {"bleu": found.score, "chrf": chrf.score, "signature": f"BLEU: {measure.get_signature()}"}


def _without_spaces(texts: Sequence[str]) -> bool:
    """Whether most letters are of scripts without spaces between words: Chinese, Japanese, Thai and their like."""
    sample = "".join(texts[:1000])
    return len(SPACELESS.findall(sample)) > sum(letter.isalpha() for letter in sample) / 2


def rouge(written: Sequence[str], right: Sequence[Sequence[str]]) -> dict[str, Any]:
    """F1 of ROUGE-1, -2 and -L (Lin 2004), against the best of each row's right texts, averaged over rows.

    English words are stemmed by Porter's rules, as the papers do. Unlike the library's own, the tokens of other scripts
    count too.
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        return {}
    scorer = RougeScorer(list(ROUGE), tokenizer=_Words())
    rows = [scorer.score_multi(list(texts), text) for text, texts in zip(written, right, strict=True)]
    most = max(len(texts) for texts in right)
    figures = {name: 100 * float(np.mean([row[key].fmeasure for row in rows])) for key, name in ROUGE.items()}
    return figures | {
        "signature": f"ROUGE: F1, stemmed, {'best of up to ' * (most > 1)}{most} right text{'s' * (most > 1)}"
    }


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


class _Words:
    """rouge-score's tokens: words in small letters, the stems of English ones longer than three letters."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stem = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        """Cut a text."""
        return [self._stem(w) if len(w) > 3 and w.isascii() else w for w in WORD.findall(text.lower())]
