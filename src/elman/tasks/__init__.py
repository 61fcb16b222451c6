"""The tasks by name. To add one is one file in this folder and one entry here."""

from typing import TYPE_CHECKING

from elman.errors import UsageError
from elman.names import Entry, nearest

if TYPE_CHECKING:
    from elman.tasks.base import Task


TASKS = {
    "language-modeling": Entry(
        "elman.tasks.language_modeling:LanguageModeling",
        "predict the next character, byte, word or subword of a text, and write more of it",
    ),
    "classification": Entry(
        "elman.tasks.classification:Classification",
        "give a whole text, series, image, video or recording one of a few labels",
    ),
    "tagging": Entry(
        "elman.tasks.tagging:Tagging",
        "tag every token of a text, or every step of a series, and if asked label the row as well",
    ),
    "translation": Entry(
        "elman.tasks.translation:Translation",
        "write a text of one language in another",
    ),
    "summarization": Entry(
        "elman.tasks.summarization:Summarization",
        "write a short text that says what a long one is about",
    ),
    "captioning": Entry(
        "elman.tasks.captioning:Captioning",
        "write a text that says what is on an image or in a video",
    ),
    "video-tagging": Entry(
        "elman.tasks.video_tagging:VideoTagging",
        "tag every frame of a video, and if asked label the video as well",
    ),
    "speech-recognition": Entry(
        "elman.tasks.speech_recognition:SpeechRecognition",
        "write down what is said in a recording",
    ),
    "call-analysis": Entry(
        "elman.tasks.call_analysis:CallAnalysis",
        "label a whole call, and tag every turn of it",
    ),
    "event-modeling": Entry(
        "elman.tasks.event_modeling:EventModeling",
        "say which events come next, a set at every step: chords, baskets, alarms",
    ),
    "forecasting": Entry(
        "elman.tasks.forecasting:Forecasting",
        "forecast one or several measured values, with quantiles",
    ),
}


def find(name: str) -> "Task":
    """Return the task of that name; UsageError says which there are. The task's file is imported only now."""
    if not isinstance(name, str):
        raise UsageError(f"a task is given by its name, got {name!r:.60}; there are: {', '.join(TASKS)}")
    if name not in TASKS:
        hint = nearest(name, TASKS, f"; there are: {', '.join(TASKS)}")
        raise UsageError(f"unknown task {name!r}{hint}")
    task: Task = TASKS[name].make()
    return task
