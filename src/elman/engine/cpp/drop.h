// Random zeros in many numbers, by all threads. Knows numbers in a row; nothing of what they are.
#pragma once

#include <stdint.h>

#include "kernels.h"

namespace elman {

// to[i] = scale * from[i], or scale where `from` is null, but 0 with the probability threshold / 2^16. Which are zeros
// depends on the seed and on i alone: not on the type of number, the instruction set, or the threads.
template <class T>
void drop(const T* from, T* to, i64 count, uint64_t seed, int threshold, T scale, int threads);

}  // namespace elman
