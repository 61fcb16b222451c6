#include "loop.h"

#include <algorithm>

namespace elman {
namespace {

template <class T>
i64 step_of(const Job<T>& job, i64 number) {
    const bool falling = job.batch->reverse() != job.program->backward();
    return falling ? job.batch->steps() - 1 - number : number;
}

// The steps to be taken next, from `number` on, which is moved past them: one, or as many as have SUPER_BLOCK rows if
// the job is run in groups. A step that needs a copy of the states before it, or clears gradients after it, is alone.
template <class T>
void collect(const Job<T>& job, Range part, typename Job<T>::Groups groups, i64& number, Steps<T>& steps) {
    using Groups = typename Job<T>::Groups;
    const Batch& batch = *job.batch;
    const bool plain = batch.dense() && !batch.resets();
    const bool one = groups == Groups::none || job.program->sources == 0;  // without products nothing is gained
    steps.count = 0;
    i64 rows = 0;
    for (; number < batch.steps(); ++number) {
        const i64 t = step_of(job, number), there = batch.rows_at(t);
        const i64 end = std::min(part.end, there), size = end - part.begin;
        if (size <= 0) continue;
        const auto before =
            plain && batch.rows_before(t) > 0 ? Job<T>::Before::usual : job.before(t, {part.begin, end});
        const bool few = size <= GROUPED_ROWS && size == there;
        const bool alone = one || (groups == Groups::steps && !few) || before == Job<T>::Before::copied ||
                           (!plain && batch.any_fresh(t, {part.begin, end}));
        rows += size;
        if (steps.count > 0 && (alone || rows > SUPER_BLOCK)) return;
        steps.each[steps.count++] = {t, end, before};
        if (!alone) continue;
        ++number;
        return;
    }
}

// How many steps from `number` on have their usual step before them, of a batch without resets.
template <class T>
i64 usual_steps(const Job<T>& job, i64 number) {
    i64 end = number;
    while (end < job.batch->steps() && job.batch->rows_before(step_of(job, end)) > 0) ++end;
    return end - number;
}

// One thread's way through all steps of some rows, on the column tiles `of(tiles of a segment)`. It meets the others
// by `meet`, where they share columns; `first` does what one does for all.
template <class T, class Tiles, class Meet>
void run_steps(const Job<T>& job, Runner<T>& runner, Range rows, bool first, const Tiles& of, const Meet& meet) {
    using Groups = typename Job<T>::Groups;
    const Groups groups = job.groups();
    const auto& segments = job.program->segments;
    const int count = int(segments.size());
    const bool backward = job.program->backward();
    const auto tiles = [&](int s) { return of(runner.tiles_of(s)); };
    Steps<T> steps;
    for (i64 number = 0; number < job.batch->steps();) {
        collect(job, rows, groups, number, steps);
        if (steps.count == 0) break;
        const Step<T>& begin = steps.each[0];
        if (begin.before == Job<T>::Before::copied) {
            if (groups == Groups::segments) meet();
            if (first) job.copy_before(begin.t, runner.rows(begin));
            meet();
        }
        runner.at(steps);
        if (runner.streams() && begin.before == Job<T>::Before::usual) {
            const i64 more = usual_steps(job, number);
            runner.stream(1 + more, tiles(0));
            number += more;
            continue;
        }
        if (groups == Groups::segments) {
            runner.turn();
            for (int s = 0; s < count; ++s) {
                if (!job.wanted(segments[size_t(s)])) continue;
                if (segments[size_t(s)].gathers) meet();
                runner.tiles(s, tiles(s));
            }
        } else {
            const bool several = steps.count > 1;
            if (several && !backward) runner.beforehand(tiles(0));
            for (size_t n = 0; n < steps.count; ++n) {
                runner.turn();
                for (int s = 0; s < count; ++s) {
                    if (!job.wanted(segments[size_t(s)]) || (several && job.afterwards(segments[size_t(s)]))) continue;
                    runner.row_operations(s, n);
                    runner.tiles(s, tiles(s), n);
                    meet();
                }
            }
            for (int s = 0; several && s < count; ++s)
                if (job.wanted(segments[size_t(s)]) && job.afterwards(segments[size_t(s)])) runner.tiles(s, tiles(s));
        }
        if (backward && job.batch->any_fresh(begin.t, runner.rows(begin))) {
            if (groups == Groups::segments) meet();
            if (first) job.clear_carry(begin.t, runner.rows(begin));
            meet();
        }
    }
}

}  // namespace

template <class T>
void run_rows(const Job<T>& job, Runner<T>& runner, i64 part) {
    const Range rows = job.parts[size_t(part)];
    job.start_rows(rows);
    run_steps(
        job, runner, rows, true,
        [](i64 tiles) {
            return Range{0, tiles};
        },
        [] {});
    job.finish_rows(rows);
}

template <class T>
void run_columns(Job<T>& job, Runner<T>& runner, Member member) {
    const Range rows{0, job.batch->rows()};
    const auto meet = [&] { job.barrier.wait(member); };
    const auto own = [&](i64 tiles) {
        return Range{tiles * member.index / member.count, tiles * (member.index + 1) / member.count};
    };
    const bool first = member.index == 0;
    if (first) job.start_rows(rows);
    meet();
    run_steps(job, runner, rows, first, own, meet);
    meet();
    if (first) job.finish_rows(rows);
}

template <class T>
void run(const std::vector<Job<T>*>& jobs, int threads) {
    struct Unit {
        Job<T>* job;
        i64 part;
    };
    std::vector<Unit> units;
    i64 useful = 0;
    for (Job<T>* job : jobs) {
        job->prepare();
        useful = std::max<i64>(useful, job->plan.columns ? job->plan.threads : 0);
        for (i64 part = 0; !job->plan.columns && part < i64(job->parts.size()); ++part) units.push_back({job, part});
    }
    useful = std::max(useful, i64(units.size()));
    for (Job<T>* job : jobs)
        if (job->plan.columns) useful = std::min<i64>(useful, job->plan.threads);  // it has scratch for no more
    threads = int(std::min<i64>(threads, useful));
    team::run(threads, [&](Member member) {
        for (size_t i = size_t(member.index); i < units.size(); i += size_t(member.count)) {
            Runner<T> runner(*units[i].job, units[i].part);
            run_rows(*units[i].job, runner, units[i].part);
        }
        for (Job<T>* job : jobs) {
            if (!job->plan.columns) continue;
            Runner<T> runner(*job, member.index);
            run_columns(*job, runner, member);
        }
    });
}

template void run_rows<float>(const Job<float>&, Runner<float>&, i64);
template void run_rows<double>(const Job<double>&, Runner<double>&, i64);
template void run_columns<float>(Job<float>&, Runner<float>&, Member);
template void run_columns<double>(Job<double>&, Runner<double>&, Member);

template void run<float>(const std::vector<Job<float>*>&, int);
template void run<double>(const std::vector<Job<double>*>&, int);

}  // namespace elman
