#!/usr/bin/env bash
# Boxes on Pascal VOC, DLA-34, 512 x 512.
#
#: expected flip: VOC07 80.7
#: band: 1.0
#: schedule: 70 epochs, learning rate 0.000125, a tenth after 45 and 60
#: batch: 32 on 2 GPUs of 12 GB
#: tested on: 4952 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ctdet --exp_id pascal_dla_512 --dataset pascal --arch dla_34 --input_res 512 \
    --batch_size 32 --lr 1.25e-4 --num_epochs 70 --lr_step 45,60
# as it is
run test ctdet --exp_id pascal_dla_512 --dataset pascal --arch dla_34 --input_res 512 --resume
# and mirrored
run test ctdet --exp_id pascal_dla_512 --dataset pascal --arch dla_34 --input_res 512 --resume \
    --flip_test
