"""Labelled images from folders, tables, archives and fields."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.learning.labelled import images_identity, read_labelled_images
from wsi_scale.learning.splits import split_rows


def save(path: Path, value: int, size: tuple[int, int] = (40, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def config(data: Path, **changes: object) -> TransferConfig:
    return TransferConfig.model_validate({"data": data, "side_px": 32, **changes})


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / ("normal" if index < 5 else "tumour") / f"{index}.png", 20 * index)
    (tmp_path / "normal" / "notes.txt").write_text("no image")
    examples, split = read_labelled_images(config(tmp_path))
    assert examples.classes == ("normal", "tumour")
    assert examples.target.tolist() == [0] * 5 + [1] * 5
    images = examples.images(np.array([7, 0]))
    assert images.shape == (2, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images[0] == 140).all()
    assert (images[1] == 0).all()
    rows = np.concatenate([split.training, split.validation, split.test])
    assert sorted(rows.tolist()) == list(range(10))
    # Every part has its share of each class.
    assert [np.bincount(examples.target[rows]).tolist() for rows in vars(split).values()] == [[2, 2], [1, 1], [2, 2]]


def test_folders_of_a_split(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        for label in ("a", "b"):
            save(tmp_path / part / label / "1.png", 9)
    examples, split = read_labelled_images(config(tmp_path))
    parts = [{examples.groups[row].split("/")[0] for row in rows} for rows in vars(split).values()]
    assert parts == [{"train"}, {"valid"}, {"test"}]


def test_a_folder_within_a_class_is_a_patient(tmp_path: Path) -> None:
    for index in range(24):
        save(tmp_path / "ab"[index % 2] / f"p{index // 4}" / "40x" / f"{index}.png", index)
    examples, split = read_labelled_images(config(tmp_path))
    patients = [set(examples.groups[rows]) for rows in vars(split).values()]
    assert set.union(*patients) == {f"p{index}" for index in range(6)}
    assert sum(map(len, patients)) == 6
    assert all(patients)


def test_a_test_that_no_folder_holds_is_drawn_from_training_alone(tmp_path: Path) -> None:
    for index in range(20):
        save(tmp_path / ("train" if index < 14 else "val") / "ab"[index % 2] / f"{index}.png", index)
    examples, split = read_labelled_images(config(tmp_path))
    parts = [{examples.groups[row].split("/")[0] for row in rows} for rows in vars(split).values()]
    assert parts == [{"train"}, {"val"}, {"train"}]
    assert [len(rows) for rows in vars(split).values()] == [10, 6, 4]


def test_a_table_with_an_archive_and_patients(tmp_path: Path) -> None:
    lines = ["file,label,patient"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for index in range(12):
            save(tmp_path / "made" / f"{index}.png", index)
            archive.write(tmp_path / "made" / f"{index}.png", f"{index}.png")
            lines.append(f"{index}.png,{index % 2},p{index // 3}")
    (tmp_path / "set.csv").write_text("\n".join(lines))
    examples, split = read_labelled_images(config(tmp_path / "set.csv"))
    assert (examples.images(np.arange(12))[:, 0, 0, 0] == np.arange(12)).all()
    patients = [set(examples.groups[rows]) for rows in vars(split).values()]
    assert all(patients)
    assert sum(map(len, patients)) == len(set.union(*patients)) == 4


def test_a_split_column_counts_where_it_names_a_test(tmp_path: Path) -> None:
    lines = ["file\tlabel\tsplit"] + [f"{i}.png\t{i % 2}\t{'train' if i < 8 else 'test'}" for i in range(12)]
    (tmp_path / "set.tsv").write_text("\n".join(lines))
    _, split = read_labelled_images(config(tmp_path / "set.tsv"))
    assert split.test.tolist() == [8, 9, 10, 11]
    assert len(split.validation) == 2
    assert set(split.training) | set(split.validation) == set(range(8))
    lines = [line.replace("test", "train") for line in lines]
    (tmp_path / "set.tsv").write_text("\n".join(lines))
    assert len(read_labelled_images(config(tmp_path / "set.tsv"))[1].test) == 4


def test_fields_of_known_mpp_become_tiles_split_by_case(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["file\tcase\tstain\tmpp"]
    for index in range(8):
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), np.uint8)).save(tmp_path / f"{index}.png")
        lines.append(f"{index}.png\tc{index}\tH&E\t0.25")
    (tmp_path / "fields.tsv").write_text("\n".join(lines))
    wanted = config(tmp_path / "fields.tsv", tiles=30, mpp_range=(0.25, 1.0))
    examples, split = read_labelled_images(wanted)
    assert examples.classes == ()
    assert examples.outputs == 1
    assert [len(rows) for rows in vars(split).values()] == [30, 10, 30]
    assert examples.images(split.test).shape == (30, 32, 32, 3)
    assert -2 <= float(examples.target.min()) < float(examples.target.max()) <= 0
    cases = [set(examples.groups[rows]) for rows in vars(split).values()]
    assert not cases[0] & cases[1] | cases[0] & cases[2] | cases[1] & cases[2]
    again, _ = read_labelled_images(wanted)
    assert np.array_equal(again.images(split.test), examples.images(split.test))


def test_a_training_of_another_seed_tests_on_the_same_images(tmp_path: Path) -> None:
    for index in range(40):
        save(tmp_path / "ab"[index % 2] / f"{index}.png", index)
    one, other = (read_labelled_images(config(tmp_path, seed=seed))[1] for seed in (1, 2))
    assert one.test.tolist() == other.test.tolist()
    assert one.validation.tolist() == other.validation.tolist()


def test_a_class_of_too_few_groups_is_said(tmp_path: Path) -> None:
    for index in range(12):
        save(tmp_path / ("b" if index == 0 else "a") / f"{index}.png", index)
    with pytest.raises(ConfigError, match=r"no 'b' for validation in .*; give three of each class"):
        read_labelled_images(config(tmp_path))


def test_without_classes_a_split_is_a_draw_of_groups() -> None:
    groups = np.repeat(np.arange(20), 2).astype(str)
    split = split_rows([""] * 40, groups, [""] * 40)
    parts = [set(groups[rows]) for rows in vars(split).values()]
    assert [len(part) for part in parts] == [11, 3, 6]
    assert len(set.union(*parts)) == 20


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot read"),
        (lambda path: path.mkdir(), "holds no folders of images"),
        (lambda path: path.write_text("name\tlabel\n1\t2"), "needs a column file"),
        (lambda path: path.write_text("file\tname\n1\t2"), "needs a column label"),
        (lambda path: path.write_text("file\tlabel\n"), "holds no rows"),
        (
            lambda path: path.write_text("file\tlabel\n1.png\ta\n2.png\n"),
            "line 3 of .* has no value in its column label",
        ),
        (lambda path: path.write_text("file\tlabel\n1.png\ta\n2.png\ta"), "1 class of images"),
        (lambda path: path.write_text("file\tlabel\n1.png\ta\n2.png\tb"), "2 groups to split"),
        (
            lambda path: path.write_text("file\tlabel\tsplit\n1.png\ta\ttrain\n2.png\tb\ttune"),
            "line 3 of .* has split 'tune'; give train, training",
        ),
        (
            lambda path: path.write_text("file\tlabel\tsplit\n1.png\ta\ttest\n2.png\tb\tval"),
            "leaves nothing for training",
        ),
        (
            lambda path: path.write_text(
                "file\tlabel\tsplit\n1.png\ta\ttrain\n2.png\tb\ttrain\n3.png\ta\tval\n4.png\tb\tval\n5.png\ta\ttest"
            ),
            "no 'b' for test in .*; give three",
        ),
    ],
    ids=[
        "missing",
        "empty",
        "columns",
        "no label",
        "no rows",
        "a row short",
        "one class",
        "too few",
        "unknown part",
        "no training",
        "class missing",
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(make: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "set.tsv"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=said) as error:
        read_labelled_images(config(path))
    assert "\n" not in str(error.value)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    for index in range(6):
        save(tmp_path / "ab"[index % 2] / f"{index}.png", 1)
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    examples, _ = read_labelled_images(config(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot read .*0\.png"):
        examples.images(np.arange(6))


def test_more_than_eight_bits_are_not_clipped_to_white(tmp_path: Path) -> None:
    for index in range(6):
        save(tmp_path / "ab"[index % 2] / f"{index}.png", 1)
    Image.fromarray(np.full((40, 40), 16_000, np.uint16)).save(tmp_path / "a" / "0.png")
    examples, _ = read_labelled_images(config(tmp_path))
    with pytest.raises(ConfigError, match=r"0\.png has more than 8 bits a channel"):
        examples.images(np.arange(6))


def test_a_damaged_archive_is_said(tmp_path: Path) -> None:
    lines = ["file,label"] + [f"{index}.png,{'ab'[index % 2]}" for index in range(6)]
    (tmp_path / "set.csv").write_text("\n".join(lines))
    (tmp_path / "set.zip").write_bytes(b"no archive")
    examples, _ = read_labelled_images(config(tmp_path / "set.csv"))
    with pytest.raises(ConfigError, match=r"cannot read 0\.png"):
        examples.images(np.arange(6))


def field_table(folder: Path, header: str, row: str, suffix: str = ".tsv") -> Path:
    rng = np.random.default_rng(0)
    for index in range(8):
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), np.uint8)).save(folder / f"{index}.png")
    table = folder / f"fields{suffix}"
    table.write_text("\n".join([header, *(row.format(index) for index in range(8))]))
    return table


def test_fields_may_be_separated_by_commas_and_name_no_stain(tmp_path: Path) -> None:
    table = field_table(tmp_path, "file,case,mpp", "{0}.png,c{0},0.25", ".csv")
    examples, _ = read_labelled_images(config(table, tiles=30, mpp_range=(0.25, 1.0)))
    assert len(examples.target) == 70


@pytest.mark.parametrize(
    ("header", "row", "changes", "said"),
    [
        ("file\tmpp", "{0}.png\t0.25", {}, "needs a column case"),
        ("file\tcase\tmpp", "{0}.jpg\tc{0}\t0.25", {}, r"cannot use 0\.jpg of "),
        ("file\tcase\tmpp", "{0}.png\tc{0}\tfine", {}, r"cannot use 0\.png of .*fine"),
        ("file\tcase\tmpp", "{0}.png\tc{0}\t0.25", {"side_px": 512}, "no field allows tiles of 512 px"),
        ("file\tcase\tmpp", "{0}.png\tc{0}\t0.25", {"kept_out": "none.tsv"}, "kept_out: cannot read none.tsv"),
    ],
    ids=["column", "image", "mpp", "too large", "kept out"],
)
def test_fields_that_cannot_be_used_are_said(
    tmp_path: Path, header: str, row: str, changes: dict[str, object], said: str
) -> None:
    table = field_table(tmp_path, header, row)
    with pytest.raises(ConfigError, match=said) as error:
        read_labelled_images(config(table, tiles=30, mpp_range=(0.25, 1.0), **changes))
    assert "\n" not in str(error.value)


def test_nothing_named_is_said() -> None:
    with pytest.raises(ConfigError, match=r"transfer\.data: name a folder"):
        read_labelled_images(TransferConfig())


def test_the_real_sets_are_read(data_root: Path) -> None:
    patches, split = read_labelled_images(config(data_root / "patches" / "pcam.tsv"))
    assert [len(rows) for rows in vars(split).values()] == [1400, 400, 400]
    assert patches.images(split.test[:2]).std() > 10
    rays, split = read_labelled_images(config(data_root / "xray" / "xray.tsv"))
    assert len(rays.target) == len(set(rays.groups)) == 780
    assert len(split.test) == 234
    assert len(set(np.round([rays.target[rows].mean() for rows in vars(split).values()], 1))) == 1


def test_other_pixels_or_another_split_are_another_task(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / ("a" if index < 5 else "b") / f"Müller {index}.png", 20 * index)
    first = images_identity(*read_labelled_images(config(tmp_path)))
    assert images_identity(*read_labelled_images(config(tmp_path))) == first
    for index in range(10):
        save(tmp_path / ("a" if index < 5 else "b") / f"Müller {index}.png", 20 * index + 1)
    assert images_identity(*read_labelled_images(config(tmp_path))) != first
