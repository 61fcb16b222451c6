// How a call is cut for the threads and the caches. Knows sizes, and what was measured; not how a step is run.
#pragma once

#include <algorithm>

#include "batch.h"
#include "kernels.h"
#include "program.h"

namespace elman {

struct Plan {
    bool columns;  // threads share each step's columns, and meet after every segment; else each has rows of its own
    int threads;
    int vectors;  // of a panel
};

// For the programs of a layer: training, inference or backward all get the same. Matrices are read in numbers of so
// many bytes.
template <class T>
Plan make_plan(const Program& program, const Batch& batch, i64 inputs, const Matmul<T>& kernels, int threads,
               i64 bytes = sizeof(T));

// Rows for which products are made before the operations on them. They share the panels of their column tile in the
// second-level cache; 12 and 32 differ by 5 % (Zen 4).
constexpr i64 SUPER_BLOCK = 32;

// So few rows of a step are multiplied with the input's weights for several steps at once.
constexpr i64 GROUPED_ROWS = 8;

// Rows of a tile of operations: with 64 columns it is 3 KiB per operand.
constexpr i64 TILE_ROWS = 12;

// Columns of a tile: whole panels, about so many.
constexpr i64 TILE = 64;

inline i64 tile_columns(i64 panel) { return panel >= TILE ? panel : TILE / panel * panel; }

// The same where threads share columns: so that the thread with the most of them has as few as can be.
i64 shared_tile_columns(i64 panel, i64 columns, int threads);

// The same without products, for which a tile would have to be narrow: up to WIDE_TILE, of fewer rows, so that an
// operation on few rows has enough to do. It is the program's alone: rows may be reduced.
constexpr i64 WIDE_TILE = 256;

inline i64 wide_tile_columns(i64 panel, i64 columns) {
    return std::max(tile_columns(panel), std::min(WIDE_TILE, (columns + panel - 1) / panel * panel));
}
i64 tile_columns(const Program& program, const Plan& plan, i64 panel);
inline i64 tile_rows(i64 columns) { return std::max<i64>(1, TILE_ROWS * TILE / std::max(TILE, columns)); }

// Columns in panels of `panel` at most, whole vectors, as equal as can be: 13 vectors by 4 are 3 + 3 + 3 + 4.
template <class F>
void in_panels(i64 columns, i64 panel, i64 lanes, const F& f) {
    const i64 vectors = (columns + lanes - 1) / lanes, count = (columns + panel - 1) / panel;
    for (i64 i = 0; i < count; ++i) {
        const i64 begin = vectors * i / count * lanes, end = vectors * (i + 1) / count * lanes;
        f(begin, std::min(end, columns) - begin);
    }
}

// Parts of `most` at most, as equal as can be: 16 by 12 is 8 + 8.
template <class F>
void in_blocks(Range range, i64 most, const F& f) {
    if (range.size() <= most) return f(range);  // a division takes as long as an operation on a few rows
    i64 blocks = (range.size() + most - 1) / most;
    for (i64 begin = range.begin; blocks > 0; --blocks) {
        const i64 end = begin + (range.end - begin + blocks - 1) / blocks;
        f(Range{begin, end});
        begin = end;
    }
}

}  // namespace elman
