// Vectors by the compiler's own vector types: what any instruction set can do, and the default for all of them.
// Knows no processor; a specialisation replaces what its processor does better.
//
// This and every other header of this folder is compiled once for each instruction set. All of it lies in an unnamed
// namespace, and nothing of the standard library with linkage is used: an inline function shared between instruction
// sets would be kept once by the linker, and might then run instructions that the processor does not have.
#pragma once

#include <stdint.h>

#ifndef ELMAN_ISA
#error "ELMAN_ISA names the instruction set that this file is compiled for"
#endif
#ifndef ELMAN_VECTOR_BYTES
#error "ELMAN_VECTOR_BYTES is the size of a vector of this instruction set"
#endif

#define ELMAN_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define ELMAN_UNROLL _Pragma("unroll")
#define ELMAN_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define ELMAN_UNROLL _Pragma("GCC unroll 32")
#define ELMAN_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, I{__VA_ARGS__})  // g++ has clang's from version 12 on
#endif

namespace elman {
namespace ELMAN_ISA {
namespace {

using i64 = int64_t;

template <class T>
struct Bits;

template <>
struct Bits<float> {
    typedef float V __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
    typedef int32_t I __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
    static constexpr int mantissa = 23;
    static constexpr int32_t bias = 127;
    static constexpr int32_t fraction = 0x007fffff;
    static constexpr float round = 0x1.8p23f;
    static constexpr float infinity = __builtin_inff();
    static constexpr float nan = __builtin_nanf("");
    static constexpr float smallest = 0x1p-126f;
};

template <>
struct Bits<double> {
    typedef double V __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
    typedef int64_t I __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
    static constexpr int mantissa = 52;
    static constexpr int64_t bias = 1023;
    static constexpr int64_t fraction = 0x000fffffffffffff;
    static constexpr double round = 0x1.8p52;
    static constexpr double infinity = __builtin_inf();
    static constexpr double nan = __builtin_nan("");
    static constexpr double smallest = 0x1p-1022;
};

template <class T>
struct Portable : Bits<T> {
    using B = Bits<T>;
    using V = typename B::V;
    using I = typename B::I;
    static constexpr int W = ELMAN_VECTOR_BYTES / int(sizeof(T));

    // The first lanes of a vector, 1 to W of them.
    using Mask = int;
    ELMAN_INLINE Mask mask(int lanes) { return lanes; }

    ELMAN_INLINE V set(T x) { return x - V{}; }  // exact for -0 too, so that it becomes a mere broadcast; 0 + x is not
    ELMAN_INLINE V load(const T* p) {
        V v;
        __builtin_memcpy(&v, p, sizeof v);
        return v;
    }
    ELMAN_INLINE void store(T* p, V v) { __builtin_memcpy(p, &v, sizeof v); }
    ELMAN_INLINE V load(const T* p, Mask m) {
        V v{};
        for (int i = 0; i < m; ++i) v[i] = p[i];
        return v;
    }
    ELMAN_INLINE void store(T* p, V v, Mask m) {
        for (int i = 0; i < m; ++i) p[i] = v[i];
    }

    // Two bfloat16 numbers in each lane, the first in the lower half of its bits: a bfloat16 is the upper half of a
    // float.
    ELMAN_INLINE V first_half(V pairs) { return (V)((I)pairs << 16); }
    ELMAN_INLINE V second_half(V pairs) { return (V)((I)pairs & ~0xffff); }
    // To the nearest, ties to even; a NaN stays one.
    ELMAN_INLINE V pair(V first, V second) {
        return (V)((nearest_bfloat16(first) >> 16 & 0xffff) | (nearest_bfloat16(second) & ~0xffff));
    }
    ELMAN_INLINE I nearest_bfloat16(V a) {
        const I bits = (I)a, known = a == a;
        return (known & (bits + 0x7fff + (bits >> 16 & 1))) | (~known & (bits | 0x400000));
    }
    // The same of 2 W neighbouring numbers.
    ELMAN_INLINE V pair(const T* p) {
        T first[W], second[W];
        for (int i = 0; i < W; ++i) first[i] = p[2 * i], second[i] = p[2 * i + 1];
        return pair(load(first), load(second));
    }
    // c + the products of both halves.
    ELMAN_INLINE V dot(V a, V b, V c) {
        return fma(first_half(a), first_half(b), fma(second_half(a), second_half(b), c));
    }
    ELMAN_INLINE V load_int8(const int8_t* p) {
        typedef int8_t Bytes __attribute__((vector_size(W)));
        Bytes bytes;
        __builtin_memcpy(&bytes, p, sizeof bytes);
        return __builtin_convertvector(__builtin_convertvector(bytes, I), V);
    }

    // Which lanes: all bits set or none, as a comparison gives them.
    ELMAN_INLINE V select(I which, V yes, V no) { return (V)((which & (I)yes) | (~which & (I)no)); }
    // Of a NaN and a number both give the second argument.
    ELMAN_INLINE V max(V a, V b) { return select(a > b, a, b); }
    ELMAN_INLINE V min(V a, V b) { return select(a < b, a, b); }
    ELMAN_INLINE V abs(V a) { return (V)((I)a & ~sign()); }
    ELMAN_INLINE V negate(V a) { return (V)((I)a ^ sign()); }
    ELMAN_INLINE V copysign(V a, V from) { return (V)(((I)a & ~sign()) | ((I)from & sign())); }
    ELMAN_INLINE I sign() { return (I)set(T(-0.0)); }

    // The compiler contracts these to one instruction where there is one.
    ELMAN_INLINE V fma(V a, V b, V c) { return a * b + c; }
    ELMAN_INLINE V fnma(V a, V b, V c) { return c - a * b; }

    ELMAN_INLINE V reciprocal(V a) { return set(1) / a; }
    ELMAN_INLINE V sqrt(V a) {
        for (int i = 0; i < W; ++i) a[i] = __builtin_sqrt(a[i]);
        return a;
    }

    // To the nearest integer, for |a| below 2^(mantissa - 1).
    ELMAN_INLINE V round(V a) { return (a + set(B::round)) - set(B::round); }
    // a * 2^n for an integer n with both 2^n and the result normal. The low bits of n + round are the integer n.
    ELMAN_INLINE V scale(V a, V n) {
        I integer = (I)(n + set(B::round));
        return a * (V)((integer + B::bias) << B::mantissa);
    }

    ELMAN_INLINE T sum(V a) {
        T x[W];
        store(x, a);
        for (int half = W / 2; half > 0; half /= 2)
            for (int i = 0; i < half; ++i) x[i] += x[i + half];
        return x[0];
    }

    // a0 b0 a1 b1 ... of the lower and of the upper halves.
    ELMAN_INLINE V zip_low(V a, V b) {
        if constexpr (W == 2) return ELMAN_SHUFFLE(a, b, 0, 2);
        else if constexpr (W == 4) return ELMAN_SHUFFLE(a, b, 0, 4, 1, 5);
        else if constexpr (W == 8) return ELMAN_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
        else return ELMAN_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    }
    ELMAN_INLINE V zip_high(V a, V b) {
        if constexpr (W == 2) return ELMAN_SHUFFLE(a, b, 1, 3);
        else if constexpr (W == 4) return ELMAN_SHUFFLE(a, b, 2, 6, 3, 7);
        else if constexpr (W == 8) return ELMAN_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
        else return ELMAN_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
