"""All 78 flags of the published parser, whatever they belong to here."""

from __future__ import annotations

# fmt: off
PUBLISHED = frozenset([
    "dataset", "exp_id", "test", "debug", "demo", "load_model", "resume", "gpus",
    "num_workers", "not_cuda_benchmark", "seed", "print_iter", "hide_data_time", "save_all",
    "metric", "vis_thresh", "debugger_theme", "arch", "head_conv", "down_ratio",
    "input_res", "input_h", "input_w", "lr", "lr_step", "num_epochs", "batch_size",
    "master_batch_size", "num_iters", "val_intervals", "trainval", "flip_test",
    "test_scales", "nms", "K", "not_prefetch_test", "fix_res", "keep_res", "not_rand_crop",
    "shift", "scale", "rotate", "flip", "no_color_aug", "aug_rot", "aug_ddd", "rect_mask",
    "kitti_split", "mse_loss", "reg_loss", "hm_weight", "off_weight", "wh_weight",
    "hp_weight", "hm_hp_weight", "dep_weight", "dim_weight", "rot_weight", "peak_thresh",
    "norm_wh", "dense_wh", "cat_spec_wh", "not_reg_offset", "agnostic_ex", "scores_thresh",
    "center_thresh", "aggr_weight", "dense_hp", "not_hm_hp", "not_reg_hp_offset",
    "not_reg_bbox", "eval_oracle_hm", "eval_oracle_wh", "eval_oracle_offset",
    "eval_oracle_kps", "eval_oracle_hmhp", "eval_oracle_hp_offset", "eval_oracle_dep",
])
# fmt: on
ORACLE = "eval_oracle_"  # begins the published names of what is one flag here, --eval_oracle
ORACLES = tuple(sorted(name for name in PUBLISHED if name.startswith(ORACLE)))
