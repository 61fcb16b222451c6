"""The worked example as one dictionary of plain numbers, lists and text."""

from collections.abc import Iterable
from typing import Any

from elman.diagnosis.hello.comparison import Comparison
from elman.diagnosis.hello.example import FLOOR, HelloExample, letters, spelled
from elman.diagnosis.hello.network import Descent, Parameters
from elman.diagnosis.hello.published import ALPHABET, WORD


def to_dict(example: HelloExample) -> dict[str, Any]:
    """All numbers of the example in full precision, under self-explaining names."""
    return {
        "word": WORD,
        "alphabet": list(ALPHABET),
        "equations": [
            "h_t = tanh(W_xh x_t + w_hh h_{t-1} + b)",
            "y_t = W_hy h_t",
            "p_t = softmax(y_t)",
            "E = sum_t -ln p_t[target_t]",
        ],
        "parameter_count": example.parameters.count,
        "parameters": _by_name(example.parameters),
        "seven_steps": [
            {"step": step.number, "title": step.title, "comparisons": _comparisons(step.comparisons)}
            for step in example.steps
        ],
        "whole_word": _whole_word(example),
        "back_propagation_through_time": _gradients(example),
        "vanishing_gradient": _vanishing(example),
        "training": _training(example),
        "memory": _memory(example),
        "full_form_minus_scalar_form": dict(
            zip(("largest_forward_difference", "largest_gradient_difference"), example.full_form_gaps, strict=True)
        ),
        "all_equal_to_published": example.all_equal,
    }


def _by_name(parameters: Parameters) -> dict[str, Any]:
    return {name: array.tolist() for name, array in parameters.arrays().items()}


def _comparisons(comparisons: Iterable[Comparison]) -> list[dict[str, Any]]:
    return [comparison.to_dict() for comparison in comparisons]


def _whole_word(example: HelloExample) -> dict[str, Any]:
    run, predicted = example.forward, letters(example.forward.p)
    time_steps = [
        {
            "time_step": t + 1,
            "input": example.inputs[t],
            "target": example.outputs[t],
            "predicted": predicted[t],
            "h": run.h[t + 1].tolist(),
            "y": run.y[t].tolist(),
            "softmax": run.p[t].tolist(),
            "loss": float(example.losses[t]),
        }
        for t in range(len(example.x))
    ]
    return {
        "time_steps": time_steps,
        "error": example.error,
        "comparisons": _comparisons(example.whole_word),
    }


def _gradients(example: HelloExample) -> dict[str, Any]:
    back = example.backward
    terms = back.terms.arrays()
    time_steps = [
        {
            "time_step": t + 1,
            "dE_dy": back.dy[t].tolist(),
            "dE_dh": back.dh[t].tolist(),
            "delta": back.delta[t].tolist(),
            "contribution_to_gradient": {name: terms[name][t].tolist() for name in terms},
        }
        for t in range(len(example.x))
    ]
    return {
        "time_steps": time_steps,
        "gradient": _by_name(example.gradient),
        "comparisons": _comparisons(example.gradients),
        "largest_difference_from_central_differences": example.finite_difference_gap,
    }


def _vanishing(example: HelloExample) -> dict[str, Any]:
    return {
        "gradient_norm_by_time_step": example.gradient_norms.tolist(),
        "factor_by_time_step_and_unit": example.step_factors.tolist(),
        "comparisons": _comparisons(example.vanishing),
    }


def _training(example: HelloExample) -> dict[str, Any]:
    return {
        "whole_word": _descent(example.trained),
        "last_letter_only": _descent(example.trained_on_last_letter),
        "comparisons": _comparisons(example.training),
    }


def _memory(example: HelloExample) -> dict[str, Any]:
    return {
        "least_error_without_memory": FLOOR,
        "w_hh_held_at_0": _descent(example.trained_without_memory),
        "recurrent_error_after_as_many_updates": float(example.trained.errors[-1]),
        "recurrent_network_below_floor_at_update": example.below_floor_at,
        "comparisons": _comparisons(example.memory),
    }


def _descent(descent: Descent) -> dict[str, Any]:
    """The run at each change of its predictions, at round numbers of updates, and at its end."""
    return {
        "rate": descent.rate,
        "updates": len(descent.errors) - 1,
        "course": [
            {"update": k, "error": float(descent.errors[k]), "predicted": spelled(descent.predicted[k])}
            for k in descent.milestones()
        ],
    }
