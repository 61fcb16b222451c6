#include "dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <atomic>
#include <stdexcept>

namespace elman {

#define ELMAN_DECLARE(isa)                                                       \
    namespace isa {                                                              \
    extern const Matmul<float> matmul_float;                                     \
    extern const Matmul<double> matmul_double;                                   \
    extern const Gradient<float> gradient_float;                                 \
    extern const Gradient<float> gradient_pairs;                                 \
    extern const Gradient<double> gradient_double;                               \
    extern const decltype(Operation<float>::run) operations_float[OPERATIONS];   \
    extern const decltype(Operation<double>::run) operations_double[OPERATIONS]; \
    extern const decltype(Kernels<float>::drop) drop_float;                      \
    extern const decltype(Kernels<double>::drop) drop_double;                    \
    extern const Hash hash_bytes;                                                \
    }

#if defined(ELMAN_HAS_AVX512BF16)
ELMAN_DECLARE(avx512bf16)
#endif
#if defined(ELMAN_HAS_AVX512)
ELMAN_DECLARE(avx512)
#endif
#if defined(ELMAN_HAS_AVX2)
ELMAN_DECLARE(avx2)
#endif
ELMAN_DECLARE(baseline)
#undef ELMAN_DECLARE

namespace {

template <class T>
Kernels<T> gather(const Matmul<T>& matmul, const Gradient<T>& gradient, const Gradient<T>& pairs,
                  const decltype(Operation<T>::run)* operations, decltype(Kernels<T>::drop) drop) {
    Kernels<T> all{matmul, gradient, pairs, {}, drop};
    for (int i = 0; i < OPERATIONS; ++i) all.operations[i] = operations[i];
    return all;
}

#define ELMAN_GATHER(isa, multiplies_pairs)                                                                         \
    [] {                                                                                                            \
        static const InstructionSet it = {                                                                          \
            #isa, multiplies_pairs,                                                                                 \
            gather<float>(isa::matmul_float, isa::gradient_float, isa::gradient_pairs, isa::operations_float,       \
                          isa::drop_float),                                                                         \
            gather<double>(isa::matmul_double, isa::gradient_double, {}, isa::operations_double, isa::drop_double), \
            isa::hash_bytes};                                                                                       \
        return &it;                                                                                                 \
    }()

std::atomic<const InstructionSet*> in_use{nullptr};

}  // namespace

std::vector<const InstructionSet*> instruction_sets() {
    std::vector<const InstructionSet*> all;
#if defined(ELMAN_HAS_AVX512)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
#if defined(ELMAN_HAS_AVX512BF16)
        if (__builtin_cpu_supports("avx512bf16")) all.push_back(ELMAN_GATHER(avx512bf16, true));
#endif
        all.push_back(ELMAN_GATHER(avx512, false));
    }
#endif
#if defined(ELMAN_HAS_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(ELMAN_GATHER(avx2, false));
#endif
    all.push_back(ELMAN_GATHER(baseline, false));
    return all;
}

const InstructionSet& instruction_set() {
    const InstructionSet* it = in_use.load(std::memory_order_acquire);
    if (it == nullptr) in_use = it = instruction_sets().front();
    return *it;
}

bool vectors_go_in_halves() {
#if defined(__x86_64__)
    constexpr unsigned ZEN_3_AND_4 = 0x19;  // of which Zen 4 alone has AVX-512
    static const bool halves = [] {
        unsigned signature = 0, b, c, d;
        return __get_cpuid(1, &signature, &b, &c, &d) != 0 && __builtin_cpu_is("amd") &&
               (signature >> 8 & 15) + (signature >> 20 & 255) == ZEN_3_AND_4;
    }();
    return halves;
#else
    return false;
#endif
}

void select_instruction_set(const std::string& name) {
    std::string known;
    for (const InstructionSet* it : instruction_sets()) {
        if (name == it->name) {
            in_use = it;
            return;
        }
        known += known.empty() ? "" : ", ";
        known += it->name;
    }
    throw std::invalid_argument("There is no instruction set '" + name + "' here. There are: " + known + ".");
}

}  // namespace elman
