// Single kernels, laid open for tests and benchmarks. Nothing of the engine uses this.
#pragma once

#include <vector>

#include "kernels.h"

namespace elman::probe {

// out = a . b, row-major: packs b into panels, then multiplies.
template <class T>
void matmul(const Matrix<T>& b, const T* a, i64 rows, T* out, int vectors, bool in_pairs, int threads);

// One operation on contiguous rows of `columns` numbers; `operands` are o, a, b, c, d, e. Of an operation that reads
// row scalars, those are contiguous over the rows.
template <class T>
void apply(int code, const std::vector<T*>& operands, double k0, double k1, i64 rows, i64 columns);

// The control bits of the floating-point unit: before a job, inside of it on every thread of a team, and after it.
std::vector<uint64_t> float_states(int threads);

}  // namespace elman::probe
