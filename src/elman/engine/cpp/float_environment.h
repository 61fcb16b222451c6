// Denormal numbers off for as long as an object lives, on the thread it lives on; then as the host had them.
// They slow decaying networks down on some processors (an addition on Intel: over 100 cycles), and mean nothing here.
#pragma once

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace elman {

class NoDenormals {
public:
    NoDenormals() : host(read()) { write(host | off); }
    ~NoDenormals() { write(host); }
    NoDenormals(const NoDenormals&) = delete;
    NoDenormals& operator=(const NoDenormals&) = delete;

    // The control bits of this thread's floating-point unit.
    static uint64_t read() {
#if defined(__x86_64__)
        return _mm_getcsr();
#elif defined(__aarch64__)
        uint64_t state;
        asm volatile("mrs %0, fpcr" : "=r"(state));
        return state;
#else
        return 0;
#endif
    }

    // Those that turn denormals off.
#if defined(__x86_64__)
    static constexpr uint64_t off = 0x8040;  // flush to zero, denormals are zero
#elif defined(__aarch64__)
    static constexpr uint64_t off = 1u << 24;
#else
    static constexpr uint64_t off = 0;
#endif

private:
    static void write([[maybe_unused]] uint64_t state) {
#if defined(__x86_64__)
        _mm_setcsr(unsigned(state));
#elif defined(__aarch64__)
        asm volatile("msr fpcr, %0" ::"r"(state));
#endif
    }

    uint64_t host;
};

}  // namespace elman
