#!/usr/bin/env bash
# Boxes on COCO by keypoint triplets, Hourglass-52.
#
# The source tells the batch but no GPUs, and no noise. The GPUs are those of the method's authors
# (github.com/Duankaiwen/CenterNet, README.md), the band is that of CenterNet's model zoo for COCO.
#
#: expected none: AP 39.5
#: expected flip: AP 41.9
#: expected multi: AP 43.6
#: band: 0.4
#: schedule: 200 epochs, learning rate 0.0005, a tenth after 90 and 120
#: batch: 48 on 8 GPUs of 32 GB
#: tested on: 5000 images
#: source: github.com/zzzxxxttt/pytorch_simple_CenterNet_47
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train triplet --exp_id coco_hg52 --dataset coco --arch hourglass_52 --batch_size 48 --lr 5e-4 \
    --num_epochs 200 --lr_step 90,120
# as it is
run test triplet --exp_id coco_hg52 --dataset coco --arch hourglass_52 --resume
# and mirrored
run test triplet --exp_id coco_hg52 --dataset coco --arch hourglass_52 --resume --flip_test
# and at several scales
run test triplet --exp_id coco_hg52 --dataset coco --arch hourglass_52 --resume --flip_test \
    --test_scales 0.5,0.75,1,1.25,1.5
