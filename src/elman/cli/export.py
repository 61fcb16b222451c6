"""`elman export RUN`: a trained network as ONNX models, for machines without Elman."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elman.cli import output
from elman.cli.runs import Json, RunArgument

if TYPE_CHECKING:
    from elman.export import Exported


def export(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="folder to make (default: RUN/export); an earlier export is replaced")
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(help="int8: matrices take a quarter of the memory, rounded; the score is measured anew"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run as ONNX models that run without Elman, checked in ONNX Runtime, with an example."""
    from elman.export import export as write

    found = write(run, out, quantize=quantize, tell=output.note)
    if json:
        told = {name: value for name, value in found.description.items() if name != "modalities"}  # which may be long
        output.print_json({"folder": str(found.folder), "files": found.sizes} | told)
        return
    _print(found)


def _print(found: "Exported") -> None:
    description = found.description
    for name, model in description["models"].items():
        print(f"{model['file']}, {_size(found.sizes[model['file']])}: {model['does']}")
        ports = [("in", port) for port in model["inputs"]] + [("out", port) for port in model["outputs"]]
        output.print_rows(
            (f"  {way}", port["name"], f"{port['type']} ({', '.join(map(str, port['shape']))})", port["meaning"])
            for way, port in ports
        )
        if description["check"] is not None:
            print(_checked(description["check"], name))
    if description["check"] is None:
        print("Not checked: onnxruntime is not installed (pip install 'elman[export]' and export again).")
    else:
        _print_check(description)
    print(f"Written: {found.folder} (model.json has the rest, example.py runs it)")


def _checked(check: dict[str, Any], name: str) -> str:
    own = check["models"][name]
    rows, steps = (max(batch[what] for batch in own["batches"]) for what in ("rows", "steps"))
    return (
        f"  differs from the run by at most {own['largest']:.1e} ({check['runtime']}; {check['part']} part, "
        f"batches of up to {rows} rows, up to {steps} steps)"
    )


def _print_check(description: dict[str, Any]) -> None:
    check = description["check"]
    if otherwise := check["example"]["encoded_otherwise"]:
        print(f"example.py encodes {otherwise} of {check['example']['rows']} held-out rows otherwise than the run.")
    if "score" in check:
        own = description["scores"].get(check["part"], {})
        output.print_scores(f"{check['part']} part", own, [{"name": "these models", **check["score"]}])
    elif description["quantized"]:
        print("The score was not measured anew: it needs the loop over the decoder's steps, which is yours.")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
