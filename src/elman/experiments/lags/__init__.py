"""Long time lags: which cell learns the adding problem and delayed recall over how many steps, in which time.

    problem     the two problems, and when one counts as solved
    network     a cell of any kind in a network of about as many parameters as every other
    training    train within a budget, with clock
    table       every cell by problem and length; a row is kept as soon as it is measured
    page        what was kept, in Markdown

`python benchmarks/lags.py` measures, and writes docs/lags.md.
"""
