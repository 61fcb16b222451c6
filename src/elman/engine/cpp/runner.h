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
    i64 tiles_of(int segment) const { return (work[0][size_t(segment)].columns + tile - 1) / tile; }

private:
    // What a product multiplies: columns of operand `a` from `first` on, with k rows of packed weights.
    struct Term {
        int a;
        i64 first;
        const T* panel;
        i64 k;
        const T* next;  // what is multiplied with after this
        const T* scale;
    };
    // A slice of a product's terms on the columns of one panel.
    struct Piece {
        int out;
        int init;  // or -1
        i64 column;
        int columns;
        size_t term;  // the first
        size_t terms;
    };
    // Those of one tile.
    struct Pieces {
        size_t begin, end;
    };
    struct Work {
        i64 columns;
        std::vector<Piece> pieces;
        std::vector<Term> terms;
        std::vector<Pieces> tiles;
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
    Work prepare(const Segment& segment, bool falling) const;
    std::vector<Operation<T>> prepare(const std::vector<Instruction>& list) const;
    Pieces add_tile(const Segment& segment, Range columns, bool falling, Work& work) const;
    Place<T> place(int operand, i64 row, i64 super_begin, i64 column, i64 tile_begin) const;
    void products(const Work& it, size_t tile, Range rows, i64 tile_begin);
    void operations(const Work& it, Range super, Range columns);

    const Job<T>& job;
    const Batch& batch;
    const Weights<T>& weights;
    const decltype(Matmul<T>::multiply) multiply;
    const i64 tile;
    const i64 slice_rows;
    const i64 panel;
    std::vector<Site<T>> sites;
    std::vector<int> previous;  // operands that are states before the step
    std::vector<Address> addresses;
    std::vector<Place<T>> places;
    std::vector<Source<T>> sources;
    std::vector<Work> work[2];  // by whether columns are visited in falling order
    const bool alternating;
    bool falling = false;
};

}  // namespace elman
