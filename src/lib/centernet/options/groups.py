"""The flags that commands share, group by group; each command lists the groups that it reads.

Names and defaults are those of the published command lines. Where a default differs, or a name is
new, the help says what happens when the flag is not given. A default of None on a field that may
not be None stands for a value that `layers` settles from the others: no command ever sees it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from centernet.runtime.half import HALVES
from centernet.runtime.option import option


def _networks() -> Iterable[str]:
    from centernet.models.networks import BACKBONES
    from centernet.models.spec import ALIASES

    return [*BACKBONES, *ALIASES]


def _data_sets() -> Iterable[str]:
    from centernet.datasets import SOURCES

    return SOURCES


def _evaluators() -> Iterable[str]:
    from centernet.datasets.evaluate.coco import BACKENDS

    return BACKENDS


def _deformable() -> Iterable[str]:
    from centernet.models.networks.DCNv2.backends import BACKENDS

    return ["auto", *BACKENDS]


def _recipes() -> Iterable[str]:
    from centernet.options.recipes import RECIPES

    return RECIPES


@dataclass(frozen=True)
class Place:
    """The folders"""

    root: Path = option(
        None,
        "folder that holds data/, exp/ and models/ (not given: that of the repository, or the"
        " current one)",
    )


@dataclass(frozen=True)
class Run:
    """This run"""

    exp_id: str = option("default", "name of the run; its folder is exp/<task>/<exp_id>")
    config: Path | None = option(
        None, "YAML file of flags; what the command line gives goes before, see docs/options.md"
    )
    dry_run: bool = option(
        False, "check flags, data and checkpoint, say what would happen and write nothing"
    )


@dataclass(frozen=True)
class Drawing:
    """The drawings"""

    debug: int = option(
        0,
        "1: save a drawing of each tested image in the folder debug/; 2 and more: its heat maps"
        " too; above 0: batch 1, no workers, one GPU",
        (0, 1, 2, 3, 4),
    )
    vis_thresh: float = option(0.3, "lowest score that is drawn")
    debugger_theme: str = option(
        "white", "label plates and heat maps of the drawings", ("white", "black")
    )


@dataclass(frozen=True)
class Batches:
    """Batches and progress"""

    num_workers: int = option(4, "processes that load images, per GPU", at_least=0)
    test_batch_size: int = option(1, "images in a batch when testing", at_least=1)
    print_iter: int = option(
        0,
        "print a line every so many iterations in place of the bar",
        at_least=0,
    )


@dataclass(frozen=True)
class Machine:
    """The machine"""

    gpus: tuple[int, ...] = option(
        (0,),
        "GPUs by number, as in 0,1; -1 is the CPU, which is also taken when there is no GPU",
        at_least=-1,
    )
    threads: int = option(0, "CPU threads of the network; 0 leaves it to PyTorch", at_least=0)
    not_cuda_benchmark: bool = option(
        False, "do not let cuDNN try its algorithms (for inputs of many sizes)"
    )
    amp: str = option("none", "compute in half precision where it is safe", ("none", *HALVES))
    channels_last: bool = option(False, "keep the channels of images and maps together in memory")
    no_fuse: bool = option(
        False,
        "do not fold BatchNorm into the convolutions, and compute every head densely (same"
        " results, slower)",
    )
    dcn: str = option(
        "auto",
        "which deformable convolution runs: auto, compiled, triton, torchvision or plain",
        _deformable,
        listed=False,
    )


@dataclass(frozen=True)
class Runtime:
    """What runs an exported file"""

    runtime: str = option(
        "",
        "what runs an exported file that --load_model names: onnxruntime, openvino, torch,"
        " executorch, litert (not given: the usual one of its suffix)",
        ("", "onnxruntime", "openvino", "torch", "executorch", "litert"),
        listed=False,
    )
    providers: tuple[str, ...] = option(
        (),
        "execution providers of ONNX Runtime, or the precision of OpenVINO: f32, bf16, f16, auto",
    )


@dataclass(frozen=True)
class Model:
    """The network"""

    arch: str = option(
        "dla_34",
        "network, such as res_18 or hourglass (info.py lists all), or a trunk and a neck:"
        " resnet34+bifpn, tv:mobilenet_v3_large+simple, timm:efficientnet_lite0+ida",
        _networks,
        listed=False,
        composed="+",
    )
    backbone: str | None = option(None, "trunk of the network, with --neck in place of --arch")
    neck: str | None = option(None, "neck on the trunk: deconv, simple, fpn, bifpn, ida or pan")
    neck_channels: tuple[int, ...] = option(
        (), "widths of the neck: one, or one a step from coarse to fine", at_least=1
    )
    neck_upsample: str | None = option(
        None, "how the neck doubles a map", ("deconv", "bilinear", "nearest")
    )
    neck_conv: str | None = option(None, "convolutions of the neck", ("normal", "separable", "dcn"))
    neck_fusion: str | None = option(None, "how the neck joins maps", ("sum", "concat", "weighted"))
    frozen_stages: int = option(
        0,
        "stages of the trunk that do not learn, the stem with them; their BatchNorm stays as it is",
        at_least=0,
    )
    head_conv: int = option(
        -1,
        "channels of the hidden layer of each head; 0 for none, -1 for the network's own number",
        at_least=-1,
    )
    head_depth: int | None = option(None, "hidden layers of each head (not given: 1)", at_least=1)
    head_norm: str | None = option(
        None, "normalisation of the hidden layers (not given: none)", ("none", "bn", "gn")
    )
    prior: float | None = option(
        None, "probability with which heat maps start everywhere (not given: 0.1)"
    )
    down_ratio: int = option(
        4, "stride of the output maps; only a network of trunk and neck has a choice", (2, 4, 8, 16)
    )
    load_model: str = option(
        "",
        "checkpoint to start from: a file, an http(s) address, or the name of a published one, as"
        " ctdet_coco_dla_2x; the last two are kept in models/",
    )
    offline: bool = option(False, "download nothing: take what lies in models/")
    resume: bool = option(
        False,
        "go on with this run: load model_last.pth unless --load_model is given, when training also"
        " the optimiser and the epoch; flags not given are read from the run's opt.json",
    )


@dataclass(frozen=True)
class Input:
    """The input"""

    input_res: int = option(
        -1, "height and width of the input; -1 for the data set's own", at_least=-1
    )
    input_h: int = option(-1, "height of the input, before --input_res", at_least=-1)
    input_w: int = option(-1, "width of the input, before --input_res", at_least=-1)
    fix_res: bool = option(
        False,
        "resize every image to the input size (this is what happens anyhow, but with checkpoints of"
        " mmdetection)",
    )
    keep_res: bool = option(
        False, "keep the size of each image, padded to what the network divides"
    )

    def size(self, resolution: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the input, for a data set whose own is `resolution`."""
        height, width = (self.input_res, self.input_res) if self.input_res > 0 else resolution
        return (
            self.input_h if self.input_h > 0 else height,
            self.input_w if self.input_w > 0 else width,
        )


@dataclass(frozen=True)
class Data:
    """The data"""

    dataset: str = option(
        None,
        "data set (not given: the one that the task is published with)",
        _data_sets,
    )
    data_dir: Path = option(None, "folder of the data sets (not given: data/ under the root)")
    train_json: Path | None = option(None, "COCO annotations to train on, for --dataset custom")
    val_json: Path | None = option(None, "COCO annotations to validate on, for --dataset custom")
    test_json: Path | None = option(None, "COCO annotations to test on, for --dataset custom")
    image_dir: Path | None = option(None, "folder of the images, for --dataset custom")
    class_map: str = option(
        "",
        "classes to rename, merge and drop, for --dataset custom: old=new,other=new,third= (a class"
        " without a new name is dropped)",
    )
    box_format: str = option(
        "xywh",
        "what the four numbers of COCO's 'bbox' are, for --dataset custom: xywh (corner, width,"
        " height), xyxy (two corners), and both as fractions of the image: xywhn, xyxyn",
        ("xywh", "xyxy", "xywhn", "xyxyn"),
    )
    strict: bool = option(False, "stop at the first bad annotation or image instead of dropping it")
    dataset_version: str = option(
        "",
        "part of --dataset mot (17half, 17trainval, 17test, 20half), kitti_tracking (half, train)",
    )
    part: str | None = option(
        None, "part of --dataset toy: shapes, figures, cuboids, motion (not given: the task's)"
    )
    kitti_split: str = option("3dop", "which published split of KITTI", ("3dop", "subcnn"))
    trainval: bool = option(False, "train on training and validation data, test on test data")
    coco_eval: str = option(
        "pycocotools",
        "what computes COCO's metrics: pycocotools or hotcoco",
        _evaluators,
        listed=False,
    )


@dataclass(frozen=True)
class Train:
    """Training"""

    recipe: str = option(
        "original", "values of flags that belong together, which any flag overrides", _recipes
    )
    weights: str = option(
        "imagenet",
        "where a new network starts when no checkpoint is given: imagenet (if not given, random"
        " where it cannot be had), package (what an installed package brings), none or a file",
    )
    seed: int = option(317, "seed of every random generator", at_least=0)
    num_epochs: int = option(140, "epochs", at_least=0)
    batch_size: int = option(32, "images in a batch, over all GPUs", at_least=1)
    master_batch_size: int = option(
        -1, "images on the first GPU", inert="every GPU takes an equal share of the batch"
    )
    accumulate: int = option(1, "batches per step of the optimiser", at_least=1)
    checkpoint_activations: bool = option(
        False,
        "compute the activations of an hourglass twice instead of keeping them: the same numbers"
        " from less memory, in more time",
    )
    encode_on_device: bool = option(
        False, "normalise images and draw heat maps on the device, not in the loading processes"
    )
    num_iters: int = option(-1, "iterations in an epoch; -1 for all of the data", at_least=-1)
    lr: float = option(None, "learning rate (not given: 1.25e-4 x batch / 32)", at_least=0)
    lr_step: tuple[int, ...] = option(
        (90, 120), "epochs after which the learning rate drops to a tenth", at_least=0
    )
    clip_grad: float = option(0.0, "largest norm of the gradient; 0 for no limit", at_least=0)
    val_intervals: int = option(
        5, "epochs between two validations; 0 for none, without validation data", at_least=0
    )
    patience: int = option(
        0, "stop after so many validations without a better metric; 0 never stops", at_least=0
    )
    metric: str | None = option(
        None,
        "what model_best is chosen by: loss or a metric of the data set (not given: the task's own,"
        " such as AP)",
    )
    overfit: int = option(
        0,
        "learn so many images by heart, as they are, and say whether data, network and evaluation"
        " fit together; flags not given are then --num_epochs 10, --batch_size 8 or fewer, --lr"
        " 5e-4, --val_intervals 5",
        at_least=0,
    )
    class_balance: float = option(
        0.0,
        "show images of classes that are on less than this part of all images more often, as 0.1"
        " (repeat-factor sampling); 0 shows every image once an epoch",
        at_least=0,
    )
    save_all: bool = option(False, "keep model_<epoch>.pth at each validation")
    compile: bool = option(False, "compile the network with torch.compile for training")
    hide_data_time: bool = option(False, "do not show the time spent on loading")
    test: bool = option(False, "validate once and stop")


@dataclass(frozen=True)
class Augment:
    """Augmentation"""

    not_rand_crop: bool = option(False, "shift and scale a little instead of cropping at random")
    shift: float = option(0.1, "how far the view may shift, as a part of its size", at_least=0)
    scale: float = option(0.4, "how far the view may scale", at_least=0)
    rotate: float = option(0.0, "how far the view may turn, in degrees", at_least=0)
    aug_rot: float = option(0.0, "how often the view turns", at_least=0)
    flip: float = option(0.5, "how often the image is mirrored", at_least=0)
    no_color_aug: bool = option(False, "leave the colours alone")


@dataclass(frozen=True)
class Test:
    """Testing"""

    flip_test: bool = option(False, "average the maps of the image and of its mirror image")
    test_scales: tuple[float, ...] = option(
        (1.0,), "merge the detections at these scales, as in 0.5,1,1.5", at_least=0.01
    )
    nms: bool = option(False, "soft non-maximum suppression, also at one scale")
    K: int = option(
        100, "candidates taken from the maps; the best 100 of an image are kept", at_least=1
    )


@dataclass(frozen=True)
class Evaluate:
    """The evaluation"""

    split: str = option(
        "", "part to test on (not given: val, with --trainval test)", ("val", "test")
    )
    not_prefetch_test: bool = option(
        False, "load test images in the main process, one after another"
    )
    error_budget: bool = option(
        False,
        "test with each head made perfect in turn and print a table of what that gains",
    )


@dataclass(frozen=True)
class Oracle:
    """Testing with the truth"""

    eval_oracle: tuple[str, ...] = option(
        (),
        "heads to test with as if they were perfect, as in hm,wh (a wrong name lists those that the"
        " task has); --eval_oracle_hm and its like are the same",
    )


@dataclass(frozen=True)
class Track:
    """Tracking"""

    tracker: str = option(
        "none",
        "give objects identities over time: by the displacements of a tracking task (center), by"
        " overlap, which any task has (byte), or by embeddings (reid, lightning)",
        ("none", "center", "byte", "reid", "lightning"),
    )
    track_thresh: float | None = option(
        None, "score of a detection that counts in the first round (not given: the tracker's own)"
    )
    new_thresh: float | None = option(
        None, "score that a new track needs (not given: center 0.3, byte --track_thresh + 0.1)"
    )
    out_thresh: float | None = option(
        None, "lowest score that is looked at (not given: center 0, byte 0.1)"
    )
    match_thresh: float | None = option(
        None, "byte: the most that 1 - overlap may be in the first round (not given: 0.9)"
    )
    track_buffer: int | None = option(
        None, "byte, reid: frames that a lost object is remembered, at 30 a second (not given: 30)"
    )
    max_age: int | None = option(
        None,
        "center: a lost object is remembered while its age is below this (not given: -1, never)",
    )
    hungarian: bool = option(
        False, "center: the assignment of least distance, not the nearest for each in turn"
    )
    motion: str = option(
        "kalman",
        "byte: where objects are expected, by a Kalman filter or the task's displacements",
        ("kalman", "offset"),
    )
    resurrect: bool = option(
        False, "byte, reid: a removed track can come back one frame later, as published"
    )
    min_box_area: float = option(
        0.0,
        "leave out tracked boxes of no more square pixels (FairMOT, ByteTrack: 100)",
        at_least=0,
    )
    max_box_ratio: float = option(
        0.0, "leave out tracked boxes that are wider than this times their height (1.6)", at_least=0
    )
    ids_per_class: bool = option(False, "count the identities of each class from 1")
    show_trace: bool = option(False, "draw where each object was in the last 30 frames")
    track_files: tuple[str, ...] = option(
        ("mot",), "files of the tracks: mot, kitti, coco", ("mot", "kitti", "coco")
    )


# The flags of Track that say how objects are associated, not what is drawn and written.
ASSOCIATION = tuple(f.name for f in fields(Track) if f.name not in {"show_trace", "track_files"})


@dataclass(frozen=True)
class Demo:
    """The demo"""

    demo: str = option("", "image, folder, pattern, video, or webcam")
    output: Path | None = option(
        None, "folder of the results (not given: results/ in the folder of the run)"
    )
    save_thresh: float = option(
        0.0, "lowest score that results.json keeps; 0 keeps all candidates", at_least=0
    )
    all_classes: bool = option(
        False, "draw every class of a place (not given: the strongest, where boxes are the same)"
    )
    show: bool = option(False, "show a window, where there is a display")
