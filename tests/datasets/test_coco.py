from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from centernet.datasets import open_source
from centernet.datasets.coco import open_coco, read_json
from centernet.datasets.skeleton import COCO_JOINTS, COCO_SIGMAS
from centernet.io.image import ImageError
from centernet.runtime.errors import UserError
from tests.datasets.made_up import HEIGHT, WIDTH, annotation, image_entry, write_coco, write_image
from tests.real_data import folder


def test_boxes_classes_and_empty_images(tmp_path: Path) -> None:
    path = write_coco(
        tmp_path / "train.json",
        [annotation(8, 2, (1, 2, 10, 20)), annotation(9, 2, (3, 4, 5, 6), iscrowd=1)],
    )
    source = open_coco(path, tmp_path)
    assert len(source) == 2
    assert len(source.objects(0)) == 0
    objects = source.objects(1)
    np.testing.assert_array_equal(objects.boxes, [[1, 2, 11, 22], [3, 4, 8, 10]])
    assert objects.boxes.dtype == np.float32
    assert objects.crowd.tolist() == [False, True]
    assert objects.ids.tolist() == [8, 9]
    assert source.image_id(1) == 2
    assert source.image(1).shape == (HEIGHT, WIDTH, 3)
    assert source.info.provides == {"boxes"}
    assert source.report.lines() == []


@pytest.mark.parametrize(
    ("ids", "order"),
    [
        ([0], [0]),
        ([0, 1, 2], [0, 1, 2]),
        ([90, 3, 17], [1, 2, 0]),
        (["wheel", "axle"], [0, 1]),
        (list(range(1000)), list(range(1000))),
    ],
)
def test_any_category_ids(tmp_path: Path, ids: list, order: list[int]) -> None:
    categories = [{"id": i, "name": f"class {n}"} for n, i in enumerate(ids)]
    annotations = [annotation(n, category=i) for n, i in enumerate(ids)]
    source = open_coco(write_coco(tmp_path / "t.json", annotations, categories), tmp_path)
    assert source.info.category_ids == tuple(ids[n] for n in order)
    assert source.info.class_names == tuple(f"class {n}" for n in order)
    classes = source.objects(0).classes
    assert [source.info.category_ids[c] for c in classes] == ids


def test_string_image_ids(tmp_path: Path) -> None:
    images = [{**image_entry(1), "id": "left"}, {**image_entry(2), "id": "right"}]
    path = write_coco(tmp_path / "t.json", [annotation(1, "right")], images=images)
    source = open_coco(path, tmp_path)
    assert [source.image_id(n) for n in range(2)] == ["left", "right"]
    assert len(source.objects(1)) == 1


def test_objects_keep_the_order_of_the_file(tmp_path: Path) -> None:
    annotations = [annotation(n, image=1 + n % 2) for n in range(7)]
    source = open_coco(write_coco(tmp_path / "t.json", annotations), tmp_path)
    assert source.objects(0).ids.tolist() == [0, 2, 4, 6]
    assert source.objects(1).ids.tolist() == [1, 3, 5]


def test_keypoints_of_any_skeleton(tmp_path: Path) -> None:
    category = {
        "id": 1,
        "name": "kite",
        "keypoints": ["top", "left", "bottom", "right"],
        "skeleton": [[1, 2], [2, 3], [3, 9]],
    }
    keypoints = [10, 11, 2, 12, 13, 1, 0, 0, 0, 16, 17, 2]
    path = write_coco(
        tmp_path / "t.json", [annotation(1, keypoints=keypoints), annotation(2)], [category]
    )
    source = open_coco(path, tmp_path)
    info = source.info
    assert info.joints == ("top", "left", "bottom", "right")
    assert info.flip_pairs == ((1, 3),)
    assert info.skeleton == ((0, 1), (1, 2))  # a limb to a joint that is not there is left out
    assert info.sigmas == (0.05,) * 4
    assert info.provides == {"boxes", "keypoints"}
    found = source.objects(0).keypoints
    np.testing.assert_array_equal(found[0], np.reshape(keypoints, (4, 3)))
    np.testing.assert_array_equal(found[1], np.zeros((4, 3)))  # nothing labelled


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"skeleton": "ab"}, "limb 'ab' in the 'skeleton' of category 'pair' is not a pair"),
        ({"skeleton": [[1, 2, 3]]}, r"limb \[1, 2, 3\] in the 'skeleton' of category 'pair'"),
        ({"skeleton": [["a", "b"]]}, r"limb \['a', 'b'\] in the 'skeleton' of category 'pair'"),
        ({"sigmas": [0.1, 0]}, r"'sigmas' must be a list of numbers above 0, not \[0.1, 0\]"),
        ({"sigmas": [0.1, "b"]}, r"'sigmas' must be a list of numbers above 0, not \[0.1, 'b'\]"),
        ({"sigmas": 0.1}, "'sigmas' must be a list of numbers above 0, not 0.1"),
        ({"keypoints": 2}, "'keypoints' of category 'pair' is 2, not a list of the names"),
    ],
)
def test_a_malformed_skeleton_is_one_line(tmp_path: Path, facts: dict, said: str) -> None:
    category = {"id": 1, "name": "pair", "keypoints": ["a", "b"]} | facts
    path = write_coco(tmp_path / "a.json", [annotation(1)], categories=[category])
    with pytest.raises(UserError, match=f"a.json: {said}"):
        open_coco(path, tmp_path)


def test_limbs_counted_from_0_are_told(tmp_path: Path) -> None:
    category = {"id": 1, "name": "pair", "keypoints": ["a", "b"], "skeleton": [[0, 1], [1, 2]]}
    path = write_coco(tmp_path / "a.json", [annotation(1)], categories=[category])
    source = open_coco(path, tmp_path)
    assert source.info.skeleton == ((0, 1),)
    assert source.report.notes == [
        "a.json: limb [0, 1] in the 'skeleton' of category 'pair' is not drawn: its 2 joints are"
        " counted from 1"
    ]


def test_sigmas_of_coco_or_of_the_file(tmp_path: Path) -> None:
    person = {"id": 1, "name": "person", "keypoints": list(COCO_JOINTS)}
    first = annotation(1, keypoints=[1, 1, 2] * 17)
    path = write_coco(tmp_path / "t.json", [first], [person])
    assert open_coco(path, tmp_path).info.sigmas == COCO_SIGMAS
    own = {"id": 1, "name": "pair", "keypoints": ["a", "b"], "sigmas": [0.1, 0.2]}
    path = write_coco(tmp_path / "u.json", [annotation(1, keypoints=[1, 1, 2] * 2)], [own])
    assert open_coco(path, tmp_path).info.sigmas == (0.1, 0.2)


def test_categories_with_different_joints_give_no_keypoints_and_say_so(tmp_path: Path) -> None:
    categories = [
        {"id": 1, "name": "cat", "keypoints": ["a", "b"]},
        {"id": 2, "name": "dog", "keypoints": ["a", "c"]},
    ]
    path = write_coco(tmp_path / "t.json", [annotation(1, keypoints=[1, 1, 2] * 2)], categories)
    source = open_coco(path, tmp_path)
    assert source.info.provides == {"boxes"}
    assert source.objects(0).keypoints is None
    assert "different joints" in source.report.lines()[0]


POLYGON = [[10.0, 5, 20, 15, 10, 25, 0, 15]]


def test_masks_and_extreme_points(tmp_path: Path) -> None:
    runs = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 3 + 4, 6, HEIGHT * WIDTH]}
    runs["counts"][2] -= sum(runs["counts"][:2])
    path = write_coco(
        tmp_path / "t.json",
        [annotation(1, segmentation=POLYGON), annotation(2, segmentation=runs, iscrowd=1)],
    )
    source = open_coco(path, tmp_path)
    assert source.info.provides == {"boxes", "masks", "extremes"}
    objects = source.objects(0)
    np.testing.assert_array_equal(objects.masks[0], POLYGON)
    assert coco_mask.toBbox(objects.masks[1]).tolist() == [3, 4, 1, 6]
    np.testing.assert_array_equal(objects.extremes[0], [[10, 5], [0, 15], [10, 25], [20, 15]])
    np.testing.assert_array_equal(objects.extremes[1], [[3.5, 4], [3, 7], [3.5, 10], [4, 7]])


def test_extreme_points_of_the_file_come_first(tmp_path: Path) -> None:
    stated = [7, 1, 2, 3, 8, 9, 12, 4]
    path = write_coco(
        tmp_path / "t.json", [annotation(1, segmentation=POLYGON, extreme_points=stated)]
    )
    found = open_coco(path, tmp_path).objects(0).extremes
    np.testing.assert_array_equal(found, np.reshape(stated, (1, 4, 2)))


def test_an_object_without_extreme_points_is_dropped_alone(tmp_path: Path) -> None:
    """Of a file that states them, some by a mask and some not at all."""
    stated = [7, 1, 2, 3, 8, 9, 12, 4]
    rows = [
        annotation(1, extreme_points=stated),
        annotation(2, extreme_points=stated[:3]),
        annotation(3, segmentation=POLYGON),
        annotation(4),
    ]
    path = write_coco(tmp_path / "t.json", rows)
    source = open_coco(path, tmp_path, wanted={"boxes", "extremes"})
    assert "extremes" in source.info.provides
    objects = source.objects(0)
    assert objects.ids.tolist() == [1, 3]
    np.testing.assert_array_equal(objects.extremes[0], np.reshape(stated, (4, 2)))
    np.testing.assert_array_equal(objects.extremes[1], [[10, 5], [0, 15], [10, 25], [20, 15]])
    assert [line.split(",")[0] for line in source.report.faults] == [
        "t.json: annotation 2",
        "t.json: annotation 4",
    ]
    assert "extremes" in open_coco(path, tmp_path).info.provides


@pytest.mark.parametrize(
    "malformed",
    [
        [10, 5, 0, 15, 10, 25],  # not a list of polygons
        [["a"] * 6],
        [[[1, 2]] * 6],
        {"size": [HEIGHT, WIDTH]},
        {"size": HEIGHT, "counts": "04"},
        {"size": [HEIGHT, WIDTH], "counts": ["a"]},
    ],
)
def test_a_malformed_mask_is_none(tmp_path: Path, malformed: Any) -> None:
    rows = [annotation(1, segmentation=malformed), annotation(2, segmentation=POLYGON)]
    path = write_coco(tmp_path / "t.json", rows)
    source = open_coco(path, tmp_path, wanted={"boxes", "extremes"})
    assert source.objects(0).ids.tolist() == [2]
    assert source.report.lines() == [
        "t.json: annotation 1, '1.png': no mask to take extremes from, dropped (--strict to stop)"
    ]


def test_only_what_is_wanted_is_kept(tmp_path: Path) -> None:
    annotations = [annotation(1, segmentation=POLYGON), annotation(2)]
    path = write_coco(tmp_path / "t.json", annotations)
    plain = open_coco(path, tmp_path, wanted={"boxes"})
    assert plain.table.masks is None
    assert plain.objects(0).extremes is None
    assert plain.objects(0).masks is None
    assert plain.info.provides == {"boxes", "masks", "extremes"}  # the file has them all the same
    assert len(plain.objects(0)) == 2
    extreme = open_coco(path, tmp_path, wanted={"boxes", "extremes"})
    assert extreme.objects(0).ids.tolist() == [1]
    assert extreme.report.lines() == [
        "t.json: annotation 2, '1.png': no mask to take extremes from, dropped (--strict to stop)"
    ]


def test_identities_and_cuboids(tmp_path: Path) -> None:
    cuboid = {
        "alpha": 0.1,
        "depth": 9.0,
        "dim": [1.5, 1.6, 4.0],
        "location": [1.0, 2.0, 9.0],
        "rotation_y": 0.2,
        "track_id": 5,
    }
    calibration = [[700.0, 0, 30, 1], [0, 700, 20, 2], [0, 0, 1, 0.1]]
    images = [{**image_entry(1), "calib": calibration}, image_entry(2)]
    path = write_coco(tmp_path / "t.json", [annotation(1, **cuboid)], images=images)
    source = open_coco(path, tmp_path)
    assert source.info.provides == {"boxes", "cuboids", "identities"}
    objects = source.objects(0)
    np.testing.assert_allclose(objects.cuboids.dimensions, [[1.5, 1.6, 4.0]])
    np.testing.assert_allclose(objects.cuboids.locations, [[1, 2, 9]])
    np.testing.assert_allclose(objects.cuboids.rotations, [0.2])
    np.testing.assert_allclose(objects.cuboids.alphas, [0.1], rtol=1e-6)
    np.testing.assert_allclose(objects.cuboids.depths, [9])
    np.testing.assert_allclose(objects.calibration, calibration)
    assert objects.identities.tolist() == [5]


def test_annotations_of_another_picture_size_are_noticed(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1)])
    write_image(tmp_path / "1.png", width=HEIGHT, height=WIDTH)
    write_image(tmp_path / "2.png", width=30, height=30)
    source = open_coco(path, tmp_path)
    with pytest.raises(ImageError, match=r"40 x 60 pixels, but t\.json says 60 x 40.*turned"):
        source.image(0)
    with pytest.raises(ImageError, match="30 x 30 pixels"):
        source.image(1)


def test_no_size_in_the_file_is_no_fault(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.png"}]
    path = write_coco(tmp_path / "t.json", [annotation(1)], images=images)
    source = open_coco(path, tmp_path)
    assert source.image(0).shape == (HEIGHT, WIDTH, 3)
    assert len(source.objects(0)) == 1


def test_a_source_travels_to_workers(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1, segmentation=POLYGON)])
    source = pickle.loads(pickle.dumps(open_coco(path, tmp_path)))
    np.testing.assert_array_equal(source.objects(0).masks[0], POLYGON)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"t\.json: not a json file"),
        ("[]", r"t\.json: no 'images' in it"),
        ('{"images": [1]}', r"'images' is not a list of objects"),
        ('{"images": [], "annotations": {}}', r"'annotations' is not a list"),
    ],
)
def test_files_that_are_no_coco_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(UserError, match=message):
        open_coco(tmp_path / "t.json", tmp_path)


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"images": []}', encoding="utf-8")
    assert read_json(path)["images"] == []


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"t\.json: no such annotation file"):
        open_coco(tmp_path / "t.json", tmp_path)


def test_empty_categories_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "t.json", [annotation(1, category=4)], [])
    with pytest.raises(UserError, match=r"'categories' is empty.*\(used: 4\)"):
        open_coco(path, tmp_path)


def test_a_category_id_given_twice(tmp_path: Path) -> None:
    twice = [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]
    path = write_coco(tmp_path / "t.json", [annotation(1)], twice)
    with pytest.raises(UserError, match="category id 1 is given to more than one"):
        open_coco(path, tmp_path)


def published_layout(root: Path) -> Path:
    """data/coco with two images, one of them without a person."""
    person = {"id": 1, "name": "person", "keypoints": list(COCO_JOINTS)}
    joints = annotation(1, 1, keypoints=[1, 1, 2] * 17)
    for part in ("train", "val"):
        images = root / "coco" / f"{part}2017"
        names = root / "coco" / "annotations"
        write_coco(names / f"person_keypoints_{part}2017.json", [joints], [person], folder=images)
        write_coco(names / f"instances_{part}2017.json", [annotation(1)], folder=images)
    return root


def test_coco_as_published(tmp_path: Path) -> None:
    source = open_source("coco", "val", published_layout(tmp_path))
    assert source.info.resolution == (512, 512)
    assert source.info.max_objects == 128
    assert source.info.mean == (0.40789654, 0.44719302, 0.47009549)
    assert source.info.std == (0.28863828, 0.27408164, 0.27809835)
    assert source.path(0) == tmp_path / "coco" / "val2017" / "1.png"


def test_coco_hp_trains_on_persons_and_tests_on_all(tmp_path: Path) -> None:
    published_layout(tmp_path)
    train = open_source("coco_hp", "train", tmp_path)
    assert len(train) == 1
    assert len(open_source("coco_hp", "val", tmp_path)) == 2
    assert train.info.class_names == ("person",)
    assert train.info.max_objects == 32
    assert "keypoints" in train.info.provides


def test_test_part_has_images_only(tmp_path: Path) -> None:
    names = tmp_path / "coco" / "annotations" / "image_info_test-dev2017.json"
    write_coco(names, folder=tmp_path / "coco" / "test2017")
    data = json.loads(names.read_text())
    del data["annotations"]
    names.write_text(json.dumps(data))
    source = open_source("coco", "test", tmp_path)
    assert len(source) == 2
    assert len(source.objects(0)) == 0


def test_persons_of_the_test_part_have_the_published_joints(tmp_path: Path) -> None:
    names = tmp_path / "coco" / "annotations" / "image_info_test-dev2017.json"
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}]
    write_coco(names, [], categories, folder=tmp_path / "coco" / "test2017")
    source = open_source("coco_hp", "test", tmp_path, wanted={"boxes", "keypoints"})
    assert len(source) == 2
    assert source.info.joints == COCO_JOINTS
    assert len(source.info.flip_pairs) == 8
    assert "keypoints" in source.info.provides


def test_absent_data_set_says_where_and_what_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"instances_train2017\.json.*--data_dir.*--dataset toy"):
        open_source("coco", "train", tmp_path)


def test_counts_of_coco_mini() -> None:
    root = folder("coco_mini")
    for part, images, objects, classes in (("train", 80, 739, 80), ("val", 50, 436, 68)):
        path = root / "annotations" / f"instances_{part}2017.json"
        source = open_coco(path, root / f"{part}2017")
        found = [source.objects(n) for n in range(len(source))]
        assert len(source) == images
        assert sum(map(len, found)) == objects
        assert len({c for o in found for c in o.classes.tolist()}) == classes
        assert source.report.lines() == []
        assert len(source.info.class_names) == 80
        assert source.info.category_ids[-1] == 90
        for n, o in enumerate(found):
            assert np.isfinite(o.extremes).all()
            # The extreme points touch the four sides of the box.
            sides = o.extremes[:, [1, 0, 3, 2], [0, 1, 0, 1]]
            if not o.crowd.any():
                np.testing.assert_allclose(sides, o.boxes, atol=1.5, err_msg=str(source.path(n)))
