#include "padding.h"

#include <string.h>

#include <algorithm>

#include "team.h"

namespace elman {
namespace {

constexpr i64 WORTH_A_THREAD = 64 << 10;  // bytes

// Threads take neighbouring steps.
template <class F>
void by_steps(i64 steps, i64 bytes, int threads, const F& function) {
    threads = int(std::max<i64>(1, std::min<i64>(threads, bytes / WORTH_A_THREAD)));
    team::run(threads, [&](Member member) {
        const i64 end = steps * (member.index + 1) / member.count;
        for (i64 t = steps * member.index / member.count; t < end; ++t) function(t);
    });
}

}  // namespace

void pack(const Batch& batch, const Padded& from, char* to, i64 bytes, int threads) {
    by_steps(batch.steps(), batch.real_steps() * bytes, threads, [&](i64 t) {
        char* packed = to + batch.start(t) * bytes;
        for (i64 k = 0; k < batch.rows_at(t); ++k, packed += bytes)
            memcpy(packed, from.data + t * from.time + from.order[k] * from.row, size_t(bytes));
    });
}

void unpack(const Batch& batch, const char* from, const Padded& to, i64 bytes, int threads) {
    by_steps(to.steps, to.steps * to.rows * bytes, threads, [&](i64 t) {
        const i64 real = t < batch.steps() ? batch.rows_at(t) : 0;
        const char* packed = real > 0 ? from + batch.start(t) * bytes : nullptr;
        for (i64 k = 0; k < to.rows; ++k) {
            char* row = to.data + t * to.time + to.order[k] * to.row;
            if (k < real) memcpy(row, packed + k * bytes, size_t(bytes));
            else memset(row, 0, size_t(bytes));
        }
    });
}

}  // namespace elman
