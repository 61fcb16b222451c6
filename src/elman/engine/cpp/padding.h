// Copies between a padded batch of rows, all of T steps, and its real steps alone, one after the other as `Batch` has
// them. Knows no numbers: a step of a row is so many bytes.
#pragma once

#include "batch.h"

namespace elman {

// A padded batch: [steps][rows], `time` and `row` bytes apart. Its row order[k] is row k of the `Batch`; all of its
// rows are in `order`, those without any step at the end.
struct Padded {
    char* data;
    i64 steps, rows;
    i64 time, row;
    const i64* order;
};

void pack(const Batch& batch, const Padded& from, char* to, i64 bytes, int threads);

// Zeroes what is not real.
void unpack(const Batch& batch, const char* from, const Padded& to, i64 bytes, int threads);

}  // namespace elman
