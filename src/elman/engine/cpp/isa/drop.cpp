// Random zeros: numbers, or ones, of which each is left out with the same probability.
// Knows nothing of threads, nor of where the seed comes from.

#include "../kernels.h"
#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

typedef uint64_t Words __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
constexpr int LANES = 16;  // generators side by side, whatever the width of a vector, so that all draw the same
constexpr int VECTORS = LANES * 8 / ELMAN_VECTOR_BYTES;
constexpr int DRAWN = LANES * 4;  // numbers that one draw decides, with 16 bits each

// SplitMix64, which its authors advise for seeds (G. Steele, D. Lea, C. Flood 2014).
ELMAN_INLINE uint64_t split(uint64_t& x) {
    uint64_t z = x += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// xoshiro256++ (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", 2021).
struct Generators {
    Words s[4][VECTORS];

    ELMAN_INLINE Words left(Words x, int k) { return (x << k) | (x >> (64 - k)); }

    explicit Generators(uint64_t seed) {
        uint64_t seeds[4][LANES];
        for (auto& part : seeds)
            for (uint64_t& lane : part) lane = split(seed);
        __builtin_memcpy(s, seeds, sizeof s);
    }

    void draw(uint16_t (&bits)[DRAWN]) {
        Words found[VECTORS];
        ELMAN_UNROLL
        for (int i = 0; i < VECTORS; ++i) {
            found[i] = left(s[0][i] + s[3][i], 23) + s[0][i];
            const Words t = s[1][i] << 17;
            s[2][i] ^= s[0][i];
            s[3][i] ^= s[1][i];
            s[1][i] ^= s[2][i];
            s[0][i] ^= s[3][i];
            s[2][i] ^= t;
            s[3][i] = left(s[3][i], 45);
        }
        __builtin_memcpy(bits, found, sizeof found);
    }
};

// to[0..count) = scale * from[...], or scale where `from` is null, or 0 where the bits are below the threshold.
template <class T>
ELMAN_INLINE void some(const T* from, T* to, const uint16_t* bits, int threshold, T scale) {
    using V = Vector<T>;
    typedef uint16_t Bits __attribute__((vector_size(V::W * 2)));
    ELMAN_UNROLL
    for (int i = 0; i < DRAWN; i += V::W) {
        Bits own;
        __builtin_memcpy(&own, bits + i, sizeof own);
        const typename V::I kept = __builtin_convertvector(own, typename V::I) >= threshold;
        const typename V::V value = from == nullptr ? V::set(scale) : V::load(from + i) * V::set(scale);
        V::store(to + i, (typename V::V)((typename V::I)value & kept));
    }
}

template <class T>
void drop(const T* from, T* to, i64 count, uint64_t seed, int threshold, T scale) {
    Generators generators(seed);
    uint16_t bits[DRAWN];
    for (i64 at = 0; at < count; at += DRAWN) {
        generators.draw(bits);
        if (at + DRAWN <= count) {
            some(from == nullptr ? from : from + at, to + at, bits, threshold, scale);
            continue;
        }
        T last[DRAWN] = {}, found[DRAWN];
        const uint64_t bytes = uint64_t(count - at) * sizeof(T);
        if (from != nullptr) __builtin_memcpy(last, from + at, bytes);
        some(from == nullptr ? from : last, found, bits, threshold, scale);
        __builtin_memcpy(to + at, found, bytes);
    }
}

}  // namespace

extern const decltype(Kernels<float>::drop) drop_float = drop<float>;
extern const decltype(Kernels<double>::drop) drop_double = drop<double>;

}  // namespace ELMAN_ISA
}  // namespace elman
