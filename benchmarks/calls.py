"""Make tables of constructed calls from Banking77: real questions of a bank's customers, put into calls by rules.

    python benchmarks/calls.py FOLDER

Banking77 lies in ELMAN_DATA/banking77 (default: ../shared/data/banking77). FOLDER gets train.jsonl, valid.jsonl and
test.jsonl: a call a row, with its turns, a tag for each of them, and two labels of the call. No question is in two
parts: those of test are Banking77's own, those of valid a tenth of its training questions. What agents say, and what
customers say beside their questions, are a few dozen sentences. Everything follows from the seed.

A turn's tag is what the agent does, or what the customer wants; where he says no more than "yes, that one", that is
what the agent offered. `topic` is that of the first question that was left open; `outcome` is escalated where the
customer had to ask the same thing twice, else open or resolved.
"""

import re
import sys
from pathlib import Path

import numpy as np
import polars as pl
import real_data

from elman.data import tables

SIZES = {"train": 6000, "valid": 600, "test": 1000}
SHORTEST, LONGEST = 3, 10
TOPICS = {  # the first that matches an intent's name
    "exchange": "exchange|fiat",
    "cash": "cash_withdrawal|atm|cash_received|swallowed",
    "virtual": "virtual|disposable",
    "top-up": "top_up|topping|cheque",
    "transfer": "transfer|beneficiary|receiving",
    "payment": "payment|refund|charge|debit",
    "security": "lost|compromised|pin|passcode",
    "account": "identity|funds|details|terminate|age_limit|country",
    "card": "",
}
SAID = {
    "greet": [
        "good morning, how can I help you?",
        "welcome to the bank, what can I do for you?",
        "hello, you are speaking with customer service",
        "thanks for calling, what is it about?",
    ],
    "vague": [
        "hi, I have a problem",
        "hello, I need some help please",
        "something is not right with my account",
        "I am not sure whom to ask about this",
        "can you help me with something?",
    ],
    "confirm": ["is it about {0}?", "do you mean {0}?", "so this concerns {0}, right?"],
    "choose": [
        "is it about {0}, or about {1}?",
        "do you mean {0} or rather {1}?",
        "would that be {0}, or {1}?",
    ],
    "yes": ["yes, that one", "exactly", "right, that is it", "yes please", "yeah"],
    "first": ["the first one", "the former", "the first of these, please"],
    "second": ["the second one", "the latter", "the second of these, please"],
    "no": ["no. {0}", "not that. {0}", "no, something else. {0}"],
    "ask": [
        "could you give me your date of birth?",
        "what is the number of your account?",
        "may I have the last four digits, please?",
    ],
    "detail": ["it is {0}", "sure, {0}", "{0}", "that should be {0}"],
    "answer": [
        "I have looked into it, it will be settled within two working days",
        "you can do that in the app, under settings",
        "I have just done this for you, please look again",
        "that is as it should be, the terms are on our page",
        "our specialists see to it, and will write to you",
    ],
    "thanks": ["great, that helps", "perfect, thank you", "thanks, that is all I need to know", "okay, that works"],
    "complaint": ["that does not help me", "this is no answer", "I have tried that already, it is no use"],
    "plain": ["{0}"],
    "next": ["{0}", "and another thing. {0}", "also, {0}"],
    "further": ["{0}", "but {0}", "sorry, {0}", "well. {0}"],  # whether it is the same question, its words must tell
    "close": ["thanks for calling, goodbye", "have a nice day", "I will close the call here, goodbye"],
}


class Call:
    """A call as it is made up, turn by turn."""

    def __init__(self, draw, questions):
        self.draw, self.questions = draw, questions
        self.turns, self.tags, self.asked = [], [], []

    def say(self, who, what, tag, *words):
        self.turns.append(f"{who}: " + pick(self.draw, SAID[what]).format(*words))
        self.tags.append(tag)

    def ask(self, intent, what):
        """The customer asks for something in words of his own, never twice in the same."""
        fresh = [text for text in self.questions[intent] if text not in self.asked]
        self.asked.append(pick(self.draw, fresh))
        self.say("customer", what, intent, self.asked[-1])

    def offered(self, intent):
        """The customer says nothing to go by; the agent offers, and the customer takes it up."""
        other = pick(self.draw, [name for name in self.questions if name != intent])
        self.say("customer", "vague", "vague")
        way = self.draw.choice(["yes", "no", "first", "second"], p=[0.45, 0.15, 0.2, 0.2])
        options = {"yes": [intent], "no": [other], "first": [intent, other], "second": [other, intent]}[way]
        self.say("agent", "choose" if len(options) == 2 else "confirm", "offer", *map(spoken, options))
        self.ask(intent, "no") if way == "no" else self.say("customer", str(way), intent)

    def question(self, intent, opening):
        """One question to its end; returns whether it was settled, and whether it had to be asked twice."""
        if self.draw.random() < 0.4 and opening != "further":
            self.offered(intent)
        else:
            self.ask(intent, opening)
        if self.draw.random() < 0.25:
            self.say("agent", "ask", "ask")
            self.say("customer", "detail", "detail", self.draw.integers(1000, 9999))
        self.say("agent", "answer", "answer")
        again = self.draw.random() < 0.3
        if again:
            self.ask(intent, "further")
            self.say("agent", "answer", "answer")
        return self.draw.random() < 0.55, again


def call(draw, questions):
    """A row of the table; None where the call is too long or too short."""
    made, names = Call(draw, questions), list(questions)
    if draw.random() < 0.7:
        made.say("agent", "greet", "greet")
    intents = draw.choice(names, size=draw.integers(1, 3), replace=False).tolist()
    left, twice = [], False
    for k, intent in enumerate(intents):
        settled, again = made.question(intent, "plain" if k == 0 else "further" if left else "next")
        twice |= again
        left += [] if settled else [intent]
        if settled:
            made.say("customer", "thanks", "thanks")
        elif k == len(intents) - 1:
            made.say("customer", "complaint", "complaint")
    if draw.random() < 0.7:
        made.say("agent", "close", "close")
    if not SHORTEST <= len(made.turns) <= LONGEST:
        return None
    return {
        "turns": made.turns,
        "tags": made.tags,
        "topic": topic(left[0]) if left else "none",
        "outcome": "escalated" if twice else "open" if left else "resolved",
    }


def calls(seed, questions, count):
    draw = np.random.default_rng(seed)
    rows = []
    while len(rows) < count:
        rows += [row for row in [call(draw, questions)] if row]
    return rows


def questions(name):
    """Banking77's questions of a part, by intent."""
    frame = pl.read_csv(real_data.place("banking77") / f"{name}.csv")
    found = {}
    for text, intent in zip(frame["text"], frame["category"], strict=True):
        found.setdefault(intent.lower().strip("?"), []).append(" ".join(text.split()))
    return dict(sorted(found.items()))


def topic(intent):
    return next(name for name, pattern in TOPICS.items() if re.search(pattern, intent))


def spoken(intent):
    return intent.replace("_", " ")


def pick(draw, items):
    return items[draw.integers(len(items))]


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder, known = Path(sys.argv[1]), questions("train")
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "train": {intent: texts[: -(len(texts) // 10)] for intent, texts in known.items()},
        "valid": {intent: texts[-(len(texts) // 10) :] for intent, texts in known.items()},
        "test": questions("test"),
    }
    for seed, (part, pool) in enumerate(parts.items()):
        print(tables.write(folder / f"{part}.jsonl", calls(seed, pool, SIZES[part])))


main()
