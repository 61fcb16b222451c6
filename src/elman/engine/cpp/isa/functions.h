// exp, e^x - 1, log, log(1 + x), tanh and the logistic function on vectors; whole numbers.
// Knows vectors, not memory. The bounds are proved by tests/engine/native/test_functions.py over the whole range.
//
// Largest error relative to the exact value, float32 (float64), measured against float64 (mpmath):
//     tanh, sigmoid   3e-7 (6e-16)    exp   2e-7 (4e-16)    log   2e-7 (5e-16)    expm1, log1p   4e-7 (9e-16)
// where the result is a normal number. The logistic function does not go below that of -87 (-708), about 1e-38
// (1e-308). With denormals off, as they are inside a job, denormal arguments are zero.
#pragma once

#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class T>
struct Range;

template <>
struct Range<float> {
    static constexpr float ln2_high = 0x1.63p-1f;  // 9 bits: n * ln2_high is exact
    static constexpr float ln2_low = -2.12194440054690582767e-4f;
    static constexpr float sigmoid = 87.0f;  // beyond it exp leaves the normal numbers
    static constexpr float tanh = 9.02f;     // beyond it tanh rounds to 1
    static constexpr float exp_low = -87.3365447505531f;
    static constexpr float exp_high = 88.7228391116729f;
};

template <>
struct Range<double> {
    static constexpr double ln2_high = 0x1.62e42feep-1;  // 32 bits
    static constexpr double ln2_low = 1.90821492927058770002e-10;
    static constexpr double sigmoid = 708.0;
    static constexpr double tanh = 19.1;
    static constexpr double exp_low = -708.396418532264106;
    static constexpr double exp_high = 709.782712893383973;
};

template <class T>
using Reg = typename Vector<T>::V;

// c[0] + c[1] x + c[2] x^2 + ...
template <class T, int N>
ELMAN_INLINE Reg<T> polynomial(Reg<T> x, const T (&c)[N]) {
    using S = Vector<T>;
    Reg<T> sum = S::set(c[N - 1]);
    ELMAN_UNROLL
    for (int i = N - 2; i >= 0; --i) sum = S::fma(sum, x, S::set(c[i]));
    return sum;
}

// (e^f - 1 - f) / f^2 for |f| <= ln(2) / 2, by interpolation in Chebyshev's points.
ELMAN_INLINE Reg<float> exp_tail(Reg<float> f) {
    const float c[] = {0.5f, 0.16666576305560638271f, 0.041666553762567638397f, 0.0083632927530306023112f,
                       0.00139263256181334621f};
    return polynomial<float>(f, c);
}

ELMAN_INLINE Reg<double> exp_tail(Reg<double> f) {
    const double c[] = {0.5,
                        0.16666666666666671074,
                        0.041666666666666669814,
                        0.0083333333333260249508,
                        0.0013888888888883669627,
                        0.00019841269875205076848,
                        0.00002480158732582228205,
                        2.7557254913486702019e-6,
                        2.7557273295539724343e-7,
                        2.5105419192016336433e-8,
                        2.0914831351380410561e-9};
    return polynomial<double>(f, c);
}

// e^x = (1 + rest) * 2^n with an integer n and |rest| < 0.42.
template <class T>
struct Split {
    Reg<T> rest, n;
};

template <class T>
ELMAN_INLINE Split<T> split_exp(Reg<T> x) {
    using S = Vector<T>;
    const Reg<T> n = S::round(x * S::set(T(1.44269504088896340736)));
    Reg<T> f = S::fnma(n, S::set(Range<T>::ln2_high), x);
    f = S::fnma(n, S::set(Range<T>::ln2_low), f);
    return {S::fma(f * f, exp_tail(f), f), n};
}

template <class T>
ELMAN_INLINE Reg<T> clamp(Reg<T> x, T bound) {  // NaN stays NaN
    using S = Vector<T>;
    return S::max(S::set(-bound), S::min(S::set(bound), x));
}

template <class T>
ELMAN_INLINE Reg<T> sigmoid(Reg<T> x) {
    using S = Vector<T>;
    const Split<T> e = split_exp<T>(S::negate(clamp<T>(x, Range<T>::sigmoid)));
    return S::reciprocal(S::scale(S::set(1) + e.rest, e.n) + S::set(1));
}

template <class T>
ELMAN_INLINE Reg<T> tanh(Reg<T> x) {
    using S = Vector<T>;
    const Reg<T> y = clamp<T>(x, Range<T>::tanh);
    const Split<T> e = split_exp<T>(y + y);
    const Reg<T> power = S::scale(S::set(1), e.n);
    const Reg<T> less_one = S::fma(power, e.rest, power - S::set(1));  // e^2x - 1, exact to the last bits near zero
    return less_one * S::reciprocal(less_one + S::set(2));
}

template <class T>
ELMAN_INLINE Reg<T> exp(Reg<T> x) {
    using S = Vector<T>;
    const Reg<T> low = S::set(Range<T>::exp_low), high = S::set(Range<T>::exp_high);
    const Split<T> e = split_exp<T>(S::max(low, S::min(high, x)));
    const Reg<T> half = S::round(e.n * S::set(T(0.5)));  // 2^n itself may overflow
    Reg<T> y = S::scale(S::scale(S::set(1) + e.rest, half), e.n - half);
    y = S::select(x > high, S::set(S::infinity), y);
    return S::select(x < low, S::set(0), y);
}

// e^x - 1, exact to the last bits near zero: 2^n (rest + (1 - 2^-n)).
template <class T>
ELMAN_INLINE Reg<T> expm1(Reg<T> x) {
    using S = Vector<T>;
    const Reg<T> low = S::set(Range<T>::exp_low), high = S::set(Range<T>::exp_high);
    const Split<T> e = split_exp<T>(S::max(low, S::min(high, x)));
    const Reg<T> one = S::scale(S::set(1), S::negate(S::min(S::set(60), e.n)));  // from there on, 1 is rounded off
    const Reg<T> half = S::round(e.n * S::set(T(0.5)));
    const Reg<T> y = S::scale(S::scale(e.rest + (S::set(1) - one), half), e.n - half);
    return S::select(x > high, S::set(S::infinity), y);
}

// To the nearest whole number, ties to even. Numbers from `limit` on are whole.
template <class T>
ELMAN_INLINE Reg<T> nearest(Reg<T> x) {
    using S = Vector<T>;
    const Reg<T> limit = S::set(S::Portable::B::round / T(1.5)), size = S::abs(x);
    return S::select(size < limit, S::copysign((size + limit) - limit, x), x);
}

// 2 atanh(s) = 2 s + s^3 L(s^2) for s = (m - 1) / (m + 1)
ELMAN_INLINE Reg<float> log_tail(Reg<float> z) {
    const float c[] = {0.66666666552746509349f, 0.40000123268801806806f, 0.28550659006236503551f,
                       0.23334861788861383848f};
    return polynomial<float>(z, c);
}

ELMAN_INLINE Reg<double> log_tail(Reg<double> z) {
    const double c[] = {0.66666666666666666668, 0.39999999999999992264, 0.28571428571435546466,
                        0.22222222219802776975, 0.18181818601794715153, 0.15384574494198879028,
                        0.13335666223334201718, 0.11687507354742134393, 0.11887571911501181414};
    return polynomial<double>(z, c);
}

template <class T>
ELMAN_INLINE Reg<T> log(Reg<T> x) {
    using S = Vector<T>;
    using I = typename S::I;
    // x = m * 2^n with m from sqrt(1/2) to sqrt(2)
    const I half = (I)S::set(T(0.70710678118654752440));
    const I shifted = (I)x - half;
    const I exponent = shifted >> S::mantissa;
    const Reg<T> m = (Reg<T>)((shifted & S::fraction) + half);
    const Reg<T> n = __builtin_convertvector(exponent, Reg<T>);
    const Reg<T> f = m - S::set(1);
    const Reg<T> s = f / (f + S::set(2));
    const Reg<T> z = s * s;
    Reg<T> y = S::fma(s * z, log_tail(z), s + s);
    y = S::fma(n, S::set(Range<T>::ln2_low), y);
    y = S::fma(n, S::set(Range<T>::ln2_high), y);
    y = S::select(x < S::set(S::infinity), y, x);  // infinity and NaN stay
    y = S::select(x < S::set(S::smallest), S::set(-S::infinity), y);
    return S::select(x < S::set(0), S::set(S::nan), y);
}

// What 1 + x rounds off is made good by a factor.
template <class T>
ELMAN_INLINE Reg<T> log1p(Reg<T> x) {
    using S = Vector<T>;
    const Reg<T> u = S::set(1) + x;
    const Reg<T> less = u - S::set(1);
    const Reg<T> scaled = log<T>(u) * (x / less);
    return S::select((less == S::set(0)) | (x == S::set(S::infinity)), x, scaled);
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
