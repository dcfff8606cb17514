#!/usr/bin/env bash
# Extreme points on COCO, Hourglass-104.
#
# Starts from random weights.
#
#: expected none: AP 35.8
#: expected flip: AP 39.8
#: expected multi: AP 42.4
#: band: 0.4
#: schedule: 50 epochs, learning rate 0.00025, a tenth after 40
#: batch: 24 on 5 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train exdet --exp_id coco_hg --dataset coco --arch hourglass --batch_size 24 --lr 2.5e-4 \
    --num_epochs 50 --lr_step 40
# as it is
run test exdet --exp_id coco_hg --dataset coco --arch hourglass --keep_res --resume
# and mirrored
run test exdet --exp_id coco_hg --dataset coco --arch hourglass --keep_res --resume --flip_test
# and at several scales
run test exdet --exp_id coco_hg --dataset coco --arch hourglass --keep_res --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
