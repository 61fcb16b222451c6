#include "plan.h"

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include <algorithm>

namespace elman {
namespace {

// Measured on 2 cores of Zen 4 (1 MiB of second-level cache each) and of a Xeon (2 MiB), see docs/engine.md, "Runtime".

constexpr i64 FEW_ROWS = 8;                 // for each thread: below it, sharing columns wins
constexpr i64 SOME_ROWS = 16;               // up to here, it wins for large weights, if the columns go up evenly
constexpr i64 LARGE_WEIGHTS = 9 << 18;      // bytes, where all rows are of one length
constexpr i64 UNEVEN = 16;                  // one part in so many
constexpr i64 FEW_ALONE = 4;                // the same where columns need not wait for each other
constexpr i64 ENOUGH_SUMS = 16;             // vectors of them in a register block
constexpr i64 WORTH_A_BARRIER = 32 * 1024;  // multiply-adds of a step: a barrier costs about one microsecond

i64 weights(const Program& p, i64 inputs) {
    i64 sum = 0;
    for (const Parameter& it : p.parameters)
        if (it.rank == 2) sum += i64(it.blocks) * p.size(it.block, inputs) * p.size(it.row, inputs);
    return sum;
}

// Rows of several lengths end one after the other, and every thread reads all weights for fewer and fewer of them.
// That takes longer as soon as a core's own cache does not hold them.
i64 large_weights(const Batch& batch) {
    if (batch.dense()) return LARGE_WEIGHTS;
#ifdef _SC_LEVEL2_CACHE_SIZE
    static const i64 cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (cache > 0) return cache;
#endif
    return LARGE_WEIGHTS;
}

bool share_columns(const Program& p, const Batch& batch, i64 weights, i64 bytes, int threads, bool evenly) {
    const i64 rows = batch.rows();
    if (threads == 1 || p.reduces()) return false;
    const bool meet = std::any_of(p.segments.begin(), p.segments.end(), [](const Segment& segment) {
        return segment.gathers && segment.width != Width::input;
    });
    if (p.columns_are_independent() && !meet) return rows < FEW_ALONE * threads && (rows > 1 || p.hidden > TILE);
    if (rows * weights < WORTH_A_BARRIER * threads) return false;
    if (rows / threads < FEW_ROWS) return true;
    const bool some = batch.real_steps() <= SOME_ROWS * threads * batch.steps();
    return some && evenly && weights * bytes > large_weights(batch);
}

// The widest panel whose block of registers takes all rows at once; for more rows than any takes, the widest. Where
// rows are reduced, tiles are of one width however many rows there are: a row's sums are taken tile by tile, and must
// not depend on the other rows. (With AVX2 those panels are of 2 vectors instead of 3, by which an LSTM with layer norm
// loses nothing.)
template <class T>
int panel_vectors(const Program& program, i64 rows, const Matmul<T>& kernels, bool alone = false) {
    if (alone && kernels.widest_alone > kernels.widest) return kernels.widest_alone;
    const auto fits = [&](int vectors) { return !program.reduces() || TILE % (vectors * kernels.lanes) == 0; };
    int widest = 1;
    for (int vectors = 1; vectors <= kernels.widest; ++vectors)
        if (fits(vectors)) widest = vectors;
    for (int vectors = widest; vectors >= 2; --vectors)
        if (fits(vectors) && rows <= kernels.height[vectors]) return vectors;
    return widest;
}

// The most columns that one of the threads has.
i64 largest_share(i64 tile, i64 columns, int threads) {
    const i64 tiles = (columns + tile - 1) / tile;
    i64 most = 0;
    for (i64 i = 0; i < threads; ++i)
        most = std::max(most, std::min(columns, tiles * (i + 1) / threads * tile) - tiles * i / threads * tile);
    return most;
}

template <class T>
i64 share_of_busiest(const Program& program, int vectors, const Matmul<T>& kernels, int threads) {
    const i64 panel = i64(vectors) * kernels.lanes;
    return largest_share(shared_tile_columns(panel, program.hidden, threads), program.hidden, threads);
}

// Panels for threads that share columns: narrower ones where that leaves the busiest thread much less to do, and still
// enough sums at once to hide how long each takes.
template <class T>
int shared_panel_vectors(const Program& program, i64 rows, const Matmul<T>& kernels, int threads, bool alone) {
    const auto share = [&](int vectors) { return share_of_busiest(program, vectors, kernels, threads); };
    int best = panel_vectors(program, rows, kernels, alone);
    const auto enough = [&](int vectors) {
        return rows * vectors >= ENOUGH_SUMS || (alone && vectors > kernels.widest);
    };
    for (int vectors = best - 1; vectors >= 1 && enough(vectors); --vectors)
        if (5 * share(vectors) <= 4 * share(best)) best = vectors;
    return best;
}

}  // namespace

i64 shared_tile_columns(i64 panel, i64 columns, int threads) {
    i64 best = tile_columns(panel);
    for (i64 tile = best - panel; tile >= panel; tile -= panel)
        if (largest_share(tile, columns, threads) < largest_share(best, columns, threads)) best = tile;
    return best;
}

i64 tile_columns(const Program& program, const Plan& plan, i64 panel) {
    if (plan.columns) return shared_tile_columns(panel, program.hidden, plan.threads);
    return program.sources == 0 ? wide_tile_columns(panel, program.hidden) : tile_columns(panel);
}

template <class T>
Plan make_plan(const Program& program, const Batch& batch, i64 inputs, const Matmul<T>& kernels, int threads,
               i64 bytes) {
    const i64 numbers = weights(program, inputs);
    const i64 rows = batch.rows();
    const i64 at_once = program.columns_are_independent() ? SUPER_BLOCK : rows;
    threads = int(std::max<i64>(1, threads));
    const bool alone = at_once == 1 && bytes == i64(sizeof(T));
    const int vectors = shared_panel_vectors(program, at_once, kernels, threads, alone);
    const i64 most = share_of_busiest(program, vectors, kernels, threads);
    const bool evenly = UNEVEN * most * threads <= (UNEVEN + 1) * program.hidden;
    if (share_columns(program, batch, numbers, bytes, threads, evenly)) return {true, threads, vectors};
    const i64 work = std::max(program.hidden, numbers);
    if (rows * batch.steps() * work < WORTH_A_BARRIER) threads = 1;
    threads = int(std::max<i64>(1, std::min<i64>(threads, rows)));
    const i64 each = (rows + threads - 1) / threads;
    return {false, threads, panel_vectors(program, each, kernels, alone)};
}

template Plan make_plan<float>(const Program&, const Batch&, i64, const Matmul<float>&, int, i64);
template Plan make_plan<double>(const Program&, const Batch&, i64, const Matmul<double>&, int, i64);

}  // namespace elman
