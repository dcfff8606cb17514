"""Matching detections to ground truth for KITTI's AP, compiled with numba.

Objects of all frames stand in one row of arrays; `starts` says where each frame begins. A pair is
one annotation and one detection of the same frame that overlap at all. Pairs are sorted by
annotation, then by detection, which is the order in which the devkit takes them.
"""

from __future__ import annotations

import numpy as np

from centernet.runtime.jit import njit

STEPS = 41  # the devkit samples precision at this many recalls


@njit
def near_pairs(
    truth_starts: np.ndarray,
    found_starts: np.ndarray,
    truth_boxes: np.ndarray,
    found_boxes: np.ndarray,
    truth_ground: np.ndarray,
    found_ground: np.ndarray,
) -> np.ndarray:
    """(P, 2) indices of annotation and detection that overlap in the image or may on the ground.

    Boxes are (N, 4) left top right bottom; ground is (N, 3): x, z and the radius of the circle
    around the object's rectangle.
    """
    pairs = np.empty((1024, 2), np.int64)
    count = 0
    for frame in range(len(truth_starts) - 1):
        for a in range(truth_starts[frame], truth_starts[frame + 1]):
            for b in range(found_starts[frame], found_starts[frame + 1]):
                in_image = (
                    min(truth_boxes[a, 2], found_boxes[b, 2])
                    > max(truth_boxes[a, 0], found_boxes[b, 0])
                ) and (
                    min(truth_boxes[a, 3], found_boxes[b, 3])
                    > max(truth_boxes[a, 1], found_boxes[b, 1])
                )
                if not in_image:
                    x = truth_ground[a, 0] - found_ground[b, 0]
                    z = truth_ground[a, 1] - found_ground[b, 1]
                    reach = truth_ground[a, 2] + found_ground[b, 2]
                    if x * x + z * z >= reach * reach:
                        continue
                if count == len(pairs):
                    longer = np.empty((2 * count, 2), np.int64)
                    longer[:count] = pairs
                    pairs = longer
                pairs[count, 0], pairs[count, 1] = a, b
                count += 1
    return pairs[:count].copy()


@njit
def best_scores(
    pairs: np.ndarray,
    scores: np.ndarray,
    truth_ignored: np.ndarray,
    found_ignored: np.ndarray,
    taken: np.ndarray,
) -> np.ndarray:
    """Scores of the true positives when each annotation takes the best-scored detection it can.

    Args:
        pairs: (P, 2), only those whose overlap suffices.
        scores: (D,) of the detections.
        truth_ignored, found_ignored: (G,) and (D,): counts neither way (too small, hidden).
        taken: (D,) bool, False on entry; changed.
    """
    result = np.empty(len(pairs))
    hits = 0
    start = 0
    while start < len(pairs):
        truth, best = pairs[start, 0], -1
        end = start
        while end < len(pairs) and pairs[end, 0] == truth:
            found = pairs[end, 1]
            if not taken[found] and (best < 0 or scores[found] > scores[best]):
                best = found
            end += 1
        if best >= 0:
            taken[best] = True
            if not truth_ignored[truth] and not found_ignored[best]:
                result[hits] = scores[best]
                hits += 1
        start = end
    return result[:hits].copy()


@njit
def count_at(
    thresholds: np.ndarray,
    pairs: np.ndarray,
    overlaps: np.ndarray,
    scores: np.ndarray,
    truth_ignored: np.ndarray,
    found_ignored: np.ndarray,
    likeness: np.ndarray,
    stuff: np.ndarray,
) -> np.ndarray:
    """(T, 3) at every threshold: true positives, matched detections, orientation similarity.

    Here an annotation takes the detection of greatest overlap. A matched detection is one that is
    taken and would otherwise be a false positive; the similarity is summed over true positives.

    Args:
        thresholds: (T,) scores; a detection below it is not there.
        pairs, overlaps: (P, 2) and (P,), only those whose overlap suffices.
        scores: (D,) of the detections.
        truth_ignored, found_ignored: as in `best_scores`.
        likeness: (P,) 1 where the pair's directions agree, 0 where they are opposite.
        stuff: (D,) bool, lies in a DontCare region.
    """
    result = np.zeros((len(thresholds), 3))
    taken_at = np.full(len(scores), -1, np.int64)
    for step in range(len(thresholds)):
        hits, spent, alike = 0, 0, 0.0
        start = 0
        while start < len(pairs):
            truth, best, end = pairs[start, 0], -1, start
            while end < len(pairs) and pairs[end, 0] == truth:
                found = pairs[end, 1]
                # A counted detection wins by overlap; an ignored one only where there is no other.
                if scores[found] >= thresholds[step] and taken_at[found] != step:
                    if found_ignored[found]:
                        if best < 0:
                            best = end
                    elif (
                        best < 0 or found_ignored[pairs[best, 1]] or overlaps[end] > overlaps[best]
                    ):
                        best = end
                end += 1
            if best >= 0:
                found = pairs[best, 1]
                taken_at[found] = step
                if not found_ignored[found]:
                    spent += not stuff[found]
                    if not truth_ignored[truth]:
                        hits += 1
                        alike += likeness[best]
            start = end
        result[step, 0], result[step, 1], result[step, 2] = hits, spent, alike
    return result


@njit
def sample_scores(hits: np.ndarray, objects: int, fill: bool) -> np.ndarray:
    """The score thresholds, at most 41, at which the true positives reach the sampled recalls.

    Args:
        hits: scores of the true positives, best first.
        objects: how many annotations count.
        fill: see `kitti.evaluate`.
    """
    thresholds = np.empty(STEPS)
    count = 0
    recall = 0.0  # the next one wanted
    for index in range(len(hits)):
        last = index == len(hits) - 1
        here = (index + 1) / objects
        after = here if last else (index + 2) / objects
        if count == STEPS or (not last and after - recall < recall - here):
            continue  # the next true positive comes closer to it
        thresholds[count] = hits[index]
        count += 1
        recall += 1 / (STEPS - 1)
        while fill and recall < here + 1e-9 and count < STEPS:
            thresholds[count] = hits[index]
            count += 1
            recall += 1 / (STEPS - 1)
    return thresholds[:count].copy()
