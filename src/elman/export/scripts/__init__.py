"""Examples that are written beside exported models, as they stand here; none of them needs Elman.

Each reads `model.json` beside itself. They import nothing but numpy and ONNX Runtime, and where texts are cut by the
tokenizers library that library.
"""
