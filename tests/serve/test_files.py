"""A run that reads files answers the files that it is sent, and opens none of the server's."""

import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

import elman
from elman.data import tables
from elman.serve import application


def png(value):
    content = io.BytesIO()
    Image.new("L", (6, 5), value).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def looking(tmp_path_factory):
    """A finished run that tells dark images from bright ones, and its service."""
    place = tmp_path_factory.mktemp("looking")
    for number in range(40):
        (place / f"{number}.png").write_bytes(png(3 * number if number % 2 else 255 - 3 * number))
    rows = [{"image": f"{number}.png", "label": "dark" if number % 2 else "bright"} for number in range(40)]
    tables.write(place / "t.csv", rows)
    options = {"batch": 8, "hidden": 8, "epochs": 3.0, "rate": 0.02, "precision": "float32", "shift": 0.0}
    run = elman.train("classification", place / "t.csv", out=place / "run", quiet=True, **options)
    return place, run, TestClient(application(run))


def test_a_file_is_answered(looking):
    place, run, service = looking
    (expected,) = run.predict([str(place / "4.png")])
    for name in ("4.png", "holiday/A%204.PNG"):
        answer = service.post(f"/predict?name={name}", content=(place / "4.png").read_bytes())
        (row,) = answer.json()["rows"]
        assert row == expected | {"image": name.replace("%20", " ")}
    page = service.get("/").text
    assert 'type="file"' in page
    assert "textarea" not in page.split("</style>")[1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("", b"x", "say what it is called: /predict?name=x.png; got ''"),
        ("../../etc/passwd", b"x", "got '../../etc/passwd'"),
        ("a.png", b"no image", "names a.png, which is no image that Pillow can read"),
        ("a.png", b"", "names a.png, which is no image that Pillow can read"),
    ],
)
def test_what_is_no_file_to_read_is_told(looking, name, content, message):
    answer = looking[2].post("/predict", params={"name": name}, content=content)
    assert answer.status_code == 422
    assert message in answer.json()["error"]


def test_no_file_of_the_server_is_opened(looking):
    place, _, service = looking
    answer = service.post("/predict", json={"rows": [str(place / "4.png")]})
    assert answer.status_code == 422
    assert "send a file" in answer.json()["error"]
