#include "pairs.h"

#include <algorithm>

#include "dispatch.h"

namespace elman {

// Rows are a line further apart than they are long, since powers of two would compete for the same few sets of the
// first-level cache.
template <class T>
Pairs<T>::Pairs(const Program& program, const Weights<T>& weights, i64 rows) : strips(program.operands.size()) {
    constexpr i64 line = 64 / i64(sizeof(T));
    for (const Segment& segment : program.segments)
        for (const Product& product : segment.products)
            for (const ProductSource& source : product.sources) {
                i64& k = strips[size_t(source.a)].k;
                k = std::max(k, weights.k(source.number));
            }
    i64 numbers = 0;
    for (Strip& it : strips) {
        if (it.k > 0) it.row = (pairs_of(it.k) + line - 1) / line * line + line;
        numbers += rows * it.row;
    }
    memory = std::make_unique<Workspace>(size_t(numbers) * sizeof(T));
    T* at = static_cast<T*>(memory->data());
    for (Strip& it : strips) it.at = at, at += rows * it.row;
}

template <class T>
void Pairs<T>::round(int operand, Place<T> from, i64 rows, i64 row) const {
    const Strip& it = strips[size_t(operand)];
    kernels<T>().matmul.pair_columns(from.at, from.row, rows, it.k, it.at + row * it.row, it.row);
}

template class Pairs<float>;
template class Pairs<double>;

}  // namespace elman
