// Neighbouring rows, columns or segments.
#pragma once

#include <stdint.h>

namespace elman {

using i64 = int64_t;

struct Range {
    i64 begin, end;
    i64 size() const { return end - begin; }
};

}  // namespace elman
