#include "tape.h"

#include <algorithm>

namespace elman {
namespace {

template <class T>
constexpr i64 line() {
    return 64 / i64(sizeof(T));
}

// Whole lines, and never a multiple of 4 KiB: rows that far apart share one set of the first-level cache.
template <class T>
i64 row_stride(i64 numbers) {
    return (numbers + line<T>() - 1) / line<T>() * line<T>() + line<T>();
}

// Gives out memory from the front; without any, it only counts.
template <class T>
class Layout {
public:
    Layout(T* memory, i64 rows) : memory(memory), rows(rows) {}

    Strip<T> strip(i64 blocks, i64 width) {
        if (blocks == 0) return {};
        const i64 row = row_stride<T>(blocks * width);
        return {take(rows * row), row};
    }
    T* take(i64 numbers) {
        T* here = memory == nullptr ? nullptr : memory + taken;
        taken += (numbers + line<T>() - 1) / line<T>() * line<T>();
        return here;
    }
    i64 size() const { return taken; }

private:
    T* memory;
    i64 rows;
    i64 taken = 0;
};

template <class T>
struct Places {
    T* mark;
    Strip<T> tape, tape_output, tape_rows;
    std::vector<Strip<T>> histories;
};

template <class T>
Places<T> places(const Program& program, i64 steps, Layout<T>& layout) {
    Places<T> it;
    it.mark = layout.take(1);
    it.tape = layout.strip(program.overlay ? std::max(program.tape_blocks, program.grad_blocks) : program.tape_blocks,
                           program.hidden);
    it.tape_output = layout.strip(program.tape_output_blocks, program.output);
    if (program.tape_rows > 0) it.tape_rows = {layout.take(program.tape_rows * steps), 1};
    it.histories.resize(program.states.size());
    for (size_t k = 1; k < program.states.size(); ++k)
        if (program.states[k].kept()) it.histories[k] = layout.strip(1, program.size(program.states[k].width, 0));
    return it;
}

template <class T>
Strip<T> own_strip(std::unique_ptr<Workspace>& memory, i64 rows, i64 blocks, i64 width) {
    if (blocks == 0) return {};
    const i64 row = row_stride<T>(blocks * width);
    memory = std::make_unique<Workspace>(size_t(rows * row) * sizeof(T));
    return {static_cast<T*>(memory->data()), row};
}

}  // namespace

template <class T>
i64 Tape<T>::size(const Program& program, i64 steps) {
    Layout<T> one(nullptr, 1);
    places(program, 1, one);
    const i64 arrays = 4 + i64(program.states.size());
    return arrays * line<T>() + steps * one.size();
}

template <class T>
Tape<T>::Tape(const Program& program, const Batch& batch, T* memory)
    : steps(batch.real_steps()),
      hidden(program.hidden),
      output(program.output),
      grad_blocks(program.grad_blocks),
      grad_output_blocks(program.grad_output_blocks),
      overlay(program.overlay) {
    Layout<T> layout(memory, steps);
    Places<T> all = places(program, steps, layout);
    spent_mark = all.mark;
    tape = all.tape;
    tape_output = all.tape_output;
    tape_rows = all.tape_rows;
    histories = std::move(all.histories);
}

template <class T>
void Tape<T>::prepare_backward(bool keep) {
    const bool over = overlay && !keep;
    if (over) *spent_mark = T(1);
    grad = over ? tape : own_strip<T>(grads, steps, grad_blocks, hidden);
    grad_output = own_strip<T>(grads_output, steps, grad_output_blocks, output);
}

template class Tape<float>;
template class Tape<double>;

}  // namespace elman
