// One thread's share of a time step: the segments of a program on some rows and some column tiles.
// Knows one step; the loop over time and the division among threads are in loop.cpp.
#pragma once

#include <vector>

#include "job.h"

namespace elman {

template <class T>
class Runner {
public:
    Runner(const Job<T>& job, i64 unit);

    // Fixes all addresses for step t.
    void at_step(i64 t, typename Job<T>::Before before);

    void row_operations(int segment, Range rows);
    void tiles(int segment, Range rows, Range tiles);
    i64 tiles_of(int segment) const { return (work[size_t(segment)].columns + tile - 1) / tile; }

private:
    struct Term {
        int a;
        int source;
        i64 k;
    };
    struct Sum {
        int out;
        int init;
        std::vector<Term> terms;
        i64 slices;  // of k, one after the other
    };
    struct Work {
        i64 columns;
        std::vector<Sum> products;
        std::vector<Operation<T>> row_operations;
        std::vector<Operation<T>> operations;
        std::vector<int> operands;
    };
    // An operand at the present step: the address for row 0 and column 0.
    struct Address {
        T* at;
        i64 row;
    };

    i64 moved(const Site<T>& site, i64 t) const;
    Work prepare(const Segment& segment) const;
    std::vector<Operation<T>> prepare(const std::vector<Instruction>& list) const;
    Place<T> place(int operand, i64 row, i64 super_begin, i64 column, i64 tile_begin) const;
    void products(const Work& it, Range rows, Range columns);
    void slice(const Sum& product, i64 number, i64 row, i64 column);
    const Term& term_after(const Work& it, size_t product, size_t term, i64& column, Range columns) const;
    void operations(const Work& it, Range super, Range columns);

    const Job<T>& job;
    const Batch& batch;
    const Weights<T>& weights;
    const Matmul<T>& matmul;
    const i64 tile;
    const i64 panel;
    std::vector<Site<T>> sites;
    std::vector<int> previous;  // operands that are states before the step
    std::vector<Address> addresses;
    std::vector<Place<T>> places;
    std::vector<Source<T>> sources;
    std::vector<Work> work;
};

}  // namespace elman
