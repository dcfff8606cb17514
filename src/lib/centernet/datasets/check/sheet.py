"""A contact sheet: images with their annotations, as large as the network will see them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.check.seen import Framed
from centernet.datasets.source import Source
from centernet.drawing.flat import draw_detections
from centernet.io.image import ImageError
from centernet.structures.detections import Detections

IMAGES = 16
COLUMNS = 4
WIDEST = 512  # pixels of a drawing: wider inputs are drawn smaller
Picture = NDArray[np.uint8]


def contact_sheet(source: Source, framed: Framed, images: int = IMAGES) -> Picture | None:
    """BGR: up to `images` of the source, evenly spread; None where none can be read."""
    places = np.unique(np.linspace(0, len(source) - 1, min(images, len(source))).astype(int))
    drawn = []
    for index in places.tolist():
        try:
            drawn.append(_drawn(source, index, framed))
        except ImageError:
            continue
    if not drawn:
        return None
    height = max(picture.shape[0] for picture in drawn)
    width = max(picture.shape[1] for picture in drawn)
    columns = min(COLUMNS, len(drawn))
    sheet = np.zeros((-(-len(drawn) // columns) * height, columns * width, 3), np.uint8)
    for number, picture in enumerate(drawn):
        y, x = number // columns * height, number % columns * width
        sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return sheet


def _drawn(source: Source, index: int, framed: Framed) -> Picture:
    """Image `index` on the input of the network, what is annotated drawn over it."""
    image = source.image(index)
    view, (height, width) = framed((image.shape[0], image.shape[1]))
    canvas = view.warp(image, (width, height))
    objects = source.objects(index).warp(view, (width, height), ())
    own = objects.classes >= 0
    joints = objects.keypoints
    truth = Detections(
        objects.boxes[own],
        np.ones(int(own.sum()), np.float32),
        objects.classes[own],
        source.info.class_names,
        keypoints=None if joints is None else joints[own],
        skeleton=source.info.skeleton,
    )
    picture = draw_detections(canvas, truth)
    if width > WIDEST:
        size = WIDEST, max(1, round(height * WIDEST / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture
