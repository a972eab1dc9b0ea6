"""Mutated headers of small files, opened and read in a process of its own: what it may survive, and what not.

Run as a program it takes a scratch folder, a seed and a range of mutation numbers, and writes one line a
mutation: its number and what became of it. The parent sees from the last line where a crash or a hang was.
"""

import random
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from wsi_scale.errors import UserError
from wsi_scale.slides.field import Field, read_field
from wsi_scale.slides.metadata import describe_slide
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.tissue import read_thumbnail
from wsi_scale.synthesis import Scene, render_scene, write_pyramid

MPP = 0.5
#: A mutated header may not cost more memory than this.
MOST_BYTES = 2 << 30
#: Values that break arithmetic.
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 32, 255, 256, 257, 65535, 65536, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
#: Tag codes that readers ask for.
CODES = (
    254,
    256,
    257,
    258,
    259,
    262,
    270,
    273,
    277,
    278,
    279,
    282,
    283,
    284,
    296,
    317,
    322,
    323,
    324,
    325,
    330,
    338,
    339,
    347,
    530,
)
#: Where PNG and JPEG keep their headers, and how much of a TIFF's directory one mutation may reach.
HEAD_BYTES = 400


def write_sound_files(folder: Path) -> list[Path]:
    """Write nine small sound files, one of each kind of header."""
    folder.mkdir(parents=True, exist_ok=True)
    image = render_scene(Scene(3.0, size_px=320, mpp=MPP, seed=3))
    half = np.asarray(Image.fromarray(image).reduce(2))
    known = {
        "resolution": (1e4 / MPP, 1e4 / MPP),
        "resolutionunit": "CENTIMETER",
        "metadata": None,
        "photometric": "rgb",
    }
    tifffile.imwrite(folder / "strips.tif", image, rowsperstrip=64, compression="zlib", **known)
    tifffile.imwrite(folder / "plain.tif", image, **known)
    tifffile.imwrite(
        folder / "planes.tif", image.transpose(2, 0, 1).astype(np.uint16) * 257, planarconfig="separate", **known
    )
    write_pyramid(folder / "pyramid.tif", image, MPP)
    with tifffile.TiffWriter(folder / "big.tif", bigtiff=True, byteorder=">") as writer:
        for index, level in enumerate((image, half)):
            writer.write(level, tile=(128, 128), compression="lzw", subfiletype=index, **known)
    with tifffile.TiffWriter(folder / "sub.ome.tif", ome=True) as writer:
        size = {"axes": "YXS", "PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
        writer.write(image, subifds=1, tile=(128, 128), photometric="rgb", compression="zlib", metadata=size)
        writer.write(half, subfiletype=1, tile=(128, 128), photometric="rgb", compression="zlib", metadata=None)
    said = f"Aperio Format\r\n320x320 (128x128) JPEG/RGB Q=30|AppMag = 20|MPP = {MPP}|"
    known = {"photometric": "rgb", "compression": "jpeg", "metadata": None, "software": None, "description": said}
    tifffile.imwrite(folder / "aperio.svs", image, tile=(128, 128), **known)
    Image.fromarray(image).save(folder / "image.png")
    Image.fromarray(image).save(folder / "image.jpg", quality=85)
    return sorted(folder.iterdir())


def entries(path: Path) -> list[tuple[int, int, str]]:
    """(offset, length, byte order) of every directory entry of a TIFF; of others none."""
    if path.suffix not in (".tif", ".svs"):
        return []
    with tifffile.TiffFile(path) as file:
        order, big = file.byteorder, file.is_bigtiff
        pages = [page for top in file.pages for page in (top, *(top.pages or ()))]
        return [(tag.offset, 20 if big else 12, order) for page in pages for tag in page.tags]


def mutated(data: bytes, places: list[tuple[int, int, str]], rng: random.Random) -> bytes:
    """Change a header in one to three places."""
    changed = bytearray(data)
    ways: list[Callable[..., None]] = [_flip, _cut, _blank] + ([_entry] * 9 + [_text] if places else [_number] * 3)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(ways)(changed, places, rng)
    return bytes(changed)


def _entry(data: bytearray, places: list[tuple[int, int, str]], rng: random.Random) -> None:
    """Give a directory entry another code, type, count or value."""
    at, length, order = rng.choice(places)
    if at + length > len(data):
        return
    wide = length == 20
    number = rng.choice((*NUMBERS, len(data), len(data) - 1, rng.randrange(len(data)), rng.getrandbits(32)))
    what = rng.choice(("code", "type", "count", "value", "value", "value", "short"))
    if what == "code":
        struct.pack_into(order + "H", data, at, rng.choice(CODES))
    elif what == "type":
        struct.pack_into(order + "H", data, at + 2, rng.choice((*range(20), 65535)))
    elif what == "short":
        struct.pack_into(order + "H", data, at + (12 if wide else 8), number & 0xFFFF)
    else:
        place = at + 4 if what == "count" else at + (12 if wide else 8)
        struct.pack_into(order + ("Q" if wide else "I"), data, place, number if wide else number & 0xFFFFFFFF)


def _number(data: bytearray, places: list[tuple[int, int, str]], rng: random.Random) -> None:
    """Write a number that breaks arithmetic into a head."""
    at = rng.randrange(min(len(data), HEAD_BYTES) - 4)
    data[at : at + 4] = struct.pack(">I", rng.choice(NUMBERS))


def _text(data: bytearray, places: list[tuple[int, int, str]], rng: random.Random) -> None:
    """Put bytes of no encoding into a text of the header."""
    for mark in (b"Aperio", b"<?xml", b"tifffile"):
        at = data.find(mark)
        if at >= 0:
            start = at + rng.randrange(60)
            data[start : start + 4] = bytes(rng.randrange(256) for _ in range(4))


def _flip(data: bytearray, places: list[tuple[int, int, str]], rng: random.Random) -> None:
    """Flip bits in a head, or in a directory."""
    start = rng.choice(places)[0] if places and rng.random() < 0.8 else 0
    for _ in range(rng.choice((1, 1, 4))):
        at = min(len(data) - 1, start + rng.randrange(HEAD_BYTES))
        data[at] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, places: list[tuple[int, int, str]], rng: random.Random) -> None:
    del data[rng.randrange(1, len(data)) :]


def _blank(data: bytearray, places: list[tuple[int, int, str]], rng: random.Random) -> None:
    at = rng.randrange(len(data))
    length = min(rng.choice((1, 4, 16, 64, 512)), len(data) - at)
    data[at : at + length] = bytes([rng.choice((0, 255))]) * length


def attempt(path: Path) -> str:
    """Open, describe and read a file as the stages do; give what became of it."""
    try:
        with open_slide(path) as slide:
            info = describe_slide(slide, "fuzzed", str(path), None)
            thumbnail = read_thumbnail(slide, 256)
            assert thumbnail.image.dtype == np.uint8
            across = min(info.width, 300)
            field = read_field(slide, Field(info.width - across, -10.5, across, 200), (64, 64))
            assert field.shape == (64, 64, 3)
    except UserError as error:
        return "told" if "\n" not in str(error) and str(error) else f"CRASH an error of {str(error)!r}"
    except Exception as error:  # noqa: BLE001 — what this is all about
        return f"CRASH {type(error).__name__}: {' '.join(str(error).split())[:200]} {_place(error)}"
    return "read"


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace:
        name = trace.tb_frame.f_code.co_filename
        place = f"{Path(name).name}:{trace.tb_lineno}" if "wsi_scale" in name else place
        trace = trace.tb_next
    return place


def outcomes(folder: Path, seed: int, numbers: range) -> Iterator[tuple[int, str]]:
    """Try mutations by their numbers; each depends on seed and number alone."""
    sound = [(path, path.read_bytes(), entries(path)) for path in write_sound_files(folder / "sound")]
    for number in numbers:
        path, data, places = sound[number % len(sound)]
        rng = random.Random(f"{seed}-{number}")
        target = folder / f"fuzzed{''.join(path.suffixes)}"
        target.write_bytes(mutated(data, places, rng))
        yield number, attempt(target)


def peak_bytes() -> int:
    """Most memory that this process has had; what resource tells may be its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) * 1024


def main() -> None:
    """Print what became of each mutation, and the most memory that was used."""
    folder, seed, start, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    # Twice what is allowed: a runaway allocation ends here and not with the machine.
    resource.setrlimit(resource.RLIMIT_AS, (3 * MOST_BYTES, 3 * MOST_BYTES))
    for number, outcome in outcomes(folder, seed, range(start, stop)):
        sys.stdout.write(f"{number} {outcome}\n")
        sys.stdout.flush()
    sys.stdout.write(f"peak {peak_bytes()}\n")


if __name__ == "__main__":
    main()
