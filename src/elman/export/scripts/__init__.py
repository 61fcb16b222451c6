"""Examples that are written beside exported models; none of them needs Elman.

Each reads `model.json` beside itself, and imports nothing but numpy, ONNX Runtime and the library that reads its files.
What several have in common stands in modules of functions, which are put into an example in the place of their import.
"""

import ast
import importlib
import inspect
from itertools import chain
from types import ModuleType


def find(name: str) -> ModuleType:
    """Return an example as a module."""
    return importlib.import_module(f"{__name__}.{name}")


def source(script: ModuleType) -> str:
    """Return an example as it is written, a file by itself."""
    nodes, body = _cut(script)
    shared = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and _is_shared(node)]
    cuts = [_cut(importlib.import_module(str(name))) for name in shared]
    imports = _imports([*nodes, *chain.from_iterable(found for found, _ in cuts)])
    text = "\n\n\n".join(part.strip() for _, part in cuts)
    beginning, rest = body.split("\n\n\n", 1)  # its constants, before the functions
    parts = [f'"""{inspect.getdoc(script)}\n"""\n\n{imports}', beginning.strip(), *([f"\n{text}"] if text else [])]
    return "\n\n".join(parts) + "\n\n\n" + rest


def _cut(module: ModuleType) -> tuple[list[ast.stmt], str]:
    """The imports of a module, and all that stands behind them."""
    text = inspect.getsource(module)
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return list(nodes), "".join(text.splitlines(keepends=True)[nodes[-1].end_lineno :])


def _is_shared(node: ast.ImportFrom) -> bool:
    return str(node.module).startswith(f"{__name__}.")


def _imports(nodes: list[ast.stmt]) -> str:
    """The imports of several modules, each once: those of the standard library, and numpy."""
    plain: set[str] = set()
    named: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and not _is_shared(node):
            named.setdefault(str(node.module), set()).update(each.name for each in node.names)
        elif isinstance(node, ast.Import):
            plain.update(ast.unparse(node).splitlines())
    numpy = "import numpy as np"
    lines = sorted(plain - {numpy})
    lines += [f"from {module} import {', '.join(sorted(named[module]))}" for module in sorted(named)]
    return "\n".join([*lines, "", numpy])
