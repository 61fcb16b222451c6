// The Python module elman.engine._native. Tensors cross as addresses: such a call costs 0.12 us, arrays 2.4 us.
// Knows names and conversions; the caller keeps the memory alive, and checks that it is contiguous where it must be.

#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "batch.h"
#include "dispatch.h"
#include "drop.h"
#include "float_environment.h"
#include "job.h"
#include "padding.h"
#include "probe.h"
#include "program.h"
#include "stepper.h"
#include "team.h"
#include "workspace.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace elman {
namespace {

using Address = uintptr_t;
using Addresses = std::vector<Address>;
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

template <class T>
T* pointer(Address address) {
    return reinterpret_cast<T*>(address);
}

template <class T>
std::vector<T*> pointers(const Addresses& addresses) {
    std::vector<T*> all;
    for (Address it : addresses) all.push_back(pointer<T>(it));
    return all;
}

int workspace_buffer(PyObject* self, Py_buffer* view, int flags) {
    const Workspace* it = nb::inst_ptr<Workspace>(self);
    return PyBuffer_FillInfo(view, self, it->data(), Py_ssize_t(it->bytes()), 0, flags);
}

PyType_Slot workspace_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(workspace_buffer)}, {0, nullptr}};

void bind_workspace(nb::module_& m) {
    nb::class_<Workspace>(m, "Workspace", nb::type_slots(workspace_slots))
        .def(nb::init<size_t>(), "bytes"_a)
        .def_prop_ro("address", [](const Workspace& it) { return Address(it.data()); })
        .def_prop_ro("bytes", &Workspace::bytes);
    m.def("limit_workspace", &workspace::limit, "bytes"_a);
    m.def("kept_workspace", &workspace::kept);
    m.def("clear_workspace", &workspace::clear);
}

void bind_program(nb::module_& m) {
    nb::class_<Program>(m, "Program")
        .def(
            "__init__",
            [](Program* self, Address ints, i64 count, Address reals, i64 real_count) {
                new (self) Program(pointer<int32_t>(ints), count, pointer<double>(reals), real_count);
            },
            "ints"_a, "count"_a, "reals"_a, "real_count"_a)
        .def_ro("kind", &Program::kind)
        .def_ro("overlay", &Program::overlay)
        .def_prop_ro("joined", &Program::joined);
    nb::class_<Batch>(m, "Batch")
        .def(
            "__init__",
            [](Batch* self, i64 steps, i64 rows, Address lengths, Address fresh, bool reverse) {
                new (self) Batch(steps, rows, pointer<i64>(lengths), pointer<uint8_t>(fresh), reverse);
            },
            "steps"_a, "rows"_a, "lengths"_a = 0, "fresh"_a = 0, "reverse"_a = false)
        .def_prop_ro("real_steps", &Batch::real_steps)
        .def(
            "parts",
            [](const Batch& it, i64 count) {
                std::vector<i64> ends;
                for (Range part : it.parts(count)) ends.push_back(part.end);
                return ends;
            },
            "count"_a)
        .def(
            "pack",
            [](const Batch& it, Address padded, i64 time, i64 row, Address order, Address packed, i64 bytes,
               int threads) {
                pack(it, {pointer<char>(padded), it.steps(), it.rows(), time, row, pointer<i64>(order)},
                     pointer<char>(packed), bytes, threads);
            },
            "padded"_a, "time"_a, "row"_a, "order"_a, "packed"_a, "bytes"_a, "threads"_a, Unlocked())
        .def(
            "unpack",
            [](const Batch& it, Address packed, Address padded, i64 steps, i64 rows, Address order, i64 bytes,
               int threads) {
                unpack(it, pointer<char>(packed),
                       {pointer<char>(padded), steps, rows, rows * bytes, bytes, pointer<i64>(order)}, bytes, threads);
            },
            "packed"_a, "padded"_a, "steps"_a, "rows"_a, "order"_a, "bytes"_a, "threads"_a, Unlocked());
    nb::class_<Plan>(m, "Plan")
        .def(nb::init<bool, int, int>(), "columns"_a, "threads"_a, "vectors"_a)
        .def_rw("columns", &Plan::columns)
        .def_rw("threads", &Plan::threads)
        .def_rw("vectors", &Plan::vectors);
}

template <class T>
void bind_job(nb::module_& m) {
    using Job = elman::Job<T>;
    nb::class_<Job>(m, "Job")
        .def(nb::init<std::shared_ptr<const Program>, std::shared_ptr<const Weights<T>>, std::shared_ptr<const Batch>,
                      std::shared_ptr<Tape<T>>, Plan>(),
             "program"_a, "weights"_a, "batch"_a, "tape"_a.none(), "plan"_a)
        .def(
            "bind",
            [](Job& it, int kind, int index, Address data, i64 row, i64 time, int count, i64 apart) {
                if (kind < 0 || kind >= int(Kind::count)) throw std::invalid_argument("An unknown kind of operand.");
                for (int i = 0; i < count; ++i)
                    it.bind(Kind(kind), index + i, {pointer<T>(data) + i * apart, row, time});
            },
            "kind"_a, "index"_a, "data"_a, "row"_a, "time"_a = External<T>::PACKED, "count"_a = 1, "apart"_a = 0)
        .def(
            "bind_initial",
            [](Job& it, int state, Address data, i64 row, int count, i64 apart) {
                for (int i = 0; i < count; ++i) it.bind_initial(state + i, {pointer<T>(data) + i * apart, row});
            },
            "state"_a, "data"_a, "row"_a, "count"_a = 1, "apart"_a = 0)
        .def(
            "bind_final",
            [](Job& it, int state, Address data, i64 row, int count, i64 apart) {
                for (int i = 0; i < count; ++i) it.bind_final(state + i, {pointer<T>(data) + i * apart, row});
            },
            "state"_a, "data"_a, "row"_a, "count"_a = 1, "apart"_a = 0)
        .def_ro("plan", &Job::plan);
    using Stepper = elman::Stepper<T>;
    nb::class_<Stepper>(m, "Stepper")
        .def(
            "__init__",
            [](Stepper* self, std::vector<std::shared_ptr<Job>> jobs, Address input, i64 size, int threads) {
                new (self) Stepper(std::move(jobs), pointer<T>(input), size, threads);
            },
            "jobs"_a, "input"_a, "size"_a, "threads"_a)
        .def(
            "bind",
            [](Stepper& it, size_t layer, const Addresses& before, const Addresses& after) {
                it.bind(layer, pointers<const T>(before), pointers<T>(after));
            },
            "layer"_a, "before"_a, "after"_a)
        .def("run", [](Stepper& it, Address from) { it.run(pointer<const T>(from)); }, "input"_a, Unlocked());
    m.def(
        "run", [](const std::vector<Job*>& jobs, int threads) { run<T>(jobs, threads); }, "jobs"_a, "threads"_a,
        Unlocked());
    m.def(
        "parameter_gradients",
        [](const std::vector<const Job*>& jobs, const Addresses& gradients, int threads) {
            parameter_gradients<T>(jobs, pointers<T>(gradients), threads);
        },
        "jobs"_a, "gradients"_a, "threads"_a, Unlocked());
}

template <class T>
void bind_numbers(nb::module_& parent, const char* name) {
    nb::module_ m = parent.def_submodule(name);
    nb::class_<Weights<T>>(m, "Weights")
        .def(
            "__init__",
            [](Weights<T>* self, const Program& program, i64 inputs, const Addresses& parameters, const Plan& plan,
               int threads, int storage) {
                if (storage < 0 || storage > int(Storage::pairs)) throw std::invalid_argument("An unknown storage.");
                new (self) Weights<T>(program, inputs, pointers<const T>(parameters), plan, threads, Storage(storage));
            },
            "program"_a, "inputs"_a, "parameters"_a, "plan"_a, "threads"_a, "storage"_a = 0, Unlocked())
        .def(
            "looks_like",
            [](const Weights<T>& it, const Addresses& parameters) {
                return it.looks_like(pointers<const T>(parameters));
            },
            "parameters"_a)
        .def(
            "take_hash",
            [](Weights<T>& it, const Addresses& parameters, int threads) {
                it.take_hash(pointers<const T>(parameters), threads);
            },
            "parameters"_a, "threads"_a, Unlocked())
        .def(
            "holds",
            [](const Weights<T>& it, const Addresses& parameters, int threads) {
                return it.holds(pointers<const T>(parameters), threads);
            },
            "parameters"_a, "threads"_a, Unlocked());
    nb::class_<Tape<T>>(m, "Tape")
        .def(
            "__init__",
            [](Tape<T>* self, const Program& program, const Batch& batch, Address memory) {
                new (self) Tape<T>(program, batch, pointer<T>(memory));
            },
            "program"_a, "batch"_a, "memory"_a)
        .def_static("size", &Tape<T>::size, "program"_a, "steps"_a)
        .def("begin", &Tape<T>::begin)
        .def_prop_ro("spent", &Tape<T>::spent)
        .def("prepare_backward", &Tape<T>::prepare_backward, "keep"_a);
    m.def(
        "plan",
        [](const Program& program, const Batch& batch, i64 inputs, int threads, bool pairs) {
            return make_plan<T>(program, batch, inputs, kernels<T>().matmul, threads, i64(sizeof(T)) / (pairs ? 2 : 1));
        },
        "program"_a, "batch"_a, "inputs"_a, "threads"_a, "pairs"_a = false);
    bind_job<T>(m);
    m.def(
        "matmul",
        [](Address a, Address b, Address out, i64 rows, i64 k, i64 columns, bool transposed, int vectors, int threads,
           bool pairs) {
            probe::matmul<T>({pointer<T>(b), transposed ? k : columns, k, columns, transposed}, pointer<T>(a), rows,
                             pointer<T>(out), vectors, pairs, threads);
        },
        "a"_a, "b"_a, "out"_a, "rows"_a, "k"_a, "columns"_a, "transposed"_a, "vectors"_a, "threads"_a,
        "pairs"_a = false, Unlocked());
    m.def(
        "drop",
        [](Address from, Address to, i64 count, uint64_t seed, int threshold, double scale, int threads) {
            drop<T>(pointer<const T>(from), pointer<T>(to), count, seed, threshold, T(scale), threads);
        },
        "from_"_a, "to"_a, "count"_a, "seed"_a, "threshold"_a, "scale"_a, "threads"_a, Unlocked());
    m.def(
        "apply",
        [](int code, const Addresses& operands, double k0, double k1, i64 rows, i64 columns) {
            probe::apply<T>(code, pointers<T>(operands), k0, k1, rows, columns);
        },
        "code"_a, "operands"_a, "k0"_a, "k1"_a, "rows"_a, "columns"_a, Unlocked());
}

void bind_machine(nb::module_& m) {
    m.def("instruction_set", [] { return std::string(instruction_set().name); });
    m.def("multiplies_pairs", [] { return instruction_set().multiplies_pairs; });
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const InstructionSet* it : instruction_sets()) names.push_back(it->name);
        return names;
    });
    m.def("select_instruction_set", &select_instruction_set, "name"_a);
    m.def(
        "use_team",
        [](Address parallel, Address number, Address count) {
            team::use(pointer<void>(parallel), pointer<void>(number), pointer<void>(count));
        },
        "parallel"_a, "thread_number"_a, "thread_count"_a);
    m.def("team_available", &team::available);
    m.attr("DENORMALS_OFF") = NoDenormals::off;
    m.def("float_states", &probe::float_states, "threads"_a, Unlocked());
}

}  // namespace
}  // namespace elman

NB_MODULE(_native, m) {
    nb::set_leak_warnings(false);  // programs, packed weights and tensors' memory live until the process ends
    m.doc() = "The runtime of Elman's native engine; the contract is docs/engine.md.";
    elman::bind_machine(m);
    elman::bind_workspace(m);
    elman::bind_program(m);
    elman::bind_numbers<float>(m, "float32");
    elman::bind_numbers<double>(m, "float64");
}
