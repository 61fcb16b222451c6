#include "job.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "dispatch.h"

namespace elman {

template <class T>
Job<T>::Job(std::shared_ptr<const Program> program_, std::shared_ptr<const Weights<T>> weights_,
            std::shared_ptr<const Batch> batch_, std::shared_ptr<Tape<T>> tape_, Plan plan_)
    : program(std::move(program_)),
      weights(std::move(weights_)),
      batch(std::move(batch_)),
      tape(std::move(tape_)),
      plan(plan_),
      parts(batch->parts(plan.columns ? 1 : plan.threads)),
      tile(weights->tile_columns()),
      slot_tiles(few_rows() ? tiles(std::max(program->hidden, program->output)) : 1),
      externals(size_t(Kind::count)),
      initial(program->states.size()),
      final(program->states.size()) {
    if (tape == nullptr && program->kind != 1)
        throw std::invalid_argument("A training or backward program needs a tape.");
    lay_out();
    memory = std::make_unique<Workspace>(size_t(reserved) * sizeof(T));
}

template <class T>
i64 Job<T>::weights_of_a_thread() const {
    i64 numbers = 0;
    for (const Segment& segment : program->segments)
        for (const Product& product : segment.products)
            for (const ProductSource& source : product.sources)
                numbers += weights->k(source.number) * size(segment.width);
    const Storage storage = weights->storage();
    const i64 bytes = numbers * i64(sizeof(T)) / (storage == Storage::own ? 1 : storage == Storage::int8 ? 4 : 2);
    return plan.columns ? bytes / plan.threads : bytes;
}

template <class T>
i64 Job<T>::reserve(i64 numbers) {
    constexpr i64 line = 64 / i64(sizeof(T));
    const i64 at = reserved;
    reserved += (numbers + line - 1) / line * line;
    return at;
}

template <class T>
void Job<T>::lay_out() {
    const i64 rows = batch->rows(), widest = std::max(program->hidden, program->output);
    for (const State& state : program->states) {
        const i64 numbers = rows * size(state.width);
        rings.push_back(program->backward() ? 0 : reserve(numbers * (state.in_place ? 1 : 2)));
        carries.push_back(program->backward() ? reserve(numbers) : 0);
        copies.push_back(reserve(batch->resets() || !batch->dense() ? numbers : 0));
    }
    for (const VectorSum& vector : program->vectors) {
        sum_offsets.push_back(sums_size);
        sums_size += (size(vector.width) + 15) / 16 * 16;
    }
    sums = program->backward() ? reserve(sums_size * sum_units()) : 0;
    full_row = (widest + 15) / 16 * 16 + 16;
    fulls = reserve(program->fulls * rows * full_row);
    row_scalars = reserve(program->row_scalars * rows);
    zeros = reserve(widest);
    temps = program->slots * SUPER_BLOCK * tile;
    scratch_size = (temps * slot_tiles + program->temps * tile_rows(tile) * tile + 15) / 16 * 16;
    slots = reserve(scratch_size * units());
}

template <class T>
void Job<T>::bind(Kind kind, int index, External<T> array) {
    auto& arrays = externals[size_t(kind)];
    if (arrays.size() <= size_t(index)) arrays.resize(size_t(index) + 1);
    arrays[size_t(index)] = array;
}

template <class T>
const External<T>& Job<T>::outside(Kind kind, int index) const {
    static const External<T> none;
    const auto& arrays = externals[size_t(kind)];
    return size_t(index) < arrays.size() ? arrays[size_t(index)] : none;
}

template <class T>
void Job<T>::prepare() {
    check();
    std::fill(at(zeros), at(zeros) + std::max(program->hidden, program->output), T(0));
    if (program->backward()) std::fill(at(sums), at(sums) + sums_size * sum_units(), T(0));
}

template <class T>
void Job<T>::check() const {
    if (batch->real_steps() == 0) return;
    for (const Segment& segment : program->segments) {
        if (!wanted(segment)) continue;
        for (int i : segment.operands) {
            const Operand& it = program->operands[size_t(i)];
            const bool needed = it.kind == Kind::input || it.kind == Kind::extra || it.kind == Kind::adjoint ||
                                it.kind == Kind::dextra || it.kind == Kind::dinput;
            if (needed && outside(it.kind, it.index).data == nullptr)
                throw std::invalid_argument("An array of kind " + std::to_string(int(it.kind)) + " is missing.");
            const bool state = it.kind == Kind::previous || it.kind == Kind::next;
            if (state && program->backward() && !history(it.index))
                throw std::invalid_argument("The history of state " + std::to_string(it.index) + " is missing.");
        }
    }
    for (const WeightGradient& it : program->weight_gradients)
        if (program->operands[size_t(it.value)].kind == Kind::input && outside(Kind::input, 0).data == nullptr)
            throw std::invalid_argument("The input, of which gradients of weights are made, is missing.");
}

template <class T>
bool Job<T>::segment_by_segment() const {
    if (!program->columns_are_independent()) return false;
    for (int k = 0; k < int(program->states.size()); ++k) {
        const Range carried = program->segments_with(Kind::carry, k);
        if (carried.size() > 1) return false;
        if (program->backward()) continue;  // the states are all there
        const Range read = program->segments_with(Kind::previous, k), written = program->segments_with(Kind::next, k);
        if (read.size() > 0 && written.end > read.begin + 1) return false;
        if (!history(k) && (written.size() > 1 || (read.size() > 0 && read.begin != written.begin))) return false;
    }
    return true;
}

template <class T>
bool Job<T>::few_rows() const {
    return batch->steps() > 1 && (batch->dense() ? parts.size() == 1 && batch->rows() <= GROUPED_ROWS : true);
}

template <class T>
typename Job<T>::Groups Job<T>::groups() const {
    if (segment_by_segment()) return Groups::segments;
    return few_rows() ? Groups::steps : Groups::none;
}

template <class T>
Strip<T> Job<T>::history(int state) const {
    const External<T>& bound = outside(Kind::next, state);
    if (bound.data != nullptr) return {bound.data, bound.row};
    return tape == nullptr ? Strip<T>{} : tape->histories[size_t(state)];
}

template <class T>
Strip<T> Job<T>::carry(int state) const {
    const External<T>& bound = outside(Kind::carry, state);
    if (bound.data != nullptr) return {bound.data, bound.row};
    return {at(carries[size_t(state)]), state_size(state)};
}

template <class T>
T* Job<T>::row_after(int state, i64 t, i64 row) const {
    if (const Strip<T> kept = history(state)) return kept.data + (batch->start(t) + row) * kept.row;
    const i64 ring = program->states[size_t(state)].in_place ? 1 : 2;
    return at(rings[size_t(state)]) + (t % ring * batch->rows() + row) * state_size(state);
}

template <class T>
const T* Job<T>::row_before(int state, i64 t, i64 row) const {
    if (batch->fresh(t, row)) return nullptr;
    if (row < batch->rows_before(t)) return row_after(state, batch->before(t), row);
    const Strip<const T>& from = initial[size_t(state)];
    return from ? from.data + row * from.row : nullptr;
}

template <class T>
Site<T> Job<T>::state_site(int state, bool after) const {
    using When = typename Site<T>::When;
    Site<T> it;
    if (const Strip<T> kept = history(state)) {
        it.when = after ? When::packed : When::before;
        it.base = kept.data;
        it.row = it.time = kept.row;
        return it;
    }
    if (!program->states[size_t(state)].in_place) it.when = after ? When::ring : When::ring_before;
    it.base = at(rings[size_t(state)]);
    it.row = it.time = state_size(state);
    return it;
}

template <class T>
Site<T> Job<T>::outside_site(Kind kind, int index) const {
    const External<T>& array = outside(kind, index);
    Site<T> it;
    it.when = array.time == External<T>::PACKED ? Site<T>::When::packed : Site<T>::When::strided;
    it.base = array.data;
    it.row = array.row;
    it.time = array.time == External<T>::PACKED ? array.row : array.time;
    if (array.data == nullptr) {  // a gradient that is not given
        it.when = Site<T>::When::fixed;
        it.base = at(zeros);
    }
    return it;
}

template <class T>
Site<T> Job<T>::tape_site(Strip<T> strip, i64 offset) const {
    Site<T> it;
    it.when = Site<T>::When::packed;
    it.base = strip.data + offset;
    it.row = it.time = strip.row;
    return it;
}

template <class T>
Site<T> Job<T>::site(const Operand& operand, i64 unit) const {
    const i64 index = operand.index, hidden = program->hidden, output = program->output, rows = batch->rows();
    Site<T> it;
    switch (operand.kind) {
        case Kind::previous: return state_site(operand.index, false);
        case Kind::next: return state_site(operand.index, true);
        case Kind::tape: return tape_site(tape->tape, index * hidden);
        case Kind::tape_output: return tape_site(tape->tape_output, index * output);
        case Kind::grad: return tape_site(tape->grad, index * hidden);
        case Kind::grad_output: return tape_site(tape->grad_output, index * output);
        case Kind::tape_row:
            it = tape_site(tape->tape_rows, index * batch->real_steps());
            it.columns = Site<T>::Columns::none;
            return it;
        case Kind::carry:
            it.base = carry(operand.index).data;
            it.row = carry(operand.index).row;
            return it;
        case Kind::vector:
            it.base = const_cast<T*>(weights->vector(operand.index));
            it.rows = Site<T>::Rows::one;
            return it;
        case Kind::accumulator:
            it.base = const_cast<T*>(sum(operand.index, plan.columns ? 0 : unit));
            it.rows = Site<T>::Rows::one;
            return it;
        case Kind::slot:
            it.base = at(slots + unit * scratch_size);
            it.slot = index;
            it.rows = Site<T>::Rows::super_block;
            it.columns = Site<T>::Columns::tile;
            it.tile = slot_tiles > 1 ? temps : 0;
            return it;
        case Kind::temp:
            it.base = at(slots + unit * scratch_size + temps * slot_tiles + index * tile_rows(tile) * tile);
            it.row = tile;
            it.rows = Site<T>::Rows::one;
            it.columns = Site<T>::Columns::tile;
            return it;
        case Kind::full:
            it.base = at(fulls + index * rows * full_row);
            it.row = full_row;
            return it;
        case Kind::row:
            it.base = at(row_scalars + index * rows);
            it.row = 1;
            it.columns = Site<T>::Columns::none;
            return it;
        default:
            it = outside_site(operand.kind, operand.index);
            if (operand.width == Width::one) it.columns = Site<T>::Columns::none;
            return it;
    }
}

// The gradient of the input, if nothing of the input reaches a state.
template <class T>
void Job<T>::clear_input_gradient(Range rows) const {
    const External<T>& it = outside(Kind::dinput, 0);
    const auto& operands = program->operands;
    const auto written = [](const Operand& operand) { return operand.kind == Kind::dinput; };
    if (it.data == nullptr || std::any_of(operands.begin(), operands.end(), written)) return;
    for (i64 t = 0; t < batch->steps(); ++t) {
        T* step = it.data + (it.time == External<T>::PACKED ? batch->start(t) * it.row : t * it.time);
        for (i64 row = rows.begin; row < std::min(rows.end, batch->rows_at(t)); ++row)
            std::fill_n(step + row * it.row, weights->inputs(), T(0));
    }
}

template <class T>
void Job<T>::start_rows(Range rows) const {
    if (!program->backward()) return;
    clear_input_gradient(rows);
    for (int k = 0; k < int(program->states.size()); ++k) {
        const Strip<T> own = carry(k);
        if (outside(Kind::carry, k).data != nullptr) continue;
        for (i64 row = rows.begin; row < rows.end; ++row) std::fill_n(own.data + row * own.row, state_size(k), T(0));
    }
}

template <class T>
void copy_or_clear(const T* from, i64 count, T* to) {
    if (from != nullptr) std::copy_n(from, count, to);
    else std::fill_n(to, count, T(0));
}

template <class T>
void Job<T>::finish_rows(Range rows) const {
    if (program->backward()) return;
    for (int k = 0; k < int(program->states.size()); ++k) {
        const Strip<T> to = final[size_t(k)];
        const Strip<const T> from = initial[size_t(k)];
        for (i64 row = rows.begin; to && row < rows.end; ++row) {
            const T* last = batch->length(row) > 0 ? row_after(k, batch->last_step(row), row)
                            : from                 ? from.data + row * from.row
                                                   : nullptr;
            copy_or_clear(last, state_size(k), to.data + row * to.row);
        }
    }
}

template <class T>
typename Job<T>::Before Job<T>::before(i64 t, Range rows) const {
    const i64 old = batch->rows_before(t);
    if (batch->any_fresh(t, rows)) return Before::copied;
    return rows.end <= old ? Before::usual : rows.begin >= old ? Before::initial : Before::copied;
}

template <class T>
void Job<T>::copy_before(i64 t, Range rows) const {
    for (int k = 0; k < int(program->states.size()); ++k) {
        if (program->backward() && !history(k)) continue;  // then nothing reads it
        const Strip<T> to = strip_before(k, Before::copied);
        for (i64 row = rows.begin; row < rows.end; ++row)
            copy_or_clear(row_before(k, t, row), state_size(k), to.data + row * to.row);
    }
}

template <class T>
Strip<T> Job<T>::strip_before(int state, Before where) const {
    if (where == Before::copied) return {at(copies[size_t(state)]), state_size(state)};
    const Strip<const T>& from = initial[size_t(state)];
    return from ? Strip<T>{const_cast<T*>(from.data), from.row} : Strip<T>{at(zeros), 0};
}

template <class T>
void Job<T>::clear_carry(i64 t, Range rows) const {
    for (int k = 0; k < int(program->states.size()); ++k) {
        const Strip<T> it = carry(k);
        for (i64 row = rows.begin; row < rows.end; ++row)
            if (batch->fresh(t, row)) std::fill_n(it.data + row * it.row, state_size(k), T(0));
    }
}

template class Job<float>;
template class Job<double>;

}  // namespace elman
