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
from libc.string cimport memcpy, memset

ctypedef Py_ssize_t Index

cdef enum:
    COLUMNS = 10  # arrays in Boxes that are as long as the boxes are many, and LANES more

cdef extern from *:
    """
    #include <limits.h>
    #include <math.h>
    #include <string.h>

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
    #if defined(__GNUC__)
    #define ALIGNED __attribute__((aligned(64)))
    #else
    #define ALIGNED
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

    /* Intersection over union with a box of area `own`; 0 where they do not meet. */
    #define OVERLAP(row) \\
        float width = SMALLER(right, x2[row]) - LARGER(left, x1[row]) + ONE; \\
        float height = SMALLER(bottom, y2[row]) - LARGER(top, y1[row]) + ONE; \\
        width = LARGER(width, ZERO); \\
        height = LARGER(height, ZERO); \\
        const float both = width * height; \\
        const float shared = both / (own + area[row] - both);
    #define PICKED(pick) \\
        const float left = x1[pick], top = y1[pick], right = x2[pick], bottom = y2[pick]; \\
        const float own = area[pick];

    /* Intersection over union of box `pick` with every box after it. */
    WIDE static void measure_overlaps(
        const float *ALONE x1, const float *ALONE y1, const float *ALONE x2, const float *ALONE y2,
        const float *ALONE area, float *ALONE overlap, Py_ssize_t pick, Py_ssize_t count)
    {
        PICKED(pick)
        for (Py_ssize_t block = pick + 1; block < count; block += LANES)
            UNROLL_NOT
            for (Py_ssize_t row = block; row < block + LANES; row++) {
                OVERLAP(row)
                overlap[row] = shared;
            }
    }

    /* The highest score that each lane has met, as a number, and its row. */
    struct best {  /* on cache lines of its own: a vector across two of them is slow to read back */
        ALIGNED int key[LANES];
        ALIGNED int row[LANES];
        ALIGNED int below[LANES];
    };

    static inline void begin(struct best *best, Py_ssize_t start)
    {
        for (int lane = 0; lane < LANES; lane++) {
            best->key[lane] = INT_MIN;
            best->row[lane] = (int)start;
            best->below[lane] = 0;
        }
    }

    /* The numbers of two scores compare as they do, those of both zeros are equal; none is as low
       as that of a NaN. Integers, as compilers find their greatest without a branch. */
    static inline int number_of(float score)
    {
        int bits;
        const float one_zero = score + ZERO;
        memcpy(&bits, &one_zero, sizeof bits);
        return score == score ? bits ^ (bits >> 31 & INT_MAX) : INT_MIN;
    }

    #define COUNT_SCORE(value, overlap) do { \\
        const int number = lane < here ? number_of(value) : INT_MIN; \\
        const int higher = number > best.key[lane]; \\
        best.key[lane] = higher ? number : best.key[lane]; \\
        best.row[lane] = higher ? (int)block + lane : best.row[lane]; \\
        best.below[lane] |= ((value) < least) & ((overlap) > ZERO) & (lane < here); \\
    } while (0)

    /* The first row of the highest score of all lanes, -1 if any row was below. */
    static inline Py_ssize_t end(const struct best *best)
    {
        int below = 0, key = INT_MIN, row = INT_MAX;
        for (int lane = 0; lane < LANES; lane++)
            below |= best->below[lane];
        for (int lane = 0; lane < LANES; lane++)
            key = LARGER(key, best->key[lane]);
        for (int lane = 0; lane < LANES; lane++) {
            const int held = best->key[lane] == key ? best->row[lane] : INT_MAX;
            row = SMALLER(row, held);
        }
        return below ? -1 : row;
    }

    /* The first highest of [start, count), `start` if its score is a NaN (other NaNs are passed
       over); -1 if one that overlaps at all is below `least`. */
    WIDE static Py_ssize_t find_highest(
        const float *ALONE score, const float *ALONE overlap, Py_ssize_t start, Py_ssize_t count,
        float least)
    {
        struct best best;
        begin(&best, start);
        for (Py_ssize_t block = start; block < count; block += LANES) {
            const int here = (int)SMALLER(count - block, LANES);
            UNROLL_NOT
            for (int lane = 0; lane < LANES; lane++)
                COUNT_SCORE(score[block + lane], overlap[block + lane]);
        }
        const Py_ssize_t found = end(&best);
        return found >= 0 && score[start] != score[start] ? start : found;
    }

    /* Measure the overlaps of box `pick` with those after it, lower the scores of those that overlap
       by more than `limit` by the hard or the linear rule; then as `find_highest` of them. */
    WIDE static Py_ssize_t lower_scores(
        const float *ALONE x1, const float *ALONE y1, const float *ALONE x2, const float *ALONE y2,
        const float *ALONE area, float *ALONE score, float *ALONE overlap, Py_ssize_t pick,
        Py_ssize_t count, float limit, int linear, float least)
    {
        PICKED(pick)
        struct best best;
        begin(&best, pick + 1);
        for (Py_ssize_t block = pick + 1; block < count; block += LANES) {
            const int here = (int)SMALLER(count - block, LANES);
            UNROLL_NOT
            for (int lane = 0; lane < LANES; lane++) {
                OVERLAP(block + lane)
                const float old = score[block + lane];
                const float weight = shared > limit ? (linear ? ONE - shared : ZERO) : ONE;
                const float lowered = lane < here ? old * weight : old;
                overlap[block + lane] = shared;
                score[block + lane] = lowered;
                COUNT_SCORE(lowered, shared);
            }
        }
        const Py_ssize_t found = end(&best);
        return found >= 0 && score[pick + 1] != score[pick + 1] ? pick + 1 : found;
    }

    /* order[n]: the row of the n-th highest score. Returns whether there is such an order: no two
       scores are equal and all are numbers. `ranks` is room, as long as `score`. */
    WIDE static int sort_scores(
        const float *ALONE score, int *ALONE ranks, Py_ssize_t *ALONE order, Py_ssize_t count)
    {
        for (Py_ssize_t block = 0; block < count; block += LANES) {
            int higher[LANES] = {0};
            for (Py_ssize_t other = 0; other < count; other++)
                UNROLL_NOT
                for (int lane = 0; lane < LANES; lane++)
                    higher[lane] += score[other] > score[block + lane];
            for (int lane = 0; lane < LANES; lane++)
                ranks[block + lane] = higher[lane];
        }
        for (Py_ssize_t row = 0; row < count; row++)
            order[row] = -1;
        for (Py_ssize_t row = 0; row < count; row++)
            order[ranks[row]] = row;
        for (Py_ssize_t row = 0; row < count; row++)
            if (order[row] < 0)
                return 0;
        return score[order[0]] < INFINITY && score[order[count - 1]] > -INFINITY;
    }

    /* The hard rule on boxes that are sorted: each that is not gone strikes out later ones. */
    WIDE static void strike_out(
        const float *ALONE x1, const float *ALONE y1, const float *ALONE x2, const float *ALONE y2,
        const float *ALONE area, float *ALONE score, int *ALONE gone, Py_ssize_t count,
        float limit, float least)
    {
        for (Py_ssize_t pick = 0; pick < count; pick++) {
            if (gone[pick])
                continue;
            PICKED(pick)
            for (Py_ssize_t block = pick + 1; block < count; block += LANES)
                UNROLL_NOT
                for (Py_ssize_t row = block; row < block + LANES; row++) {
                    OVERLAP(row)
                    const float old = score[row];
                    const int near = shared > limit;
                    const int below = (old < least) & (shared > ZERO);
                    score[row] = near & !gone[row] ? ZERO : old;
                    gone[row] |= near | below;
                }
        }
    }
    """
    const float ONE
    const float ZERO
    const Index LANES
    void measure_overlaps(
        const float* x1, const float* y1, const float* x2, const float* y2, const float* area,
        float* overlap, Index pick, Index count
    ) noexcept nogil
    Index find_highest(
        const float* score, const float* overlap, Index start, Index count, float least
    ) noexcept nogil
    Index lower_scores(
        const float* x1, const float* y1, const float* x2, const float* y2, const float* area,
        float* score, float* overlap, Index pick, Index count, float limit, int linear, float least
    ) noexcept nogil
    int sort_scores(const float* score, int* ranks, Index* order, Index count) noexcept nogil
    void strike_out(
        const float* x1, const float* y1, const float* x2, const float* y2, const float* area,
        float* score, int* gone, Index count, float limit, float least
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
    int* marks
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
    best = find_highest(boxes.score, boxes.overlap, 0, count, -INFINITY)
    while pick < count:
        if best != pick:
            _swap(boxes, pick, best, False)
        if method == 2:
            measure_overlaps(
                boxes.x1, boxes.y1, boxes.x2, boxes.y2, boxes.area, boxes.overlap, pick, count
            )
            _lower_gaussian(boxes.score, boxes.overlap, boxes.met, pick + 1, count, sigma)
            best = find_highest(boxes.score, boxes.overlap, pick + 1, count, least)
        else:
            best = lower_scores(
                boxes.x1, boxes.y1, boxes.x2, boxes.y2, boxes.area, boxes.score, boxes.overlap,
                pick, count, bound, method == 1, least,
            )
        pick += 1
        if best < 0:
            count = _drop(boxes, pick, count, least)
            best = find_highest(boxes.score, boxes.overlap, pick, count, -INFINITY)
    return count


cdef Index _suppress_sorted(
    Boxes* boxes, float[:, ::1] rows, float* old, double limit, double threshold
) noexcept nogil:
    """The hard rule where `boxes`, unlike `rows`, are sorted, no two with one score.

    No box then changes its place but to fall out. Also puts the rows in their order, those that
    fall out behind the others; returns how many stay. `marks` are zeros, `old` is room for the rows.
    """
    cdef Index total = rows.shape[0], width = rows.shape[1], count = 0, late, row, place
    cdef int* gone = boxes.marks
    strike_out(
        boxes.x1, boxes.y1, boxes.x2, boxes.y2, boxes.area, boxes.score, gone, total,
        <float>limit, <float>threshold,
    )
    memcpy(old, &rows[0, 0], total * width * sizeof(float))
    for row in range(total):
        count += gone[row] == 0
    late = count
    count = 0
    for row in range(total):
        if gone[row]:
            place = late
            late += 1
        else:
            place = count
            count += 1
        memcpy(&rows[place, 0], old + boxes.order[row] * width, width * sizeof(float))
        rows[place, 4] = boxes.score[row]
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


cdef inline float _area(const float[:, ::1] rows, Index row) noexcept nogil:
    return (rows[row, 2] - rows[row, 0] + ONE) * (
        rows[row, 3] - rows[row, 1] + ONE
    )


cdef Boxes _columns(float* store, Index* order, Index count) noexcept nogil:
    """Arrays for `count` boxes in `store`, which holds COLUMNS of count + LANES, and in `order`."""
    cdef Index room = count + LANES, row
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
    boxes.marks = <int*>(store + 9 * room)
    boxes.order = order
    boxes.met = order + count
    for row in range(count):
        order[row] = row
    return boxes


cdef bint _sort(Boxes* boxes, float[:, ::1] rows) noexcept nogil:
    """Let `order` be that of the scores; if there is none but of the rows (see sort_scores), not."""
    cdef Index count = rows.shape[0], row
    cdef bint found
    for row in range(count):
        boxes.score[row] = rows[row, 4]
    found = sort_scores(boxes.score, boxes.marks, boxes.order, count)
    if not found:
        for row in range(count):
            boxes.order[row] = row
    memset(boxes.marks, 0, count * sizeof(int))
    return found


cdef void _fill(Boxes* boxes, const float[:, ::1] rows) noexcept nogil:
    """Read `rows` in the order of the boxes, and compute the areas."""
    cdef Index count = rows.shape[0], place, row
    cdef bint corners = rows.shape[1] > 6
    for place in range(count):
        row = boxes.order[place]
        boxes.x1[place] = rows[row, 0]
        boxes.y1[place] = rows[row, 1]
        boxes.x2[place] = rows[row, 2]
        boxes.y2[place] = rows[row, 3]
        boxes.score[place] = rows[row, 4]
        boxes.area[place] = _area(rows, row)
        if corners:
            boxes.top_left[place] = rows[row, 5]
            boxes.bottom_right[place] = rows[row, 6]


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


def soft(
    float[:, ::1] rows, double sigma, double limit, double threshold, int method,
    bint merge, double exponent, bint recorded
):
    """Soft-NMS of `rows` (N, 5 or more) in place; the number of rows that stay, the first ones."""
    cdef Index total = rows.shape[0], width = rows.shape[1], count
    if total == 0:
        return 0
    cdef Index columns = COLUMNS * (total + LANES)
    cdef float* store = <float*>calloc(columns + width * total, sizeof(float))
    cdef Index* order = <Index*>malloc(2 * total * sizeof(Index))
    cdef Boxes boxes
    cdef bint ordered
    if store == NULL or order == NULL:
        free(store)
        free(order)
        raise MemoryError(f"soft-NMS of {total} boxes")
    with nogil:
        boxes = _columns(store, order, total)
        ordered = method == 0 and not merge and <float>limit >= ZERO and <float>threshold > ZERO
        ordered = ordered and _sort(&boxes, rows)
        _fill(&boxes, rows)
        if ordered:
            count = _suppress_sorted(&boxes, rows, store + columns, limit, threshold)
        elif merge:
            count = _suppress_merge(
                &boxes, total, sigma, limit, threshold, method, exponent, recorded
            )
        else:
            count = _suppress(&boxes, total, sigma, limit, threshold, method)
        if not ordered:
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
