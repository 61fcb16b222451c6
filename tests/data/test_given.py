"""Rows and columns in memory become the same table, whatever they are made of, or one sentence says what is wrong."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
import torch

from elman.data import given, tables
from elman.errors import DataError, UsageError

SERIES = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
WAYS = {
    "rows": [{"x": each, "label": label} for each, label in zip(SERIES, "ab", strict=True)],
    "rows of arrays": [{"x": np.array(each), "label": label} for each, label in zip(SERIES, "ab", strict=True)],
    "rows of tensors": [{"x": torch.tensor(each), "label": label} for each, label in zip(SERIES, "ab", strict=True)],
    "columns": {"x": SERIES, "label": ["a", "b"]},
    "columns of arrays": {"x": [np.array(each) for each in SERIES], "label": np.array(["a", "b"])},
    "an array": {"x": np.array(SERIES), "label": ["a", "b"]},
    "a tensor": {"x": torch.tensor(SERIES, dtype=torch.float64), "label": ("a", "b")},
    "a data frame": pl.DataFrame({"x": SERIES, "label": ["a", "b"]}),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_makes_the_same_table(way):
    found = given.table(WAYS[way], "the data")
    assert found.frame.to_dict(as_series=False) == {"x": SERIES, "label": ["a", "b"]}
    assert found.column("x").measures
    assert given.rows(WAYS[way])[1]["label"] == "b"


class Frame:
    """As much of pandas as is used: columns by name, an object array with not-a-number for a missing text."""

    columns = ("text", "number")

    def __iter__(self):
        return iter(self.columns)

    def __getitem__(self, name):
        return self if name == "text" else np.array([1.0, np.nan])

    def __len__(self):
        return 2

    def to_numpy(self):
        return np.array(["a", float("nan")], dtype=object)

    def to_dict(self):
        raise AssertionError("columns are read one by one")


class NAType:
    """What pandas has where there is nothing, in columns that may have nothing."""


class Timed(Frame):
    """A frame with moments for an index."""

    def __init__(self, name):
        self.index = Index(name)

    def to_numpy(self):
        return np.array([NAType(), "b"], dtype=object)


class Index:
    """As much of an index of pandas as is used."""

    dtype = "datetime64[us, Europe/Berlin]"

    def __init__(self, name):
        self.name = name

    def to_numpy(self):
        return np.array([dt.datetime(2024, 3, 31, hour, tzinfo=dt.UTC) for hour in (0, 1)], dtype=object)


@pytest.mark.parametrize(("name", "column"), [("date", "date"), (None, "time")])
def test_an_index_of_moments_is_a_column_of_times(name, column):
    found = given.table(Timed(name), "the data").frame
    assert found.columns == ["text", "number", column]
    assert found[column].dt.hour().to_list() == [0, 1]
    assert given.table(Timed("text"), "the data").frame.columns == ["text", "number"]


def test_what_pandas_has_in_the_place_of_nothing_is_nothing():
    assert given.table(Timed("text"), "the data").frame["text"].to_list() == [None, "b"]
    assert given.rows([NAType(), "a"]) == [None, "a"]


def test_a_missing_text_of_pandas_is_missing_and_a_number_that_is_none_stays():
    found = given.table(Frame(), "the data").frame
    assert found["text"].to_list() == ["a", None]
    assert found["number"].is_nan().to_list() == [False, True]
    rows = [
        {"text": "a", "number": 1.0},
        {"text": float("nan"), "number": float("nan")},
        {"text": "NaN", "number": 2.0},
    ]
    found = given.table(rows, "the data").frame
    assert found["text"].to_list() == ["a", None, "NaN"]
    assert found["number"].is_nan().to_list() == [False, True, False]


def test_categories_are_texts_as_in_a_csv(tmp_path):
    frame = pl.DataFrame({"label": ["a", "b"], "tags": [["x"], ["y", "x"]], "size": ["s", "l"]})
    types = {"label": pl.Categorical, "tags": pl.List(pl.Categorical), "size": pl.Enum(["s", "l"])}
    frame.cast(types).write_parquet(tmp_path / "t.parquet")
    for found in (given.table(frame.cast(types), "the data"), tables.read(tmp_path / "t.parquet")):
        assert found.frame.equals(frame)
        assert found.frame.schema == frame.schema
    assert given.table({"label": frame["label"].cast(pl.Categorical)}, "the data").frame.dtypes == [pl.String]


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_moments_of_numpy_may_have_any_unit(unit):
    moments = np.array(["2024-01-31", "2024-02-29"], dtype=f"datetime64[{unit}]")
    found = given.table({"at": moments, "x": [1, 2]}, "the data").frame["at"]
    assert found.cast(pl.Date).cast(pl.String).to_list() == ["2024-01-31", "2024-02-29"]


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        ([], DataError, "the data is empty"),
        ({}, DataError, "the data is empty"),
        (3, UsageError, "got int"),
        (["a text"], UsageError, "got list of str"),
        (np.zeros((3, 2)), UsageError, "got ndarray"),
        ({"x": "a text"}, UsageError, "a single row stands in a list"),
        ({"x": [1, 2], "y": [1]}, DataError, "2 values in column 'x' and 1 in 'y'"),
        ([{"x": [1]}, {"x": [1, "a"]}], DataError, "row 2, column .x. holds"),
    ],
)
def test_what_is_no_table_is_told(data, error, said):
    with pytest.raises(error, match=said):
        given.table(data, "the data")


def test_equal_tables_have_the_same_fingerprint():
    one, same, other = (given.table({"x": values}, "the data") for values in ([1, 2], np.array([1, 2]), [1, 3]))
    assert tables.fingerprint(one) == tables.fingerprint(same) != tables.fingerprint(other)


def test_columns_whose_first_list_has_whole_numbers_keep_the_others():
    columns = {"x": [[0, 1], [0.5, 1.5]], "y": [[[1]], [[], [2.5]]]}
    assert given.table(columns, "the data").frame.to_dict(as_series=False) == {
        "x": [[0.0, 1.0], [0.5, 1.5]],
        "y": [[[1.0]], [[], [2.5]]],
    }
