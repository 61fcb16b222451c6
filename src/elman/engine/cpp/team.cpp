#include "team.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include <exception>
#include <thread>

#include "float_environment.h"

namespace elman {
namespace {

using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
using Number = int (*)();

Parallel gomp_parallel = nullptr;
Number thread_number = nullptr;
Number thread_count = nullptr;
std::atomic<bool> forked{false};

struct Job {
    void (*function)(void*, Member);
    void* data;
    std::atomic<bool> failed{false};
    std::exception_ptr failure{};
};

// Ends a member that waits for one that has failed.
struct Abandoned {};

// An exception must not leave it: the library would go on without this thread, or end the process.
void one_member(void* job) {
    const NoDenormals here;
    Job& it = *static_cast<Job*>(job);
    try {
        it.function(it.data, {thread_number(), thread_count(), &it.failed});
    } catch (const Abandoned&) {
    } catch (...) {
        if (!it.failed.exchange(true)) it.failure = std::current_exception();
    }
}

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

void team::use(void* parallel, void* number, void* count) {
#if !defined(_WIN32)  // where no process is forked
    if (gomp_parallel == nullptr) pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
    gomp_parallel = reinterpret_cast<Parallel>(parallel);
    thread_number = reinterpret_cast<Number>(number);
    thread_count = reinterpret_cast<Number>(count);
}

bool team::available() { return gomp_parallel != nullptr && !forked; }

void team::run(int threads, void (*function)(void*, Member), void* data) {
    if (threads <= 1 || !available()) {
        const NoDenormals here;
        function(data, {0, 1});
        return;
    }
    Job job{function, data};
    gomp_parallel(one_member, &job, unsigned(threads), 0);
    if (job.failed) std::rethrow_exception(job.failure);
}

void Barrier::wait(Member member) {
    if (member.count == 1) return;
    const int now = round.load(std::memory_order_relaxed);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) == member.count - 1) {
        arrived.store(0, std::memory_order_relaxed);
        round.store(now + 1, std::memory_order_release);
        return;
    }
    for (int spins = 0; round.load(std::memory_order_acquire) == now; ++spins) {
        pause();
        if (member.failed->load(std::memory_order_relaxed)) throw Abandoned{};
        if (spins > 20000) std::this_thread::yield();  // another process may have taken the core that is waited for
    }
}

}  // namespace elman
