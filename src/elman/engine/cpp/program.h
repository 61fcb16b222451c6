// A compiled program, decoded from the flat arrays that docs/engine.md defines (section "Programs").
// Knows what a program says; not how it is run, nor on how many rows.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "range.h"

namespace elman {

enum class Width : int { hidden = 0, output = 1, input = 2, one = 3 };

enum class Kind : int {
    input = 0,
    previous,
    next,
    tape,
    tape_output,
    tape_row,
    grad,
    grad_output,
    dstate,
    carry,
    dinput,
    vector,
    accumulator,
    slot,
    temp,
    full,
    row,
    extra,
    adjoint,
    dextra,
    count
};

struct Parameter {
    int rank;
    Width block;  // rows of a block
    int blocks;
    Width row;  // columns, of a matrix
};

struct State {
    Width width;
    bool in_place;
    bool backward_reads_previous;
    bool backward_reads_next;
    bool kept() const { return backward_reads_previous || backward_reads_next; }
};

struct ParameterBlock {
    int parameter;
    int block;
};

// A vector is the sum of blocks of parameters.
struct VectorSum {
    Width width;
    std::vector<ParameterBlock> terms;
};

struct Operand {
    Kind kind;
    int index;
    Width width;
};

// A term of a product: rows of operand `a` and the operands behind it, times blocks of a matrix.
struct ProductSource {
    bool transposed;  // form 1
    int a;
    int parameter;
    std::vector<int> blocks;
    int number;  // among all sources of the program
};

struct Product {
    int out;
    int init;  // or -1
    std::vector<ProductSource> sources;
    // So many products, from this one on, multiply the same left sides and leave what they make in slots side by side;
    // 0 if that is so from an earlier one on.
    int joined = 1;
};

struct Instruction {
    int code;
    int operands[6];  // o a b c d e, or -1
    double k0, k1;
};

struct Segment {
    Width width;
    std::vector<Product> products;
    std::vector<Instruction> row_operations;
    std::vector<Instruction> operations;
    std::vector<int> operands;  // all that products and tile operations name, each once
    bool gathers = false;       // whether products read rows that an earlier segment has written
    bool only_input_gradient = false;  // whether that is all that is left of it
};

struct WeightGradient {
    int parameter;
    int grad;  // operand of the first block
    std::vector<int> blocks;
    int value;
};

struct Program {
    // Throws std::invalid_argument if the arrays are not a program of this version.
    Program(const int32_t* ints, i64 count, const double* reals, i64 real_count);

    bool backward() const { return kind == 2; }
    bool training() const { return kind == 0; }
    // Whether rows are reduced, also if all that comes of it is saved: then a row's tiles are not independent of one
    // another.
    bool reduces() const;
    // Whether a product needs what the step before has left: then steps have to be taken one by one.
    bool products_wait() const;
    // Whether no column of a state needs another one, of the same step or of the step before.
    bool columns_are_independent() const { return !products_wait() && !reduces() && fulls == 0; }
    // From the first to the last segment that names an operand of a kind and index; empty if none does.
    Range segments_with(Kind of_kind, int index) const;
    i64 size(Width width, i64 inputs) const;
    std::vector<int> joined() const;  // of each product

    int kind;
    i64 hidden, output;
    int slots, temps, fulls, row_scalars;
    int tape_blocks, tape_output_blocks, tape_rows, grad_blocks, grad_output_blocks, extras;
    bool overlay;
    int sources = 0;  // of all products

    std::vector<Parameter> parameters;
    std::vector<State> states;
    std::vector<VectorSum> vectors;
    std::vector<Operand> operands;
    std::vector<Segment> segments;
    std::vector<WeightGradient> weight_gradients;
};

}  // namespace elman
