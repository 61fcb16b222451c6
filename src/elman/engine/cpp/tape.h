// What a forward pass leaves for the backward pass: saved values, states of every step, then gradients of products.
// Knows places in memory that the caller gives, not their meaning.
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
    // The numbers of memory that a layer's training program needs for so many real steps of rows: a part for each
    // step, and a fixed one.
    static i64 size(const Program& program, i64 steps);

    // On memory of at least that size. States other than the first that the backward pass reads have histories here.
    Tape(const Program& program, const Batch& batch, T* memory);

    // Before a forward pass writes it.
    void begin() { *spent_mark = T(0); }
    // Whether a backward pass has written gradients over it, so that the forward pass must be run again first.
    bool spent() const { return *spent_mark != T(0); }
    // Memory for the gradients of products: over the saved values where the program allows it, unless they are to be
    // kept for another backward pass.
    void prepare_backward(bool keep);

    Strip<T> tape, tape_output, tape_rows, grad, grad_output;
    std::vector<Strip<T>> histories;

private:
    i64 steps, hidden, output;
    int grad_blocks, grad_output_blocks;
    bool overlay;
    T* spent_mark;
    std::unique_ptr<Workspace> grads, grads_output;
};

}  // namespace elman
