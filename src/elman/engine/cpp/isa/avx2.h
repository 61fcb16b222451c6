// What AVX2 with FMA does better than the portable vectors: masked loads and stores, extremes, roots.
#pragma once

#include <immintrin.h>

#include "portable.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class T>
struct Vector;

template <>
struct Vector<float> : Portable<float> {
    static constexpr int registers = 16;
    using Mask = __m256i;
    ELMAN_INLINE Mask mask(int lanes) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    using Portable::load;
    using Portable::store;
    ELMAN_INLINE V load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
    ELMAN_INLINE void store(float* p, V v, Mask m) { _mm256_maskstore_ps(p, m, v); }
    ELMAN_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
    ELMAN_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
    ELMAN_INLINE V sqrt(V a) { return _mm256_sqrt_ps(a); }
    ELMAN_INLINE V load_int8(const int8_t* p) {
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
    }
};

template <>
struct Vector<double> : Portable<double> {
    static constexpr int registers = 16;
    using Mask = __m256i;
    ELMAN_INLINE Mask mask(int lanes) {
        return _mm256_cmpgt_epi64(_mm256_set1_epi64x(lanes), _mm256_setr_epi64x(0, 1, 2, 3));
    }
    using Portable::load;
    using Portable::store;
    ELMAN_INLINE V load(const double* p, Mask m) { return _mm256_maskload_pd(p, m); }
    ELMAN_INLINE void store(double* p, V v, Mask m) { _mm256_maskstore_pd(p, m, v); }
    ELMAN_INLINE V max(V a, V b) { return _mm256_max_pd(a, b); }
    ELMAN_INLINE V min(V a, V b) { return _mm256_min_pd(a, b); }
    ELMAN_INLINE V sqrt(V a) { return _mm256_sqrt_pd(a); }
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
