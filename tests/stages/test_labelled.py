"""Labelled images from folders, tables, archives and fields."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsi_scale.config.models import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.stages.labelled import examples_identity, read_examples, split_rows


def save(path: Path, value: int, size: tuple[int, int] = (40, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def config(data: Path, **changes: object) -> TransferConfig:
    return TransferConfig.model_validate({"data": data, "side_px": 32, **changes})


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / ("normal" if index < 5 else "tumour") / f"{index}.png", 20 * index)
    (tmp_path / "normal" / "notes.txt").write_text("no image")
    examples, split = read_examples(config(tmp_path))
    assert examples.classes == ("normal", "tumour")
    assert examples.target.tolist() == [0] * 5 + [1] * 5
    images = examples.images(np.array([7, 0]))
    assert images.shape == (2, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images[0] == 140).all()
    assert (images[1] == 0).all()
    rows = np.concatenate([split.training, split.validation, split.test])
    assert sorted(rows.tolist()) == list(range(10))


def test_folders_of_a_split(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        for label in ("a", "b"):
            save(tmp_path / part / label / "1.png", 9)
    examples, split = read_examples(config(tmp_path))
    parts = [{examples.groups[row].split("/")[0] for row in rows} for rows in vars(split).values()]
    assert parts == [{"train"}, {"valid"}, {"test"}]


def test_a_table_with_an_archive_and_patients(tmp_path: Path) -> None:
    lines = ["file,label,patient"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for index in range(12):
            save(tmp_path / "made" / f"{index}.png", index)
            archive.write(tmp_path / "made" / f"{index}.png", f"{index}.png")
            lines.append(f"{index}.png,{index % 2},p{index // 3}")
    (tmp_path / "set.csv").write_text("\n".join(lines))
    examples, split = read_examples(config(tmp_path / "set.csv"))
    assert (examples.images(np.arange(12))[:, 0, 0, 0] == np.arange(12)).all()
    patients = [set(examples.groups[rows]) for rows in vars(split).values()]
    assert all(patients)
    assert sum(map(len, patients)) == len(set.union(*patients)) == 4


def test_a_split_column_counts_where_it_names_a_test(tmp_path: Path) -> None:
    lines = ["file\tlabel\tsplit"] + [f"{i}.png\t{i % 2}\t{'train' if i < 8 else 'test'}" for i in range(12)]
    (tmp_path / "set.tsv").write_text("\n".join(lines))
    _, split = read_examples(config(tmp_path / "set.tsv"))
    assert split.test.tolist() == [8, 9, 10, 11]
    assert len(split.validation) == 2
    assert set(split.training) | set(split.validation) == set(range(8))
    lines = [line.replace("test", "train") for line in lines]
    (tmp_path / "set.tsv").write_text("\n".join(lines))
    assert len(read_examples(config(tmp_path / "set.tsv"))[1].test) == 4


def test_fields_of_known_mpp_become_tiles_split_by_case(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["file\tcase\tstain\tmpp"]
    for index in range(8):
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), np.uint8)).save(tmp_path / f"{index}.png")
        lines.append(f"{index}.png\tc{index}\tH&E\t0.25")
    (tmp_path / "fields.tsv").write_text("\n".join(lines))
    wanted = config(tmp_path / "fields.tsv", tiles=30, mpp_range=(0.25, 1.0))
    examples, split = read_examples(wanted)
    assert examples.classes == ()
    assert examples.outputs == 1
    assert [len(rows) for rows in vars(split).values()] == [30, 10, 30]
    assert examples.images(split.test).shape == (30, 32, 32, 3)
    assert -2 <= float(examples.target.min()) < float(examples.target.max()) <= 0
    cases = [set(examples.groups[rows]) for rows in vars(split).values()]
    assert not cases[0] & cases[1] | cases[0] & cases[2] | cases[1] & cases[2]
    again, _ = read_examples(wanted)
    assert np.array_equal(again.images(split.test), examples.images(split.test))


def test_the_same_seed_splits_the_same_way() -> None:
    groups = np.arange(40).astype(str)
    one, same, other = (split_rows([""] * 40, groups, seed) for seed in (1, 1, 2))
    assert one.test.tolist() == same.test.tolist() != other.test.tolist()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot read"),
        (lambda path: path.mkdir(), "holds no folders of images"),
        (lambda path: path.write_text("name\tlabel\n1\t2"), "needs the columns file and label"),
        (lambda path: path.write_text("file\tlabel\n1.png\ta\n2.png\ta"), "1 class of images"),
        (lambda path: path.write_text("file\tlabel\n1.png\ta\n2.png\tb"), "2 groups to split"),
    ],
    ids=["missing", "empty", "columns", "one class", "too few"],
)
def test_what_cannot_be_read_is_said_in_one_line(make: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "set.tsv"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=said) as error:
        read_examples(config(path))
    assert "\n" not in str(error.value)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    for index in range(6):
        save(tmp_path / "ab"[index % 2] / f"{index}.png", 1)
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    examples, _ = read_examples(config(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot read .*0\.png"):
        examples.images(np.arange(6))


def test_nothing_named_is_said() -> None:
    with pytest.raises(ConfigError, match=r"transfer\.data: name a folder"):
        read_examples(TransferConfig())


def test_the_real_sets_are_read(data_root: Path) -> None:
    patches, split = read_examples(config(data_root / "patches" / "pcam.tsv"))
    assert [len(rows) for rows in vars(split).values()] == [1400, 400, 400]
    assert patches.images(split.test[:2]).std() > 10
    rays, split = read_examples(config(data_root / "xray" / "xray.tsv"))
    assert len(rays.target) == len(set(rays.groups)) == 780
    assert len(split.test) == 234


def test_other_pixels_or_another_split_are_another_task(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / ("a" if index < 5 else "b") / f"Müller {index}.png", 20 * index)
    first = examples_identity(*read_examples(config(tmp_path)))
    assert examples_identity(*read_examples(config(tmp_path))) == first
    assert examples_identity(*read_examples(config(tmp_path, seed=1))) != first
    for index in range(10):
        save(tmp_path / ("a" if index < 5 else "b") / f"Müller {index}.png", 20 * index + 1)
    assert examples_identity(*read_examples(config(tmp_path))) != first
