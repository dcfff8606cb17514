#!/usr/bin/env bash
# Poses on COCO, Hourglass-104, long schedule.
#
# Starts from the published weights of ctdet_coco_hg.
#
#: expected flip: AP 64.0
#: band: 0.4
#: schedule: 150 epochs, learning rate 0.00025, a tenth after 130
#: batch: 24 on 5 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train multi_pose --exp_id hg_3x --dataset coco_hp --arch hourglass --load_model ctdet_coco_hg \
    --batch_size 24 --lr 2.5e-4 --num_epochs 150 --lr_step 130
# as it is
run test multi_pose --exp_id hg_3x --dataset coco_hp --arch hourglass --keep_res --resume
# and mirrored
run test multi_pose --exp_id hg_3x --dataset coco_hp --arch hourglass --keep_res --resume \
    --flip_test
