#include "weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <type_traits>

#include "dispatch.h"
#include "team.h"

namespace elman {
namespace {

i64 round_up(i64 n, i64 to) { return (n + to - 1) / to * to; }

// Rows of numbers as multiples of a scale of their column, -127 to 127.
void in_bytes(const float* rows, i64 count, i64 width, int8_t* to, float* scales) {
    for (i64 column = 0; column < width; ++column) {
        float most = 0;
        bool finite = true;
        for (i64 row = 0; row < count; ++row) {
            const float size = std::fabs(rows[row * width + column]);
            most = std::max(most, size);
            finite = finite && std::isfinite(size);
        }
        scales[column] = finite ? most / 127 : NAN;
        for (i64 row = 0; row < count; ++row) {
            const float multiple = finite && most > 0 ? rows[row * width + column] / scales[column] : 0;
            to[row * width + column] = int8_t(std::lrint(multiple));
        }
    }
}

template <class F>
void each_source(const Program& program, const F& f) {
    for (const Segment& segment : program.segments)
        for (const Product& product : segment.products)
            for (const ProductSource& source : product.sources) f(source);
}

}  // namespace

template <class T>
Weights<T>::Weights(const Program& program, i64 inputs, const std::vector<const T*>& parameters, int vectors_of_panel,
                    int threads, Storage storage)
    : made_for(&instruction_set()), kept_as(storage), input_size(inputs) {
    if (storage != Storage::own && !std::is_same_v<T, float>)
        throw std::invalid_argument("Only weights of float can be kept as narrower numbers.");
    const Matmul<T>& kernel = kernels<T>().matmul;
    const int widest = storage == Storage::own ? kernel.widest_alone : kernel.widest;
    panel_width = i64(std::clamp(vectors_of_panel, 1, widest)) * kernel.lanes;
    lanes = kernel.lanes;
    memory = std::make_unique<Workspace>(size_t(lay_out(program)) * sizeof(T));
    add_up(program, parameters);
    take_samples(program, parameters);
    if (few_numbers()) take_hash(parameters, 1);

    struct Unit {
        const ProductSource* source;
        i64 column;
    };
    std::vector<Unit> units;
    i64 numbers = 0;
    each_source(program, [&](const ProductSource& source) {
        const Packed& it = packed[size_t(source.number)];
        numbers += it.k * it.columns;
        for (i64 column = 0; column < it.columns; column += panel_width) units.push_back({&source, column});
    });
    team::run(numbers < 16384 ? 1 : threads, [&](Member member) {
        for (size_t i = size_t(member.index); i < units.size(); i += size_t(member.count)) {
            const ProductSource& source = *units[i].source;
            pack(program, source, parameters[size_t(source.parameter)], units[i].column);
        }
    });
}

template <class T>
i64 Weights<T>::lay_out(const Program& program) {
    i64 total = 0;
    packed.resize(size_t(program.sources));
    each_source(program, [&](const ProductSource& source) {
        const Parameter& parameter = program.parameters[size_t(source.parameter)];
        const i64 block = program.size(parameter.block, input_size), row = program.size(parameter.row, input_size);
        Packed& it = packed[size_t(source.number)];
        it.offset = total;
        it.k = source.transposed ? block * i64(source.blocks.size()) : row;
        it.columns = source.transposed ? row : block;
        total += stored(it.k, round_up(it.columns, lanes));
        it.scales = total;
        if (kept_as == Storage::int8) total += round_up(it.columns, lanes);
    });
    for (const VectorSum& vector : program.vectors) {
        total = round_up(total, 16);
        vectors.push_back(total);
        total += program.size(vector.width, input_size);
    }
    return total;
}

template <class T>
void Weights<T>::pack(const Program& program, const ProductSource& source, const T* matrix, i64 column) const {
    const Matmul<T>& kernel = kernels<T>().matmul;
    const Parameter& parameter = program.parameters[size_t(source.parameter)];
    const i64 block = program.size(parameter.block, input_size), row = program.size(parameter.row, input_size);
    const Packed& it = packed[size_t(source.number)];
    const int columns = int(std::min(panel_width, it.columns - column));
    const i64 width = round_up(columns, kernel.lanes);
    T* panel = data() + it.offset + stored(it.k, column);
    std::vector<T> whole(kept_as == Storage::own ? 0 : size_t(it.k * width));
    T* to = kept_as == Storage::own ? panel : whole.data();
    for (int j : source.blocks) {
        const Matrix<T> block_of = source.transposed ? Matrix<T>{matrix + j * block * row, row, block, row, false}
                                                     : Matrix<T>{matrix + j * block * row, row, row, block, true};
        kernel.pack(block_of, column, columns, to);
        to += block_of.rows * width;
    }
    if constexpr (std::is_same_v<T, float>) {
        if (kept_as == Storage::bfloat16 || kept_as == Storage::pairs)
            kernel.pair_rows(whole.data(), it.k, width, panel);
        if (kept_as == Storage::int8)
            in_bytes(whole.data(), it.k, width, reinterpret_cast<int8_t*>(panel), data() + it.scales + column);
    }
}

template <class T>
void Weights<T>::add_up(const Program& program, const std::vector<const T*>& parameters) const {
    for (size_t v = 0; v < vectors.size(); ++v) {
        const i64 size = program.size(program.vectors[v].width, input_size);
        T* out = data() + vectors[v];
        std::fill(out, out + size, T(0));
        for (const ParameterBlock& term : program.vectors[v].terms) {
            const T* from = parameters[size_t(term.parameter)] + term.block * size;
            for (i64 i = 0; i < size; ++i) out[i] += from[i];
        }
    }
}

// Spread over all of a parameter's numbers, one in each of equal parts, and not all in one column.
template <class T>
void Weights<T>::take_samples(const Program& program, const std::vector<const T*>& parameters) {
    constexpr i64 most = 32;
    for (size_t p = 0; p < parameters.size(); ++p) {
        const Parameter& it = program.parameters[p];
        const i64 row = it.rank == 2 ? program.size(it.row, input_size) : 1;
        const i64 numbers = i64(it.blocks) * program.size(it.block, input_size) * row;
        const i64 part = std::max<i64>(1, numbers / most);
        sizes.push_back(numbers);
        for (i64 i = 0; i < std::min(most, numbers); ++i) {
            const i64 at = i * part + i * 40503 % part;
            samples.push_back({p, at, parameters[p][at]});
        }
    }
}

template <class T>
bool Weights<T>::few_numbers() const {
    constexpr i64 few = 32 << 10;  // bytes, of which a hash takes less than a microsecond
    return std::accumulate(sizes.begin(), sizes.end(), i64(0)) * i64(sizeof(T)) <= few;
}

template <class T>
bool Weights<T>::looks_like(const std::vector<const T*>& parameters) const {
    if (few_numbers()) return holds(parameters, 1);
    // By their bits, as a NaN equals nothing; and all of them, as every line is on its way before the first has come.
    bool same = made_for == &instruction_set();
    for (const Sample& it : samples) same &= std::memcmp(&it.value, &parameters[it.parameter][it.at], sizeof(T)) == 0;
    return same;
}

template <class T>
std::vector<uint64_t> Weights<T>::hash(const std::vector<const T*>& parameters, int threads) const {
    constexpr i64 piece = 16384;  // numbers
    struct Piece {
        const T* data;
        i64 count;
    };
    std::vector<Piece> pieces;
    for (size_t p = 0; p < parameters.size(); ++p)
        for (i64 at = 0; at < sizes[p]; at += piece)
            pieces.push_back({parameters[p] + at, std::min(piece, sizes[p] - at)});
    std::vector<uint64_t> all(pieces.size());
    team::run(pieces.size() < 8 ? 1 : threads, [&](Member member) {
        for (size_t i = size_t(member.index); i < pieces.size(); i += size_t(member.count))
            all[i] = instruction_set().hash(pieces[i].data, pieces[i].count * i64(sizeof(T)));
    });
    return all;
}

template <class T>
void Weights<T>::take_hash(const std::vector<const T*>& parameters, int threads) {
    hashes = hash(parameters, threads);
}

template <class T>
bool Weights<T>::holds(const std::vector<const T*>& parameters, int threads) const {
    return hashed() && made_for == &instruction_set() && hash(parameters, threads) == hashes;
}

template class Weights<float>;
template class Weights<double>;

}  // namespace elman
