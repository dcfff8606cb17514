#!/usr/bin/env bash
# Boxes on COCO, DLA-34, short schedule.
#
#: expected none: AP 36.3
#: expected flip: AP 38.2
#: expected multi: AP 40.7
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.0005, a tenth after 90 and 120
#: batch: 128 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id coco_dla_1x --dataset coco --arch dla_34 --batch_size 128 --lr 5e-4 \
    --num_epochs 140 --lr_step 90,120
# as it is
run test ctdet --exp_id coco_dla_1x --dataset coco --arch dla_34 --keep_res --resume
# and mirrored
run test ctdet --exp_id coco_dla_1x --dataset coco --arch dla_34 --keep_res --resume --flip_test
# and at several scales
run test ctdet --exp_id coco_dla_1x --dataset coco --arch dla_34 --keep_res --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
