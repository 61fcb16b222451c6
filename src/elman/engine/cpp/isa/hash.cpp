// A hash of all bits of some memory: by it packed weights are known to be still those of their parameters.
// Knows nothing of weights.

#include "../kernels.h"
#include "portable.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

typedef uint64_t Words __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
constexpr int CHAINS = 4;  // they hide the latency of a step
constexpr i64 BYTES = CHAINS * ELMAN_VECTOR_BYTES;

// What was there before goes through a bijection with every new word, so that no change of one word is lost: products
// with odd numbers (1 + 2^21), and the shifted upper bits over the lower ones.
ELMAN_INLINE void mix(Words (&chains)[CHAINS], const unsigned char* from, i64 count) {
    Words words[CHAINS] = {};
    __builtin_memcpy(words, from, uint64_t(count));
    ELMAN_UNROLL
    for (int i = 0; i < CHAINS; ++i) {
        Words x = chains[i] ^ words[i];
        x += x << 21;
        chains[i] = x ^ (x >> 29);
    }
}

uint64_t hash(const void* data, i64 bytes) {
    const unsigned char* from = static_cast<const unsigned char*>(data);
    Words chains[CHAINS];
    for (int i = 0; i < CHAINS; ++i) chains[i] = Words{} + uint64_t(i + 1);
    i64 at = 0;
    for (; at + BYTES <= bytes; at += BYTES) mix(chains, from + at, BYTES);
    if (at < bytes) mix(chains, from + at, bytes - at);
    uint64_t lanes[BYTES / 8], all = uint64_t(bytes);
    __builtin_memcpy(lanes, chains, sizeof lanes);
    for (uint64_t lane : lanes) all = (all ^ lane) * 0x9e3779b97f4a7c15u, all ^= all >> 32;
    return all;
}

}  // namespace

extern const Hash hash_bytes = hash;

}  // namespace ELMAN_ISA
}  // namespace elman
