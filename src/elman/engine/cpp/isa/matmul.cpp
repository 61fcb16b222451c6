// Products of rows with packed panels, by register blocks.
// Knows one panel and some rows; who packs, and in what order panels are visited, is the caller's business.

#include "../kernels.h"
#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

constexpr int WIDEST = Vector<float>::registers == 32 ? 4 : 3;
// For a row by itself: as many sums as hide how long each takes. With 16 registers these are more than a panel has for
// several rows; 4 vectors in the 4 cycles of a multiply-add are the 64 bytes per cycle that a second-level cache gives.
constexpr int WIDEST_ALONE = Vector<float>::registers == 32 ? 4 : 8;
// Where several rows meet such a panel, they take so many of its vectors at a time.
constexpr int PART = 2;

// Rows of a register block: rows * vectors sums, a vector of the panel each, one of the left side.
// Measured on 32 registers: 6 x 4 reaches 97 % of the multiply-adds; 8 x 3 is 13-22 % ahead of it for 7 or 8 rows.
constexpr int height(int vectors) {
    if (Vector<float>::registers == 32) return vectors == 4 ? 6 : vectors == 3 ? 8 : 12;
    return vectors > 3 ? 1 : vectors == 3 ? 4 : vectors == 2 ? 6 : 8;
}

// While a panel is multiplied with block after block of rows, the next one is fetched: of its VECTORS lines for each k,
// every block of rows takes a few.
constexpr int FETCH = 1;

template <class T, int ROWS, int VECTORS>
struct Block {
    using S = Vector<T>;
    using V = typename S::V;
    V sum[ROWS][VECTORS];

    ELMAN_INLINE bool last(int v) { return v == VECTORS - 1; }

    __attribute__((always_inline)) void begin(const T* init, i64 ldi, typename S::Mask mask) {
        ELMAN_UNROLL
        for (int i = 0; i < ROWS; ++i) {
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) {
                if (init == nullptr) sum[i][v] = S::set(0);
                else if (last(v)) sum[i][v] = S::load(init + i * ldi + v * S::W, mask);
                else sum[i][v] = S::load(init + i * ldi + v * S::W);
            }
        }
    }

    // In the order of k, whatever the height of the block: a row's result does not depend on its neighbours. (Sums of
    // their own for odd k would hide the latency of a single row; wider panels do as well.)
    // `ahead`: FETCH lines for every k are fetched from there. The rows of the panel are `width` apart.
    __attribute__((always_inline)) void add(const T* a, i64 lda, const T* panel, i64 width, i64 k, const char* ahead) {
        for (i64 at = 0; at < k; ++at) {
            for (int line = 0; line < FETCH; ++line) __builtin_prefetch(ahead + (at * FETCH + line) * 64, 0, 2);
            step(sum, a + at, lda, panel + at * width);
        }
    }

    // The same of k pairs.
    __attribute__((always_inline)) void add_dots(const T* a, i64 lda, const T* panel, i64 k, const char* ahead) {
        for (i64 at = 0; at < k; ++at, panel += VECTORS * S::W) {
            for (int line = 0; line < FETCH; ++line) __builtin_prefetch(ahead + (at * FETCH + line) * 64, 0, 2);
            V b[VECTORS];
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) b[v] = S::load(panel + v * S::W);
            ELMAN_UNROLL
            for (int i = 0; i < ROWS; ++i) {
                const V x = S::set(a[i * lda + at]);
                ELMAN_UNROLL
                for (int v = 0; v < VECTORS; ++v) sum[i][v] = S::dot(x, b[v], sum[i][v]);
            }
        }
    }

    // The same with a panel of bfloat16, of which two rows lie in each of its own.
    __attribute__((always_inline)) void add_bfloat16(const T* a, i64 lda, const T* panel, i64 k, const char* ahead) {
        for (i64 at = 0; at < k; at += 2, panel += VECTORS * S::W) {
            for (int line = 0; line < FETCH; ++line) __builtin_prefetch(ahead + (at / 2 * FETCH + line) * 64, 0, 2);
            V b[VECTORS];
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) b[v] = S::first_half(S::load(panel + v * S::W));
            multiply(sum, a + at, lda, b);
            if (at + 1 == k) break;
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) b[v] = S::second_half(S::load(panel + v * S::W));
            multiply(sum, a + at + 1, lda, b);
        }
    }

    // The same with a panel of int8; the sums are multiples of its scale.
    __attribute__((always_inline)) void add_int8(const T* a, i64 lda, const int8_t* panel, i64 k, const char* ahead) {
        for (i64 at = 0; at < k; ++at, panel += VECTORS * S::W) {
            if (at % 4 == 0) __builtin_prefetch(ahead + at / 4 * FETCH * 64, 0, 2);
            V b[VECTORS];
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) b[v] = S::load_int8(panel + v * S::W);
            multiply(sum, a + at, lda, b);
        }
    }

    // init + scale * sums instead of the sums.
    __attribute__((always_inline)) void rescale(const T* init, i64 ldi, typename S::Mask mask, const T* scale) {
        ELMAN_UNROLL
        for (int v = 0; v < VECTORS; ++v) {
            const V factor = S::load(scale + v * S::W);
            ELMAN_UNROLL
            for (int i = 0; i < ROWS; ++i) {
                V before = S::set(0);
                if (init != nullptr)
                    before = last(v) ? S::load(init + i * ldi + v * S::W, mask) : S::load(init + i * ldi + v * S::W);
                sum[i][v] = S::fma(factor, sum[i][v], before);
            }
        }
    }

    ELMAN_INLINE void step(V (&sums)[ROWS][VECTORS], const T* a, i64 lda, const T* panel) {
        V b[VECTORS];
        ELMAN_UNROLL
        for (int v = 0; v < VECTORS; ++v) b[v] = S::load(panel + v * S::W);
        multiply(sums, a, lda, b);
    }

    ELMAN_INLINE void multiply(V (&sums)[ROWS][VECTORS], const T* a, i64 lda, const V (&b)[VECTORS]) {
        ELMAN_UNROLL
        for (int i = 0; i < ROWS; ++i) {
            const V x = S::set(a[i * lda]);
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) sums[i][v] = S::fma(x, b[v], sums[i][v]);
        }
    }

    __attribute__((always_inline)) void end(T* out, i64 ldo, typename S::Mask mask, bool whole) const {
        ELMAN_UNROLL
        for (int i = 0; i < ROWS; ++i) {
            ELMAN_UNROLL
            for (int v = 0; v < VECTORS; ++v) {
                T* p = out + i * ldo + v * S::W;
                if (last(v) && !whole) S::store(p, sum[i][v], mask);
                else S::store(p, sum[i][v]);
            }
        }
    }
};

// Where a block lies: its first row, the number of blocks before it, and of a panel `width` columns wide the first one.
struct At {
    i64 row;
    int number;
    i64 column;
    i64 width;
};

template <class T, int ROWS, int VECTORS, Storage STORAGE, bool PARTLY>
void block(const Source<T>* sources, int count, At at, const T* init, i64 ldi, T* out, i64 ldo, int columns) {
    using S = Vector<T>;
    const int lanes = columns - (VECTORS - 1) * S::W;
    const typename S::Mask mask = S::mask(lanes);
    const bool whole = lanes == S::W;
    const i64 width = PARTLY ? at.width : VECTORS * S::W;
    const auto ahead = [&](const Source<T>& it, i64 deep) {
        return (const char*)it.next + (at.number * FETCH < VECTORS ? at.number * FETCH * deep * 64 : 0);
    };
    Block<T, ROWS, VECTORS> sums;
    if constexpr (STORAGE == Storage::int8) {  // each term is scaled by itself
        for (int s = 0; s < count; ++s) {
            const Source<T>& it = sources[s];
            sums.begin(nullptr, 0, mask);
            sums.add_int8(it.a + at.row * it.lda, it.lda, (const int8_t*)it.panel, it.k, ahead(it, it.k / 4));
            sums.rescale(s == 0 ? init : out, s == 0 ? ldi : ldo, mask, it.scale);
            sums.end(out, ldo, mask, whole);
        }
        return;
    }
    sums.begin(init, ldi, mask);
    for (int s = 0; s < count; ++s) {
        const Source<T>& it = sources[s];
        const i64 deep = STORAGE == Storage::own ? it.k : pairs_of(it.k);
        const T* a = it.a + at.row * it.lda;
        if constexpr (STORAGE == Storage::pairs) sums.add_dots(a, it.lda, it.panel, deep, ahead(it, deep));
        else if constexpr (STORAGE == Storage::bfloat16) sums.add_bfloat16(a, it.lda, it.panel, it.k, ahead(it, deep));
        else sums.add(a, it.lda, it.panel + at.column, width, it.k, ahead(it, deep));
    }
    sums.end(out, ldo, mask, whole);
}

template <class T>
using Function = void (*)(const Source<T>*, int, At, const T*, i64, T*, i64, int);

template <class T, Storage STORAGE, bool PARTLY, int VECTORS, int ROWS = 1>
Function<T> of_rows(int rows) {
    if constexpr (ROWS < height(VECTORS))
        if (rows != ROWS) return of_rows<T, STORAGE, PARTLY, VECTORS, ROWS + 1>(rows);
    return block<T, ROWS, VECTORS, STORAGE, PARTLY>;
}

template <class T, Storage STORAGE, bool PARTLY = false, int VECTORS = 1>
Function<T> choose(int rows, int vectors) {
    constexpr int most = PARTLY ? PART : STORAGE == Storage::own ? WIDEST_ALONE : WIDEST;
    if constexpr (VECTORS < most)
        if (vectors != VECTORS) return choose<T, STORAGE, PARTLY, VECTORS + 1>(rows, vectors);
    return of_rows<T, STORAGE, PARTLY, VECTORS>(rows);
}

// All rows with some vectors of a panel of `width` columns.
template <class T, Storage STORAGE, bool PARTLY = false>
void multiply_by(const Source<T>* sources, int count, i64 rows, i64 column, i64 width, const T* init, i64 ldi, T* out,
                 i64 ldo, int columns) {
    const int vectors = (columns + Vector<T>::W - 1) / Vector<T>::W;
    const int most = height(vectors);
    i64 blocks = (rows + most - 1) / most;  // of nearly equal height: 6 + 5 + 5, not 6 + 6 + 4
    int number = 0;
    for (i64 row = 0; blocks > 0; --blocks, ++number) {
        const int here = int((rows - row + blocks - 1) / blocks);
        choose<T, STORAGE, PARTLY>(here, vectors)(sources, count, {row, number, column, width},
                                                  init == nullptr ? nullptr : init + row * ldi, ldi, out + row * ldo,
                                                  ldo, columns);
        row += here;
    }
}

template <class T, Storage STORAGE>
void multiply(const Source<T>* sources, int count, i64 rows, const T* init, i64 ldi, T* out, i64 ldo, int columns) {
    constexpr int W = Vector<T>::W;
    if constexpr (STORAGE == Storage::own && WIDEST_ALONE > WIDEST)
        if (rows > 1 && columns > WIDEST * W) {
            for (int column = 0; column < columns; column += PART * W)
                multiply_by<T, STORAGE, true>(sources, count, rows, column, (columns + W - 1) / W * W,
                                              init == nullptr ? nullptr : init + column, ldi, out + column, ldo,
                                              columns - column < PART * W ? columns - column : PART * W);
            return;
        }
    multiply_by<T, STORAGE>(sources, count, rows, 0, 0, init, ldi, out, ldo, columns);
}

// A block of W rows and up to W columns, transposed.
template <class T>
ELMAN_INLINE void transpose(const T* from, i64 ld, int rows, int columns, T* to, i64 ldt) {
    using S = Vector<T>;
    using V = typename S::V;
    V x[S::W], y[S::W];
    const auto mask = S::mask(columns);
    ELMAN_UNROLL
    for (int i = 0; i < S::W; ++i)
        x[i] = i >= rows ? S::set(0) : columns == S::W ? S::load(from + i * ld) : S::load(from + i * ld, mask);
    ELMAN_UNROLL
    for (int distance = 1; distance < S::W; distance *= 2) {
        ELMAN_UNROLL
        for (int i = 0; i < S::W / 2; ++i) {
            y[2 * i] = S::zip_low(x[i], x[i + S::W / 2]);
            y[2 * i + 1] = S::zip_high(x[i], x[i + S::W / 2]);
        }
        ELMAN_UNROLL
        for (int i = 0; i < S::W; ++i) x[i] = y[i];
    }
    ELMAN_UNROLL
    for (int i = 0; i < S::W; ++i) {
        if (i < columns) S::store(to + i * ldt, x[i]);
    }
}

template <class T>
void pack(const Matrix<T>& matrix, i64 first, int columns, T* panel) {
    constexpr int W = Vector<T>::W;
    const int width = (columns + W - 1) / W * W;
    if (matrix.transposed) {
        for (int j = 0; j < columns; j += W)
            for (i64 k = 0; k < matrix.rows; k += W) {
                const int wide = columns - j < W ? columns - j : W;
                const int deep = matrix.rows - k < W ? int(matrix.rows - k) : W;
                transpose(matrix.data + (first + j) * matrix.ld + k, matrix.ld, wide, deep, panel + k * width + j,
                          width);
            }
        return;
    }
    using S = Vector<T>;
    const auto mask = S::mask(columns - (width - W));
    for (i64 k = 0; k < matrix.rows; ++k) {
        const T* from = matrix.data + k * matrix.ld + first;
        T* to = panel + k * width;
        for (int j = 0; j + W < width; j += W) S::store(to + j, S::load(from + j));
        S::store(to + width - W, S::load(from + width - W, mask));
    }
}

void pair_rows(const float* panel, i64 k, i64 width, float* pairs) {
    using S = Vector<float>;
    for (i64 row = 0; row < k; row += 2, panel += 2 * width, pairs += width)
        for (i64 j = 0; j < width; j += S::W)
            S::store(pairs + j, S::pair(S::load(panel + j), row + 1 < k ? S::load(panel + width + j) : S::set(0)));
}

void pair_columns(const float* a, i64 lda, i64 rows, i64 k, float* pairs, i64 ldp) {
    using S = Vector<float>;
    for (i64 row = 0; row < rows; ++row, a += lda, pairs += ldp) {
        i64 j = 0;
        for (; j + 2 * S::W <= k; j += 2 * S::W) S::store(pairs + j / 2, S::pair(a + j));
        if (j == k) continue;
        float rest[2 * S::W] = {};
        for (i64 i = j; i < k; ++i) rest[i - j] = a[i];
        S::store(pairs + j / 2, S::pair(rest), S::mask(int(pairs_of(k - j))));
    }
}

template <class T>
constexpr Matmul<T> table() {
    Matmul<T> it{Vector<T>::W,
                 WIDEST,
                 WIDEST_ALONE,
                 {0, height(1), height(2), height(3), WIDEST >= 4 ? height(4) : 0, 0},
                 multiply<T, Storage::own>,
                 nullptr,
                 nullptr,
                 nullptr,
                 pack<T>,
                 nullptr,
                 nullptr};
    if constexpr (sizeof(T) == sizeof(float)) {
        it.multiply_bfloat16 = multiply<T, Storage::bfloat16>;
        it.multiply_int8 = multiply<T, Storage::int8>;
        it.multiply_pairs = multiply<T, Storage::pairs>;
        it.pair_rows = pair_rows;
        it.pair_columns = pair_columns;
    }
    return it;
}

}  // namespace

extern const Matmul<float> matmul_float = table<float>();
extern const Matmul<double> matmul_double = table<double>();

}  // namespace ELMAN_ISA
}  // namespace elman
