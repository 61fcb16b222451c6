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
// the job can be run in groups. A step that needs a copy of the states before it, or clears gradients after it, is
// alone.
template <class T>
void collect(const Job<T>& job, Range part, bool in_groups, i64& number, std::vector<Step<T>>& steps) {
    steps.clear();
    i64 rows = 0;
    for (; number < job.batch->steps(); ++number) {
        const i64 t = step_of(job, number);
        const Range here{part.begin, std::min(part.end, job.batch->rows_at(t))};
        if (here.size() <= 0) continue;
        const auto before = job.before(t, here);
        const bool alone = !in_groups || before == Job<T>::Before::copied || job.batch->any_fresh(t, here);
        rows += here.size();
        if (!steps.empty() && (alone || rows > SUPER_BLOCK)) return;
        steps.push_back({t, here, before});
        if (!alone) continue;
        ++number;
        return;
    }
}

}  // namespace

template <class T>
void run_rows(const Job<T>& job, Runner<T>& runner, i64 part) {
    const Range all = job.parts[size_t(part)];
    const bool in_groups = job.in_groups();
    std::vector<Step<T>> steps;
    job.start_rows(all);
    for (i64 number = 0; number < job.batch->steps();) {
        collect(job, all, in_groups, number, steps);
        if (steps.empty()) break;
        const Step<T>& first = steps[0];
        if (first.before == Job<T>::Before::copied) job.copy_before(first.t, first.rows);
        runner.at(steps);
        for (int s = 0; s < int(job.program->segments.size()); ++s) {
            if (!job.wanted(job.program->segments[size_t(s)])) continue;
            runner.row_operations(s);
            runner.tiles(s, {0, runner.tiles_of(s)});
        }
        if (job.program->backward() && job.batch->any_fresh(first.t, first.rows)) job.clear_carry(first.t, first.rows);
    }
    job.finish_rows(all);
}

template <class T>
void run_columns(Job<T>& job, Runner<T>& runner, Member member) {
    const Range all{0, job.batch->rows()};
    const bool first_member = member.index == 0, in_groups = job.in_groups();
    std::vector<Step<T>> steps;
    if (first_member) job.start_rows(all);
    job.barrier.wait(member.count);
    for (i64 number = 0; number < job.batch->steps();) {
        collect(job, all, in_groups, number, steps);
        if (steps.empty()) break;
        const Step<T>& first = steps[0];
        if (first.before == Job<T>::Before::copied) {
            if (in_groups) job.barrier.wait(member.count);
            if (first_member) job.copy_before(first.t, first.rows);
            job.barrier.wait(member.count);
        }
        runner.at(steps);
        for (int s = 0; s < int(job.program->segments.size()); ++s) {
            const Segment& segment = job.program->segments[size_t(s)];
            if (!job.wanted(segment)) continue;
            if (in_groups && segment.gathers) job.barrier.wait(member.count);
            const i64 tiles = runner.tiles_of(s);
            runner.tiles(s, {tiles * member.index / member.count, tiles * (member.index + 1) / member.count});
            if (!in_groups) job.barrier.wait(member.count);
        }
        if (job.program->backward() && job.batch->any_fresh(first.t, first.rows)) {
            if (in_groups) job.barrier.wait(member.count);
            if (first_member) job.clear_carry(first.t, first.rows);
            job.barrier.wait(member.count);
        }
    }
    if (in_groups) job.barrier.wait(member.count);
    if (first_member) job.finish_rows(all);
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
