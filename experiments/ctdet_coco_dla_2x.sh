#!/usr/bin/env bash
# Boxes on COCO, DLA-34, long schedule.
#
#: expected none: AP 37.4
#: expected flip: AP 39.2
#: expected multi: AP 41.7
#: band: 0.4
#: schedule: 230 epochs, learning rate 0.0005, a tenth after 180 and 210
#: batch: 128 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id coco_dla_2x --dataset coco --arch dla_34 --batch_size 128 --lr 5e-4 \
    --num_epochs 230 --lr_step 180,210
# as it is
run test ctdet --exp_id coco_dla_2x --dataset coco --arch dla_34 --keep_res --resume
# and mirrored
run test ctdet --exp_id coco_dla_2x --dataset coco --arch dla_34 --keep_res --resume --flip_test
# and at several scales
run test ctdet --exp_id coco_dla_2x --dataset coco --arch dla_34 --keep_res --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
