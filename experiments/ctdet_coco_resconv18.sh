#!/usr/bin/env bash
# Boxes on COCO, the ResNet-18 of mmdetection.
#
# mmdetection trains it with SGD, a warm-up and clipped gradients; epochs, drops and batch are the
# same. It tells no memory of its GPUs and no noise: 12 GB and the band are those of CenterNet's
# model zoo for COCO.
#
#: expected none: AP 25.9
#: expected none: AP50 42.6
#: expected flip: AP 27.3
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.0005, a tenth after 90 and 120
#: batch: 128 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: mmdetection, configs/centernet/README.md; AP50 from the Vastai model zoo
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id coco_resconv18 --dataset coco --arch resconv_18 --batch_size 128 \
    --lr 5e-4 --num_epochs 140 --lr_step 90,120
# as it is
run test ctdet --exp_id coco_resconv18 --dataset coco --arch resconv_18 --keep_res --resume
# and mirrored
run test ctdet --exp_id coco_resconv18 --dataset coco --arch resconv_18 --keep_res --resume \
    --flip_test
# and at several scales
run test ctdet --exp_id coco_resconv18 --dataset coco --arch resconv_18 --keep_res --resume \
    --flip_test --test_scales 0.5,0.75,1,1.25,1.5
