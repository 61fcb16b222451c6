#include "tape.h"

#include <algorithm>

namespace elman {
namespace {

// Whole lines, and never a multiple of 4 KiB: rows that far apart share one set of the first-level cache.
template <class T>
i64 row_stride(i64 numbers) {
    const i64 line = 64 / i64(sizeof(T));
    return (numbers + line - 1) / line * line + line;
}

template <class T>
Strip<T> strip_in(std::unique_ptr<Workspace>& memory, i64 rows, i64 blocks, i64 width) {
    if (blocks == 0) return {};
    const i64 row = row_stride<T>(blocks * width);
    memory = std::make_unique<Workspace>(size_t(rows * row) * sizeof(T));
    return {static_cast<T*>(memory->data()), row};
}

}  // namespace

template <class T>
Tape<T>::Tape(const Program& program, const Batch& batch)
    : steps(batch.real_steps()),
      hidden(program.hidden),
      output(program.output),
      tape_blocks(program.tape_blocks),
      grad_blocks(program.grad_blocks),
      grad_output_blocks(program.grad_output_blocks),
      overlay(program.overlay) {
    tape = strip(steps, overlay ? std::max(tape_blocks, grad_blocks) : tape_blocks, hidden);
    tape_output = strip(steps, program.tape_output_blocks, output);
    if (program.tape_rows > 0) {
        memory.push_back(std::make_unique<Workspace>(size_t(program.tape_rows * steps) * sizeof(T)));
        tape_rows = {static_cast<T*>(memory.back()->data()), 1};
    }
    histories.resize(program.states.size());
    for (size_t k = 1; k < program.states.size(); ++k)
        if (program.states[k].kept()) histories[k] = strip(batch.places(), 1, program.size(program.states[k].width, 0));
}

template <class T>
Strip<T> Tape<T>::strip(i64 rows, i64 blocks, i64 width) {
    std::unique_ptr<Workspace> block;
    const Strip<T> it = strip_in<T>(block, rows, blocks, width);
    if (it) memory.push_back(std::move(block));
    return it;
}

template <class T>
void Tape<T>::prepare_backward(bool keep) {
    if (overlay && !keep) grad = tape;
    else grad = strip_in<T>(grads, steps, grad_blocks, hidden);
    grad_output = strip_in<T>(grads_output, steps, grad_output_blocks, output);
}

template class Tape<float>;
template class Tape<double>;

}  // namespace elman
