"""The compiler of the native engine: a cell's step becomes programs for the C++ runtime, as docs/engine.md says.

A step is traced to a graph (`trace`), matmuls are merged (`sums`), the adjoint is derived (`differentiate`), what to
keep is chosen (`saving`), operations are fused (`fuse`), the tape is laid out (`layout`), segments are made
(`schedule`), values are placed (`place`) and everything is put in numbers (`encode`). `emulate` runs the result, slowly
and exactly.
"""

from elman.engine.program.compile import Compiled, compile_cell
from elman.engine.program.untraceable import UntraceableError

__all__ = ["Compiled", "UntraceableError", "compile_cell"]
