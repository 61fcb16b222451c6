"""A trained run as something that runs where Elman is not: ONNX models, checked, with all that belongs to them."""

from elman.export.export import Exported, export

__all__ = ["Exported", "export"]
