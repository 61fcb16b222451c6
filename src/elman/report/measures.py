"""The scores that the report knows: what each is called, which direction is better, what it says in plain words.

Another task adds its measures here; a score that is not listed is shown under its own name.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from elman.report import wording
from elman.report.record import is_number


@dataclass(frozen=True)
class Measure:
    """A score. `{unit}` in its texts stands for what one symbol is: a character, a byte, a word."""

    name: str
    unit: str = ""
    heading: str = ""  # of a column, where the unit would be too long for it
    digits: int = 3
    lower_is_better: bool = True
    meaning: Callable[[float], str] | None = None
    by_chance: Callable[[int], float] | None = None  # its value when guessing evenly among so many symbols
    share: bool = False  # whether it is a share of what was scored, so that the number of rows says what is chance


def hesitation(loss: float) -> str:
    """What a cross-entropy in nats means: Shannon's equivalent number of equally likely choices, exp(loss)."""
    return f"It hesitates as if between {wording.number(math.exp(min(loss, 30)), 1)} equally likely next {{unit}}s."


def beside_naive(mase: float) -> str:
    """What a MASE means, whatever the series are called and measured in."""
    return f"Its mean error is {wording.number(mase, 2)} of that of repeating the last season, measured in training."


MEASURES = {
    "wer": Measure("Word error rate", "of the words wrong", "word errors", share=True),
    "cer": Measure("Character error rate", "of the characters wrong", "character errors", share=True),
    "accuracy": Measure("Accuracy", "of the rows right", "accuracy", lower_is_better=False, share=True),
    "macro_f1": Measure("Macro F1", "macro F1", lower_is_better=False),
    "entity_f1": Measure("Entity F1", "entity F1", lower_is_better=False, share=True),
    "tag_accuracy": Measure("Tag accuracy", "of the tags right", "tags right", lower_is_better=False, share=True),
    "label_accuracy": Measure(
        "Label accuracy", "of the labels right", "labels right", lower_is_better=False, share=True
    ),
    "label_macro_f1": Measure("Macro F1 of labels", "macro F1 of labels", lower_is_better=False),
    "row_accuracy": Measure(
        "Whole-row accuracy", "of the rows all right", "rows right", lower_is_better=False, share=True
    ),
    "bleu": Measure("BLEU", digits=1, lower_is_better=False),
    "chrf": Measure("chrF", digits=1, lower_is_better=False),
    "exact": Measure("Exactly right", "of the texts exactly right", "exactly right", lower_is_better=False, share=True),
    "rouge_l": Measure("ROUGE-L", digits=1, lower_is_better=False),
    "rouge1": Measure("ROUGE-1", digits=1, lower_is_better=False),
    "rouge2": Measure("ROUGE-2", digits=1, lower_is_better=False),
    "symbol_loss": Measure("Loss per symbol", "nats per symbol"),
    "mse": Measure("MSE", "MSE, scaled"),
    "mae": Measure("MAE", "MAE, scaled"),
    "mase": Measure("MASE", "MASE", meaning=beside_naive),
    "pinball": Measure("Pinball loss", "pinball loss, scaled"),
    "mse_original": Measure("MSE, original units", "MSE, original units"),
    "mae_original": Measure("MAE, original units", "MAE, original units"),
    "step_loss": Measure("Negative log-likelihood", "nats per step"),
    "frame_accuracy": Measure(
        "Frame accuracy", "of what came or was expected", "frame accuracy", lower_is_better=False
    ),
    "precision": Measure("Precision", "of what was expected", "precision", lower_is_better=False),
    "recall": Measure("Recall", "of what came", "recall", lower_is_better=False),
    "loss": Measure("Loss", "nats per {unit}", meaning=hesitation, by_chance=math.log),
    "perplexity": Measure("Perplexity", "perplexity", digits=2, by_chance=float),
    "bits_per_character": Measure("Bits per character", "bits per character"),
}
"""The headline of a task is the first of these that it scores, unless the score names another."""


def headline(score: dict[str, Any]) -> str | None:
    """The measure that a score is judged by; None where it has no number."""
    return next((key for key in (str(score.get("headline")), *MEASURES, *score) if is_number(score.get(key))), None)


NATS = (
    *("language-modeling", "classification", "tagging", "video-tagging", "call-analysis"),
    *("translation", "summarization", "captioning", "speech-recognition"),
)
LOSS_UNITS = dict.fromkeys(NATS, "nats") | {"event-modeling": "nats per step"}
"""What a training loss is measured in, by task."""
