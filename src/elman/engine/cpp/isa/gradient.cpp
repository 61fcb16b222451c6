// Products over all time steps, for the gradients of weights.
// Knows one block of them; blocking and threads are the caller's business.

#include "../kernels.h"
#include "vector.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

constexpr bool MANY = Vector<float>::registers == 32;
constexpr int HEIGHT = 6;
constexpr int VECTORS = MANY ? 4 : 2;

template <class T, bool PAIRS, int WIDE>
void block(const T* a, i64 lda, const T* b, i64 k, int rows, int columns, T* out, i64 ldo, bool add) {
    using S = Vector<T>;
    using V = typename S::V;
    V sum[HEIGHT][WIDE] = {};
    // What is added to afterwards is on its way meanwhile: 3 to 10 % with matrices beyond the second-level cache.
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < WIDE; ++v) __builtin_prefetch(out + i * ldo + v * S::W, 1, 3);
    for (i64 at = 0; at < k; ++at) {
        V panel[WIDE];
        ELMAN_UNROLL
        for (int v = 0; v < WIDE; ++v) panel[v] = S::load(b + (at * WIDE + v) * S::W);
        ELMAN_UNROLL
        for (int i = 0; i < HEIGHT; ++i) {
            const V x = S::set(a[at * lda + i]);
            ELMAN_UNROLL
            for (int v = 0; v < WIDE; ++v) {
                if constexpr (PAIRS) sum[i][v] = S::dot(x, panel[v], sum[i][v]);
                else sum[i][v] = S::fma(x, panel[v], sum[i][v]);
            }
        }
    }
    const auto mask = S::mask(columns - (WIDE - 1) * S::W);
    ELMAN_UNROLL
    for (int i = 0; i < HEIGHT; ++i) {
        ELMAN_UNROLL
        for (int v = 0; v < WIDE && i < rows; ++v) {
            T* p = out + i * ldo + v * S::W;
            if (v < WIDE - 1) S::store(p, add ? S::load(p) + sum[i][v] : sum[i][v]);
            else S::store(p, add ? S::load(p, mask) + sum[i][v] : sum[i][v], mask);
        }
    }
}

template <class T, bool PAIRS>
void multiply(const T* a, i64 lda, const T* b, i64 k, int rows, int columns, T* out, i64 ldo, bool add) {
    const int vectors = (columns + Vector<T>::W - 1) / Vector<T>::W;
    if (vectors == 1) block<T, PAIRS, 1>(a, lda, b, k, rows, columns, out, ldo, add);
    else if (vectors == 2) block<T, PAIRS, 2>(a, lda, b, k, rows, columns, out, ldo, add);
    else if constexpr (VECTORS > 2) {
        if (vectors == 3) block<T, PAIRS, 3>(a, lda, b, k, rows, columns, out, ldo, add);
        else block<T, PAIRS, 4>(a, lda, b, k, rows, columns, out, ldo, add);
    }
}

// `count` numbers, or zeros if there is no place that they come from; then zeros up to `part`.
template <class T>
ELMAN_INLINE void copy(const T* from, i64 count, T* to, int part) {
    using S = Vector<T>;
    if (from == nullptr) count = 0;
    int j = 0;
    for (; j + S::W <= count; j += S::W) S::store(to + j, S::load(from + j));
    if (j < count) S::store(to + j, S::load(from + j, S::mask(int(count - j)))), j += S::W;
    for (; j < part; j += S::W) S::store(to + j, S::set(0));
}

template <class T>
void pack(const T* data, i64 ld, const T* const* rows, i64 k, i64 first, i64 count, int part, T* packed) {
    for (i64 i = 0; i < k; ++i) {
        const T* row = rows == nullptr ? data + i * ld : rows[i];
        T* to = packed + i * part;
        for (i64 column = 0; column < count; column += part, to += k * part)
            copy<T>(row == nullptr ? nullptr : row + first + column, count - column < part ? count - column : part, to,
                    part);
    }
}

// `count` numbers of two rows, each zeros if there is none; then zeros up to `part`.
ELMAN_INLINE void copy_pairs(const float* first, const float* second, i64 count, float* to, int part) {
    using S = Vector<float>;
    const auto read = [&](const float* from, int j) {
        if (from == nullptr || j >= count) return S::set(0);
        return j + S::W <= count ? S::load(from + j) : S::load(from + j, S::mask(int(count - j)));
    };
    for (int j = 0; j < part; j += S::W) S::store(to + j, S::pair(read(first, j), read(second, j)));
}

void pack_pairs(const float* data, i64 ld, const float* const* rows, i64 k, i64 first, i64 count, int part,
                float* packed) {
    const auto row = [&](i64 i) { return i == k ? nullptr : rows == nullptr ? data + i * ld : rows[i]; };
    const auto from = [](const float* row, i64 column) { return row == nullptr ? nullptr : row + column; };
    for (i64 i = 0; i < k; i += 2) {
        float* to = packed + i / 2 * part;
        for (i64 column = 0; column < count; column += part, to += pairs_of(k) * part)
            copy_pairs(from(row(i), first + column), from(row(i + 1), first + column),
                       count - column < part ? count - column : part, to, part);
    }
}

template <class T>
constexpr Gradient<T> table(bool pairs, decltype(Gradient<T>::pack) pack, decltype(Gradient<T>::multiply) multiply) {
    constexpr int W = Vector<T>::W;
    static_assert(HEIGHT == 6 && W % 2 == 0, "a group is the least common multiple of both");
    return {pairs, W, HEIGHT, VECTORS * W, HEIGHT / 2 * W, pack, multiply};
}

}  // namespace

extern const Gradient<float> gradient_float = table<float>(false, pack<float>, multiply<float, false>);
extern const Gradient<float> gradient_pairs = table<float>(true, pack_pairs, multiply<float, true>);
extern const Gradient<double> gradient_double = table<double>(false, pack<double>, multiply<double, false>);

}  // namespace ELMAN_ISA
}  // namespace elman
