"""Predictions beside the columns of the table that was asked, and of folders where a file cannot be read."""

import io
import json
import subprocess
import sys

import polars as pl
import pytest
from PIL import Image

import elman
from elman.data import tables
from elman.errors import DataError
from elman.run.predictions import Gathered, Predictions
from elman.tasks import together

ASKED = [
    {"id": "007", "text": "a lovely day", "label": "neg", "seen": [1.5, 2]},
    {"id": "8", "text": "the film was sad", "label": "neg", "seen": []},
]


def test_every_column_of_the_table_stays_as_it_was_before_what_is_predicted(trained, tmp_path):
    run = trained["texts.csv"]
    (tmp_path / "t.csv").write_text('id,text,seen\n007,a lovely day,"[1.5, 2]"\n8,"sad, the film",[]\n')
    found = run.predictions(tmp_path / "t.csv")
    assert found.rows == run.predict(tmp_path / "t.csv")
    assert found.renamed == {}
    asked = tables.read(tmp_path / "t.csv").frame
    for ending in tables.WRITERS:
        written = tables.read(found.write(tmp_path / f"o{ending}")).frame
        assert written.columns == ["id", "text", "seen", "label", "label_probability"]
        assert written.select(asked.columns).equals(asked)
        assert written["label"].to_list() == [row["label"] for row in found.rows]


@pytest.mark.parametrize(
    ("taken", "called"),
    [("label", "predicted_label"), ("label_probability", "predicted_label"), ("predicted_label", "predicted_label_2")],
)
def test_an_answer_whose_name_the_table_has_gets_another(trained, tmp_path, taken, called):
    rows = [{"id": row["id"], "text": row["text"], "label": row["label"], taken: "kept"} for row in ASKED]
    if taken == "label_probability":
        rows = [{name: value for name, value in row.items() if name != "label"} for row in rows]
    tables.write(tmp_path / "t.csv", rows)
    found = trained["texts.csv"].predictions(tmp_path / "t.csv")
    assert found.renamed == {"label": called}
    table = found.table()
    assert table.columns == [*rows[0], called, f"{called}_probability"]
    assert table[taken].to_list() == ["kept"] * len(rows)
    assert table[called].to_list() == [row["label"] for row in found.rows]


@pytest.mark.parametrize(
    ("one", "other", "called"),
    [("predicted_a", "a", ["predicted_a", "predicted_a_2"]), ("a", "a_b", ["predicted_a", "a_b"])],
)
def test_answers_whose_names_meet_are_told_apart(tmp_path, one, other, called):
    tables.write(tmp_path / "t.csv", [{"a": "x"}])
    rows = [{one: 1, f"{one}_probability": 0.1, other: 2, f"{other}_probability": 0.2}]
    table = Predictions(rows, tables.read(tmp_path / "t.csv"), [one, other]).table()
    names = ["a", *(f"{name}{end}" for name in called for end in ("", "_probability"))]
    assert table.to_dicts() == [dict(zip(names, ("x", 1, 0.1, 2, 0.2), strict=True))]


def test_answers_of_several_columns_are_renamed_each_by_itself(trained, folder):
    found = trained["tagged.jsonl"].predictions(folder / "test-tagged.jsonl")
    assert found.renamed == {"tags": "predicted_tags", "intent": "predicted_intent"}
    true = tables.read(folder / "test-tagged.jsonl").frame
    assert found.table().select(true.columns).equals(true)
    (other,) = pl.DataFrame({"intent": ["x"], "tokens": [["fly", "to", "rome"]]}).to_dicts()
    tables.write(folder / "one.jsonl", [other])
    one = trained["tagged.jsonl"].predictions(folder / "one.jsonl")
    assert one.table().columns == [
        *("intent", "tokens", "tags", "tags_probability", "predicted_intent", "predicted_intent_probability")
    ]


def test_what_csv_has_no_form_for_is_written_such_that_it_can_be_read_again(trained, tmp_path):
    asked = [
        {"text": "fine day", "tokens": ["fine", "day"], "turns": ["a b", "c"], "of": {"k": 1}, "series": [[0.5, 1]]}
    ]
    tables.write(tmp_path / "t.jsonl", asked)
    trained["texts.csv"].predictions(tmp_path / "t.jsonl").write(tmp_path / "o.csv")
    (row,) = pl.read_csv(tmp_path / "o.csv").to_dicts()
    assert {name: json.loads(row[name]) for name in ("tokens", "turns", "of", "series")} == {
        "tokens": ["fine", "day"],
        "turns": ["a b", "c"],
        "of": {"k": 1},
        "series": [[0.5, 1.0]],
    }


@pytest.fixture
def small_blocks(monkeypatch):
    """Rows are answered two by two."""
    monkeypatch.setattr(together, "SMALLEST", 2)
    monkeypatch.setattr(together, "LARGEST", 2)


def test_blocks_grow_from_a_small_one_to_the_largest():
    assert [*map(len, together.blocks(3000))] == [128, 256, 512, 1024, 1024, 56]
    assert [row for block in together.blocks(3000) for row in block] == [*range(3000)]
    assert [*together.blocks(0)] == []


@pytest.mark.parametrize("ending", tables.WRITERS)
def test_blocks_make_the_table_that_all_rows_at_once_make(trained, folder, small_blocks, tmp_path, ending):
    for name in ("texts.csv", "tagged.jsonl", "waves.jsonl"):
        run, path = trained[name], folder / f"test-{name}"
        whole = run.predictions(path)
        blocks = [*run.predictions_in_blocks(path)]
        assert [*map(len, (block.rows for block in blocks))] == [2] * 30
        assert [row for block in blocks for row in block.rows] == whole.rows
        kept = Gathered(tmp_path / f"o{ending}")
        for block in blocks:
            kept.add(block)
        assert (len(kept), kept.renamed) == (60, whole.renamed)
        assert kept.write().read_bytes() == whole.write(tmp_path / f"w{ending}").read_bytes()


def test_a_type_that_only_a_later_block_shows_is_that_of_the_column(tmp_path):
    kept = Gathered(tmp_path / "o.csv")
    for tags, sure in (([], None), (["O", "B-new york"], 0.5), (["O"], None)):
        kept.add(Predictions([{"tags": tags, "sure": sure}]))
    assert kept.write().read_text() == 'tags,sure\n[],\n"[""O"", ""B-new york""]",0.5\n"[""O""]",\n'


@pytest.mark.parametrize(("text", "wrong"), [(" ", "is empty"), ("a " * 2001, "has 2,001 words, more than 2,000; sh")])
def test_a_wrong_row_of_a_later_block_is_told_before_the_first_answer(trained, small_blocks, tmp_path, text, wrong):
    tables.write(tmp_path / "t.jsonl", [{"text": text} for text in ("fine", "sad", "lovely", text, "dull")])
    blocks = trained["texts.csv"].predictions_in_blocks(tmp_path / "t.jsonl")
    with pytest.raises(DataError, match=rf"t\.jsonl, row 4, column 'text' {wrong}"):
        next(blocks)


def test_a_text_that_looks_like_the_name_of_a_file_is_a_text(trained):
    assert len(trained["texts.csv"].predict(["lovely.png", "a sad film.mp4"])) == 2
    assert len(trained["tagged.jsonl"].predict([["lovely.png"]])) == 1


def test_the_command_says_what_a_prediction_is_called(trained, tmp_path):
    tables.write(tmp_path / "t.csv", ASKED)
    line = ["predict", trained["texts.csv"].path, tmp_path / "t.csv", "--output", tmp_path / "o.csv"]
    done = command(*line)
    assert done.returncode == 0
    assert done.stderr == (
        f"2 rows: {tmp_path}/o.csv\n"
        f"{tmp_path}/t.csv has a column 'label' of its own; what is predicted is in 'predicted_label'\n"
    )


def command(*arguments):
    line = [sys.executable, "-m", "elman", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def looking(tmp_path_factory):
    """A run that tells dark images from bright ones, and a folder of some; one of them is broken."""
    place = tmp_path_factory.mktemp("looking")
    (place / "images").mkdir()
    for number in range(40):
        content = io.BytesIO()
        Image.new("L", (6, 5), 3 * number if number % 2 else 255 - 3 * number).save(content, "PNG")
        (place / "images" / f"{number}.png").write_bytes(content.getvalue())
    rows = [{"image": f"images/{n}.png", "label": "dark" if n % 2 else "bright"} for n in range(40)]
    tables.write(place / "t.csv", rows)
    options = {"batch": 8, "hidden": 8, "epochs": 3.0, "rate": 0.02, "precision": "float32", "shift": 0.0}
    run = elman.train("classification", place / "t.csv", out=place / "run", quiet=True, **options)
    for number in (0, 17):
        (place / "images" / f"{number}.png").write_bytes(b"no image")
    return place, run


def test_files_that_cannot_be_read_are_told_and_all_others_answered(looking):
    place, run = looking
    told: list[DataError] = []
    found = run.predictions(place / "t.csv", onerror=told.append)
    assert [str(error).split(" names ")[0] for error in told] == [
        f"{place}/t.csv, row 1, column 'image'",
        f"{place}/t.csv, row 18, column 'image'",
    ]
    good = [k for k, row in enumerate(found.rows) if row["label"] is not None]
    assert good == [k for k in range(40) if k not in (0, 17)]
    expected = run.predict([{"image": str(place / found.rows[k]["image"])} for k in good])
    assert [found.rows[k]["label"] for k in good] == [row["label"] for row in expected]
    assert found.rows[17] == {"image": "images/17.png", "label": None, "label_probability": None}
    with pytest.raises(DataError, match=r"row 1, column 'image' names images/0\.png, which is no image"):
        run.predictions(place / "t.csv")


def test_files_that_cannot_be_read_wait_for_the_first_that_can(looking, small_blocks):
    place, run = looking
    asked = [f"images/{n}.png" for n in (0, 17, 0, 17, 17, 2, 4, 0)]
    tables.write(place / "some.csv", [{"image": name} for name in asked])
    told: list[DataError] = []
    blocks = run.predictions_in_blocks(place / "some.csv", onerror=told.append)
    assert next(blocks).rows == [{"image": name, "label": None, "label_probability": None} for name in asked[:2]]
    rows = [row for block in blocks for row in block.rows]
    assert [row["image"] for row in rows if row["label"] is not None] == asked[5:7]
    assert [int(str(error).split("row ")[1].split(",")[0]) for error in told] == [1, 2, 3, 4, 5, 8]
    tables.write(place / "none.csv", [{"image": name} for name in asked[:5]])
    with pytest.raises(DataError, match=r"row 1, column 'image' .*; nor can any of the other 4$"):
        next(run.predictions_in_blocks(place / "none.csv", onerror=told.append))
    assert len(told) == 6


def test_the_command_ends_with_1_after_it_has_written_what_there_is(looking, tmp_path):
    place, run = looking
    done = command("predict", run.path, place / "images", "--output", tmp_path / "o.csv")
    assert done.returncode == 1
    first, second, *rest = done.stderr.splitlines()
    broken = "is no image that Pillow can read; replace the file"
    assert first == f"elman: {place}/images/0.png {broken}"
    assert second == f"elman: {place}/images/17.png {broken}"
    assert rest == [f"40 rows: {tmp_path}/o.csv", "elman: 2 of 40 rows have no answer"]
    assert tables.read(tmp_path / "o.csv").frame["label"].null_count() == 2
    shown = command("predict", run.path, place / "images")
    assert shown.returncode == 1
    assert shown.stdout.splitlines()[1].split() == [f"{place}/images/0.png"]


def test_where_no_file_can_be_read_nothing_is_written(looking, tmp_path):
    _, run = looking
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image")
    done = command("predict", run.path, tmp_path, "--output", tmp_path / "o.csv")
    assert done.returncode == 1
    assert done.stderr.endswith("; replace the file; nor can the other 1\n")
    assert not (tmp_path / "o.csv").exists()
