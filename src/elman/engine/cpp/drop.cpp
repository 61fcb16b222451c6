#include "drop.h"

#include <algorithm>

#include "dispatch.h"
#include "team.h"

namespace elman {
namespace {

constexpr i64 BLOCK = 16 << 10;  // numbers for which generators begin anew

// An odd number, by which neighbouring blocks get seeds far apart.
uint64_t seed_of(uint64_t seed, i64 block) { return seed ^ (uint64_t(block + 1) * 0xd1342543de82ef95u); }

}  // namespace

template <class T>
void drop(const T* from, T* to, i64 count, uint64_t seed, int threshold, T scale, int threads) {
    const i64 blocks = (count + BLOCK - 1) / BLOCK;
    team::run(int(std::max<i64>(1, std::min<i64>(threads, blocks))), [&](Member member) {
        const i64 end = blocks * (member.index + 1) / member.count;
        for (i64 block = blocks * member.index / member.count; block < end; ++block) {
            const i64 at = block * BLOCK;
            kernels<T>().drop(from == nullptr ? from : from + at, to + at, std::min(BLOCK, count - at),
                              seed_of(seed, block), threshold, scale);
        }
    });
}

template void drop<float>(const float*, float*, i64, uint64_t, int, float, int);
template void drop<double>(const double*, double*, i64, uint64_t, int, double, int);

}  // namespace elman
