#!/usr/bin/env bash
# Boxes on COCO, ResNet-18.
#
# The source tells the figures only. Schedule, batch and GPUs are those of ctdet_coco_resdcn18, the
# band is that of CenterNet's model zoo for COCO.
#
#: expected none: AP 25.6, AP50 43.5
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.0005, a tenth after 90 and 120
#: batch: 114 on 4 GPUs of 12 GB
#: tested on: 5000 images
#: source: Vastai model zoo, row "official" of CenterNet
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id coco_res18 --dataset coco --arch res_18 --batch_size 114 --lr 5e-4 \
    --num_epochs 140 --lr_step 90,120
# as it is
run test ctdet --exp_id coco_res18 --dataset coco --arch res_18 --keep_res --resume
# and mirrored
run test ctdet --exp_id coco_res18 --dataset coco --arch res_18 --keep_res --resume --flip_test
# and at several scales
run test ctdet --exp_id coco_res18 --dataset coco --arch res_18 --keep_res --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
