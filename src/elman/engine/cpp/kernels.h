// What every instruction set provides: one table of functions for each type of number.
// Knows neither how they are written nor which of them the processor can run (dispatch.h).
#pragma once

#include <stdint.h>

namespace elman {

using i64 = int64_t;

// How matrices are kept, and multiplied: in the numbers that are computed with; as bfloat16, of which two rows of a
// panel lie in one, in the lower and the upper half of the bits of its numbers; as int8, a row of a panel in a fourth
// of the memory, with a scale for each column; or again as bfloat16, to be multiplied with rows of bfloat16 in `pairs`.
enum class Storage { own, bfloat16, int8, pairs };

// Pairs are two bfloat16 in the bits of one number, the first in the lower half. So many numbers make so many of them.
static inline constexpr i64 pairs_of(i64 numbers) { return (numbers + 1) / 2; }

// A term of a product: rows of `a`, `lda` apart, times a packed panel of k rows. `next` is a panel that will be wanted
// soon; it is fetched into the second-level cache meanwhile. `scale` is that of a panel of int8. Of pairs, `a` has
// those of neighbouring columns.
template <class T>
struct Source {
    const T* a;
    i64 lda;
    const T* panel;
    i64 k;
    const T* next;
    const T* scale;
};

// A matrix in memory of which panels are packed: element (i, j) is at data[i * ld + j], transposed at data[j * ld + i].
template <class T>
struct Matrix {
    const T* data;
    i64 ld;
    i64 rows;
    i64 columns;
    bool transposed;
};

// Products with weights packed in panels. A panel is some vectors of neighbouring columns; row i of it lies
// at i * (columns of this panel, rounded up to whole vectors), the columns past the last one zero.
template <class T>
struct Matmul {
    int lanes;         // numbers in a vector
    int widest;        // vectors in a panel at most
    int widest_alone;  // the same where a step has one row, of numbers of their own type; several take longer with it
    int height[6];     // by vectors in a panel: rows of a register block at most

    // out[r][0..columns) = init[r][...] + sum over sources of a[r][:] . panel, for all rows r. `init` may be null.
    void (*multiply)(const Source<T>* sources, int count, i64 rows, const T* init, i64 ldi, T* out, i64 ldo,
                     int columns);
    // The same with panels of narrower numbers. Null where T is not float, as all that follows but `pack`.
    decltype(multiply) multiply_bfloat16;
    decltype(multiply) multiply_int8;
    decltype(multiply) multiply_pairs;
    // The panel of the columns [first, first + columns) of an operand.
    void (*pack)(const Matrix<T>& matrix, i64 first, int columns, T* panel);
    // A panel of k rows, `width` apart, as one of pairs: each the nearest bfloat16, ties to even.
    void (*pair_rows)(const T* panel, i64 k, i64 width, T* pairs);
    // Rows of k numbers likewise, each as pairs of neighbours; a last one of an odd number has zero beside it.
    void (*pair_columns)(const T* a, i64 lda, i64 rows, i64 k, T* pairs, i64 ldp);
};

// out[m][j] (+)= sum over k of a[k][m] * b[k][j]: products over all time steps, for the gradients of weights.
// In the numbers themselves, or with both packed in pairs of neighbouring k.
template <class T>
struct Gradient {
    bool pairs;
    int lanes;   // numbers in a vector
    int height;  // rows m of a block
    int width;   // columns j of a panel
    int group;   // so many columns of `a`, whole blocks and whole vectors, are packed side by side

    // Columns [first, first + count) of k rows in parts of `part` columns, whole vectors, with zeros past the last one;
    // a part is [k][part], and follows the part before it. Row i begins at rows[i], null for zeros; or without such a
    // list at data + i * ld. In pairs, there are half as many rows of the same width in a part.
    void (*pack)(const T* data, i64 ld, const T* const* rows, i64 k, i64 first, i64 count, int part, T* packed);

    // One block of `a` (`height` columns, rows `lda` apart) with a packed one of `b` (`columns`, rounded up to whole
    // vectors), of k rows, of pairs if they are. Reads `height` columns of `a` even where only `rows` of them count.
    void (*multiply)(const T* a, i64 lda, const T* b, i64 k, int rows, int columns, T* out, i64 ldo, bool add);
};

// Where an operand's columns lie for the first row of a tile, and how far the next row is.
template <class T>
struct Place {
    T* at;
    i64 row;
};

// An operation of a program, ready to run: o, a, b, c, d, e by their number among the places of a tile.
template <class T>
struct Operation {
    void (*run)(const Operation& self, const Place<T>* places, i64 rows, i64 columns);
    int operands[6];
    T k0, k1;
};

constexpr int OPERATIONS = 52;  // codes as in docs/engine.md

// All that one instruction set provides for one type of number.
template <class T>
struct Kernels {
    Matmul<T> matmul;
    Gradient<T> gradient;
    Gradient<T> gradient_pairs;  // empty where T is not float
    decltype(Operation<T>::run) operations[OPERATIONS];
    // to[0..count) = scale * from[...], or scale where `from` is null; but 0 with the probability threshold / 2^16.
    void (*drop)(const T* from, T* to, i64 count, uint64_t seed, int threshold, T scale);
};

// Of all bits of some memory; by another instruction set it is another.
using Hash = uint64_t (*)(const void* data, i64 bytes);

struct InstructionSet {
    const char* name;
    bool multiplies_pairs;  // by instructions of its own, so that it pays
    Kernels<float> float32;
    Kernels<double> float64;
    Hash hash;
};

}  // namespace elman
