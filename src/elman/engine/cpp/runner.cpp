#include "runner.h"

#include <algorithm>

#include "dispatch.h"

namespace elman {
namespace {

// Rows of a panel to be multiplied with in one go: with 64 columns they take 192 KiB of the second-level cache, and so
// does the next slice that is fetched meanwhile. Where a thread has few rows and its columns' weights do not fit into
// that cache, fetching is most of the work, and short slices spread it best: B, T, I, H = 20, 35, 640, 640 went from
// 263 to 290 GFLOP/s forward (GRU; backward from 266 to 270), while 64, 50, 256, 512 with 32 rows loses 3 % by them.
// Where 64 bytes are not multiplied at once, multiplying takes longer than fetching, and short slices cost: on Zen 4 the
// LSTM of that shape takes 23.2 ms forward with them and 21.8 without, 27.1 and 23.6 by AVX2.
constexpr i64 DEEPEST = 768;
constexpr i64 SHORT = 64;
constexpr i64 FITS = 2 << 20;  // bytes
constexpr i64 SURELY_FITS = 256 << 10;

template <class T>
i64 deepest(const Job<T>& job) {
    const bool fast = kernels<T>().matmul.lanes * sizeof(T) >= 64 && !vectors_go_in_halves();
    return fast && job.plan.columns && job.weights_of_a_thread() > FITS ? SHORT : DEEPEST;
}

// Every other step visits the columns from the last to the first: what the second-level cache holds of the weights is
// then what is wanted next, where always going the same way it would be what is wanted last. Steps of one row, two
// threads: GRU of 512 units 110 -> 70 us, LSTM 153 -> 110; one thread, LSTM of 256 units 44 -> 30. (Sums over a row
// need one order.)
template <class T>
bool alternates(const Job<T>& job) {
    return job.weights_of_a_thread() > SURELY_FITS && !job.program->reduces();
}

template <class T>
auto multiplication(Storage storage) {
    const Matmul<T>& matmul = kernels<T>().matmul;
    switch (storage) {
        case Storage::bfloat16: return matmul.multiply_bfloat16;
        case Storage::int8: return matmul.multiply_int8;
        case Storage::pairs: return matmul.multiply_pairs;
        default: return matmul.multiply;
    }
}

}  // namespace

template <class T>
Runner<T>::Runner(const Job<T>& job, i64 unit)
    : job(job),
      batch(*job.batch),
      part(job.parts[job.plan.columns ? 0 : size_t(unit)]),
      weights(*job.weights),
      multiply(multiplication<T>(weights.storage())),
      tile(job.tile),
      tile_height(tile_rows(job.tile)),
      slice_rows(deepest(job)),
      panel(job.weights->panel_columns()),
      groups(job.groups()),
      alternating(alternates(job)) {
    const std::vector<Operand>& operands = job.program->operands;
    for (size_t i = 0; i < operands.size(); ++i) {
        sites.push_back(job.site(operands[i], unit));
        if (operands[i].kind == Kind::previous) previous.push_back(int(i));
    }
    places.resize(operands.size());
    addresses.resize(operands.size() * (groups == Job<T>::Groups::none ? 1 : SUPER_BLOCK));
    sources.resize(size_t(job.program->sources));
    contiguous = products_are_packed();
    streaming = is_stream();
    const auto& segments = job.program->segments;
    for (int way = 0; way <= int(alternating); ++way) {
        for (const Segment& segment : segments) work[all][way].push_back(prepare(segment, all, way));
        if (groups != Job<T>::Groups::steps || segments.empty()) continue;
        work[early][way].push_back(prepare(segments[0], early, way));
        work[late][way].push_back(prepare(segments[0], late, way));
    }
    if (weights.in_pairs())
        pairs = std::make_unique<Pairs<T>>(*job.program, weights, std::max(part.size(), SUPER_BLOCK));
}

// Its product with the input comes first, needs nothing else, and has a place that lasts until the step is taken.
template <class T>
bool Runner<T>::is_early(const Product& product) const {
    const auto kind = [&](int operand) { return job.program->operands[size_t(operand)].kind; };
    const Kind out = kind(product.out);
    const bool lasts = out == Kind::slot || out == Kind::tape || out == Kind::tape_output;
    const bool begins = product.init < 0 || kind(product.init) == Kind::vector;
    return lasts && begins && kind(product.sources[0].a) == Kind::input;
}

template <class T>
typename Runner<T>::Work Runner<T>::prepare(const Segment& segment, Share share, bool falling) const {
    Work it{job.size(segment.width), {}, {}, {}, {}, prepare(segment.row_operations), prepare(segment.operations), {}};
    const i64 tiles = job.tiles(it.columns);
    it.tiles.resize(size_t(tiles));
    for (i64 i = 0; i < tiles; ++i) {
        const i64 number = falling ? tiles - 1 - i : i;
        it.tiles[size_t(number)] =
            add_tile(segment, share, {number * tile, std::min((number + 1) * tile, it.columns)}, falling, it);
    }
    for (size_t p = 0; p < it.pieces.size(); ++p) {
        const Piece &here = it.pieces[p], &after = it.pieces[(p + 1) % it.pieces.size()];
        for (size_t i = 0; i < here.terms; ++i)
            it.terms[here.term + i].next = it.terms[after.term + std::min(i, after.terms - 1)].panel;
    }
    const auto add = [](std::vector<int>& list, int operand) {
        if (operand >= 0 && std::find(list.begin(), list.end(), operand) == list.end()) list.push_back(operand);
    };
    for (const Instruction& instruction : segment.operations)
        for (int operand : instruction.operands) add(it.operands, operand);
    for (const Term& term : it.terms) add(it.reads, term.a);
    return it;
}

template <class T>
typename Runner<T>::Pieces Runner<T>::add_tile(const Segment& segment, Share share, Range columns, bool falling,
                                               Work& work) const {
    const size_t first = work.pieces.size(), count = segment.products.size();
    for (size_t number = 0; number < count; ++number)
        add_products(&segment.products[falling ? count - 1 - number : number], share, columns, work);
    return {first, work.pieces.size()};
}

// Panel by panel of all that are joined; source after source, in slices if there are too many rows of weights to be
// multiplied with in one go. So sums are the same however they are cut, and whatever of them is made beforehand.
template <class T>
void Runner<T>::add_products(const Product* products, Share share, Range columns, Work& work) const {
    const Product& first = products[0];
    const bool split = share != all && is_early(first);
    if (first.joined == 0 || (share == early && !split)) return;
    const size_t begin = split && share == late ? 1 : 0, end = split && share == early ? 1 : first.sources.size();
    i64 deepest = 0;
    for (size_t i = begin; i < end; ++i) deepest = std::max(deepest, weights.k(first.sources[i].number));
    const i64 each = columns.size(), before = first.joined * columns.begin;
    in_panels(first.joined * each, panel, weights.lanes(), [&](i64 at, i64 size) {
        const bool inside = at / each == (at + size - 1) / each;  // of one product
        const Product& product = inside ? products[at / each] : first;
        Piece piece{product.out, begin == 0 ? product.init : product.out, nullptr, columns.begin + at, int(size), 0, 0};
        if (inside) piece.column = columns.begin + at % each;
        else if (begin == 0 && first.init >= 0) piece.joined_init = weights.joined_init(first.sources[0].number) + at;
        for (size_t i = begin; i < end; ++i) {
            const ProductSource& source = first.sources[i];
            const i64 k = weights.k(source.number), slices = (k + slice_rows - 1) / slice_rows;
            for (i64 n = 0, from = 0; n < slices; ++n) {
                if (i == begin || deepest > slice_rows) {
                    piece.term = work.terms.size();
                    work.pieces.push_back(piece);
                    piece.init = product.out, piece.joined_init = nullptr;
                }
                const i64 to = n + 1 == slices ? k : k * (n + 1) / slices / 2 * 2;
                work.terms.push_back({source.a, from, weights.panel(source.number, before + at, size, from), to - from,
                                      nullptr, weights.scale(source.number, before + at)});
                ++work.pieces.back().terms;
                from = to;
            }
        }
    });
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

// Whether the rows of all that products of several steps at once name follow one another from step to step.
template <class T>
bool Runner<T>::products_are_packed() const {
    const auto packed = [&](int operand) {
        if (operand < 0) return true;
        const Site<T>& site = sites[size_t(operand)];
        return site.when == Site<T>::When::packed || site.rows != Site<T>::Rows::batch;
    };
    const bool whole = groups == Job<T>::Groups::segments;
    for (const Segment& segment : job.program->segments)
        for (const Product& product : segment.products) {
            const bool early = !whole && is_early(product);
            if (!whole && !early && !job.afterwards(segment)) continue;
            if (!packed(product.out) || !packed(product.init)) return false;
            for (size_t i = 0; i < (early ? 1 : product.sources.size()); ++i)
                if (!packed(product.sources[i].a)) return false;
        }
    return true;
}

template <class T>
bool Runner<T>::is_stream() const {
    using When = typename Site<T>::When;
    const auto& segments = job.program->segments;
    if (groups != Job<T>::Groups::segments || segments.size() != 1 || !batch.dense() || batch.resets()) return false;
    if (job.program->slots > 0 || !segments[0].products.empty() || !segments[0].row_operations.empty()) return false;
    const auto rings = [](const Site<T>& site) { return site.when == When::ring || site.when == When::ring_before; };
    return std::none_of(sites.begin(), sites.end(), rings);
}

// How many rows, or steps, an operand lies from its base at step t, by how it moves.
template <class T>
typename Runner<T>::Shifts Runner<T>::shifts(i64 t) const {
    using When = typename Site<T>::When;
    const i64 before = batch.before(t), kept = batch.rows();
    Shifts all{};
    all[size_t(When::packed)] = batch.start(t);
    all[size_t(When::strided)] = t;
    all[size_t(When::before)] = batch.rows_before(t) == 0 ? 0 : batch.start(before);
    all[size_t(When::ring)] = (t & 1) * kept;
    all[size_t(When::ring_before)] = (before & 1) * kept;
    return all;
}

template <class T>
void Runner<T>::at(const Steps<T>& steps) {
    begun = false;
    count = steps.count;
    packed = nullptr;
    packed_rows = 0;
    bool whole = count > 1 && contiguous;
    i64 first = batch.start(steps.each[0].t);
    for (size_t n = 0; n < count; ++n) {
        const Step<T>& step = steps.each[n];
        first = std::min(first, batch.start(step.t));
        whole = whole && part.begin == 0 && step.end == batch.rows_at(step.t);
    }
    for (size_t n = 0; n < count; ++n) {
        const Step<T>& step = steps.each[n];
        Present& it = present[n];
        it.end = step.end;
        it.slot = whole ? batch.start(step.t) - first : packed_rows;
        packed_rows += step.end - part.begin;
        if (whole && it.slot == 0) packed = &it;
        const Shifts shift = shifts(step.t);
        it.addresses = addresses.data() + n * sites.size();
        Address* address = it.addresses;
        for (const Site<T>& site : sites) *address++ = {site.base + shift[size_t(site.when)] * site.time, site.row};
        if (step.before == Job<T>::Before::usual) continue;
        for (int i : previous) {
            const Strip<T> strip = job.strip_before(job.program->operands[size_t(i)].index, step.before);
            it.addresses[i] = {strip.data, strip.row};
        }
    }
}

template <class T>
inline Place<T> Runner<T>::place(const Present& step, int operand, i64 row, i64 slot, i64 column) const {
    using Rows = typename Site<T>::Rows;
    using Columns = typename Site<T>::Columns;
    const Site<T>& site = sites[size_t(operand)];
    const Address& address = step.addresses[operand];
    T* const slots = address.at + here * site.tile + site.slot * slot_apart;
    if (site.rows == Rows::super_block) return {slots + slot * slot_row + column - begin, slot_row};
    T* at = site.rows == Rows::batch ? address.at + row * address.row : address.at;
    if (site.columns == Columns::whole) at += column;
    else if (site.columns == Columns::tile) at += column - begin;
    return {at, address.row};
}

template <class T>
void Runner<T>::row_operations(int segment, size_t number) {
    const Present& step = present[number];
    visit(0, tile);
    for (const Operation<T>& op : work[all][falling][size_t(segment)].row_operations) {
        for (int operand : op.operands)
            if (operand >= 0) places[size_t(operand)] = place(step, operand, part.begin, 0, 0);
        op.run(op, places.data(), 1, step.end - part.begin);
    }
}

template <class T>
void Runner<T>::beforehand(Range tiles) {
    const Work& it = work[early][falling][0];
    if (tiles.size() > 0) pair(it);
    for (i64 i = tiles.begin; i < tiles.end; ++i) {
        visit(i, it.columns);
        if (packed != nullptr) products(it, *packed, {0, packed_rows}, 0);
        for (size_t n = 0; packed == nullptr && n < count; ++n)
            products(it, present[n], {part.begin, present[n].end}, present[n].slot);
    }
    begun = true;
}

template <class T>
void Runner<T>::tiles(int segment, Range tiles, size_t number) {
    const Work& it = work[begun && segment == 0 ? late : all][falling][size_t(segment)];
    const Present& step = present[number];
    if (tiles.size() > 0) pair(it, step, {part.begin, step.end}, step.slot);
    for (i64 n = tiles.begin; n < tiles.end; ++n) {
        visit(falling ? tiles.begin + tiles.end - 1 - n : n, it.columns);
        in_blocks({part.begin, step.end}, SUPER_BLOCK, [&](Range super) {
            products(it, step, super, step.slot);
            operations(it, step, super, step.slot);
        });
    }
}

template <class T>
void Runner<T>::tiles(int segment, Range tiles) {
    if (count == 1) return this->tiles(segment, tiles, 0);
    const Work& it = work[all][falling][size_t(segment)];
    if (tiles.size() > 0) pair(it);
    for (i64 i = tiles.begin; i < tiles.end; ++i) {
        visit(i, it.columns);
        if (packed != nullptr) products(it, *packed, {0, packed_rows}, 0);
        for (size_t n = 0; n < count; ++n) {
            const Present& step = present[n];
            if (packed == nullptr) products(it, step, {part.begin, step.end}, step.slot);
            operations(it, step, {part.begin, step.end}, step.slot);
        }
    }
}

// What comes from memory is fetched while what is there is worked on, as far as the processor looks ahead: the less
// there is to do between two steps, the better.
template <class T>
void Runner<T>::stream(i64 steps, Range tiles) {
    using When = typename Site<T>::When;
    struct Block {
        i64 rows, columns;
        std::vector<Place<T>> places;
    };
    const Work& it = work[all][falling][0];
    std::vector<Block> blocks;
    for (i64 i = tiles.begin; i < tiles.end; ++i) {
        visit(i, it.columns);
        in_blocks({part.begin, present[0].end}, tile_height, [&](Range rows) {
            for (int operand : it.operands) places[size_t(operand)] = place(present[0], operand, rows.begin, 0, begin);
            blocks.push_back({rows.size(), wide, places});
        });
    }
    const i64 way = batch.reverse() == job.program->backward() ? 1 : -1;
    std::vector<i64> moves;
    for (const Site<T>& site : sites) {
        const i64 ahead = site.when == When::fixed ? 0 : site.when == When::strided ? 1 : batch.rows();
        moves.push_back(way * ahead * site.time);
    }
    for (i64 n = 0; n < steps; ++n)
        for (Block& block : blocks) {
            for (const Operation<T>& op : it.operations) op.run(op, block.places.data(), block.rows, block.columns);
            for (int operand : it.operands) block.places[size_t(operand)].at += moves[size_t(operand)];
        }
}

// Rounds what a segment's products read of some rows, once for all of its tiles.
template <class T>
void Runner<T>::pair(const Work& it, const Present& step, Range rows, i64 slot) {
    if (pairs == nullptr) return;
    for (int operand : it.reads) pairs->round(operand, place(step, operand, rows.begin, slot, 0), rows.size(), slot);
}

template <class T>
void Runner<T>::pair(const Work& it) {
    if (packed != nullptr) return pair(it, *packed, {0, packed_rows}, 0);
    for (size_t n = 0; n < count; ++n) pair(it, present[n], {part.begin, present[n].end}, present[n].slot);
}

// What a term multiplies of a row and those after it.
template <class T>
inline Place<T> Runner<T>::left_side(const Term& term, const Present& step, i64 row, i64 slot) const {
    if (pairs != nullptr) return pairs->at(term.a, slot + row - part.begin, term.first);
    return place(step, term.a, row, slot, term.first);
}

template <class T>
void Runner<T>::products(const Work& it, const Present& step, Range rows, i64 slot) {
    const Pieces& pieces = it.tiles[size_t(here)];
    for (size_t p = pieces.begin; p < pieces.end; ++p) {
        const Piece& piece = it.pieces[p];
        const Place<T> out = place(step, piece.out, rows.begin, slot, piece.column);
        Place<T> init{nullptr, 0};
        if (piece.joined_init != nullptr) init.at = const_cast<T*>(piece.joined_init);
        else if (piece.init >= 0) init = place(step, piece.init, rows.begin, slot, piece.column);
        for (size_t i = 0; i < piece.terms; ++i) {
            const Term& term = it.terms[piece.term + i];
            const Place<T> a = left_side(term, step, rows.begin, slot);
            sources[i] = {a.at, a.row, term.panel, term.k, term.next, term.scale};
        }
        multiply(sources.data(), int(piece.terms), rows.size(), init.at, init.row, out.at, out.row, piece.columns);
    }
}

template <class T>
void Runner<T>::operations(const Work& it, const Present& step, Range all, i64 slot) {
    if (it.operations.empty()) return;
    in_blocks(all, tile_height, [&](Range rows) {
        for (int operand : it.operands)
            places[size_t(operand)] = place(step, operand, rows.begin, slot + rows.begin - all.begin, begin);
        for (const Operation<T>& op : it.operations) op.run(op, places.data(), rows.size(), wide);
    });
}

template class Runner<float>;
template class Runner<double>;

}  // namespace elman
