// The vectors of the instruction set that this file is compiled for: Vector<float> and Vector<double>.
#pragma once

#if defined(__AVX512F__) && ELMAN_VECTOR_BYTES == 64
#include "avx512.h"
#elif defined(__AVX2__) && ELMAN_VECTOR_BYTES == 32
#include "avx2.h"
#else

#include "portable.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class T>
struct Vector : Portable<T> {
#if defined(__aarch64__)
    static constexpr int registers = 32;
#else
    static constexpr int registers = 16;
#endif
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman

#endif
