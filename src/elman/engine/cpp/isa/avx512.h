// What AVX-512 (F, DQ, BW, VL) does better than the portable vectors: masks, exact scaling, a quick reciprocal, sums;
// and with BF16, products of pairs.
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
    static constexpr int registers = 32;
    using Mask = __mmask16;
    ELMAN_INLINE Mask mask(int lanes) { return Mask((1u << lanes) - 1); }
    using Portable::load;
    using Portable::store;
    ELMAN_INLINE V load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
    ELMAN_INLINE void store(float* p, V v, Mask m) { _mm512_mask_storeu_ps(p, m, v); }
    ELMAN_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
    ELMAN_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
    ELMAN_INLINE V sqrt(V a) { return _mm512_sqrt_ps(a); }
    // 14 bits and one step of Newton: 2^-27. Not for an infinite argument.
    ELMAN_INLINE V reciprocal(V a) {
        V r = _mm512_rcp14_ps(a);
        return fma(r, fnma(a, r, set(1)), r);
    }
    ELMAN_INLINE V round(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    ELMAN_INLINE V scale(V a, V n) { return _mm512_scalef_ps(a, n); }
    ELMAN_INLINE float sum(V a) { return _mm512_reduce_add_ps(a); }
    ELMAN_INLINE V load_int8(const int8_t* p) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
    }
#if defined(__AVX512BF16__)
    ELMAN_INLINE V pair(V first, V second) {
        const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
        const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
        return (V)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
    ELMAN_INLINE V pair(const float* p) { return (V)_mm512_cvtne2ps_pbh(load(p + W), load(p)); }
    ELMAN_INLINE V dot(V a, V b, V c) { return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b); }
#endif
};

template <>
struct Vector<double> : Portable<double> {
    static constexpr int registers = 32;
    using Mask = __mmask8;
    ELMAN_INLINE Mask mask(int lanes) { return Mask((1u << lanes) - 1); }
    using Portable::load;
    using Portable::store;
    ELMAN_INLINE V load(const double* p, Mask m) { return _mm512_maskz_loadu_pd(m, p); }
    ELMAN_INLINE void store(double* p, V v, Mask m) { _mm512_mask_storeu_pd(p, m, v); }
    ELMAN_INLINE V max(V a, V b) { return _mm512_max_pd(a, b); }
    ELMAN_INLINE V min(V a, V b) { return _mm512_min_pd(a, b); }
    ELMAN_INLINE V sqrt(V a) { return _mm512_sqrt_pd(a); }
    ELMAN_INLINE V round(V a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    ELMAN_INLINE V scale(V a, V n) { return _mm512_scalef_pd(a, n); }
    ELMAN_INLINE double sum(V a) { return _mm512_reduce_add_pd(a); }
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
