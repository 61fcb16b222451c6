#include "runner.h"

#include <algorithm>

#include "dispatch.h"

namespace elman {
namespace {

// Rows of a panel to be multiplied with in one go: with 64 columns they take 192 KiB of the second-level cache, and so
// does the next slice that is fetched meanwhile.
constexpr i64 DEEPEST = 768;

}  // namespace

template <class T>
Runner<T>::Runner(const Job<T>& job, i64 unit)
    : job(job),
      batch(*job.batch),
      weights(*job.weights),
      matmul(kernels<T>().matmul),
      tile(job.tile),
      panel(job.weights->panel_columns()) {
    const std::vector<Operand>& operands = job.program->operands;
    for (size_t i = 0; i < operands.size(); ++i) {
        sites.push_back(job.site(operands[i], unit));
        if (operands[i].kind == Kind::previous) previous.push_back(int(i));
    }
    addresses.resize(operands.size());
    places.resize(operands.size());
    sources.resize(size_t(job.program->sources));
    for (const Segment& segment : job.program->segments) work.push_back(prepare(segment));
}

template <class T>
typename Runner<T>::Work Runner<T>::prepare(const Segment& segment) const {
    Work it{job.size(segment.width), {}, prepare(segment.row_operations), prepare(segment.operations), {}};
    for (const Product& product : segment.products) {
        Sum sum{product.out, product.init, {}, 1};
        for (const ProductSource& source : product.sources) {
            sum.terms.push_back({source.a, source.number, weights.k(source.number)});
            sum.slices = std::max(sum.slices, (weights.k(source.number) + DEEPEST - 1) / DEEPEST);
        }
        it.products.push_back(sum);
    }
    for (const Instruction& instruction : segment.operations)
        for (int operand : instruction.operands)
            if (operand >= 0 && std::find(it.operands.begin(), it.operands.end(), operand) == it.operands.end())
                it.operands.push_back(operand);
    return it;
}

template <class T>
std::vector<Operation<T>> Runner<T>::prepare(const std::vector<Instruction>& list) const {
    std::vector<Operation<T>> all;
    for (const Instruction& it : list) {
        Operation<T> op{kernels<T>().operations[it.code], {}, T(it.k0), T(it.k1)};
        std::copy(it.operands, it.operands + 6, op.operands);
        all.push_back(op);
    }
    return all;
}

// How far an operand lies from its base at step t.
template <class T>
i64 Runner<T>::moved(const Site<T>& site, i64 t) const {
    using When = typename Site<T>::When;
    switch (site.when) {
        case When::fixed: return 0;
        case When::packed: return batch.start(t) * site.row;
        case When::strided: return t * site.time;
        case When::ring: return t % site.ring * batch.rows() * site.row;
        case When::ring_before: return (batch.before(t) + site.ring) % site.ring * batch.rows() * site.row;
        case When::before: return batch.rows_before(t) == 0 ? 0 : batch.start(batch.before(t)) * site.row;
    }
    return 0;
}

template <class T>
void Runner<T>::at_step(i64 t, typename Job<T>::Before before) {
    for (size_t i = 0; i < sites.size(); ++i) addresses[i] = {sites[i].base + moved(sites[i], t), sites[i].row};
    if (before == Job<T>::Before::usual) return;
    for (int i : previous) {
        const Strip<T> strip = job.strip_before(job.program->operands[size_t(i)].index, before);
        addresses[size_t(i)] = {strip.data, strip.row};
    }
}

template <class T>
inline Place<T> Runner<T>::place(int operand, i64 row, i64 super_begin, i64 column, i64 tile_begin) const {
    using Rows = typename Site<T>::Rows;
    using Columns = typename Site<T>::Columns;
    const Site<T>& site = sites[size_t(operand)];
    const Address& address = addresses[size_t(operand)];
    const i64 rows = site.rows == Rows::batch ? row : site.rows == Rows::super_block ? row - super_begin : 0;
    const i64 columns = site.columns == Columns::whole  ? column
                        : site.columns == Columns::tile ? column - tile_begin
                                                        : 0;
    return {address.at + rows * address.row + columns, address.row};
}

template <class T>
void Runner<T>::row_operations(int segment, Range rows) {
    for (const Operation<T>& op : work[size_t(segment)].row_operations) {
        for (int operand : op.operands)
            if (operand >= 0) places[size_t(operand)] = place(operand, rows.begin, 0, 0, 0);
        op.run(op, places.data(), 1, rows.size());
    }
}

template <class T>
void Runner<T>::tiles(int segment, Range rows, Range tiles) {
    const Work& it = work[size_t(segment)];
    for (i64 i = tiles.begin; i < tiles.end; ++i) {
        const Range columns{i * tile, std::min((i + 1) * tile, it.columns)};
        in_blocks(rows, SUPER_BLOCK, [&](Range super) {
            products(it, super, columns);
            operations(it, super, columns);
        });
    }
}

// What a source of the next product will want, or of the next tile's first one.
template <class T>
const typename Runner<T>::Term& Runner<T>::term_after(const Work& it, size_t product, size_t term, i64& column,
                                                      Range columns) const {
    if (column + panel < columns.end) {
        column += panel;
        return it.products[product].terms[term];
    }
    const bool last = product + 1 == it.products.size();
    column = !last ? columns.begin : columns.end < it.columns ? columns.end : 0;
    const std::vector<Term>& terms = it.products[last ? 0 : product + 1].terms;
    return terms[std::min(term, terms.size() - 1)];
}

// The sources of one slice of k.
template <class T>
void Runner<T>::slice(const Sum& product, i64 number, i64 row, i64 column) {
    const i64 width = weights.width(product.terms[0].source, column);
    for (size_t i = 0; i < product.terms.size(); ++i) {
        const Term& term = product.terms[i];
        const Place<T> a = place(term.a, row, row, 0, 0);
        const i64 begin = term.k * number / product.slices, end = term.k * (number + 1) / product.slices;
        const T* rows = weights.panel(term.source, column);
        sources[i] = {a.at + begin, a.row, rows + begin * width, end - begin, rows + end * width};
    }
}

template <class T>
void Runner<T>::products(const Work& it, Range rows, Range columns) {
    for (size_t p = 0; p < it.products.size(); ++p) {
        const Sum& product = it.products[p];
        for (i64 column = columns.begin; column < columns.end; column += panel) {
            const Place<T> out = place(product.out, rows.begin, rows.begin, column, columns.begin);
            Place<T> init{nullptr, 0};
            if (product.init >= 0) init = place(product.init, rows.begin, rows.begin, column, columns.begin);
            for (i64 number = 0; number < product.slices; ++number) {
                slice(product, number, rows.begin, column);
                for (size_t i = 0; number + 1 == product.slices && i < product.terms.size(); ++i) {
                    i64 there = column;
                    const Term& after = term_after(it, p, i, there, columns);
                    sources[i].next = weights.panel(after.source, there);
                }
                matmul.multiply(sources.data(), int(product.terms.size()), rows.size(), init.at, init.row, out.at,
                                out.row, int(std::min(panel, columns.end - column)));
                init = out;
            }
        }
    }
}

template <class T>
void Runner<T>::operations(const Work& it, Range super, Range columns) {
    if (it.operations.empty()) return;
    in_blocks(super, TILE_ROWS, [&](Range rows) {
        for (int operand : it.operands)
            places[size_t(operand)] = place(operand, rows.begin, super.begin, columns.begin, columns.begin);
        for (const Operation<T>& op : it.operations) op.run(op, places.data(), rows.size(), columns.size());
    });
}

template class Runner<float>;
template class Runner<double>;

}  // namespace elman
