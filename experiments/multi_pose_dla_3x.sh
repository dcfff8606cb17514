#!/usr/bin/env bash
# Poses on COCO, DLA-34, long schedule.
#
# Starts from the published weights of ctdet_coco_dla_2x.
#
#: expected flip: AP 58.9
#: band: 0.4
#: schedule: 320 epochs, learning rate 0.0005, a tenth after 270 and 300
#: batch: 128 on 8 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train multi_pose --exp_id dla_3x --dataset coco_hp --arch dla_34 \
    --load_model ctdet_coco_dla_2x --batch_size 128 --lr 5e-4 --num_epochs 320 --lr_step 270,300
# as it is
run test multi_pose --exp_id dla_3x --dataset coco_hp --arch dla_34 --keep_res --resume
# and mirrored
run test multi_pose --exp_id dla_3x --dataset coco_hp --arch dla_34 --keep_res --resume --flip_test
