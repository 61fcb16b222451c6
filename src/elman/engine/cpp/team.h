// Threads: a function run by every thread of torch's own OpenMP team, and a barrier inside of it.
// Knows nothing of what is computed.
//
// An own pool beside torch's was measured slower than one thread: the two spin against each other. And linking OpenMP
// would load a second copy of it. So torch's team is called by its address.
#pragma once

#include <atomic>

namespace elman {

// What one thread of a team is told: its number, how many there are, and whether one of them has failed.
struct Member {
    int index;
    int count;
    const std::atomic<bool>* failed = nullptr;
};

namespace team {

// The addresses of GOMP_parallel, omp_get_thread_num and omp_get_num_threads in the library that torch has loaded.
void use(void* parallel, void* thread_number, void* thread_count);

// Whether jobs may have more than one thread: torch's team is known, and this process was not forked from one that
// may have used it (its threads exist no more, and waiting for them would be forever).
bool available();

void run(int threads, void (*function)(void* data, Member member), void* data);

// The same with anything that can be called. Fewer threads than asked may come; denormals are off while it runs. What a
// member throws, if memory ends, is thrown here when all have ended; those who wait for it end too.
template <class F>
void run(int threads, const F& function) {
    run(
        threads, [](void* data, Member member) { (*static_cast<const F*>(data))(member); },
        const_cast<void*>(static_cast<const void*>(&function)));
}

}  // namespace team

// All members of a team wait for one another. Spins, for as long as that has been worth it: a time step takes
// microseconds, a sleep as long.
class Barrier {
public:
    void wait(Member member);

private:
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<int> round{0};
};

}  // namespace elman
