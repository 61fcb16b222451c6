// What products multiply, rounded to pairs of bfloat16: rows of every operand that is one's left side.
// Knows operands and how many rows are taken together; not which ones, nor when.
#pragma once

#include <memory>
#include <vector>

#include "kernels.h"
#include "program.h"
#include "weights.h"
#include "workspace.h"

namespace elman {

template <class T>
class Pairs {
public:
    Pairs(const Program& program, const Weights<T>& weights, i64 rows);

    // So many rows from a place on, to be found at `row` and after it.
    void round(int operand, Place<T> from, i64 rows, i64 row) const;
    // Of a row, what begins with column `first`, an even one.
    Place<T> at(int operand, i64 row, i64 first) const {
        const Strip& it = strips[size_t(operand)];
        return {it.at + row * it.row + first / 2, it.row};
    }

private:
    struct Strip {
        T* at = nullptr;
        i64 row = 0;
        i64 k = 0;  // numbers that are multiplied, 0 if none is
    };
    std::vector<Strip> strips;  // by operand
    std::unique_ptr<Workspace> memory;
};

}  // namespace elman
