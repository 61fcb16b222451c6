// What a forward pass leaves for the backward pass: saved values, states of every step, then gradients of products.
// Knows their places, not their meaning.
#pragma once

#include <memory>
#include <vector>

#include "batch.h"
#include "program.h"
#include "workspace.h"

namespace elman {

// Rows in memory: the first, and how far the next one is (in numbers, not bytes).
template <class T>
struct Strip {
    T* data = nullptr;
    i64 row = 0;
    explicit operator bool() const { return data != nullptr; }
};

template <class T>
class Tape {
public:
    // Of a layer's training program. States other than the first that the backward pass reads get their histories here.
    Tape(const Program& program, const Batch& batch);

    // Memory for the gradients of products: over the saved values where the program allows it, unless they are to be
    // kept for another backward pass.
    void prepare_backward(bool keep);

    Strip<T> tape, tape_output, tape_rows, grad, grad_output;
    std::vector<Strip<T>> histories;

private:
    Strip<T> strip(i64 rows, i64 blocks, i64 width);

    i64 steps, hidden, output;
    int tape_blocks, grad_blocks, grad_output_blocks;
    bool overlay;
    std::vector<std::unique_ptr<Workspace>> memory;
    std::unique_ptr<Workspace> grads, grads_output;
};

}  // namespace elman
