"""The commands of the published experiments: one training and its tests per script.

Flags of the published tables; the three lines whose typing errors the published parser refused are
written as they were meant.
"""

from __future__ import annotations

MULTI = "--flip_test --test_scales 0.5,0.75,1,1.25,1.5"
EIGHT = "--gpus 0,1,2,3,4,5,6,7 --num_workers 16"
HOURGLASS = "--arch hourglass --batch_size 24 --master_batch 4 --lr 2.5e-4 --gpus 0,1,2,3,4"
POSE = "multi_pose --dataset coco_hp"
PASCAL = "ctdet --dataset pascal --num_epochs 70 --lr_step 45,60"

# script: (training, what each test line repeats of it, tests)
SCRIPTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "ctdet_coco_hg": (
        f"ctdet {HOURGLASS} --load_model ../models/ExtremeNet_500000.pth",
        "ctdet --arch hourglass --keep_res",
        ("", "--flip_test", MULTI),
    ),
    "ctdet_coco_dla_1x": (
        f"ctdet --batch_size 128 --master_batch 9 --lr 5e-4 {EIGHT}",
        "ctdet --keep_res",
        ("", "--flip_test", MULTI),
    ),
    "ctdet_coco_dla_2x": (
        f"ctdet --batch_size 128 --master_batch 9 --lr 5e-4 {EIGHT} --num_epochs 230"
        " --lr_step 180,210",
        "ctdet --keep_res",
        ("", "--flip_test", MULTI),
    ),
    "ctdet_coco_resdcn101": (
        f"ctdet --arch resdcn_101 --batch_size 96 --master_batch 5 --lr 3.75e-4 {EIGHT}",
        "ctdet --keep_res",
        ("", "--flip_test", MULTI),
    ),
    "ctdet_coco_resdcn18": (
        "ctdet --arch resdcn_18 --batch_size 114 --master_batch 18 --lr 5e-4 --gpus 0,1,2,3"
        " --num_workers 16",
        "ctdet --arch resdcn_18 --keep_res",
        ("", "--flip_test", MULTI),
    ),
    "exdet_coco_hg": (
        f"exdet {HOURGLASS}",
        "exdet --arch hourglass --keep_res",
        ("", "--flip_test", MULTI),
    ),
    "exdet_coco_dla": (
        f"exdet --batch_size 64 --master_batch 1 --lr 2.5e-4 {EIGHT}",
        "exdet --keep_res",
        ("", "--flip_test", MULTI),
    ),
    **{
        f"ctdet_pascal_{name}_{size}": (
            f"{PASCAL} --arch {arch} --gpus {gpus}"
            + (f" --input_res {size} --batch_size 32 --lr 1.25e-4" if size == 512 else ""),
            f"ctdet --dataset pascal --arch {arch}"
            + (f" --input_res {size}" if size == 512 else ""),
            ("", "--flip_test"),
        )
        for name, arch, size, gpus in (
            ("dla", "dla_34", 384, "0"),
            ("dla", "dla_34", 512, "0,1"),
            ("resdcn18", "resdcn_18", 384, "0"),
            ("resdcn18", "resdcn_18", 512, "0"),
            ("resdcn101", "resdcn_101", 384, "0,1"),
            ("resdcn101", "resdcn_101", 512, "0,1,2,3"),
        )
    },
    "multi_pose_hg_1x": (
        f"{POSE} {HOURGLASS} --num_epochs 50 --lr_step 40 --load_model ../models/ctdet_coco_hg.pth",
        f"{POSE} --arch hourglass --keep_res",
        ("", "--flip_test"),
    ),
    "multi_pose_hg_3x": (
        f"{POSE} {HOURGLASS} --num_epochs 150 --lr_step 130"
        " --load_model ../models/ctdet_coco_hg.pth",
        f"{POSE} --arch hourglass --keep_res",
        ("", "--flip_test"),
    ),
    "multi_pose_dla_1x": (
        f"{POSE} --batch_size 128 --master_batch 9 --lr 5e-4 {EIGHT}"
        " --load_model ../models/ctdet_coco_dla_2x.pth",
        f"{POSE} --keep_res",
        ("", "--flip_test"),
    ),
    "multi_pose_dla_3x": (
        f"{POSE} --batch_size 128 --master_batch 9 --lr 5e-4 {EIGHT} --num_epochs 320"
        " --lr_step 270,300 --load_model ../models/ctdet_coco_dla_2x.pth",
        f"{POSE} --keep_res",
        ("", "--flip_test"),
    ),
    **{
        f"ddd_{split}": (
            f"ddd --dataset kitti --kitti_split {split} --batch_size 16 --master_batch 7"
            " --num_epochs 70 --lr_step 45,60 --gpus 0,1",
            f"ddd --dataset kitti --kitti_split {split}",
            ("",),
        )
        for split in ("3dop", "subcnn")
    },
}


def commands() -> list[tuple[str, str]]:
    """(verb, arguments) of every line."""
    lines = []
    for script, (training, common, tests) in SCRIPTS.items():
        lines.append(("train", f"{training} --exp_id {script}"))
        lines += [("test", f"{common} --exp_id {script} --resume {more}") for more in tests]
    return lines
