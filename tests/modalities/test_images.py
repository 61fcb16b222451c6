"""Images as numbers: files of every form, sizes, what convolutions make of them, and the pixels in a run's folder."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from elman.data import images
from elman.data.images import Size, usual
from elman.data.tables import from_rows
from elman.errors import DataError, UsageError
from elman.modalities.convolution import Grid, moved, ways
from elman.modalities.images import READINGS, ImageBatch, Images


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Save images of random pixels by name; columns of names are read from there."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)

    def save(**named):
        for name, (width, height) in named.items():
            Image.fromarray(draw.integers(0, 256, (height, width), np.uint8)).save(f"{name}.png")
        return column([f"{name}.png" for name in named])

    return save


def column(values):
    return from_rows([{"a": value} for value in values], "t.csv").column("a")


def test_a_column_of_paths_is_of_the_kind_images():
    assert column(["a.png", "b/c.JPG", None]).kind == "images"
    assert column(["a.png", "look at b.png please"]).kind == "text"
    assert column([None, None, ""]).kind == "text"


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([(28, 28)] * 3 + [(30, 20)], Size(28, 28)),
        ([(640, 480)] * 3, Size(85, 64)),
        ([(50, 32), (71, 32), (60, 32), (60, 40)], Size(None, 32)),
        ([(100, 300), (110, 300), (90, 200)], Size(None, 64)),
    ],
)
def test_the_size_is_that_of_most_images_or_their_height_alone(sizes, found):
    assert usual(sizes) == found


def test_a_size_is_written_as_it_is_read():
    for size in (Size(28, 32), Size(None, 48)):
        assert Size.parse(str(size)) == size
    for wrong in ("28", "0x3", "ax3", "3x", "9999999x2"):
        with pytest.raises(UsageError, match="is no size; write WIDTHxHEIGHT"):
            Size.parse(wrong)


@pytest.mark.parametrize("reading", ["columns", "places"])
def test_padding_changes_nothing_whatever_lies_in_it(files, reading):
    column = files(a=(23, 20), b=(5, 20), c=(40, 20), d=(1, 20))
    fitted = Images.fit(column, None, reading, 0.0)
    assert fitted.size == Size(None, 20)
    torch.manual_seed(0)
    reader, encoded = fitted.reader(6).eval(), fitted.encode(column)
    batch = encoded.batch(np.arange(4))
    for row, width in enumerate(batch.widths):
        batch.pixels[width:, row] = 255
    together = reader(batch)
    assert len(together) == encoded.lengths.max()
    for row, length in enumerate(encoded.lengths):
        alone = reader(encoded.batch(np.array([row])))
        assert len(alone) == length
        assert torch.allclose(together[:length, row], alone[:, 0], atol=1e-6)


def test_rows_of_pixels_are_z_scores_from_top_to_bottom(files):
    column = files(a=(3, 4), b=(3, 4))
    fitted = Images.fit(column, None, "rows", 0.0)
    found = fitted.reader(99).eval()(fitted.encode(column).batch(np.array([1])))
    truth = np.asarray(Image.open("b.png"))
    both = np.stack([np.asarray(Image.open(f"{name}.png")) for name in "ab"])
    assert found.shape == (4, 1, 3)
    assert np.allclose(found[:, 0], (truth - both.mean()) / both.std(), atol=1e-5)


def test_rows_of_pixels_need_one_width(files):
    with pytest.raises(UsageError, match="need one width; give --size WIDTHxHEIGHT"):
        Images.fit(files(a=(3, 4), b=(5, 4)), None, "rows", 0.0)


@pytest.mark.parametrize("height", [1, 7, 8, 9, 28, 64])
@pytest.mark.parametrize("square", [True, False])
def test_convolutions_leave_at_most_eight_rows(height, square):
    grid = Grid(height, square=square)
    assert grid.high == max(1, -(-height // 2 ** len(grid.steps))) <= 8
    assert grid.wide(1) == 1


def test_places_go_down_each_column(files):
    column = files(a=(16, 16))
    fitted = Images.fit(column, None, "places", 0.0)
    torch.manual_seed(0)
    reader = fitted.reader(4).eval()
    batch = fitted.encode(column).batch(np.array([0]))
    changed = ImageBatch(batch.pixels.clone(), batch.widths)
    changed.pixels[0, 0, 15] ^= 255  # at the left, below
    differs = (reader(batch) - reader(changed)).abs().amax((1, 2)).reshape(*fitted.places(16))
    assert differs.argmax() == 7
    assert not differs[4:].any()


def test_an_image_is_moved_and_its_edge_repeated():
    torch.manual_seed(0)
    pixels = torch.arange(20, dtype=torch.uint8).reshape(5, 1, 4, 1).repeat(1, 50, 1, 1)
    found = moved(pixels, torch.full((50,), 5), ways(50, 1, pixels.device))
    kinds = {tuple(image.flatten().tolist()) for image in found.unbind(1)}
    assert len(kinds) == 9
    assert tuple(range(20)) in kinds
    right = [max(0, x - 1) * 4 + y for x in range(5) for y in range(4)]
    assert tuple(right) in kinds


def test_grey_or_colour_as_training_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4), (7, 7, 7)).save("grey.png")
    Image.new("RGB", (4, 4), (200, 0, 7)).save("red.png")
    assert Images.fit(column(["grey.png"]), None, "columns", 0.0).channels == 1
    fitted = Images.fit(column(["grey.png", "red.png"]), None, "columns", 0.0)
    assert fitted.channels == 3
    assert fitted.encode(column(["red.png"])).images.values[0, 0].tolist() == [200, 0, 7]


def test_files_of_every_form_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((2, 2), 65535 // 2, np.uint16)).save("deep.png")
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save("clear.png")
    Image.new("1", (2, 2), 1).save("bits.bmp")
    Image.new("P", (2, 2), 0).save("first.gif", save_all=True, append_images=[Image.new("P", (2, 2), 9)])
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright, stored on its side
    turned = Image.fromarray(np.repeat(np.array([[0], [255]], np.uint8), 16, 0).repeat(16, 1))
    turned.save("turned.jpg", exif=exif)
    names = ["deep.png", "clear.png", "bits.bmp", "first.gif"]
    found = [int(image.max()) for image in images.load(column(names), Size(2, 2), 1)]
    assert found == [127, 255, 255, 0]
    (sideways,) = images.load(column(["turned.jpg"]), Size(2, 2), 1)
    assert (sideways[0] > 200).all()
    assert (sideways[1] < 50).all()


def test_the_pixels_of_a_run_need_no_files(files, tmp_path):
    column = files(a=(9, 8), b=(4, 8))
    fitted = Images.fit(column, None, "columns", 0.0)
    kept = fitted.keep(column, tmp_path / "train")
    assert isinstance(kept.images.values, np.memmap)
    for name in "ab":
        (tmp_path / f"{name}.png").unlink()
    again = type(fitted).from_dict(json.loads(json.dumps(fitted.to_dict()))).kept(column, tmp_path / "train")
    for row in range(2):
        assert np.array_equal(again.images[row], kept.images[row])
    assert again.lengths.tolist() == kept.lengths.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "row 2, column 'a' names bad.png, which cannot be read: no such file or directory"),
        (b"", "row 2, column 'a' names bad.png, which is no image that Pillow can read"),
        (b"words", "row 2, column 'a' names bad.png, which is no image that Pillow can read"),
        ("cut", "row 2, column 'a' names bad.png, which cannot be read"),
    ],
)
def test_what_is_no_image_is_named_with_its_row(files, tmp_path, content, message):
    files(a=(30, 30))
    if content == "cut":
        content = (tmp_path / "a.png").read_bytes()[:300]
    if content is not None:
        (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(DataError) as told:
        Images.fit(column(["a.png", "bad.png"]), "8x8", "columns", 0.0)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_bombs_and_panoramas_are_refused(files, monkeypatch):
    column = files(a=(4000, 4), b=(40, 40))
    with pytest.raises(DataError, match="8,000 pixels wide at a height of 8; give --size WIDTHxHEIGHT"):
        list(images.load(column, Size(None, 8), 1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    with pytest.raises(DataError, match=r"row 1, column .* an image of too many pixels"):
        Images.fit(column, None, "columns", 0.0)


@pytest.mark.parametrize(("reading", "places"), [("columns", (16, 1)), ("places", (8, 8)), ("rows", (1, 64))])
def test_columns_are_narrower_than_places(files, reading, places):
    fitted = Images.fit(files(a=(64, 64)), None, reading, 0.0)
    assert fitted.places(64) == places


@pytest.mark.parametrize("reading", READINGS)
def test_there_is_a_place_for_each_time_step(files, reading):
    column = files(a=(21, 30), b=(21, 30))
    fitted = Images.fit(column, None, reading, 0.0)
    across, down = fitted.places(21)
    assert across * down == fitted.encode(column).lengths[0]
