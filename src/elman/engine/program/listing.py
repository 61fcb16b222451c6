"""Programs in print, like the equations that a person would write, for `elman.explain(layer, input, program=True)`."""

from elman.engine.program.compile import Compiled
from elman.engine.program.contract import Kind, Place, Source, Width
from elman.engine.program.encode import Program
from elman.engine.program.operations import ACCUMULATIONS, OPERATIONS, REDUCTIONS
from elman.engine.program.place import Instruction, Pass, Product

_SCRATCH = {Kind.SLOT: "slot", Kind.TEMP: "t", Kind.FULL: "full", Kind.ROW: "row"}


def listing(compiled: Compiled) -> str:
    """Both programs of a step, what is saved in between, and how many bytes that is."""
    forward, backward = compiled.training, compiled.backward
    counts = "{} operations on each tile"
    lines = [f"forward, each step: {counts.format(forward.operations)}", *_program(compiled, forward), ""]
    lines += [f"backward, each step: {counts.format(backward.operations)}", *_program(compiled, backward), ""]
    lines += ["after the last step", *_weights(compiled), "", _saved(compiled)]
    return "\n".join(lines)


def _program(compiled: Compiled, program: Program) -> list[str]:
    lines: list[str] = []
    for each in program.passes:
        rows = [*_pass(compiled, each)]
        width = max((len(left) for left, _, _ in rows), default=0)
        lines.append(f"  {each.width.name} columns")
        lines += [f"    {left:<{width}} {sign} {right}" for left, sign, right in rows]
    return lines


def _pass(compiled: Compiled, each: Pass) -> list[tuple[str, str, str]]:
    found = [_instruction(compiled, instruction) for instruction in each.rows]
    found += [_product(compiled, product) for product in each.products]
    return found + [_instruction(compiled, instruction) for instruction in each.tiles]


def _instruction(compiled: Compiled, instruction: Instruction) -> tuple[str, str, str]:
    operands = {letter: _name(compiled, place) for letter, place in zip("abcde", instruction.args, strict=False)}
    operands["o"] = _name(compiled, instruction.out)
    numbers = {f"k{index}": f"{value:.6g}" for index, value in enumerate(instruction.data)}
    adds = instruction.op in ACCUMULATIONS or instruction.op in REDUCTIONS
    text = OPERATIONS[instruction.op].text
    if instruction.op == "row_largest":
        text, adds = "max({o}, columns {a})", False
    elif instruction.op == "affine" and instruction.data[0] == 1:
        text = "{a} + {k1}"
    elif instruction.op == "affine" and instruction.data[1] == 0:
        text = "{a} * {k0}"
    elif instruction.op == "affine" and instruction.data[0] == -1:
        text = "{k1} - {a}"
    return operands["o"], "+=" if adds else " =", text.format(**operands, **numbers)


def _product(compiled: Compiled, product: Product) -> tuple[str, str, str]:
    terms = [] if product.init is None else [_name(compiled, product.init)]
    terms += [_source(compiled, source, place) for source, place in product.sources]
    return _name(compiled, product.out), " =", " + ".join(terms)


def _source(compiled: Compiled, source: Source, place: Place) -> str:
    name, blocks = compiled.parameters[source.parameter], [_block(compiled, source.parameter, b) for b in source.blocks]
    matrix = f"W_{name}" + (f"[{' '.join(blocks)}]" if any(blocks) else "")
    if source.form == 0:
        return f"{matrix} {_name(compiled, place)}"
    values = [_name(compiled, place._replace(number=place.number + k)) for k in range(len(source.blocks))]
    return f"{matrix}ᵀ {values[0] if len(values) == 1 else '[' + ' '.join(values) + ']'}"


def _block(compiled: Compiled, parameter: int, block: int) -> str:
    count, gates = compiled.tables.parameters[parameter].blocks, compiled.cell.gates
    if count == 1:
        return ""
    of_gates = compiled.parameters[parameter] not in compiled.cell.numbers and count == len(gates)
    return gates[block] if of_gates else str(block)


def _vector(compiled: Compiled, index: int) -> str:
    terms = []
    for parameter, block in compiled.tables.vectors[index][1]:
        name = _block(compiled, parameter, block)
        terms.append(compiled.parameters[parameter] + (f"[{name}]" if name else ""))
    return " + ".join(terms)


def _name(compiled: Compiled, place: Place) -> str:
    kind, index, _ = place
    if kind in _SCRATCH:
        return f"{_SCRATCH[kind]}{index}"
    if kind in {Kind.VECTOR, Kind.ACC}:
        vector = _vector(compiled, index)
        return vector if kind is Kind.VECTOR else f"d({vector})"
    if place in compiled.names:
        return compiled.names[place]
    if kind in {Kind.EXTRA, Kind.DEXTRA}:
        return compiled.extras[index] if kind is Kind.EXTRA else f"d{compiled.extras[index]}"
    state = compiled.cell.states[index] if index < len(compiled.cell.states) else ""
    return {
        Kind.INPUT: "x",
        Kind.DINPUT: "dx",
        Kind.PREV: state,
        Kind.NEXT: f"{state}'",
        Kind.DSTATE: f"∂{state}'",
        Kind.CARRY: f"d{state}",
        Kind.ADJOINT: f"total d{state}'",
    }[kind]


def _weights(compiled: Compiled) -> list[str]:
    lines = []
    for source, gradient, value in compiled.weights:
        name, blocks = compiled.parameters[source.parameter], source.blocks
        rows = " ".join(_block(compiled, source.parameter, block) for block in blocks)
        gradients = [_name(compiled, gradient._replace(number=gradient.number + k)) for k in range(len(blocks))]
        target = f"dW_{name}" + (f"[{rows}]" if rows else "")
        lines.append(f"    {target} += Σ steps [{' '.join(gradients)}] {_name(compiled, value)}ᵀ")
    return lines


def _saved(compiled: Compiled) -> str:
    tape = {
        place: name for place, name in compiled.names.items() if place.kind in {Kind.TAPE, Kind.TAPE_P, Kind.TAPE_ROW}
    }
    names = [name for place, name in sorted(tape.items()) if place.width is not Width.ONE]
    states = [
        f"{name}'"
        for k, (name, state) in enumerate(zip(compiled.cell.states, compiled.states, strict=True))
        if k == 0 or state.reads_before or state.reads_after
    ]
    text = f"saved: {', '.join(names + states)}: {compiled.saved_bytes():.3g} bytes of float32 for each of T*B*H"
    scalars = compiled.tables.counts[Kind.TAPE_ROW]
    return text + (f", {scalars} numbers for each row among them" if scalars else "")
