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

private:
#if defined(__x86_64__)
    static constexpr uint64_t off = 0x8040;  // flush to zero, denormals are zero
    static uint64_t read() { return _mm_getcsr(); }
    static void write(uint64_t state) { _mm_setcsr(unsigned(state)); }
#elif defined(__aarch64__)
    static constexpr uint64_t off = 1u << 24;
    static uint64_t read() {
        uint64_t state;
        asm volatile("mrs %0, fpcr" : "=r"(state));
        return state;
    }
    static void write(uint64_t state) { asm volatile("msr fpcr, %0" ::"r"(state)); }
#else
    static constexpr uint64_t off = 0;
    static uint64_t read() { return 0; }
    static void write(uint64_t) {}
#endif
    uint64_t host;
};

}  // namespace elman
