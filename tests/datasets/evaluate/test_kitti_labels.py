"""KITTI's label files: what is read, what is written, and what is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.datasets.evaluate.kitti_labels import read_folder, read_labels, write_labels
from centernet.runtime.errors import UserError
from tests import real_data

ROW = "Car 0.10 1 -1.57 10.00 20.50 110.00 80.00 1.50 1.60 4.00 -3.00 1.70 22.00 1.20"


def test_reads_annotations_and_detections(tmp_path):
    path = tmp_path / "000000.txt"
    path.write_text(f"{ROW}\n\n{ROW.replace('Car', 'Van')}\n")
    labels = read_labels(path, scored=False)
    assert labels.names == ("Car", "Van")
    assert len(labels) == 2
    np.testing.assert_array_equal(labels.boxes[0], [10, 20.5, 110, 80])
    np.testing.assert_array_equal(labels.dimensions[0], [1.5, 1.6, 4])
    np.testing.assert_array_equal(labels.locations[1], [-3, 1.7, 22])
    assert labels.truncated[0] == 0.1
    assert labels.occluded[0] == 1
    assert labels.alphas[0] == -1.57
    assert labels.rotations[0] == 1.2
    np.testing.assert_array_equal(labels.scores, [1, 1])
    path.write_text(f"{ROW} 0.75\n")
    assert read_labels(path, scored=True).scores.tolist() == [0.75]


def test_empty_file_is_a_frame_without_objects(tmp_path):
    (tmp_path / "000000.txt").write_text("")
    assert len(read_labels(tmp_path / "000000.txt", scored=True)) == 0


@pytest.mark.parametrize("count", [14, 16, 17])
def test_wrong_number_of_fields_names_file_and_row(tmp_path, count):
    path = tmp_path / "000007.txt"
    fields = [*ROW.split(), "0.5", "1"][:count]
    path.write_text(f"{ROW}\n{' '.join(fields)}\n")
    with pytest.raises(UserError, match=rf"000007\.txt, row 2: {count} fields .* has 15"):
        read_labels(path, scored=False)


@pytest.mark.parametrize("count", [14, 15, 17])
def test_wrong_number_of_fields_of_a_detection(tmp_path, count):
    path = tmp_path / "000007.txt"
    path.write_text(" ".join([*ROW.split(), "0.5", "1"][:count]))
    with pytest.raises(UserError, match=rf"row 1: {count} fields .* has 16"):
        read_labels(path, scored=True)


@pytest.mark.parametrize("bad", ["left", "nan", "inf"])
def test_bad_number_names_row_and_field(tmp_path, bad):
    path = tmp_path / "000003.txt"
    path.write_text(f"{ROW}\n{ROW.replace('110.00', bad)}\n")
    with pytest.raises(UserError, match=rf"000003\.txt, row 2: right '{bad}' is not"):
        read_labels(path, scored=False)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(UserError, match=r"000001\.txt does not exist.*empty file"):
        read_folder(tmp_path, ["000001"], scored=True)
    (tmp_path / "000001.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"000001\.txt cannot be read"):
        read_folder(tmp_path, ["000001"], scored=True)


@pytest.mark.parametrize("scored", [False, True])
def test_written_labels_read_back(tmp_path, scored):
    path = tmp_path / "a.txt"
    path.write_text(f"{ROW} 0.123456\n")
    labels = read_labels(path, scored=True)
    written = write_labels(tmp_path / "b.txt", labels, scored)
    again = read_labels(written, scored)
    assert again.names == labels.names
    columns = slice(None) if scored else slice(None, 14)
    np.testing.assert_array_equal(again.values[:, columns], labels.values[:, columns])


def test_real_labels_survive_a_round_trip(tmp_path):
    source = real_data.folder("kitti") / "training" / "label_2"
    for path in sorted(source.glob("*.txt")):
        written = write_labels(tmp_path / path.name, read_labels(path, scored=False), scored=False)
        before, after = (p.read_text().split() for p in (path, written))
        assert [float(v) if i % 15 else v for i, v in enumerate(before)] == [
            float(v) if i % 15 else v for i, v in enumerate(after)
        ]
