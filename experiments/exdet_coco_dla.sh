#!/usr/bin/env bash
# Extreme points on COCO, DLA-34.
#
#: expected none: AP 33.0
#: expected flip: AP 36.5
#: expected multi: AP 38.5
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.00025, a tenth after 90 and 120
#: batch: 64 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train exdet --exp_id coco_dla --dataset coco --arch dla_34 --batch_size 64 --lr 2.5e-4 \
    --num_epochs 140 --lr_step 90,120
# as it is
run test exdet --exp_id coco_dla --dataset coco --arch dla_34 --keep_res --resume
# and mirrored
run test exdet --exp_id coco_dla --dataset coco --arch dla_34 --keep_res --resume --flip_test
# and at several scales
run test exdet --exp_id coco_dla --dataset coco --arch dla_34 --keep_res --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
