# cython: language_level=3
# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Non-maximum suppression, hard and soft, as compiled loops.

Built as `centernet.external._nms`; call it through `centernet.external.nms`, which checks the
arguments and takes `nms_numba` where this file could not be compiled. The two give equal results:
the same operations in the same precision. Typed memoryviews need no NumPy headers, so the build asks
for nothing but Cython and a C compiler.

Boxes are closed pixel ranges: a box from x1 to x2 is x2 - x1 + 1 wide.
Soft-NMS: Bodla et al., "Soft-NMS: improving object detection with one line of code", ICCV 2017.
"""

from libc.math cimport INFINITY, exp, pow
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

ctypedef Py_ssize_t Index

cdef extern from *:
    """
    #include <math.h>

    #define ONE 1.0f  /* as a double it would drag the whole sum into double precision */
    #define ZERO 0.0f

    /* The loops over all partners of a box, in C so that a compiler can make one copy of each for
       every width of vector registers; which is chosen when the module is loaded. The copies give
       equal results: no product is contracted with a sum (see setup.py). */
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
    #define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
    #else
    #define WIDE
    #endif
    #if defined(__GNUC__) && !defined(__clang__)
    #define UNROLL_NOT _Pragma("GCC unroll 1")
    #else
    #define UNROLL_NOT
    #endif
    #if defined(_MSC_VER)
    #define ALONE __restrict
    #else
    #define ALONE __restrict__
    #endif

    #define SMALLER(a, b) ((a) < (b) ? (a) : (b))
    #define LARGER(a, b) ((a) > (b) ? (a) : (b))

    /* All loops go by blocks of LANES boxes, whole ones, which compilers make vectors of. The last
       block may reach beyond the boxes: their arrays are that much longer. */
    #define LANES 16

    /* Intersection over union of box `pick` with every box after it; 0 where they do not meet. */
    WIDE static void measure_overlaps(
        const float *ALONE x1, const float *ALONE y1, const float *ALONE x2, const float *ALONE y2,
        const float *ALONE area, float *ALONE overlap, Py_ssize_t pick, Py_ssize_t count)
    {
        const float left = x1[pick], top = y1[pick], right = x2[pick], bottom = y2[pick];
        const float own = area[pick];
        for (Py_ssize_t block = pick + 1; block < count; block += LANES)
            UNROLL_NOT
            for (Py_ssize_t row = block; row < block + LANES; row++) {
                float width = SMALLER(right, x2[row]) - LARGER(left, x1[row]) + ONE;
                float height = SMALLER(bottom, y2[row]) - LARGER(top, y1[row]) + ONE;
                width = LARGER(width, ZERO);
                height = LARGER(height, ZERO);
                const float shared = width * height;
                overlap[row] = shared / (own + area[row] - shared);
            }
    }

    /* Lower the scores of [start, count) that overlap by more than `limit`, by the hard or linear
       rule; with INFINITY for `limit`, none. Returns the first highest, `start` if its score is a
       NaN (other NaNs are passed over), or -1 if one that overlaps at all is below `least`. */
    WIDE static Py_ssize_t lower_scores(
        float *ALONE score, const float *ALONE overlap, Py_ssize_t start, Py_ssize_t count,
        float limit, int linear, float least)
    {
        float lanes[LANES], top;
        int below[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            lanes[lane] = -INFINITY;
            below[lane] = 0;
        }
        for (Py_ssize_t block = start; block < count; block += LANES) {
            const int here = (int)SMALLER(count - block, LANES);
            UNROLL_NOT
            for (int lane = 0; lane < LANES; lane++) {
                const float shared = overlap[block + lane], old = score[block + lane];
                const float left = linear ? ONE - shared : ZERO;
                const float weight = shared > limit ? left : ONE;
                const float lowered = lane < here ? old * weight : old;
                const float counted = lane < here ? lowered : -INFINITY;
                score[block + lane] = lowered;
                lanes[lane] = LARGER(counted, lanes[lane]);
                below[lane] |= (counted < least) & (shared > ZERO) & (lane < here);
            }
        }
        for (int lane = 1; lane < LANES; lane++)
            below[0] |= below[lane];
        if (below[0])
            return -1;
        if (start >= count || score[start] != score[start])
            return start;
        for (int half = LANES / 2; half > 0; half /= 2)
            UNROLL_NOT
            for (int lane = 0; lane < half; lane++)
                lanes[lane] = LARGER(lanes[lane + half], lanes[lane]);
        top = lanes[0];
        for (;; start += LANES) {
            int found = 0;
            UNROLL_NOT
            for (int lane = 0; lane < LANES; lane++)
                found |= score[start + lane] == top;
            if (found)
                break;
        }
        while (score[start] != top)
            start++;
        return start;
    }
    """
    const float ONE
    const float ZERO
    const Index LANES
    void measure_overlaps(
        const float* x1, const float* y1, const float* x2, const float* y2, const float* area,
        float* overlap, Index pick, Index count
    ) noexcept nogil
    Index lower_scores(
        float* score, const float* overlap, Index start, Index count, float limit, int linear,
        float least
    ) noexcept nogil


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


cdef Index _drop(Boxes* boxes, Index start, Index count, float least) noexcept nogil:
    """Move the boxes that overlap and have come below `least` behind the others; how many stay."""
    cdef Index row = start
    while row < count:
        if boxes.score[row] < least and boxes.overlap[row] > ZERO:
            count -= 1
            _swap(boxes, row, count, False)  # and look at the row anew: another box is there
        else:
            row += 1
    return count


cdef Index _suppress(
    Boxes* boxes, Index count, double sigma, double limit, double threshold, int method
) noexcept nogil:
    """Soft-NMS over the rows [0, count); returns how many stay. Those are rows [0, result)."""
    cdef Index pick = 0, best
    cdef float least = <float>threshold, bound = <float>limit
    if method == 2:
        bound = INFINITY  # none is lowered by the other rules
    best = lower_scores(boxes.score, boxes.overlap, 0, count, INFINITY, False, -INFINITY)
    while pick < count:
        if best != pick:
            _swap(boxes, pick, best, False)
        measure_overlaps(
            boxes.x1, boxes.y1, boxes.x2, boxes.y2, boxes.area, boxes.overlap, pick, count
        )
        pick += 1
        if method == 2:
            _lower_gaussian(boxes.score, boxes.overlap, boxes.met, pick, count, sigma)
        best = lower_scores(
            boxes.score, boxes.overlap, pick, count, bound, method == 1, least
        )
        if best < 0:
            count = _drop(boxes, pick, count, least)
            best = lower_scores(
                boxes.score, boxes.overlap, pick, count, INFINITY, False, -INFINITY
            )
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
        measure_overlaps(
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
    """The columns of `rows` as arrays in `store` (zeros), with the area of every box."""
    cdef Index count = rows.shape[0], room = rows.shape[0] + LANES, row
    cdef bint corners = rows.shape[1] > 6
    cdef Boxes boxes
    boxes.x1 = store
    boxes.y1 = store + room
    boxes.x2 = store + 2 * room
    boxes.y2 = store + 3 * room
    boxes.area = store + 4 * room
    boxes.score = store + 5 * room
    boxes.overlap = store + 6 * room
    boxes.top_left = store + 7 * room
    boxes.bottom_right = store + 8 * room
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
        if corners:
            boxes.top_left[row] = rows[row, 5]
            boxes.bottom_right[row] = rows[row, 6]
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
    cdef Index columns = 9 * (total + LANES)
    cdef float* store = <float*>calloc(columns + width * total, sizeof(float))
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
        _write_back(&boxes, rows, store + columns, recorded)
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
