#!/usr/bin/env bash
# Boxes on COCO, ResNet-50.
#
# The source tells the figure only. Schedule, batch and GPUs are those of ctdet_coco_resdcn101, the
# band is that of CenterNet's model zoo for COCO.
#
#: expected none: AP 35.7
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.000375, a tenth after 90 and 120
#: batch: 96 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: results table of CenterNet Pro Max
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id coco_res50 --dataset coco --arch res_50 --batch_size 96 --lr 3.75e-4 \
    --num_epochs 140 --lr_step 90,120
# as it is
run test ctdet --exp_id coco_res50 --dataset coco --arch res_50 --keep_res --resume
# and mirrored
run test ctdet --exp_id coco_res50 --dataset coco --arch res_50 --keep_res --resume --flip_test
# and at several scales
run test ctdet --exp_id coco_res50 --dataset coco --arch res_50 --keep_res --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
