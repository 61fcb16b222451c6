// Which steps of which rows there are, where they lie in memory, and how rows are dealt to threads.
// Knows no values; rows are sorted by length, the longest first.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "range.h"

namespace elman {

class Batch {
public:
    // `lengths`: of every row, falling, or null for `steps` everywhere. `fresh`: [steps][rows], nonzero where a row's
    // state is zeroed before a step, or null. Throws std::invalid_argument if lengths do not fall.
    Batch(i64 steps, i64 rows, const i64* lengths, const uint8_t* fresh, bool reverse);

    i64 steps() const { return i64(active.size()); }
    i64 rows() const { return row_count; }
    bool reverse() const { return backwards; }
    i64 real_steps() const { return starts.back(); }
    bool dense() const { return real_steps() == steps() * rows(); }
    i64 length(i64 row) const { return row_lengths[size_t(row)]; }

    i64 rows_at(i64 t) const { return active[size_t(t)]; }  // the first so many rows have a step t
    i64 start(i64 t) const { return starts[size_t(t)]; }    // step t of row 0 among all real steps

    // In the order of reading: the step before t; how many of the rows of t have it (the others begin at t); and the
    // last step of a row that has any.
    i64 before(i64 t) const { return backwards ? t + 1 : t - 1; }
    i64 rows_before(i64 t) const {
        return backwards ? (t + 1 < steps() ? rows_at(t + 1) : 0) : (t > 0 ? rows_at(t) : 0);
    }
    i64 last_step(i64 row) const { return backwards ? 0 : length(row) - 1; }

    bool fresh(i64 t, i64 row) const { return !fresh_steps.empty() && fresh_steps[size_t(t * row_count + row)] != 0; }
    bool any_fresh(i64 t, Range rows) const;
    bool resets() const { return !fresh_steps.empty(); }

    // Rows in `count` neighbouring parts that take about equally long.
    std::vector<Range> parts(i64 count) const;

private:
    i64 row_count;
    bool backwards;
    std::vector<i64> row_lengths;
    std::vector<i64> active;
    std::vector<i64> starts;
    std::vector<uint8_t> fresh_steps;
};

}  // namespace elman
