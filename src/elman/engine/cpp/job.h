// A program over a batch: all that threads need to run it, and where the caller's arrays are.
// Knows addresses; the order of work is in loop.cpp and runner.cpp.
#pragma once

#include <memory>
#include <vector>

#include "batch.h"
#include "kernels.h"
#include "plan.h"
#include "program.h"
#include "tape.h"
#include "team.h"
#include "weights.h"

namespace elman {

// An array of the caller's, addressed by time: `time` numbers to the next step, or PACKED for rows that follow one
// another as Batch::start counts them.
template <class T>
struct External {
    static constexpr i64 PACKED = -1;
    T* data = nullptr;
    i64 row = 0;
    i64 time = PACKED;
};

// How an operand's address comes about: base, moved by time, row and column.
template <class T>
struct Site {
    enum class When : uint8_t { fixed, packed, strided, before, ring, ring_before, count };
    enum class Rows : uint8_t { one, batch, super_block };
    enum class Columns : uint8_t { whole, tile, none };
    When when = When::fixed;
    Rows rows = Rows::batch;
    Columns columns = Columns::whole;
    T* base = nullptr;
    i64 row = 0;
    i64 time = 0;  // from one of what it moves by, rows or steps, to the next
    i64 tile = 0;  // from tile to tile, where each has its own
    i64 slot = 0;  // its number, if it is a slot: the runner knows how they lie
};

template <class T>
class Job {
public:
    Job(std::shared_ptr<const Program> program, std::shared_ptr<const Weights<T>> weights,
        std::shared_ptr<const Batch> batch, std::shared_ptr<Tape<T>> tape, Plan plan);

    // The caller's arrays. That of Kind::next is a state's history, those of Kind::carry have a row for each of the
    // batch.
    void bind(Kind kind, int index, External<T> array);
    void bind_initial(int state, Strip<const T> rows) { initial[size_t(state)] = rows; }  // else zeros
    void bind_final(int state, Strip<T> rows) { final[size_t(state)] = rows; }

    // Before every run. Throws std::invalid_argument if an array is missing.
    void prepare();

    // Where an operand lies for a thread's or a part's unit.
    Site<T> site(const Operand& operand, i64 unit) const;
    bool wanted(const Segment& segment) const {
        return !segment.only_input_gradient || bool(outside(Kind::dinput, 0).data);
    }

    // How several steps of few rows are taken together. `segments`: one segment of all of them before the next segment;
    // no product needs the step before, and what is kept for a step or two only is not handed from segment to segment.
    // `steps`: one step after the other, but products with the input beforehand, and gradients of the input afterwards.
    enum class Groups : uint8_t { none, segments, steps };
    Groups groups() const;
    // Of the last: the segment that is left for afterwards.
    bool afterwards(const Segment& segment) const { return segment.only_input_gradient && segment.operations.empty(); }

    // Gradients carried in; final states, as the caller wants them.
    void start_rows(Range rows) const;
    void finish_rows(Range rows) const;

    // Where the states before step t are: after the step before it; or where the caller's initial states are, if all
    // rows begin; or in a copy, if only some rows begin, or if some are fresh and so read zeros.
    enum class Before : uint8_t { usual, initial, copied };
    Before before(i64 t, Range rows) const;
    void copy_before(i64 t, Range rows) const;
    Strip<T> strip_before(int state, Before where) const;
    const T* row_before(int state, i64 t, i64 row) const;  // null for zeros
    void clear_carry(i64 t, Range rows) const;

    // The sum over its rows that a unit has for a vector.
    const T* sum(int vector, i64 unit) const { return at(sums + unit * sums_size + sum_offsets[size_t(vector)]); }
    i64 tiles(i64 columns) const { return (columns + tile - 1) / tile; }
    i64 units() const { return plan.columns ? plan.threads : i64(parts.size()); }
    i64 sum_units() const { return plan.columns ? 1 : i64(parts.size()); }
    i64 size(Width width) const { return program->size(width, weights->inputs()); }
    i64 weights_of_a_thread() const;  // bytes of them, packed

    const std::shared_ptr<const Program> program;
    const std::shared_ptr<const Weights<T>> weights;
    const std::shared_ptr<const Batch> batch;
    const std::shared_ptr<Tape<T>> tape;  // null in inference
    const Plan plan;
    const std::vector<Range> parts;  // of rows
    const i64 tile;                  // columns of a tile
    const i64 slot_tiles;            // tiles that have slots of their own
    Barrier barrier;

private:
    bool segment_by_segment() const;
    bool few_rows() const;
    const External<T>& outside(Kind kind, int index) const;
    Site<T> outside_site(Kind kind, int index) const;
    Site<T> state_site(int state, bool after) const;
    Site<T> tape_site(Strip<T> strip, i64 offset) const;
    Strip<T> history(int state) const;
    Strip<T> carry(int state) const;
    T* row_after(int state, i64 t, i64 row) const;
    i64 state_size(int state) const { return size(program->states[size_t(state)].width); }
    T* at(i64 offset) const { return static_cast<T*>(memory->data()) + offset; }
    i64 reserve(i64 numbers);
    void lay_out();
    void check() const;
    void clear_input_gradient(Range rows) const;

    std::vector<std::vector<External<T>>> externals;  // by kind, by index
    std::vector<Strip<const T>> initial;
    std::vector<Strip<T>> final;
    std::vector<i64> rings, carries, copies, sum_offsets;  // by state; by vector: places in memory
    i64 slots = 0, temps = 0, scratch_size = 0, full_row = 0, fulls = 0, row_scalars = 0, sums = 0, sums_size = 0;
    i64 zeros = 0, reserved = 0;
    std::unique_ptr<Workspace> memory;
};

// Runs jobs that do not depend on one another, such as the two directions of a layer, on one team.
template <class T>
void run(const std::vector<Job<T>*>& jobs, int threads);

// After backward jobs of one layer, at least one: the gradients of its parameters, over all steps of all of them; each
// is overwritten, or null where it is not wanted.
template <class T>
void parameter_gradients(const std::vector<const Job<T>*>& jobs, const std::vector<T*>& gradients, int threads);

}  // namespace elman
