# cython: language_level=3
"""Soft-NMS as it was usually written in Cython in 2017-2019: the side `bench/nms.py` compares with.

The published algorithm row by row: a scan for the best score, a swap, then every overlap; typed
boxes, but bounds checks on, scores and weights as Python objects, and NumPy's exp for one number.
"""

import numpy as np


def soft_nms(
    float[:, :] boxes, float sigma=0.5, float limit=0.3, float threshold=0.001, int method=0
):
    cdef int count = boxes.shape[0], total = boxes.shape[0], pick, row, best, column
    cdef float top, x1, y1, x2, y2, width, height, area, union_area, held
    for pick in range(total):
        best = pick
        top = boxes[pick, 4]
        for row in range(pick + 1, count):
            if top < boxes[row, 4]:
                top = boxes[row, 4]
                best = row
        for column in range(5):
            held = boxes[pick, column]
            boxes[pick, column] = boxes[best, column]
            boxes[best, column] = held
        x1, y1, x2, y2 = boxes[pick, 0], boxes[pick, 1], boxes[pick, 2], boxes[pick, 3]
        row = pick + 1
        while row < count:
            score = boxes[row, 4]
            area = (boxes[row, 2] - boxes[row, 0] + 1) * (boxes[row, 3] - boxes[row, 1] + 1)
            width = min(x2, boxes[row, 2]) - max(x1, boxes[row, 0]) + 1
            if width > 0:
                height = min(y2, boxes[row, 3]) - max(y1, boxes[row, 1]) + 1
                if height > 0:
                    union_area = (x2 - x1 + 1) * (y2 - y1 + 1) + area - width * height
                    overlap = width * height / union_area
                    if method == 1:
                        weight = 1 - overlap if overlap > limit else 1
                    elif method == 2:
                        weight = np.exp(-(overlap * overlap) / sigma)
                    else:
                        weight = 0 if overlap > limit else 1
                    boxes[row, 4] = weight * score
                    if boxes[row, 4] < threshold:
                        for column in range(5):
                            boxes[row, column] = boxes[count - 1, column]
                        count -= 1
                        row -= 1
            row += 1
    return [index for index in range(count)]
