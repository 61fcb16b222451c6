// A prepared step: the jobs of a stack of layers over a single time step, to be run again and again without another
// allocation.
// Knows the order of layers; where input, states and outputs lie was bound to the jobs.
#pragma once

#include <memory>
#include <vector>

#include "loop.h"

namespace elman {

template <class T>
class Stepper {
public:
    // One job for each layer, the first layer first, which reads `size` numbers at `input`.
    Stepper(std::vector<std::shared_ptr<Job<T>>> jobs, T* input, i64 size, int threads);

    // Where a layer's states are read and written from now on, contiguous; both may be the same.
    void bind(size_t layer, const std::vector<const T*>& before, const std::vector<T*>& after);

    // Copies the input to where the first job reads it, and runs.
    void run(const T* from);

private:
    std::vector<std::shared_ptr<Job<T>>> jobs;
    std::vector<std::vector<Runner<T>>> runners;  // by job, by unit
    T* input;
    i64 size;
    int threads = 1;
    Barrier barrier;
};

}  // namespace elman
