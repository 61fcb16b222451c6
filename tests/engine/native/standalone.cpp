// The engine without Python: runs the cases that a test has written to a file, and compares. For processors that are
// only emulated, and for sanitizers.
// Knows nothing of cells: programs and expected values come from the file (cases.py), float64 throughout.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "dispatch.h"
#include "float_environment.h"
#include "job.h"
#include "loop.h"
#include "probe.h"
#include "workspace.h"

namespace elman {
namespace {

using Numbers = std::vector<double>;

// A file of arrays: how many numbers (int64), then the numbers.
class File {
public:
    explicit File(const char* path) : file(std::fopen(path, "rb")) {
        if (file == nullptr) throw std::runtime_error(std::string("cannot read ") + path);
    }
    ~File() { std::fclose(file); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    bool next(Numbers& all) {
        i64 count;
        if (std::fread(&count, sizeof count, 1, file) != 1) return false;
        all.resize(size_t(count));
        return std::fread(all.data(), sizeof(double), all.size(), file) == all.size();
    }
    Numbers array() {
        Numbers all;
        if (!next(all)) throw std::runtime_error("the file of cases ends too early");
        return all;
    }
    std::vector<Numbers> arrays() {
        std::vector<Numbers> all(static_cast<size_t>(array()[0]));
        for (Numbers& it : all) it = array();
        return all;
    }

private:
    FILE* file;
};

template <class T>
std::vector<T> as(const Numbers& all) {
    return std::vector<T>(all.begin(), all.end());
}

template <class T>
std::vector<std::vector<T>> as(const std::vector<Numbers>& all) {
    std::vector<std::vector<T>> them;
    for (const Numbers& it : all) them.push_back(as<T>(it));
    return them;
}

template <class T>
std::vector<T*> pointers(std::vector<std::vector<T>>& all) {
    std::vector<T*> them;
    for (std::vector<T>& it : all) them.push_back(it.data());
    return them;
}

// How far results may be from the expected ones, relative to the largest of an array.
template <class T>
constexpr double TOLERANCE = sizeof(T) == 4 ? 3e-5 : 1e-11;

int failures = 0;

template <class T>
void compare(const std::string& what, const std::vector<T>& found, const Numbers& expected,
             double tolerance = TOLERANCE<T>) {
    double largest = 1e-2, error = found.size() == expected.size() ? 0 : INFINITY;
    for (size_t i = 0; i < expected.size() && i < found.size(); ++i) {
        largest = std::max(largest, std::fabs(expected[i]));
        const double difference = std::fabs(double(found[i]) - expected[i]);
        error = difference <= error ? error : difference;  // NaN is an error
    }
    if (error <= tolerance * largest) return;
    ++failures;
    std::printf("%s, float%d, %s: wrong by %g of %g\n", instruction_set().name, int(sizeof(T) * 8), what.c_str(), error,
                largest);
}

// A team as OpenMP would give it, of new threads each time.
thread_local int thread_number = 0, thread_count = 1;

void parallel(void (*function)(void*), void* data, unsigned threads, unsigned) {
    const auto member = [=](int number) {
        thread_number = number, thread_count = int(threads);
        function(data);
        thread_number = 0, thread_count = 1;
    };
    std::vector<std::thread> others;
    for (int i = 1; i < int(threads); ++i) others.emplace_back(member, i);
    member(0);
    for (std::thread& it : others) it.join();
}

int number_of_thread() { return thread_number; }
int count_of_threads() { return thread_count; }

// One operation on a tile.
struct OperationCase {
    Numbers head;  // code, k0, k1, rows, columns
    std::vector<Numbers> operands;
    Numbers expected;

    explicit OperationCase(File& file) : head(file.array()), operands(file.arrays()), expected(file.array()) {}

    template <class T>
    void run() const {
        std::vector<std::vector<T>> values = as<T>(operands);
        probe::apply<T>(int(head[0]), pointers(values), head[1], head[2], i64(head[3]), i64(head[4]));
        compare<T>("operation " + std::to_string(int(head[0])), values[0], expected);
    }
};

// A product with a packed matrix.
struct ProductCase {
    Numbers head;  // rows, k, columns, transposed, pairs
    Numbers a, b, expected;

    explicit ProductCase(File& file) : head(file.array()), a(file.array()), b(file.array()), expected(file.array()) {}

    template <class T>
    void run() const {
        const i64 rows = i64(head[0]), k = i64(head[1]), columns = i64(head[2]);
        const bool transposed = head[3] != 0, pairs = head[4] != 0;
        if (pairs && sizeof(T) != sizeof(float)) return;
        const std::vector<T> left = as<T>(a), right = as<T>(b);
        for (int vectors = 1; vectors <= 4; ++vectors) {
            std::vector<T> out(size_t(rows * columns), T(NAN));
            probe::matmul<T>({right.data(), transposed ? k : columns, k, columns, transposed}, left.data(), rows,
                             out.data(), vectors, pairs, 2);
            compare<T>("product", out, expected);
        }
    }
};

// A layer in one direction, forward and backward. All that this program asks of Batch, Tape, Weights and Job is here.
struct LayerCase {
    struct Code {
        std::vector<int32_t> ints;
        Numbers reals;
        explicit Code(File& file) : ints(as<int32_t>(file.array())), reals(file.array()) {}
        std::shared_ptr<const Program> program() const {
            return std::make_shared<Program>(ints.data(), i64(ints.size()), reals.data(), i64(reals.size()));
        }
    };
    Numbers head;  // steps, rows, columns of the input, reverse, 0 or in pairs how far results may be
    std::vector<i64> lengths;
    std::vector<uint8_t> fresh;  // or empty
    Code training, inference, backward;
    std::vector<Numbers> parameters, extras;
    Numbers input;
    std::vector<Numbers> initial;
    Numbers d_output;
    std::vector<Numbers> d_final;
    Numbers output;  // from here on: expected
    std::vector<Numbers> final;
    Numbers d_input;
    std::vector<Numbers> d_initial, gradients;

    explicit LayerCase(File& file)
        : head(file.array()),
          lengths(as<i64>(file.array())),
          fresh(as<uint8_t>(file.array())),
          training(file),
          inference(file),
          backward(file),
          parameters(file.arrays()),
          extras(file.arrays()),
          input(file.array()),
          initial(file.arrays()),
          d_output(file.array()),
          d_final(file.arrays()),
          output(file.array()),
          final(file.arrays()),
          d_input(file.array()),
          d_initial(file.arrays()),
          gradients(file.arrays()) {}

    bool pairs() const { return head[4] != 0; }
    template <class T>
    double tolerance() const {
        return pairs() ? head[4] : TOLERANCE<T>;
    }

    template <class T>
    void run() const;
};

template <class T>
class Layer {
public:
    Layer(const LayerCase& it, const char* cut, Plan plan)
        : it(it),
          name(std::string("layer by ") + cut),
          plan(plan),
          batch(std::make_shared<Batch>(i64(it.head[0]), i64(it.head[1]), it.lengths.data(),
                                        it.fresh.empty() ? nullptr : it.fresh.data(), it.head[3] != 0)),
          parameters(as<T>(it.parameters)),
          extras(as<T>(it.extras)),
          initial(as<T>(it.initial)),
          input(as<T>(it.input)) {}

    void forward(bool keep) {
        const std::shared_ptr<const Program> program = (keep ? it.training : it.inference).program();
        if (keep) {
            memory.assign(size_t(Tape<T>::size(*program, batch->real_steps())), T(NAN));
            tape = std::make_shared<Tape<T>>(*program, *batch, memory.data());
        }
        history.assign(size_t(batch->real_steps() * program->output), T(NAN));
        const std::unique_ptr<Job<T>> job = made(program, keep ? tape : nullptr);
        std::vector<std::vector<T>> end = initial;
        for (int k = 0; k < int(end.size()); ++k) job->bind_final(k, {end[size_t(k)].data(), columns(*program, k)});
        elman::run<T>({job.get()}, 3);
        check("final state", end, it.final);
        compare<T>(name + ", output", history, it.output, it.template tolerance<T>());
    }

    void backward(bool keep) {
        const std::shared_ptr<const Program> program = it.backward.program();
        tape->prepare_backward(keep);
        const std::unique_ptr<Job<T>> job = made(program, tape);
        std::vector<T> d_output = as<T>(it.d_output), d_input(input.size(), T(NAN));
        std::vector<std::vector<T>> carry = as<T>(it.d_final), found = as<T>(it.parameters);
        job->bind(Kind::dstate, 0, {d_output.data(), program->output});
        for (int k = 0; k < int(carry.size()); ++k)
            job->bind(Kind::carry, k, {carry[size_t(k)].data(), columns(*program, k)});
        job->bind(Kind::dinput, 0, {d_input.data(), i64(it.head[2])});
        elman::run<T>({job.get()}, 3);
        parameter_gradients<T>({job.get()}, pointers(found), 3);
        compare<T>(name + ", gradient of the input", d_input, it.d_input, it.template tolerance<T>());
        check("gradient of the state", carry, it.d_initial);
        check("gradient of the parameter", found, it.gradients);
    }

private:
    std::unique_ptr<Job<T>> made(const std::shared_ptr<const Program>& program, const std::shared_ptr<Tape<T>>& tape) {
        std::vector<const T*> addresses;
        for (const std::vector<T>& each : parameters) addresses.push_back(each.data());
        const Storage storage = it.pairs() ? Storage::pairs : Storage::own;
        const auto weights = std::make_shared<Weights<T>>(*program, i64(it.head[2]), addresses, plan, 2, storage);
        auto job = std::make_unique<Job<T>>(program, weights, batch, tape, plan);
        job->bind(Kind::input, 0, {input.data(), i64(it.head[2])});
        job->bind(Kind::next, 0, {history.data(), program->output});
        for (int k = 0; k < int(initial.size()); ++k)
            job->bind_initial(k, {initial[size_t(k)].data(), columns(*program, k)});
        for (int i = 0; i < int(extras.size()); ++i)
            job->bind(Kind::extra, i, {extras[size_t(i)].data(), i64(extras[size_t(i)].size()) / batch->rows(), 0});
        return job;
    }

    static i64 columns(const Program& program, int state) {
        return program.size(program.states[size_t(state)].width, 0);
    }

    void check(const char* what, const std::vector<std::vector<T>>& found, const std::vector<Numbers>& expected) const {
        for (size_t i = 0; i < expected.size(); ++i)
            compare<T>(name + ", " + what + " " + std::to_string(i), found[i], expected[i], it.template tolerance<T>());
    }

    const LayerCase& it;
    const std::string name;
    const Plan plan;
    const std::shared_ptr<const Batch> batch;
    std::vector<std::vector<T>> parameters, extras, initial;
    std::vector<T> input, memory, history;
    std::shared_ptr<Tape<T>> tape;
};

template <class T>
void LayerCase::run() const {
    if (pairs() && sizeof(T) != sizeof(float)) return;
    const bool reduces = training.program()->reduces() || backward.program()->reduces();
    const struct {
        const char* name;
        Plan plan;
    } cuts[] = {{"one thread", {false, 1, 4}}, {"rows", {false, 3, 2}}, {"columns", {true, 2, 1}}};
    for (const auto& cut : cuts) {
        if (cut.plan.columns && reduces) continue;
        Layer<T> layer(*this, cut.name, cut.plan);
        layer.forward(false);
        layer.forward(true);
        layer.backward(true);
        layer.backward(false);
    }
}

// Inside a job denormal numbers are zero, outside they are not, and the host's state is what it was.
void check_denormals() {
    float one[] = {1.0f}, tiny[] = {1e-39f}, found[] = {1.0f};
    const auto multiply = [&] {
        probe::apply<float>(15, {found, tiny, one}, 0, 0, 1, 1);
        return found[0] > 0;
    };
    bool inside = true;
    team::run(1, [&](Member) { inside = multiply(); });
    const std::vector<uint64_t> states = probe::float_states(2);
    const auto off = [&](size_t i) { return (states[i] & NoDenormals::off) != 0; };
    if (!inside && multiply() && !off(0) && off(1) && off(2) && states[3] == states[0]) return;
    ++failures;
    std::printf("denormal numbers are not as they should be\n");
}

template <class Case>
void run(File& file) {
    const Case it(file);
    for (const InstructionSet* set : instruction_sets()) {
        select_instruction_set(set->name);
        it.template run<float>();
        it.template run<double>();
    }
}

int main(const char* path) {
    team::use(reinterpret_cast<void*>(parallel), reinterpret_cast<void*>(number_of_thread),
              reinterpret_cast<void*>(count_of_threads));
    workspace::limit(0);  // memory is not used again, so that sanitizers see where it ends
    check_denormals();
    File file(path);
    int cases = 0;
    for (Numbers kind; file.next(kind); ++cases) switch (int(kind.at(0))) {
            case 0: run<OperationCase>(file); break;
            case 1: run<ProductCase>(file); break;
            default: run<LayerCase>(file);
        }
    std::printf("%d cases on", cases);
    for (const InstructionSet* set : instruction_sets()) std::printf(" %s", set->name);
    std::printf(": %d failures\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace elman

int main(int count, char** arguments) {
    if (count != 2) return EXIT_FAILURE;
    return elman::main(arguments[1]);
}
