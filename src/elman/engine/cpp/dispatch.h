// Which instruction sets this build has, and which of them this processor can run.
// Knows no kernel.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace elman {

// Those that the processor can run, the best first; never empty.
std::vector<const InstructionSet*> instruction_sets();

// The one in use: the best, until another one is selected.
const InstructionSet& instruction_set();

// Throws std::invalid_argument if this build or this processor does not have it.
void select_instruction_set(const std::string& name);

// Whether this processor multiplies vectors of 64 bytes as two halves, one after the other (Zen 4).
bool vectors_go_in_halves();

template <class T>
const Kernels<T>& kernels();

template <>
inline const Kernels<float>& kernels() {
    return instruction_set().float32;
}

template <>
inline const Kernels<double>& kernels() {
    return instruction_set().float64;
}

}  // namespace elman
