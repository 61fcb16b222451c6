"""The sections of the page, in their order. To add one: a file with a `view`, a template of its name, a line here."""

from elman.report.sections import (
    attention,
    bands,
    calls,
    confusion,
    curves,
    data,
    diagnosis,
    films,
    forecasts,
    heard,
    machine,
    mistakes,
    roll,
    samples,
    scores,
    settings,
    spans,
    usage,
    watched,
    writings,
)
from elman.report.sections.base import Section

SECTIONS = (
    Section("scores", "Score", scores.view),
    Section("writings", "What it writes", writings.view),
    Section("attention", "Where it looks", attention.view),
    Section("heard", "What it hears, and when", heard.view),
    Section("forecasts", "Forecasts", forecasts.view),
    Section("bands", "What it tags", bands.view),
    Section("roll", "What came, and what it expected", roll.view),
    Section("films", "What it sees", films.view),
    Section("watched", "How it decides", watched.view),
    Section("calls", "Call by call", calls.view),
    Section("spans", "What it tags", spans.view),
    Section("confusion", "What it confuses", confusion.view),
    Section("mistakes", "Most confident mistakes", mistakes.view),
    Section("curves", "Training", curves.view),
    Section("samples", "Samples", samples.view),
    Section("diagnosis", "How it learns, and what keeps it from learning", diagnosis.view),
    Section("usage", "Use it", usage.view),
    Section("data", "Data", data.view),
    Section("machine", "Machine", machine.view),
    Section("settings", "Settings", settings.view),
)
"""All of them; each shows itself where the run has what it needs, so that tasks share the list."""
