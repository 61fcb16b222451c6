#include "team.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include <algorithm>
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

// How often a thread pauses before it gives its core away. Where others wait for a core, as beside another busy process,
// two threads of a team may share one, and each pause is time that the one that is waited for does not have.
constexpr int LEAST_PAUSES = 32, MOST_PAUSES = 20000;
std::atomic<int> pauses{MOST_PAUSES};

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
    const int most = pauses.load(std::memory_order_relaxed);
    int waited = 0;
    for (; round.load(std::memory_order_acquire) == now; ++waited) {
        if (member.failed->load(std::memory_order_relaxed)) throw Abandoned{};
        if (waited < most) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }
    if (waited > most) {
        pauses.store(std::max(most / 2, LEAST_PAUSES), std::memory_order_relaxed);
    } else if (most < MOST_PAUSES) {
        pauses.store(std::min(most + most / 8, MOST_PAUSES), std::memory_order_relaxed);
    }
}

}  // namespace elman
