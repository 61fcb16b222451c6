// The loop over time: all steps of some rows, or one thread's columns of all steps.
// Knows the order of steps and where threads wait for one another; a step itself is in runner.cpp.
#pragma once

#include "runner.h"

namespace elman {

// All steps of a part of the rows. Nobody waits: rows do not know each other.
template <class T>
void run_rows(const Job<T>& job, Runner<T>& runner, i64 part);

// One thread's columns of all rows. A segment's rows are complete when all threads are done with it.
template <class T>
void run_columns(Job<T>& job, Runner<T>& runner, Member member);

}  // namespace elman
