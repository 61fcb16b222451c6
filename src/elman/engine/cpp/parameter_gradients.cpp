// The gradients of parameters: of matrices one large product over all steps, of vectors the sums that the steps made.
// Knows the table of weight gradients; not the order of time.

#include <algorithm>

#include "dispatch.h"
#include "job.h"

namespace elman {
namespace {

// Steps in one go: with 128 a panel takes 32 KiB of the first-level cache, and packed gradients leave room in the
// second. Large gradients are written less often with more: B, T, I, H = 20, 35, 640, 640 went from 245 to 262 GFLOP/s
// (GRU; 160 to 256 are alike, 320 and 512 lose).
constexpr i64 DEPTH = 128;
constexpr i64 DEPTH_IF_LARGE = 192;
constexpr i64 DEPTH_IN_PAIRS = 256;  // 128 to 384 are alike (Zen 5)

// Gradients are packed when so many panels or more are multiplied with them; else they are read where they lie, one
// line for each step and block, which is slower to multiply with but costs nothing before. Measured, GFLOP/s, with 1,
// 2, 3, 4: GRU of 64 units 214, 221, 234, 234; of 128 241, 245, 245, 252; of 256 273, 276, 278, 281. They are packed in
// groups of whole vectors: block by block, packing took a fifth of the time. Pairs always have to be packed.
constexpr i64 WORTH_PACKING = 4;

// Up to this size of all gradients, threads share the steps and add up what each has; beyond it they share the blocks,
// and each packs all values. Measured on 2 cores (2 MiB of second-level cache each), GFLOP/s with shared blocks and
// with shared steps: GRU of 64 units 214, 257; of 128 220, 267; of 256 241, 267; of 512 267, 264; RNN of 64 units 158,
// 228.
constexpr i64 SMALL = 2 << 20;  // bytes

// With fewer steps for each thread they share the blocks too: 100 steps of one row, LSTM of 256 units, 420 us instead
// of 525, 770 with one thread.
constexpr i64 FEW_STEPS = 64;
constexpr i64 WORTH_A_THREAD = 1 << 18;  // multiply-adds

// Rows of a matrix to be read one after the other, wherever they are.
template <class T>
struct Rows {
    const T* data;
    i64 ld;
    std::vector<const T*> list;  // if they are not simply `ld` apart; null for a row of zeros
    const T* const* from(i64 row) const { return list.empty() ? nullptr : list.data() + row; }
};

// What rows of gradients are multiplied with, one column panel after the other.
template <class T>
struct Value {
    Operand operand;
    Rows<T> rows;
    i64 width;
};

// A product of a block of gradients with a value; `out` is its block of a matrix's gradient.
template <class T>
struct Target {
    size_t value;
    ParameterBlock block;
    T* out;
    i64 offset;  // of the block among all blocks of gradients
    bool add;
};

// One block of gradients, and all that it is multiplied with.
template <class T>
struct Block {
    Operand operand;
    Rows<T> rows;
    i64 columns;
    std::vector<Target<T>> targets;
    i64 panels;  // that it is multiplied with, all together
};

// `height` columns of a block, or what is left of them.
struct Strip {
    size_t block;
    i64 first;
    int columns;
    i64 group;   // where the group begins that it is packed in, in columns
    int inside;  // where it begins in that
};

template <class T>
class ParameterGradients {
public:
    ParameterGradients(const std::vector<const Job<T>*>& jobs, const std::vector<T*>& gradients);
    void run(int threads);

private:
    Rows<T> rows_of(const Operand& operand) const;
    size_t value_of(const Operand& operand);
    Block<T>& block_of(const Operand& first, i64 number);
    void add_products(const WeightGradient& it);
    void add_vectors();
    void clear_the_rest();
    void order_products();
    std::vector<Strip> strips_of(Member member) const;
    // The products of some steps with some strips. They are written to `own`, or where the caller wants them if null.
    void run_strips(const std::vector<Strip>& mine, Range steps, T* own) const;
    void pack(const std::vector<Strip>& mine, i64 step, i64 k, T* packed) const;
    void multiply(const std::vector<Strip>& mine, i64 step, i64 k, const T* packed, T* panel, T* own, bool first) const;
    void add(const T* own, Member member) const;
    void count_panels();

    i64 block_size(int parameter) const {
        const Parameter& it = job.program->parameters[size_t(parameter)];
        return job.size(it.block) * job.size(it.row);
    }
    bool first_time(int parameter, int block) {
        const bool before = written[size_t(parameter)][size_t(block)];
        written[size_t(parameter)][size_t(block)] = true;
        return !before;
    }

    const std::vector<const Job<T>*>& jobs;
    const Job<T>& job;  // the first, which is like all of them but for rows
    const std::vector<T*>& gradients;
    const Gradient<T>& kernel;
    std::vector<std::vector<bool>> written;  // by parameter, by block
    std::vector<std::vector<i64>> places;    // likewise, of blocks of matrices
    std::vector<Value<T>> values;
    std::vector<Block<T>> blocks;
    bool meeting = false;  // whether several blocks add to the same place
    i64 numbers = 0;       // of all blocks of gradients
    i64 real_steps = 0;    // of all jobs
    bool small() const { return numbers * i64(sizeof(T)) <= SMALL; }
    i64 depth() const { return kernel.pairs ? DEPTH_IN_PAIRS : small() ? DEPTH : DEPTH_IF_LARGE; }
    i64 packed_rows(i64 k) const { return kernel.pairs ? pairs_of(k) : k; }
    bool is_packed(const Block<T>& block) const {
        return kernel.pairs || block.panels >= WORTH_PACKING || !block.rows.list.empty();
    }
};

template <class T>
ParameterGradients<T>::ParameterGradients(const std::vector<const Job<T>*>& jobs, const std::vector<T*>& gradients)
    : jobs(jobs),
      job(*jobs.at(0)),
      gradients(gradients),
      kernel(job.weights->in_pairs() ? kernels<T>().gradient_pairs : kernels<T>().gradient),
      written(job.program->parameters.size()) {
    for (const Job<T>* it : jobs) real_steps += it->batch->real_steps();
    for (const Parameter& it : job.program->parameters) places.emplace_back(size_t(it.blocks));
    for (size_t p = 0; p < written.size(); ++p) written[p].resize(size_t(job.program->parameters[p].blocks));
    for (const WeightGradient& it : job.program->weight_gradients) add_products(it);
    order_products();
    count_panels();
    add_vectors();
    clear_the_rest();
}

// Where the rows of all real steps are, job by job, in the order in which a job's gradients of products lie.
template <class T>
Rows<T> ParameterGradients<T>::rows_of(const Operand& operand) const {
    const Site<T> first = job.site(operand, 0);
    Rows<T> all{first.base, first.row, {}};
    if (jobs.size() == 1 && first.when == Site<T>::When::packed) return all;
    all.list.reserve(size_t(real_steps));
    for (const Job<T>* it : jobs) {
        const Site<T> site = it->site(operand, 0);
        const Batch& batch = *it->batch;
        for (i64 t = 0; t < batch.steps(); ++t)
            for (i64 row = 0; row < batch.rows_at(t); ++row)
                all.list.push_back(operand.kind == Kind::previous          ? it->row_before(operand.index, t, row)
                                   : site.when == Site<T>::When::packed ? site.base + (batch.start(t) + row) * site.row
                                                                           : site.base + t * site.time + row * site.row);
    }
    return all;
}

bool same(const Operand& a, const Operand& b) { return a.kind == b.kind && a.index == b.index; }

template <class T>
size_t ParameterGradients<T>::value_of(const Operand& operand) {
    for (size_t i = 0; i < values.size(); ++i)
        if (same(values[i].operand, operand)) return i;
    values.push_back({operand, rows_of(operand), job.size(operand.width)});
    return values.size() - 1;
}

template <class T>
Block<T>& ParameterGradients<T>::block_of(const Operand& first, i64 number) {
    Operand operand = first;
    operand.index += int(number);
    for (Block<T>& it : blocks)
        if (same(it.operand, operand)) return it;
    blocks.push_back({operand, rows_of(operand), job.size(operand.width), {}, 0});
    return blocks.back();
}

template <class T>
void ParameterGradients<T>::add_products(const WeightGradient& it) {
    T* gradient = gradients[size_t(it.parameter)];
    if (gradient == nullptr) return;
    const size_t value = value_of(job.program->operands[size_t(it.value)]);
    for (size_t i = 0; i < it.blocks.size(); ++i) {
        T* out = gradient + it.blocks[i] * block_size(it.parameter);
        Block<T>& block = block_of(job.program->operands[size_t(it.grad)], i64(i));
        block.targets.push_back({value, {it.parameter, it.blocks[i]}, out, 0, false});
    }
}

// The first product of a block of a gradient writes it, others add: in the order in which they are done.
template <class T>
void ParameterGradients<T>::order_products() {
    for (size_t v = 0; v < values.size(); ++v)
        for (Block<T>& block : blocks)
            for (Target<T>& target : block.targets)
                if (target.value == v) {
                    target.add = !first_time(target.block.parameter, target.block.block);
                    meeting = meeting || target.add;
                    i64& place = places[size_t(target.block.parameter)][size_t(target.block.block)];
                    if (!target.add) place = numbers, numbers += block_size(target.block.parameter);
                    target.offset = place;
                }
}

// A thread's share: where blocks meet, the same columns of all of them, else neighbouring strips that cost as much as
// anybody's.
template <class T>
std::vector<Strip> ParameterGradients<T>::strips_of(Member member) const {
    const auto strips = [&](const Block<T>& it) { return (it.columns + kernel.height - 1) / kernel.height; };
    i64 total = 0, before = 0;
    for (const Block<T>& it : blocks) total += strips(it) * it.panels;
    const i64 begin = total * member.index / member.count, end = total * (member.index + 1) / member.count;
    std::vector<Strip> all;
    i64 place = 0;
    for (size_t b = 0; b < blocks.size(); ++b) {
        const i64 count = strips(blocks[b]);
        for (i64 i = 0; i < count; ++i, before += blocks[b].panels) {
            const bool mine = meeting ? i * member.count / count == member.index : before >= begin && before < end;
            if (!mine) continue;
            const i64 first = i * kernel.height;
            const int inside = int(place % kernel.group);
            all.push_back(
                {b, first, int(std::min<i64>(kernel.height, blocks[b].columns - first)), place - inside, inside});
            place += kernel.height;
        }
        place = (place + kernel.group - 1) / kernel.group * kernel.group;
    }
    return all;
}

template <class T>
void ParameterGradients<T>::add_vectors() {
    for (size_t v = 0; v < job.program->vectors.size(); ++v) {
        const VectorSum& vector = job.program->vectors[v];
        const i64 size = job.size(vector.width);
        for (const ParameterBlock& term : vector.terms) {
            if (gradients[size_t(term.parameter)] == nullptr) continue;
            T* out = gradients[size_t(term.parameter)] + term.block * size;
            if (first_time(term.parameter, term.block)) std::fill_n(out, size, T(0));
            for (const Job<T>* it : jobs)
                for (i64 unit = 0; unit < it->sum_units(); ++unit) {
                    const T* sum = it->sum(int(v), unit);
                    for (i64 i = 0; i < size; ++i) out[i] += sum[i];
                }
        }
    }
}

template <class T>
void ParameterGradients<T>::clear_the_rest() {
    const bool no_steps = real_steps == 0;
    for (int p = 0; p < int(written.size()); ++p) {
        const bool matrix = job.program->parameters[size_t(p)].rank == 2;
        for (int block = 0; block < int(written[size_t(p)].size()); ++block)
            if (gradients[size_t(p)] != nullptr && (!written[size_t(p)][size_t(block)] || (no_steps && matrix)))
                std::fill_n(gradients[size_t(p)] + block * block_size(p), block_size(p), T(0));
    }
}

template <class T>
void ParameterGradients<T>::count_panels() {
    for (Block<T>& it : blocks)
        for (const Target<T>& target : it.targets)
            it.panels += (values[target.value].width + kernel.width - 1) / kernel.width;
}

template <class T>
void ParameterGradients<T>::multiply(const std::vector<Strip>& mine, i64 step, i64 k, const T* packed, T* panel, T* own,
                                     bool first) const {
    for (size_t v = 0; v < values.size(); ++v) {
        const Value<T>& value = values[v];
        for (i64 column = 0; column < value.width; column += kernel.width) {
            const int columns = int(std::min<i64>(kernel.width, value.width - column));
            const int round = (columns + kernel.lanes - 1) / kernel.lanes * kernel.lanes;
            kernel.pack(value.rows.data + step * value.rows.ld, value.rows.ld, value.rows.from(step), k, column,
                        columns, round, panel);
            for (const Strip& strip : mine) {
                const Block<T>& block = blocks[strip.block];
                const T* a = is_packed(block) ? packed + strip.group * packed_rows(k) + strip.inside
                                              : block.rows.data + step * block.rows.ld + strip.first;
                const i64 lda = is_packed(block) ? kernel.group : block.rows.ld;
                for (const Target<T>& target : block.targets) {
                    if (target.value != v) continue;
                    T* out = (own == nullptr ? target.out : own + target.offset) + strip.first * value.width + column;
                    kernel.multiply(a, lda, panel, packed_rows(k), strip.columns, columns, out, value.width,
                                    target.add || !first);
                }
            }
        }
    }
}

// Neighbouring strips of a block together: their rows share lines.
template <class T>
void ParameterGradients<T>::pack(const std::vector<Strip>& mine, i64 step, i64 k, T* packed) const {
    for (size_t i = 0; i < mine.size();) {
        const Strip& first = mine[i];
        const Block<T>& block = blocks[first.block];
        size_t end = i;
        i64 columns = 0;
        for (; end < mine.size() && mine[end].block == first.block; ++end) columns += mine[end].columns;
        if (is_packed(block))
            kernel.pack(block.rows.data + step * block.rows.ld, block.rows.ld, block.rows.from(step), k, first.first,
                        columns, kernel.group, packed + first.group * packed_rows(k));
        i = end;
    }
}

template <class T>
void ParameterGradients<T>::run_strips(const std::vector<Strip>& mine, Range steps, T* own) const {
    if (mine.empty()) return;
    const i64 parts = (steps.size() + this->depth() - 1) / this->depth();
    const i64 depth = (steps.size() + parts - 1) / parts;  // none of them much shorter than the others
    const i64 packed_columns = mine.back().group + kernel.group;
    const Workspace memory(size_t(packed_rows(depth) * (kernel.width + packed_columns)) * sizeof(T));
    T* panel = static_cast<T*>(memory.data());
    T* packed = panel + packed_rows(depth) * kernel.width;
    for (i64 step = steps.begin; step < steps.end; step += depth) {
        const i64 k = std::min(depth, steps.end - step);
        pack(mine, step, k, packed);
        multiply(mine, step, k, packed, panel, own, step == steps.begin);
    }
}

// A member's part of every block.
template <class T>
void ParameterGradients<T>::add(const T* own, Member member) const {
    for (const Block<T>& block : blocks)
        for (const Target<T>& target : block.targets) {
            if (target.add) continue;
            const i64 size = block_size(target.block.parameter);
            const i64 begin = size * member.index / member.count, end = size * (member.index + 1) / member.count;
            for (i64 i = begin; i < end; ++i) target.out[i] += own[target.offset + i];
        }
}

template <class T>
void ParameterGradients<T>::run(int threads) {
    const i64 steps = real_steps;
    if (steps == 0) return;
    threads = int(std::clamp<i64>(steps * numbers / WORTH_A_THREAD, 1, threads));
    if (threads == 1 || !small() || steps < threads * FEW_STEPS) {
        team::run(threads, [&](Member member) { run_strips(strips_of(member), {0, steps}, nullptr); });
        return;
    }
    const Workspace memory(size_t(numbers * (threads - 1)) * sizeof(T));
    T* others = static_cast<T*>(memory.data());
    Barrier barrier;
    team::run(threads, [&](Member member) {
        const Range mine{steps * member.index / member.count, steps * (member.index + 1) / member.count};
        run_strips(strips_of({0, 1}), mine, member.index == 0 ? nullptr : others + (member.index - 1) * numbers);
        barrier.wait(member);
        for (int other = 1; other < member.count; ++other) add(others + (other - 1) * numbers, member);
    });
}

}  // namespace

template <class T>
void parameter_gradients(const std::vector<const Job<T>*>& jobs, const std::vector<T*>& gradients, int threads) {
    ParameterGradients<T>(jobs, gradients).run(threads);
}

template void parameter_gradients<float>(const std::vector<const Job<float>*>&, const std::vector<float*>&, int);
template void parameter_gradients<double>(const std::vector<const Job<double>*>&, const std::vector<double*>&, int);

}  // namespace elman
