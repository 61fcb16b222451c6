// The operations of programs on a tile: rows x columns that lie in the first-level cache.
// Knows one operation; their order is the interpreter's business. What each does is defined in docs/engine.md.
//
// Measured on 12 rows x 64 columns, nanoseconds for 16 floats (Zen 4): add, mul 0.8, fma and dsigmoid 1.1, sigmoid 3.3,
// tanh 4.0; in tiles of one row 2 to 2.6 times that.

#include "../kernels.h"
#include "functions.h"

extern "C" {
float erff(float) noexcept;
float sinf(float) noexcept;
float cosf(float) noexcept;
float atanf(float) noexcept;
double erf(double) noexcept;
double sin(double) noexcept;
double cos(double) noexcept;
double atan(double) noexcept;
}

namespace elman {
namespace ELMAN_ISA {
namespace {

// The value of every operation, from the vectors a, b, c of its operands and the immediates k.
template <class T>
struct Value {
    using S = Vector<T>;
    using V = typename S::V;

    ELMAN_INLINE V number(typename S::I which, V yes) { return S::select(which, yes, S::set(0)); }
    ELMAN_INLINE V truth(typename S::I which) { return number(which, S::set(1)); }

    // Of a NaN and a number, the NaN.
    ELMAN_INLINE V maximum(V a, V b) { return S::select(a == a, S::max(a, b), a); }
    ELMAN_INLINE V minimum(V a, V b) { return S::select(a == a, S::min(a, b), a); }

    ELMAN_INLINE V softplus(V a) {
        return S::max(S::set(0), a) + elman::ELMAN_ISA::log1p<T>(elman::ELMAN_ISA::exp<T>(S::negate(S::abs(a))));
    }
};

// Functions without a vector version: lane by lane.
template <class T, class F>
ELMAN_INLINE Reg<T> lanes(Reg<T> a, F f) {
    for (int i = 0; i < Vector<T>::W; ++i) a[i] = f(a[i]);
    return a;
}

// Visits the vectors of a tile: f(row, column, load, store), which load and store whole vectors or the last one's part.
template <class T>
struct Whole {
    using S = Vector<T>;
    ELMAN_INLINE Reg<T> load(const T* p, typename S::Mask) { return S::load(p); }
    ELMAN_INLINE void store(T* p, Reg<T> v, typename S::Mask) { S::store(p, v); }
    ELMAN_INLINE Reg<T> only(Reg<T> v, T, typename S::Mask) { return v; }
};

template <class T>
struct Part {
    using S = Vector<T>;
    ELMAN_INLINE Reg<T> load(const T* p, typename S::Mask m) { return S::load(p, m); }
    ELMAN_INLINE void store(T* p, Reg<T> v, typename S::Mask m) { S::store(p, v, m); }
    ELMAN_INLINE Reg<T> only(Reg<T> v, T rest, typename S::Mask m) {  // with `rest` in the other lanes
        T lanes[S::W];
        S::store(lanes, S::set(rest));
        S::store(lanes, v, m);
        return S::load(lanes);
    }
};

template <class T, class F>
ELMAN_INLINE void each(i64 rows, i64 columns, const F& f) {
    using S = Vector<T>;
    const i64 whole = columns / S::W * S::W;
    const typename S::Mask mask = S::mask(int(columns == whole ? S::W : columns - whole));
    if (columns == 4 * S::W) {
        for (i64 r = 0; r < rows; ++r) {
            ELMAN_UNROLL
            for (int v = 0; v < 4; ++v) f(Whole<T>(), r, i64(v * S::W), mask);
        }
        return;
    }
    for (i64 r = 0; r < rows; ++r) {
        for (i64 column = 0; column < whole; column += S::W) f(Whole<T>(), r, column, mask);
        if (whole < columns) f(Part<T>(), r, whole, mask);
    }
}

// An operation is a type with `of(a, b, c, k0, k1)`, and says how many of its operands it reads.
template <class T, class F>
void pointwise(const Operation<T>& op, const Place<T>* places, i64 rows, i64 columns) {
    const Place<T> o = places[op.operands[0]];
    const Place<T> a = F::reads > 0 ? places[op.operands[1]] : o;
    const Place<T> b = F::reads > 1 ? places[op.operands[2]] : o;
    const Place<T> c = F::reads > 2 ? places[op.operands[3]] : o;
    const Reg<T> k0 = Vector<T>::set(op.k0), k1 = Vector<T>::set(op.k1);
    each<T>(
        rows, columns, [=](auto part, i64 r, i64 column, auto mask) __attribute__((always_inline)) {
            Reg<T> x{}, y{}, z{};
            if constexpr (F::reads > 0) x = part.load(a.at + r * a.row + column, mask);
            if constexpr (F::reads > 1) y = part.load(b.at + r * b.row + column, mask);
            if constexpr (F::reads > 2) z = part.load(c.at + r * c.row + column, mask);
            part.store(o.at + r * o.row + column, F::of(x, y, z, k0, k1), mask);
        });
}

#define ELMAN_POINTWISE(name, count, ...)                                                                          \
    template <class T>                                                                                             \
    struct name##_ : Value<T> {                                                                                    \
        using S = Vector<T>;                                                                                       \
        using V = Reg<T>;                                                                                          \
        using Value<T>::number;                                                                                    \
        using Value<T>::truth;                                                                                     \
        static constexpr int reads = count;                                                                        \
        ELMAN_INLINE V of([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V c, [[maybe_unused]] V k0, \
                          [[maybe_unused]] V k1) {                                                                 \
            return __VA_ARGS__;                                                                                    \
        }                                                                                                          \
    };

ELMAN_POINTWISE(copy, 1, a)
ELMAN_POINTWISE(sigmoid, 1, elman::ELMAN_ISA::sigmoid<T>(a))
ELMAN_POINTWISE(tanh, 1, elman::ELMAN_ISA::tanh<T>(a))
ELMAN_POINTWISE(relu, 1, S::max(S::set(0), a))
ELMAN_POINTWISE(exp, 1, elman::ELMAN_ISA::exp<T>(a))
ELMAN_POINTWISE(log, 1, elman::ELMAN_ISA::log<T>(a))
ELMAN_POINTWISE(sqrt, 1, S::sqrt(a))
ELMAN_POINTWISE(rsqrt, 1, S::set(1) / S::sqrt(a))
ELMAN_POINTWISE(reciprocal, 1, S::set(1) / a)
ELMAN_POINTWISE(abs, 1, S::abs(a))
ELMAN_POINTWISE(sign, 1, truth(a > S::set(0)) - truth(a < S::set(0)))
ELMAN_POINTWISE(softplus, 1, Value<T>::softplus(a))
ELMAN_POINTWISE(nearest, 1, elman::ELMAN_ISA::nearest<T>(a))
ELMAN_POINTWISE(expm1, 1, elman::ELMAN_ISA::expm1<T>(a))
ELMAN_POINTWISE(log1p, 1, elman::ELMAN_ISA::log1p<T>(a))
ELMAN_POINTWISE(add, 2, a + b)
ELMAN_POINTWISE(sub, 2, a - b)
ELMAN_POINTWISE(mul, 2, a* b)
ELMAN_POINTWISE(div, 2, a / b)
ELMAN_POINTWISE(maximum, 2, Value<T>::maximum(a, b))
ELMAN_POINTWISE(minimum, 2, Value<T>::minimum(a, b))
ELMAN_POINTWISE(fma, 3, S::fma(a, b, c))
ELMAN_POINTWISE(fnma, 3, S::fnma(a, b, c))
ELMAN_POINTWISE(select, 3, S::select(a == S::set(0), c, b))
ELMAN_POINTWISE(affine, 1, S::fma(a, k0, k1))
ELMAN_POINTWISE(clamp, 1, S::min(k1, S::max(k0, a)))
ELMAN_POINTWISE(fill, 0, k0)
ELMAN_POINTWISE(inside, 1, truth((k0 <= a) & (a <= k1)))
ELMAN_POINTWISE(dsigmoid, 2, a* b*(S::set(1) - b))
ELMAN_POINTWISE(dtanh, 2, a* S::fnma(b, b, S::set(1)))
ELMAN_POINTWISE(drelu, 2, number(b > S::set(0), a))
ELMAN_POINTWISE(above, 2, S::select(a > b, S::set(1), number(a == b, S::set(T(0.5)))))
ELMAN_POINTWISE(greater, 2, truth(a > b))
ELMAN_POINTWISE(greater_equal, 2, truth(a >= b))
ELMAN_POINTWISE(equal, 2, truth(a == b))
ELMAN_POINTWISE(neg, 1, S::negate(a))
ELMAN_POINTWISE(erf, 1, lanes<T>(a, [](T x) { return sizeof(T) == 4 ? T(::erff(float(x))) : T(::erf(x)); }))
ELMAN_POINTWISE(sin, 1, lanes<T>(a, [](T x) { return sizeof(T) == 4 ? T(::sinf(float(x))) : T(::sin(x)); }))
ELMAN_POINTWISE(cos, 1, lanes<T>(a, [](T x) { return sizeof(T) == 4 ? T(::cosf(float(x))) : T(::cos(x)); }))
ELMAN_POINTWISE(atan, 1, lanes<T>(a, [](T x) { return sizeof(T) == 4 ? T(::atanf(float(x))) : T(::atan(x)); }))
#undef ELMAN_POINTWISE

// o[columns] += sum over rows of a, or of a * b.
template <class T, bool DOT>
void accumulate(const Operation<T>& op, const Place<T>* places, i64 rows, i64 columns) {
    const Place<T> o = places[op.operands[0]], a = places[op.operands[1]];
    const Place<T> b = DOT ? places[op.operands[2]] : a;
    each<T>(
        1, columns, [=](auto part, i64, i64 column, auto mask) __attribute__((always_inline)) {
            Reg<T> sum = part.load(o.at + column, mask);
            for (i64 r = 0; r < rows; ++r) {
                const Reg<T> x = part.load(a.at + r * a.row + column, mask);
                if constexpr (DOT) sum = Vector<T>::fma(x, part.load(b.at + r * b.row + column, mask), sum);
                else sum += x;
            }
            part.store(o.at + column, sum, mask);
        });
}

enum class Reduction { sum, dot, deviation, largest };

// o[row] += sum over columns of a, of a * b, or of (a + b)^2 with a number b per row; or the largest of it and a.
template <class T, Reduction KIND>
void reduce(const Operation<T>& op, const Place<T>* places, i64 rows, i64 columns) {
    using S = Vector<T>;
    const Place<T> o = places[op.operands[0]], a = places[op.operands[1]];
    constexpr bool two = KIND == Reduction::dot || KIND == Reduction::deviation, largest = KIND == Reduction::largest;
    const Place<T> b = two ? places[op.operands[2]] : a;
    const T least = -Vector<T>::infinity;
    for (i64 row = 0; row < rows; ++row) {
        Reg<T> sum = S::set(largest ? least : T(0));
        const T *x = a.at + row * a.row, *y = b.at + row * b.row;
        const Reg<T> shift = S::set(KIND == Reduction::deviation ? *y : T(0));
        each<T>(
            1, columns, [&](auto part, i64, i64 column, auto mask) __attribute__((always_inline)) {
                const Reg<T> value = part.load(x + column, mask);
                if constexpr (KIND == Reduction::sum) sum += value;
                else if constexpr (largest) sum = Value<T>::maximum(part.only(value, least, mask), sum);
                else if constexpr (KIND == Reduction::dot) sum = S::fma(value, part.load(y + column, mask), sum);
                else sum = S::fma(part.only(value + shift, T(0), mask), value + shift, sum);
            });
        T& out = o.at[row * o.row];
        if constexpr (largest) {
            T lanes[S::W];
            S::store(lanes, sum);
            for (const T lane : lanes) out = out >= lane || out != out ? out : lane;
        } else {
            out += S::sum(sum);
        }
    }
}

// Operations of a tile with one number per row: `of(x, y, s, t, u)` of the vectors and the row's numbers.
template <class T, class F>
void with_row(const Operation<T>& op, const Place<T>* places, i64 rows, i64 columns) {
    using S = Vector<T>;
    const Place<T> o = places[op.operands[0]];
    Place<T> tile[2] = {o, o}, row[3] = {o, o, o};
    for (int i = 0; i < F::tiles; ++i) tile[i] = places[op.operands[1 + F::tile[i]]];
    for (int i = 0; i < F::rows; ++i) row[i] = places[op.operands[1 + F::row[i]]];
    for (i64 r = 0; r < rows; ++r) {
        Reg<T> s{}, t{}, u{};
        s = S::set(row[0].at[r * row[0].row]);
        if constexpr (F::rows > 1) t = S::set(row[1].at[r * row[1].row]);
        if constexpr (F::rows > 2) u = S::set(row[2].at[r * row[2].row]);
        const T *x = tile[0].at + r * tile[0].row, *y = tile[1].at + r * tile[1].row;
        T* out = o.at + r * o.row;
        each<T>(
            1, columns, [=](auto part, i64, i64 column, auto mask) __attribute__((always_inline)) {
                Reg<T> a{}, b{};
                if constexpr (F::tiles > 0) a = part.load(x + column, mask);
                if constexpr (F::tiles > 1) b = part.load(y + column, mask);
                part.store(out + column, F::of(a, b, s, t, u), mask);
            });
    }
}

// Tiles and rows say which of a, b, c, d, e (0 to 4) are read as a tile and which as one number per row.
#define ELMAN_WITH_ROW(name, tile_count, tile_0, tile_1, row_count, row_0, row_1, row_2, ...)                     \
    template <class T>                                                                                            \
    struct name##_ {                                                                                              \
        using S = Vector<T>;                                                                                      \
        using V = Reg<T>;                                                                                         \
        static constexpr int tiles = tile_count, rows = row_count;                                                \
        static constexpr int tile[2] = {tile_0, tile_1}, row[3] = {row_0, row_1, row_2};                          \
        ELMAN_INLINE V of([[maybe_unused]] V x, [[maybe_unused]] V y, [[maybe_unused]] V s, [[maybe_unused]] V t, \
                          [[maybe_unused]] V u) {                                                                 \
            return __VA_ARGS__;                                                                                   \
        }                                                                                                         \
    };

ELMAN_WITH_ROW(spread, 0, 0, 0, 1, 0, 0, 0, s)
ELMAN_WITH_ROW(row_add, 1, 0, 0, 1, 1, 0, 0, x + s)
ELMAN_WITH_ROW(row_mul, 1, 0, 0, 1, 1, 0, 0, x* s)
ELMAN_WITH_ROW(row_fma, 2, 0, 2, 1, 1, 0, 0, S::fma(x, s, y))
ELMAN_WITH_ROW(row_norm, 1, 0, 0, 2, 1, 2, 0, (x - s) * t)
ELMAN_WITH_ROW(row_norm_grad, 2, 0, 1, 3, 2, 3, 4, S::fnma(y, t, x - s) * u)
#undef ELMAN_WITH_ROW

}  // namespace

#define ELMAN_TABLE(T)                                                                                               \
    {                                                                                                                \
        pointwise<T, copy_<T>>, pointwise<T, sigmoid_<T>>, pointwise<T, tanh_<T>>, pointwise<T, relu_<T>>,           \
            pointwise<T, exp_<T>>, pointwise<T, log_<T>>, pointwise<T, sqrt_<T>>, pointwise<T, rsqrt_<T>>,           \
            pointwise<T, reciprocal_<T>>, pointwise<T, abs_<T>>, pointwise<T, sign_<T>>, pointwise<T, softplus_<T>>, \
            pointwise<T, erf_<T>>, pointwise<T, add_<T>>, pointwise<T, sub_<T>>, pointwise<T, mul_<T>>,              \
            pointwise<T, div_<T>>, pointwise<T, maximum_<T>>, pointwise<T, minimum_<T>>, pointwise<T, fma_<T>>,      \
            pointwise<T, fnma_<T>>, pointwise<T, select_<T>>, pointwise<T, affine_<T>>, pointwise<T, clamp_<T>>,     \
            pointwise<T, fill_<T>>, pointwise<T, inside_<T>>, pointwise<T, dsigmoid_<T>>, pointwise<T, dtanh_<T>>,   \
            pointwise<T, drelu_<T>>, accumulate<T, false>, accumulate<T, true>, reduce<T, Reduction::sum>,           \
            reduce<T, Reduction::dot>, with_row<T, spread_<T>>, with_row<T, row_add_<T>>, with_row<T, row_mul_<T>>,  \
            with_row<T, row_fma_<T>>, with_row<T, row_norm_<T>>, with_row<T, row_norm_grad_<T>>,                     \
            pointwise<T, above_<T>>, pointwise<T, greater_<T>>, pointwise<T, greater_equal_<T>>,                     \
            pointwise<T, equal_<T>>, pointwise<T, neg_<T>>, pointwise<T, sin_<T>>, pointwise<T, cos_<T>>,            \
            reduce<T, Reduction::deviation>, pointwise<T, nearest_<T>>, pointwise<T, expm1_<T>>,                     \
            pointwise<T, log1p_<T>>, pointwise<T, atan_<T>>, reduce<T, Reduction::largest>                           \
    }

extern const decltype(Operation<float>::run) operations_float[OPERATIONS] = ELMAN_TABLE(float);
extern const decltype(Operation<double>::run) operations_double[OPERATIONS] = ELMAN_TABLE(double);

}  // namespace ELMAN_ISA
}  // namespace elman
