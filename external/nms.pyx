# cython: language_level=3
# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Non-maximum suppression, hard and soft, as compiled loops.

Built as `centernet.external._nms`; call it through `centernet.external.nms`, which checks the
arguments and takes `nms_numba` where this file could not be compiled. The two give equal results:
the same operations in the same order and precision. Typed memoryviews need no NumPy headers, so the
build asks for nothing but Cython and a C compiler.

Boxes are closed pixel ranges: a box from x1 to x2 is x2 - x1 + 1 wide.
Soft-NMS: Bodla et al., "Soft-NMS: improving object detection with one line of code", ICCV 2017.
"""

from libc.math cimport exp, pow
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

ctypedef Py_ssize_t Index

cdef extern from *:
    """
    #define ONE 1.0f  /* as a double it would drag the whole sum into double precision */
    #define ZERO 0.0f
    """
    const float ONE
    const float ZERO


cdef struct Boxes:
    # One array a column: the loop over all partners of a box then reads straight through memory.
    float* x1
    float* y1
    float* x2
    float* y2
    float* area
    float* score
    float* top_left
    float* bottom_right
    float* overlap
    Index* order
    Index* met


cdef inline float _smaller(float a, float b) noexcept nogil:
    return a if a < b else b


cdef inline float _larger(float a, float b) noexcept nogil:
    return a if a > b else b


cdef void _overlaps(
    float* x1, float* y1, float* x2, float* y2, float* area, float* overlap, Index pick, Index count
) noexcept nogil:
    """Intersection over union of row `pick` with every row after it; 0 where they do not meet."""
    cdef float px1 = x1[pick], py1 = y1[pick], px2 = x2[pick], py2 = y2[pick], own = area[pick]
    cdef float width, height, shared
    cdef Index row
    for row in range(pick + 1, count):
        width = _larger(_smaller(px2, x2[row]) - _larger(px1, x1[row]) + ONE, ZERO)
        height = _larger(_smaller(py2, y2[row]) - _larger(py1, y1[row]) + ONE, ZERO)
        shared = width * height
        overlap[row] = shared / (own + area[row] - shared)


cdef inline double _weight(
    double overlap, int method, double sigma, double limit
) noexcept nogil:
    if method == 2:
        return exp(-(overlap * overlap) / sigma)
    if overlap <= limit:
        return 1.0
    return 1.0 - overlap if method == 1 else 0.0


cdef inline void _swap_floats(float* column, Index a, Index b) noexcept nogil:
    cdef float held = column[a]
    column[a] = column[b]
    column[b] = held


cdef void _swap(Boxes* boxes, Index a, Index b, bint corners) noexcept nogil:
    cdef Index held = boxes.order[a]
    boxes.order[a] = boxes.order[b]
    boxes.order[b] = held
    _swap_floats(boxes.x1, a, b)
    _swap_floats(boxes.y1, a, b)
    _swap_floats(boxes.x2, a, b)
    _swap_floats(boxes.y2, a, b)
    _swap_floats(boxes.area, a, b)
    _swap_floats(boxes.score, a, b)
    _swap_floats(boxes.overlap, a, b)
    if corners:
        _swap_floats(boxes.top_left, a, b)
        _swap_floats(boxes.bottom_right, a, b)


cdef Index _highest(Boxes* boxes, Index start, Index count) noexcept nogil:
    cdef Index row, best = start
    for row in range(start + 1, count):
        if boxes.score[row] > boxes.score[best]:
            best = row
    return best


cdef void _lower(
    float* score, float* overlap, Index start, Index count, float limit, bint linear
) noexcept nogil:
    """The scores of boxes that overlap by more than `limit`, by the hard or the linear rule."""
    cdef Index row
    cdef float left
    for row in range(start, count):
        left = ONE - overlap[row] if linear else ZERO
        score[row] *= left if overlap[row] > limit else ONE


cdef void _lower_gaussian(
    float* score, float* overlap, Index* met, Index start, Index count, double sigma
) noexcept nogil:
    """The scores of boxes that overlap at all; `met` is room for their numbers.

    Few boxes or most may overlap, in no order: gathering them first leaves nothing to mispredict.
    """
    cdef Index row, found = 0
    for row in range(start, count):
        met[found] = row
        found += overlap[row] > ZERO
    for row in range(found):
        score[met[row]] = <float>(
            _weight(overlap[met[row]], 2, sigma, 0.0) * score[met[row]]
        )


cdef Index _suppress(
    Boxes* boxes, Index count, double sigma, double limit, double threshold, int method
) noexcept nogil:
    """Soft-NMS over the rows [0, count); returns how many stay. Those are rows [0, result)."""
    cdef Index pick = 0, row, best = _highest(boxes, 0, count)
    cdef float least = <float>threshold, score, top
    while pick < count:
        if best != pick:
            _swap(boxes, pick, best, False)
        _overlaps(
            boxes.x1, boxes.y1, boxes.x2, boxes.y2, boxes.area, boxes.overlap, pick, count
        )
        pick += 1
        if method == 2:
            _lower_gaussian(boxes.score, boxes.overlap, boxes.met, pick, count, sigma)
        else:
            _lower(boxes.score, boxes.overlap, pick, count, <float>limit, method == 1)
        row = best = pick  # the next best is found on the way, in the order of the rows
        top = boxes.score[best] if pick < count else ZERO
        while row < count:
            score = boxes.score[row]
            if score < least and boxes.overlap[row] > ZERO:
                count -= 1
                _swap(boxes, row, count, False)
                continue
            # The first row is tested anew: another may have taken its place.
            if score > top or row == pick:
                best = row
                top = score
            row += 1
    return count


cdef Index _suppress_merge(
    Boxes* boxes, Index count, double sigma, double limit, double threshold, int method,
    double exponent, bint recorded
) noexcept nogil:
    """Soft-NMS in which a picked box becomes the mean of the boxes it pushes down."""
    cdef Index pick = 0, row
    cdef double weight, share, left, top, right, bottom, top_left, bottom_right
    while pick < count:
        row = _highest(boxes, pick, count)
        if row != pick:
            _swap(boxes, pick, row, not recorded)
        top_left = boxes.top_left[pick]
        bottom_right = boxes.bottom_right[pick]
        left = boxes.x1[pick] * top_left
        top = boxes.y1[pick] * top_left
        right = boxes.x2[pick] * bottom_right
        bottom = boxes.y2[pick] * bottom_right
        _overlaps(
            boxes.x1, boxes.y1, boxes.x2, boxes.y2, boxes.area, boxes.overlap, pick, count
        )
        row = pick + 1
        while row < count:
            if boxes.overlap[row] > 0.0:
                weight = _weight(boxes.overlap[row], method, sigma, limit)
                share = pow(1.0 - weight, exponent)
                left += boxes.x1[row] * boxes.top_left[row] * share
                top += boxes.y1[row] * boxes.top_left[row] * share
                right += boxes.x2[row] * boxes.bottom_right[row] * share
                bottom += boxes.y2[row] * boxes.bottom_right[row] * share
                top_left += boxes.top_left[row] * share
                bottom_right += boxes.bottom_right[row] * share
                boxes.score[row] = <float>(weight * boxes.score[row])
                if boxes.score[row] < threshold:
                    count -= 1
                    _swap(boxes, row, count, not recorded)
                    continue
            row += 1
        boxes.x1[pick] = <float>(left / top_left)
        boxes.y1[pick] = <float>(top / top_left)
        boxes.x2[pick] = <float>(right / bottom_right)
        boxes.y2[pick] = <float>(bottom / bottom_right)
        pick += 1
    return count


cdef Boxes _columns(float[:, ::1] rows, float* store, Index* order) noexcept nogil:
    """The columns of `rows` as arrays in `store` (9 floats a row), with the area of every box."""
    cdef Index count = rows.shape[0], row
    cdef bint corners = rows.shape[1] > 6
    cdef Boxes boxes
    boxes.x1 = store
    boxes.y1 = store + count
    boxes.x2 = store + 2 * count
    boxes.y2 = store + 3 * count
    boxes.area = store + 4 * count
    boxes.score = store + 5 * count
    boxes.overlap = store + 6 * count
    boxes.top_left = store + 7 * count
    boxes.bottom_right = store + 8 * count
    boxes.order = order
    boxes.met = order + count
    for row in range(count):
        boxes.x1[row] = rows[row, 0]
        boxes.y1[row] = rows[row, 1]
        boxes.x2[row] = rows[row, 2]
        boxes.y2[row] = rows[row, 3]
        boxes.score[row] = rows[row, 4]
        boxes.area[row] = (rows[row, 2] - rows[row, 0] + ONE) * (
            rows[row, 3] - rows[row, 1] + ONE
        )
        boxes.overlap[row] = 0.0
        boxes.top_left[row] = rows[row, 5] if corners else 0.0
        boxes.bottom_right[row] = rows[row, 6] if corners else 0.0
        order[row] = row
    return boxes


cdef void _write_back(Boxes* boxes, float[:, ::1] rows, float* old, bint still) noexcept nogil:
    """Put the rows in their new order; with `still` the columns from the sixth on keep their place."""
    cdef Index count = rows.shape[0], width = rows.shape[1], row
    if not still and width > 5:
        memcpy(old, &rows[0, 0], count * width * sizeof(float))
        for row in range(count):
            memcpy(&rows[row, 5], old + boxes.order[row] * width + 5, (width - 5) * sizeof(float))
    for row in range(count):
        rows[row, 0] = boxes.x1[row]
        rows[row, 1] = boxes.y1[row]
        rows[row, 2] = boxes.x2[row]
        rows[row, 3] = boxes.y2[row]
        rows[row, 4] = boxes.score[row]


cdef inline float _area(const float[:, ::1] rows, Index row) noexcept nogil:
    return (rows[row, 2] - rows[row, 0] + ONE) * (
        rows[row, 3] - rows[row, 1] + ONE
    )


def soft(
    float[:, ::1] rows, double sigma, double limit, double threshold, int method,
    bint merge, double exponent, bint recorded
):
    """Soft-NMS of `rows` (N, 5 or more) in place; the number of rows that stay, the first ones."""
    cdef Index total = rows.shape[0], width = rows.shape[1], count
    if total == 0:
        return 0
    cdef float* store = <float*>malloc((9 + width) * total * sizeof(float))
    cdef Index* order = <Index*>malloc(2 * total * sizeof(Index))
    cdef Boxes boxes
    if store == NULL or order == NULL:
        free(store)
        free(order)
        raise MemoryError(f"soft-NMS of {total} boxes")
    with nogil:
        boxes = _columns(rows, store, order)
        if merge:
            count = _suppress_merge(
                &boxes, total, sigma, limit, threshold, method, exponent, recorded
            )
        else:
            count = _suppress(&boxes, total, sigma, limit, threshold, method)
        _write_back(&boxes, rows, store + 9 * total, recorded)
    free(store)
    free(order)
    return count


def hard(const float[:, ::1] rows, const Index[::1] order, double limit, unsigned char[::1] keep):
    """Greedy NMS in the given `order`: `keep` (N,), ones on entry, is 0 where a row is suppressed."""
    cdef Index total = order.shape[0], first, second, a, b
    cdef float width, height, shared, area
    with nogil:
        for first in range(total):
            a = order[first]
            if not keep[a]:
                continue
            area = _area(rows, a)
            for second in range(first + 1, total):
                b = order[second]
                if not keep[b]:
                    continue
                width = _smaller(rows[a, 2], rows[b, 2]) - _larger(rows[a, 0], rows[b, 0]) + ONE
                height = _smaller(rows[a, 3], rows[b, 3]) - _larger(rows[a, 1], rows[b, 1]) + ONE
                if width > 0.0 and height > 0.0:
                    shared = width * height
                    if shared / (area + _area(rows, b) - shared) >= limit:
                        keep[b] = 0
