#!/usr/bin/env bash
# Boxes on COCO, ResNet-18 with deformable convolutions.
#
#: expected none: AP 28.1
#: expected flip: AP 30.0
#: expected multi: AP 33.2
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.0005, a tenth after 90 and 120
#: batch: 114 on 4 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id coco_resdcn18 --dataset coco --arch resdcn_18 --batch_size 114 --lr 5e-4 \
    --num_epochs 140 --lr_step 90,120
# as it is
run test ctdet --exp_id coco_resdcn18 --dataset coco --arch resdcn_18 --keep_res --resume
# and mirrored
run test ctdet --exp_id coco_resdcn18 --dataset coco --arch resdcn_18 --keep_res --resume \
    --flip_test
# and at several scales
run test ctdet --exp_id coco_resdcn18 --dataset coco --arch resdcn_18 --keep_res --resume \
    --flip_test --test_scales 0.5,0.75,1,1.25,1.5
