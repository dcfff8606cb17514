#!/usr/bin/env bash
# Poses on COCO, DLA-34, short schedule.
#
# Starts from the published weights of ctdet_coco_dla_2x.
#
#: expected flip: AP 54.7
#: band: 0.4
#: schedule: 140 epochs, learning rate 0.0005, a tenth after 90 and 120
#: batch: 128 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train multi_pose --exp_id dla_1x --dataset coco_hp --arch dla_34 \
    --load_model ctdet_coco_dla_2x --batch_size 128 --lr 5e-4 --num_epochs 140 --lr_step 90,120
# as it is
run test multi_pose --exp_id dla_1x --dataset coco_hp --arch dla_34 --keep_res --resume
# and mirrored
run test multi_pose --exp_id dla_1x --dataset coco_hp --arch dla_34 --keep_res --resume --flip_test
