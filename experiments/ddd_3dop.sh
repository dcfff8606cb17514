#!/usr/bin/env bash
# Cuboids on KITTI, DLA-34, the split of 3DOP.
#
# Average precision of cars over 11 recalls. The bands are the deviations over five trainings in
# Zhou et al., "Objects as Points", arXiv:1904.07850, table 4.
#
#: expected none: Car_2D_0.7_R11_easy 96.9 +- 0.3
#: expected none: Car_2D_0.7_R11_moderate 87.8 +- 0.1
#: expected none: Car_2D_0.7_R11_hard 79.2 +- 0.1
#: expected none: Car_AOS_0.7_R11_easy 93.9 +- 0.7
#: expected none: Car_AOS_0.7_R11_moderate 84.3 +- 0.5
#: expected none: Car_AOS_0.7_R11_hard 75.7 +- 0.4
#: expected none: Car_BEV_0.5_R11_easy 34.0 +- 2.0
#: expected none: Car_BEV_0.5_R11_moderate 30.5 +- 0.7
#: expected none: Car_BEV_0.5_R11_hard 26.8 +- 4.6
#: schedule: 70 epochs, learning rate 0.000125, a tenth after 45 and 60
#: batch: 16 on 2 GPUs of 12 GB
#: tested on: 3769 images
#: source: model zoo of CenterNet (github.com/xingyizhou/CenterNet, readme/MODEL_ZOO.md)
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# training
run train ddd --exp_id 3dop --dataset kitti --kitti_split 3dop --arch dla_34 --batch_size 16 \
    --lr 1.25e-4 --num_epochs 70 --lr_step 45,60
# as it is
run test ddd --exp_id 3dop --dataset kitti --kitti_split 3dop --arch dla_34 --resume
