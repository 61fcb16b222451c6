#include "probe.h"

#include <algorithm>
#include <stdexcept>

#include "dispatch.h"
#include "float_environment.h"
#include "team.h"
#include "workspace.h"

namespace elman::probe {
namespace {

// Which operands of an operation are one number per row.
bool is_row(int code, int operand) {
    switch (code) {
        case 31:
        case 32:
        case 51: return operand == 0;
        case 33: return operand == 1;
        case 34:
        case 35:
        case 36: return operand == 2;
        case 46: return operand == 0 || operand == 2;
        case 37: return operand == 2 || operand == 3;
        case 38: return operand >= 3;
        default: return false;
    }
}

}  // namespace

template <class T>
void matmul(const Matrix<T>& b, const T* a, i64 rows, T* out, int vectors, bool in_pairs, int threads) {
    const Matmul<T>& kernel = kernels<T>().matmul;
    if (in_pairs && kernel.multiply_pairs == nullptr) throw std::invalid_argument("Only float is multiplied in pairs.");
    const int widest = in_pairs ? kernel.widest : kernel.widest_alone;
    const i64 width = i64(std::clamp(vectors, 1, widest)) * kernel.lanes;
    const i64 panels = (b.columns + width - 1) / width;
    const Workspace memory(size_t(panels * width * b.rows) * sizeof(T));
    T* packed = static_cast<T*>(memory.data());
    const i64 ldp = pairs_of(b.rows);
    std::vector<T> left(in_pairs ? size_t(rows * ldp) : 0);
    if (in_pairs) kernel.pair_columns(a, b.rows, rows, b.rows, left.data(), ldp);
    team::run(threads, [&](Member member) {
        for (i64 i = member.index; i < panels; i += member.count) {
            const int columns = int(std::min(width, b.columns - i * width));
            T* panel = packed + i * width * b.rows;
            kernel.pack(b, i * width, columns, panel);
            const Source<T> plain{a, b.rows, panel, b.rows, packed, nullptr};
            if (!in_pairs) {
                kernel.multiply(&plain, 1, rows, nullptr, 0, out + i * width, b.columns, columns);
                continue;
            }
            std::vector<T> paired(size_t(ldp * width));
            kernel.pair_rows(panel, b.rows, (columns + kernel.lanes - 1) / kernel.lanes * kernel.lanes, paired.data());
            const Source<T> source{left.data(), ldp, paired.data(), b.rows, paired.data(), nullptr};
            kernel.multiply_pairs(&source, 1, rows, nullptr, 0, out + i * width, b.columns, columns);
        }
    });
}

template <class T>
void apply(int code, const std::vector<T*>& operands, double k0, double k1, i64 rows, i64 columns) {
    Operation<T> op{kernels<T>().operations[code], {}, T(k0), T(k1)};
    Place<T> places[6] = {};
    for (int i = 0; i < 6 && i < int(operands.size()); ++i) {
        op.operands[i] = i;
        const bool sums = (code == 29 || code == 30) && i == 0;
        places[i] = {operands[size_t(i)], is_row(code, i) ? 1 : sums ? 0 : columns};
    }
    op.run(op, places, rows, columns);
}

std::vector<uint64_t> float_states(int threads) {
    std::vector<uint64_t> states(size_t(threads) + 2, NoDenormals::read());
    team::run(threads, [&](Member member) { states[size_t(member.index) + 1] = NoDenormals::read(); });
    states.back() = NoDenormals::read();
    return states;
}

template void matmul<float>(const Matrix<float>&, const float*, i64, float*, int, bool, int);
template void matmul<double>(const Matrix<double>&, const double*, i64, double*, int, bool, int);
template void apply<float>(int, const std::vector<float*>&, double, double, i64, i64);
template void apply<double>(int, const std::vector<double*>&, double, double, i64, i64);

}  // namespace elman::probe
