#include "batch.h"

#include <algorithm>
#include <stdexcept>

namespace elman {
namespace {

// What a time step costs besides its rows, in rows: weights are read from the second-level cache.
constexpr i64 STEP = 3;

}  // namespace

Batch::Batch(i64 steps, i64 rows, const i64* lengths, const uint8_t* fresh, bool reverse)
    : row_count(rows), backwards(reverse), row_lengths(size_t(rows), steps) {
    if (lengths != nullptr) std::copy(lengths, lengths + rows, row_lengths.begin());
    for (i64 b = 0; b < rows; ++b) {
        const i64 most = b == 0 ? steps : length(b - 1);
        if (length(b) < 0 || length(b) > most)
            throw std::invalid_argument("Lengths must fall from the number of steps to 0.");
    }
    active.resize(size_t(steps));
    starts.resize(size_t(steps) + 1);
    i64 here = rows;
    for (i64 t = 0; t < steps; ++t) {
        while (here > 0 && length(here - 1) <= t) --here;
        active[size_t(t)] = here;
        starts[size_t(t) + 1] = starts[size_t(t)] + here;
    }
    if (fresh != nullptr) fresh_steps.assign(fresh, fresh + steps * rows);
}

bool Batch::any_fresh(i64 t, Range rows) const {
    if (fresh_steps.empty()) return false;
    const auto at = fresh_steps.begin() + t * row_count;
    return std::any_of(at + rows.begin, at + rows.end, [](uint8_t x) { return x != 0; });
}

std::vector<Range> Batch::parts(i64 count) const {
    count = std::max<i64>(1, std::min(count, row_count));
    std::vector<Range> all;
    i64 begin = 0;
    for (i64 left = count; left > 0; --left) {
        // The rest of the rows would cost `rest`; this part takes its share, counted with its own steps.
        i64 rest = 0;
        for (i64 b = begin; b < row_count; ++b) rest += length(b);
        i64 end = begin;
        i64 cost = begin < row_count ? STEP * length(begin) : 0;
        const i64 share = left == 1 ? INT64_MAX : (rest + STEP * left * (begin < row_count ? length(begin) : 0)) / left;
        while (end < row_count - (left - 1) && (end == begin || left == 1 || cost + length(end) / 2 < share))
            cost += length(end++);
        all.push_back({begin, end});
        begin = end;
    }
    return all;
}

}  // namespace elman
