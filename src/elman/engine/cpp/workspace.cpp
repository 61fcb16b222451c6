#include "workspace.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include <mutex>
#include <new>
#include <vector>

namespace elman {
namespace {

struct Block {
    size_t bytes;
    void* data;
};

// Free blocks, the one freed last at the end.
struct Cache {
    std::mutex mutex;
    std::vector<Block> blocks;
    size_t total = 0;
    size_t limit = size_t(1) << 30;
};

Cache& cache() {
    static Cache* it = [] {
#if !defined(_WIN32)  // where no process is forked
        pthread_atfork([] { cache().mutex.lock(); }, [] { cache().mutex.unlock(); }, [] { cache().mutex.unlock(); });
#endif
        return new Cache;  // never ends: workspaces may outlive static objects
    }();
    return *it;
}

constexpr std::align_val_t PAGE{4096};

void* allocate(size_t bytes) { return ::operator new(bytes, PAGE, std::nothrow); }
void release(void* memory) { ::operator delete(memory, PAGE); }

// Eight sizes for each power of two, so that nearly equal calls share blocks at 12.5 % of waste.
size_t rounded(size_t bytes) {
    size_t step = 4096;
    while (step * 16 <= bytes) step *= 2;
    return (bytes + step - 1) / step * step + (bytes == 0 ? step : 0);
}

void shrink(Cache& c, size_t most) {
    size_t oldest = 0;
    for (; c.total > most; ++oldest) {
        c.total -= c.blocks[oldest].bytes;
        release(c.blocks[oldest].data);
    }
    c.blocks.erase(c.blocks.begin(), c.blocks.begin() + ptrdiff_t(oldest));
}

// The smallest free block that has room, of several the one freed last; `bytes` becomes its size. Much larger ones wait
// for what needs them: of batches of ever other lengths each would else leave blocks of its own behind.
void* take(size_t& bytes) {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    size_t best = c.blocks.size();
    for (size_t i = c.blocks.size(); i-- > 0;) {
        const size_t there = c.blocks[i].bytes;
        if (there < bytes || there > bytes + bytes / 2) continue;
        if (best == c.blocks.size() || there < c.blocks[best].bytes) best = i;
        if (there == bytes) break;
    }
    if (best == c.blocks.size()) return nullptr;
    const Block found = c.blocks[best];
    c.blocks.erase(c.blocks.begin() + ptrdiff_t(best));
    c.total -= found.bytes;
    bytes = found.bytes;
    return found.data;
}

}  // namespace

Workspace::Workspace(size_t wanted) : size(rounded(wanted)), memory(take(size)) {
    if (memory != nullptr) return;
    memory = allocate(size);
    if (memory != nullptr) return;
    workspace::clear();  // what is kept may be what is missing
    memory = allocate(size);
    if (memory == nullptr) throw std::bad_alloc();
}

Workspace::~Workspace() {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    if (size > c.limit) {
        release(memory);
        return;
    }
    try {
        c.blocks.push_back({size, memory});
    } catch (const std::bad_alloc&) {  // a destructor must not throw
        release(memory);
        return;
    }
    c.total += size;
    shrink(c, c.limit);
}

void workspace::limit(size_t bytes) {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    c.limit = bytes;
    shrink(c, bytes);
}

size_t workspace::kept() {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    return c.total;
}

void workspace::clear() {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    shrink(c, 0);
}

}  // namespace elman
