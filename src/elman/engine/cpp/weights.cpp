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

// Calls f with the first of all products that are joined.
template <class F>
void each_first(const Program& program, const F& f) {
    for (const Segment& segment : program.segments)
        for (const Product& product : segment.products)
            if (product.joined > 0) f(&product);
}

}  // namespace

template <class T>
Weights<T>::Weights(const Program& program, i64 inputs, const std::vector<const T*>& parameters, const Plan& plan,
                    int threads, Storage storage)
    : made_for(&instruction_set()), kept_as(storage), input_size(inputs) {
    if (storage != Storage::own && !std::is_same_v<T, float>)
        throw std::invalid_argument("Only weights of float can be kept as narrower numbers.");
    const Matmul<T>& kernel = kernels<T>().matmul;
    const int widest = storage == Storage::own ? kernel.widest_alone : kernel.widest;
    lane_count = kernel.lanes;
    panel_width = i64(std::clamp(plan.vectors, 1, widest)) * lane_count;
    tile = elman::tile_columns(program, plan, panel_width);
    memory = std::make_unique<Workspace>(size_t(lay_out(program)) * sizeof(T));
    add_up(program, parameters);
    join_vectors(program);
    take_samples(program, parameters);
    if (few_numbers()) take_hash(parameters, 1);

    const std::vector<Panel> all = panels(program);
    i64 numbers = 0;
    for (const Panel& it : all) numbers += packed[size_t(it.products->sources[it.source].number)].k * it.columns;
    team::run(numbers < 16384 ? 1 : threads, [&](Member member) {
        for (size_t i = size_t(member.index); i < all.size(); i += size_t(member.count)) {
            const ProductSource& source = all[i].products->sources[all[i].source];
            pack(program, all[i], parameters[size_t(source.parameter)]);
        }
    });
}

template <class T>
i64 Weights<T>::lay_out(const Program& program) {
    i64 total = 0;
    packed.resize(size_t(program.sources));
    each_first(program, [&](const Product* products) {
        const int joined = products->joined;
        for (size_t s = 0; s < products->sources.size(); ++s) {
            const ProductSource& source = products->sources[s];
            const Parameter& parameter = program.parameters[size_t(source.parameter)];
            const i64 block = program.size(parameter.block, input_size), row = program.size(parameter.row, input_size);
            Packed it;
            it.offset = total;
            it.k = source.transposed ? block * i64(source.blocks.size()) : row;
            it.columns = source.transposed ? row : block;
            total += stored(it.k, whole_vectors(joined * it.columns));
            it.scales = total;
            if (kept_as == Storage::int8) total += whole_vectors(joined * it.columns);
            it.joined_init = total;
            if (joined > 1 && s == 0) total += whole_vectors(joined * (it.columns % tile));
            for (int i = 0; i < joined; ++i) packed[size_t(products[i].sources[s].number)] = it;
        }
    });
    for (const VectorSum& vector : program.vectors) {
        total = round_up(total, 16);
        vectors.push_back(total);
        total += program.size(vector.width, input_size);
    }
    return total;
}

template <class T>
std::vector<typename Weights<T>::Panel> Weights<T>::panels(const Program& program) const {
    std::vector<Panel> all;
    each_first(program, [&](const Product* products) {
        for (size_t s = 0; s < products->sources.size(); ++s) {
            const i64 columns = packed[size_t(products->sources[s].number)].columns;
            for (i64 begin = 0; begin < columns; begin += tile) {
                const Range part{begin, std::min(begin + tile, columns)};
                in_panels(products->joined * part.size(), panel_width, lane_count, [&](i64 at, i64 wide) {
                    all.push_back({products, s, part, at, wide});
                });
            }
        }
    });
    return all;
}

template <class T>
void Weights<T>::pack(const Program& program, const Panel& panel, const T* matrix) const {
    const Matmul<T>& kernel = kernels<T>().matmul;
    const int number = panel.products->sources[panel.source].number;
    const Packed& it = packed[size_t(number)];
    const i64 width = whole_vectors(panel.columns), place = panel.products->joined * panel.tile.begin + panel.at;
    T* to = data() + it.offset + stored(it.k, place);
    std::vector<T> whole(kept_as == Storage::own ? 0 : size_t(it.k * width));
    pack_columns(program, panel, matrix, kept_as == Storage::own ? to : whole.data());
    if constexpr (std::is_same_v<T, float>) {
        if (kept_as == Storage::bfloat16 || kept_as == Storage::pairs) kernel.pair_rows(whole.data(), it.k, width, to);
        if (kept_as == Storage::int8)
            in_bytes(whole.data(), it.k, width, reinterpret_cast<int8_t*>(to), data() + it.scales + place);
    }
}

template <class T>
void Weights<T>::pack_columns(const Program& program, const Panel& panel, const T* matrix, T* to) const {
    const Matmul<T>& kernel = kernels<T>().matmul;
    const ProductSource& source = panel.products->sources[panel.source];
    const Parameter& parameter = program.parameters[size_t(source.parameter)];
    const i64 block = program.size(parameter.block, input_size), row = program.size(parameter.row, input_size);
    const int columns = int(panel.columns);
    if (source.transposed) {
        for (int j : source.blocks) {
            kernel.pack({matrix + j * block * row, row, block, row, false}, panel.tile.begin + panel.at, columns, to);
            to += block * whole_vectors(columns);
        }
        return;
    }
    // Columns of a panel are rows of the matrix, which lie together if they are of one product.
    const auto rows = [&](i64 at) {
        const Product& of = panel.products[at / panel.tile.size()];
        const i64 j = of.sources[panel.source].blocks[0] * block + panel.tile.begin + at % panel.tile.size();
        return matrix + j * row;
    };
    const i64 last = panel.at + panel.columns - 1;
    if (rows(last) == rows(panel.at) + (panel.columns - 1) * row)
        return kernel.pack({rows(panel.at), row, row, panel.columns, true}, 0, columns, to);
    std::vector<T> together(size_t(panel.columns * row));
    for (i64 i = 0; i < panel.columns; ++i) std::copy_n(rows(panel.at + i), row, together.data() + i * row);
    kernel.pack({together.data(), row, row, panel.columns, true}, 0, columns, to);
}

template <class T>
void Weights<T>::join_vectors(const Program& program) const {
    each_first(program, [&](const Product* products) {
        if (products->joined == 1 || products->init < 0) return;
        const Packed& it = packed[size_t(products->sources[0].number)];
        const i64 rest = it.columns % tile;
        for (int i = 0; i < products->joined; ++i) {
            const T* from = vector(program.operands[size_t(products[i].init)].index) + it.columns - rest;
            std::copy_n(from, rest, data() + it.joined_init + i * rest);
        }
    });
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
