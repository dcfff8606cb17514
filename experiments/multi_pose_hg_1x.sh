#!/usr/bin/env bash
# Poses on COCO, Hourglass-104, short schedule.
#
# Starts from the published weights of ctdet_coco_hg.
#
#: expected flip: AP 58.7
#: band: 0.4
#: schedule: 50 epochs, learning rate 0.00025, a tenth after 40
#: batch: 24 on 5 GPUs of 12 GB
#: tested on: 5000 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train multi_pose --exp_id hg_1x --dataset coco_hp --arch hourglass --load_model ctdet_coco_hg \
    --batch_size 24 --lr 2.5e-4 --num_epochs 50 --lr_step 40
# as it is
run test multi_pose --exp_id hg_1x --dataset coco_hp --arch hourglass --keep_res --resume
# and mirrored
run test multi_pose --exp_id hg_1x --dataset coco_hp --arch hourglass --keep_res --resume \
    --flip_test
