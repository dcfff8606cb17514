#!/usr/bin/env bash
# Cuboids on KITTI, DLA-34, the split of SubCNN.
#
# Average precision of cars over 11 recalls. The bands are the deviations over five trainings in
# Zhou et al., "Objects as Points", arXiv:1904.07850, table 4.
#
#: expected none: Car_2D_0.7_R11_easy 89.6 +- 1.2
#: expected none: Car_2D_0.7_R11_moderate 79.8 +- 1.4
#: expected none: Car_2D_0.7_R11_hard 70.3 +- 1.6
#: expected none: Car_AOS_0.7_R11_easy 85.7 +- 1.7
#: expected none: Car_AOS_0.7_R11_moderate 75.2 +- 1.6
#: expected none: Car_AOS_0.7_R11_hard 65.9 +- 1.8
#: expected none: Car_BEV_0.5_R11_easy 34.9 +- 3.7
#: expected none: Car_BEV_0.5_R11_moderate 27.7 +- 1.6
#: expected none: Car_BEV_0.5_R11_hard 26.4 +- 2.9
#: schedule: 70 epochs, learning rate 0.000125, a tenth after 45 and 60
#: batch: 16 on 2 GPUs of 12 GB
#: tested on: 3799 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ddd --exp_id sub --dataset kitti --kitti_split subcnn --arch dla_34 --batch_size 16 \
    --lr 1.25e-4 --num_epochs 70 --lr_step 45,60
# as it is
run test ddd --exp_id sub --dataset kitti --kitti_split subcnn --arch dla_34 --resume
