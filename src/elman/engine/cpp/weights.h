// The parameters of a layer as a program wants them: matrices in packed panels, vectors added up.
// Knows parameters and the program's products; neither rows nor time.
#pragma once

#include <memory>
#include <vector>

#include "kernels.h"
#include "plan.h"
#include "program.h"
#include "workspace.h"

namespace elman {

template <class T>
class Weights {
public:
    // `parameters` in the order of the program's table; they are not kept. Only matrices of float can be kept as
    // something narrower: as the nearest bfloat16, or as int8 if each row is multiples of a 127th of its largest value.
    Weights(const Program& program, i64 inputs, const std::vector<const T*>& parameters, const Plan& plan, int threads,
            Storage storage = Storage::own);

    // Whether parameters still hold what was packed: beyond doubt if they are few numbers, else as far as a look at a
    // few places of each can tell.
    bool looks_like(const std::vector<const T*>& parameters) const;
    // The same beyond doubt, by a hash of all bits, if it was taken when they were packed.
    void take_hash(const std::vector<const T*>& parameters, int threads);
    bool hashed() const { return !hashes.empty(); }
    bool holds(const std::vector<const T*>& parameters, int threads) const;

    i64 inputs() const { return input_size; }
    i64 lanes() const { return lane_count; }
    i64 panel_columns() const { return panel_width; }
    i64 tile_columns() const { return tile; }
    Storage storage() const { return kept_as; }
    bool in_pairs() const { return kept_as == Storage::pairs; }
    // The panel of so many columns that begins at a place, of the matrix of a source, from a row on, an even one. Of
    // joined products the first one's source has all columns: tile by tile, in each those of one product after another.
    const T* panel(int source, i64 place, i64 columns, i64 row) const {
        const Packed& it = packed[size_t(source)];
        return data() + it.offset + stored(it.k, place) + stored(row, whole_vectors(columns));
    }
    // Of the same columns, where matrices are kept as int8.
    const T* scale(int source, i64 place) const { return data() + packed[size_t(source)].scales + place; }
    // What joined products begin with, by the first one's first source: the last tile's columns, side by side.
    const T* joined_init(int source) const { return data() + packed[size_t(source)].joined_init; }
    i64 k(int source) const { return packed[size_t(source)].k; }
    const T* vector(int index) const { return data() + vectors[size_t(index)]; }

private:
    struct Packed {
        i64 offset;
        i64 scales;
        i64 joined_init;
        i64 k;
        i64 columns;  // of each of the joined products
    };
    // A panel to be packed: columns of joined products' sources, in one tile.
    struct Panel {
        const Product* products;
        size_t source;
        Range tile;
        i64 at;
        i64 columns;
    };
    T* data() const { return static_cast<T*>(memory->data()); }
    // So many rows of so many columns, whole vectors of them, take the memory of how many numbers.
    i64 stored(i64 rows, i64 columns) const {
        switch (kept_as) {
            case Storage::bfloat16:
            case Storage::pairs: return pairs_of(rows) * columns;
            case Storage::int8: return rows * columns / 4;
            default: return rows * columns;
        }
    }
    i64 lay_out(const Program& program);
    i64 whole_vectors(i64 columns) const { return (columns + lane_count - 1) / lane_count * lane_count; }
    std::vector<Panel> panels(const Program& program) const;
    void pack(const Program& program, const Panel& panel, const T* matrix) const;
    void pack_columns(const Program& program, const Panel& panel, const T* matrix, T* to) const;
    void join_vectors(const Program& program) const;
    void add_up(const Program& program, const std::vector<const T*>& parameters) const;
    bool few_numbers() const;
    void take_samples(const Program& program, const std::vector<const T*>& parameters);

    const InstructionSet* made_for;
    Storage kept_as;
    i64 input_size;
    i64 lane_count;
    i64 panel_width;
    i64 tile;
    std::vector<Packed> packed;
    std::vector<i64> vectors;
    struct Sample {
        size_t parameter;
        i64 at;
        T value;
    };
    std::vector<Sample> samples;
    std::vector<i64> sizes;        // of the parameters, in numbers
    std::vector<uint64_t> hashes;  // of pieces of them
    std::vector<uint64_t> hash(const std::vector<const T*>& parameters, int threads) const;
    std::unique_ptr<Workspace> memory;
};

}  // namespace elman
