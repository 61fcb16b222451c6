"""What a network answers to many rows is what it answers to each of them alone, and stands beside it."""

import numpy as np
import pytest
import torch

from elman.tasks.answering import answer


@pytest.mark.parametrize("name", ["texts.csv", "tagged.jsonl"])
def test_answers_probabilities_and_losses_are_those_of_each_row(trained, name):
    run = trained[name]
    examples, outputs = run.prepared.examples("test"), run.prepared.outputs
    found = answer(run.network, examples, outputs)
    for row in range(len(examples)):
        batch = examples.batch(np.array([row]))
        with torch.inference_mode():
            scores = run.network(batch.inputs, batch.lengths)
        for column, output in outputs.items():
            logs, answers = scores[column].log_softmax(-1), found[column]
            choices = output.decode(logs, batch.lengths.numpy()).numpy().reshape(-1)
            logs, targets = logs.numpy().reshape(len(choices), -1), batch.targets[column].numpy().reshape(-1)
            steps = range(len(choices))
            assert (answers.choices[row] == choices).all()
            np.testing.assert_allclose(answers.probabilities[row], np.exp(logs[steps, choices]), atol=1e-5)
            np.testing.assert_allclose(answers.losses[row], -logs[steps, targets], atol=1e-4)
