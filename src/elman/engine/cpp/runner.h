// One thread's share of a time step, or of a few steps together: the segments of a program on some rows and some
// column tiles. Knows these steps; the loop over time and the division among threads are in loop.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "job.h"
#include "pairs.h"

namespace elman {

// A time step of a thread's rows, up to one.
template <class T>
struct Step {
    i64 t;
    i64 end;
    typename Job<T>::Before before;
};

// Some of them, in the order in which they are taken, of SUPER_BLOCK rows at most if there are several.
template <class T>
struct Steps {
    size_t count = 0;
    std::array<Step<T>, SUPER_BLOCK> each;
};

template <class T>
class Runner {
public:
    Runner(const Job<T>& job, i64 unit);

    // Fixes all addresses for some steps; several only if the job is run in groups.
    void at(const Steps<T>& steps);

    // Before each pass over the columns: visits them from the other end, if that is worth it.
    void turn() { falling = alternating && !falling; }
    // The first segment's products with the input, of all steps; what follows adds to them.
    void beforehand(Range tiles);
    void row_operations(int segment, size_t step);
    void tiles(int segment, Range tiles, size_t step);
    void tiles(int segment, Range tiles);  // of all steps

    // Whether a program is nothing but operations that find the same one step further on; and so many steps of it, from
    // the present one on, each with its usual step before it.
    bool streams() const { return streaming; }
    void stream(i64 steps, Range tiles);

    Range rows(const Step<T>& step) const { return {part.begin, step.end}; }
    i64 tiles_of(int segment) const { return job.tiles(work[0][0][size_t(segment)].columns); }

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
        int init;              // or -1
        const T* joined_init;  // what columns of several products begin with instead
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
        std::vector<int> reads;  // operands that products multiply
        std::vector<Operation<T>> row_operations;
        std::vector<Operation<T>> operations;
        std::vector<int> operands;
    };
    // An operand at a step: the address for row 0 and column 0.
    struct Address {
        T* at;
        i64 row;
    };
    // A step that is being taken: where its rows end, of this thread's, and the row of slots where they begin.
    struct Present {
        i64 end;
        i64 slot;
        Address* addresses;
    };

    // Which of its products a segment is prepared with: those that `beforehand` makes, or what is then left of them.
    enum Share { all, early, late };

    // Slots lie one after the other; in a narrower tile row by row, side by side, as joined products fill them. (Side
    // by side in all tiles, a GRU of 96 units takes 1.07 times as long with AVX2: rows are further apart.)
    void visit(i64 number, i64 columns) {
        here = number, begin = number * tile, wide = std::min(tile, columns - begin);
        slot_row = wide < tile ? job.program->slots * wide : tile;
        slot_apart = wide < tile ? wide : SUPER_BLOCK * tile;
    }
    using Shifts = std::array<i64, size_t(Site<T>::When::count)>;
    Shifts shifts(i64 t) const;
    bool is_early(const Product& product) const;
    Work prepare(const Segment& segment, Share share, bool falling) const;
    std::vector<Operation<T>> prepare(const std::vector<Instruction>& list) const;
    Pieces add_tile(const Segment& segment, Share share, Range columns, bool falling, Work& work) const;
    void add_products(const Product* products, Share share, Range columns, Work& work) const;
    bool products_are_packed() const;
    bool is_stream() const;
    Place<T> place(const Present& step, int operand, i64 row, i64 slot, i64 column) const;
    void pair(const Work& it, const Present& step, Range rows, i64 slot);
    void pair(const Work& it);
    Place<T> left_side(const Term& term, const Present& step, i64 row, i64 slot) const;
    void products(const Work& it, const Present& step, Range rows, i64 slot);
    void operations(const Work& it, const Present& step, Range rows, i64 slot);

    const Job<T>& job;
    const Batch& batch;
    const Range part;  // of the rows
    const Weights<T>& weights;
    const decltype(Matmul<T>::multiply) multiply;
    const i64 tile;
    const i64 tile_height;
    const i64 slice_rows;
    const i64 panel;
    i64 here = 0;        // the tile that is being visited
    i64 begin = 0;       // its first column
    i64 wide = 0;        // so many it has
    i64 slot_row = 0;    // of its slots, from one row to the next
    i64 slot_apart = 0;  // and from slot to slot
    std::vector<Site<T>> sites;
    std::vector<int> previous;  // operands that are states before the step
    bool contiguous = false;    // products_are_packed()
    bool streaming = false;     // is_stream()
    std::array<Present, SUPER_BLOCK> present;
    size_t count = 0;                 // of them are being taken
    const Present* packed = nullptr;  // the one whose rows those of all others follow in memory
    i64 packed_rows = 0;
    std::vector<Address> addresses;
    std::vector<Place<T>> places;
    std::vector<Source<T>> sources;
    std::unique_ptr<Pairs<T>> pairs;  // if products multiply them
    const typename Job<T>::Groups groups;
    const bool alternating;
    bool falling = false;
    bool begun = false;            // `beforehand` was there for the present steps
    std::vector<Work> work[3][2];  // by share, by whether columns are visited in falling order; then by segment
};

}  // namespace elman
