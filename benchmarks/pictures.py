"""Make tables of images from MNIST's files: digits, scenes of digits with captions, and films of moving digits.

    python benchmarks/pictures.py FOLDER [digits] [scenes] [films] [moves]

MNIST lies in ELMAN_DATA/mnist (default: ../shared/data/mnist). FOLDER gets a folder for each kind, with PNG files and
the tables train and test: what is in test is made of MNIST's test images alone. Everything follows from the seed.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import real_data
from PIL import Image

from elman.data import tables

WAYS = dict(
    zip(
        [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1)],
        ["up-left", "up", "up-right", "left", "still", "right", "down-left", "down", "down-right"],
        strict=True,
    )
)
STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
FILES = {"train": "train", "test": "t10k"}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def mnist(part):
    """The images (N, 28, 28) and labels (N,) of a part."""
    with gzip.open(real_data.place("mnist") / f"{FILES[part]}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(real_data.place("mnist") / f"{FILES[part]}-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(), np.uint8, offset=8)


def digits(folder):
    """Every image of MNIST, and its label."""
    for part in FILES:
        rows = []
        for k, (image, label) in enumerate(zip(*mnist(part), strict=True)):
            rows.append({"path": saved(folder, f"{part}/{k // 1000:02}/{k:05}.png", image), "label": int(label)})
        tables.write(folder / f"{part}.csv", rows)


def scenes(folder):
    """Two to four digits in one or two rows, each large or small, and a text that says which is where."""
    for part, count in (("train", 20_000), ("test", 2000)):
        images, labels = mnist(part)
        draw, rows = np.random.default_rng(len(labels)), []
        for k in range(count):
            canvas, said = np.zeros((64, 64), np.uint8), []
            lengths = ((1, 1), (2,), (2, 1), (1, 2), (2, 2))[draw.integers(5)]
            for row, length in enumerate(lengths):
                chosen, small = draw.integers(len(labels), size=length), draw.random(length) < 0.4
                if length == 2 and draw.random() < 0.2:  # twice the same digit, in two hands
                    chosen[1], small[1] = draw.choice(np.flatnonzero(labels == labels[chosen[0]])), small[0]
                for place, number in enumerate(chosen):
                    centre = 64 / len(lengths) * (row + 0.5), 64 / length * (place + 0.5)
                    put(canvas, images[number], draw.integers(14, 17) if small[place] else 28, centre, draw)
                said.append(phrase(labels[chosen], small))
            path = saved(folder, f"{part}/{k // 1000:02}/{k:05}.png", canvas)
            rows.append({"image": path, "caption": " above ".join(said)})
        tables.write(folder / f"{part}.csv", rows)


def films(folder):
    """A digit that goes about among specks and, at times, stands still; beside each frame the way that it came."""
    for part, count in (("train", 2000), ("test", 400)):
        images, labels = mnist(part)
        draw, rows = np.random.default_rng(len(labels)), []
        for k in range(count):
            image = np.asarray(Image.fromarray(images[draw.integers(len(labels))]).resize((16, 16)))
            frames, ways = film(image, draw.integers(10, 25), draw)
            saved_film(folder / part / f"{k:05}.gif", frames)
            rows.append({"video": f"{part}/{k:05}.gif", "tags": " ".join(ways)})
        tables.write(folder / f"{part}.csv", rows)


def film(image, count, draw):
    """The frames of a digit that bounces off the borders, and for each the way to it from the frame before."""
    place, speed, frames, ways = draw.integers(0, 17, 2), draw.integers(-3, 4, 2), [], []
    for _ in range(count + 1):
        if draw.random() < 0.1:
            speed = draw.integers(-3, 4, 2) if draw.random() < 0.6 else np.zeros(2, np.int64)
        speed = np.where((place + speed < 0) | (place + speed > 16), -speed, speed)
        place = place + speed
        frames.append(frame(image, place, draw))
        ways.append(WAYS[tuple(np.sign(speed))])
    return frames[1:], ways[1:]


def moves(folder):
    """A digit that moves in one direction, then across: the two of eight, and a text that says them.

    It begins anywhere from where both moves stay inside. No frame shows them: what is left of a film without the order
    of its frames is the path, which the film that runs backwards has too, so that at best every second one is told.
    """
    for part, count in (("train", 4000), ("test", 800)):
        images, labels = mnist(part)
        draw, rows = np.random.default_rng(len(labels) + 1), []
        for k in range(count):
            axes = draw.permutation([("up", "down"), ("left", "right")])
            first, second = (str(axis[draw.integers(2)]) for axis in axes)
            number = draw.integers(len(labels))
            image = np.asarray(Image.fromarray(images[number]).resize((16, 16)))
            way = [STEPS[first]] * draw.integers(4, 9) + [STEPS[second]] * draw.integers(4, 9)
            saved_film(folder / part / f"{k:05}.gif", along(image, np.array(way), draw))
            digit = NAMES[labels[number]]
            caption = f"{'an' if digit == 'eight' else 'a'} {digit} moves {first}, then {second}"
            rows.append({"video": f"{part}/{k:05}.gif", "move": f"{first}, then {second}", "caption": caption})
        tables.write(folder / f"{part}.csv", rows)


def along(image, way, draw):
    """The frames of a digit on a way of steps (T, 2), all of one pixel or all of two, that stays inside."""
    path = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(way * draw.integers(1, 3), 0)])
    low, high = -path.min(0), 16 - path.max(0)
    place = path + draw.integers(low, high + 1)
    return [frame(image, spot, draw) for spot in place]


def put(canvas, image, side, centre, draw):
    """Put a digit near a place of a canvas, at most three pixels off."""
    digit = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
    top, left = (int(np.clip(round(at - side / 2) + draw.integers(-3, 4), 0, 64 - side)) for at in centre)
    spot = canvas[top : top + side, left : left + side]
    np.maximum(spot, digit, out=spot)


def phrase(digits, small):
    """What is in a row, from left to right: "a small two beside an eight", "two sixes"."""
    if len(digits) == 2 and digits[0] == digits[1] and small[0] == small[1]:
        name = NAMES[digits[0]]
        return f"two {'small ' if small[0] else ''}{name}{'es' if name == 'six' else 's'}"
    return " beside ".join(
        f"a small {NAMES[digit]}" if little else f"{'an' if digit == 8 else 'a'} {NAMES[digit]}"
        for digit, little in zip(digits, small, strict=True)
    )


def frame(image, place, draw):
    """A frame of 32x32 pixels with specks, and a digit of 16x16 at a place."""
    canvas = (draw.random((32, 32)) < 0.03) * draw.integers(60, 256, (32, 32))
    spot = canvas[place[0] : place[0] + 16, place[1] : place[1] + 16]
    np.maximum(spot, image, out=spot)
    return canvas.astype(np.uint8)


def saved_film(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=others, duration=100, loop=0)


def saved(folder, name, image):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return name


KINDS = {"digits": digits, "scenes": scenes, "films": films, "moves": moves}


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(KINDS):
        raise SystemExit(__doc__)
    real_data.place("mnist")
    for kind in sys.argv[2:] or KINDS:
        folder = Path(sys.argv[1]) / kind
        folder.mkdir(parents=True, exist_ok=True)
        KINDS[kind](folder)
        print(folder)


main()
