#include "loop.h"

#include <algorithm>

namespace elman {
namespace {

template <class T>
i64 step_of(const Job<T>& job, i64 number) {
    const bool falling = job.batch->reverse() != job.program->backward();
    return falling ? job.batch->steps() - 1 - number : number;
}

}  // namespace

template <class T>
void run_rows(const Job<T>& job, Runner<T>& runner, i64 part) {
    const Range all = job.parts[size_t(part)];
    job.start_rows(all);
    for (i64 number = 0; number < job.batch->steps(); ++number) {
        const i64 t = step_of(job, number);
        const Range rows{all.begin, std::min(all.end, job.batch->rows_at(t))};
        if (rows.size() <= 0) continue;
        const auto before = job.before(t, rows);
        if (before == Job<T>::Before::copied) job.copy_before(t, rows);
        runner.at_step(t, before);
        for (int s = 0; s < int(job.program->segments.size()); ++s) {
            if (!job.wanted(job.program->segments[size_t(s)])) continue;
            runner.row_operations(s, rows);
            runner.tiles(s, rows, {0, runner.tiles_of(s)});
        }
        if (job.program->backward() && job.batch->any_fresh(t, rows)) job.clear_carry(t, rows);
    }
    job.finish_rows(all);
}

template <class T>
void run_columns(Job<T>& job, Runner<T>& runner, Member member) {
    const Range all{0, job.batch->rows()};
    const bool first = member.index == 0, alone = job.program->columns_are_independent();
    if (first) job.start_rows(all);
    job.barrier.wait(member.count);
    for (i64 number = 0; number < job.batch->steps(); ++number) {
        const i64 t = step_of(job, number);
        const Range rows{0, job.batch->rows_at(t)};
        if (rows.size() == 0) continue;
        const auto before = job.before(t, rows);
        if (before == Job<T>::Before::copied) {
            if (alone) job.barrier.wait(member.count);
            if (first) job.copy_before(t, rows);
            job.barrier.wait(member.count);
        }
        runner.at_step(t, before);
        for (int s = 0; s < int(job.program->segments.size()); ++s) {
            if (!job.wanted(job.program->segments[size_t(s)])) continue;
            const i64 tiles = runner.tiles_of(s);
            runner.tiles(s, rows, {tiles * member.index / member.count, tiles * (member.index + 1) / member.count});
            if (!alone) job.barrier.wait(member.count);
        }
        if (job.program->backward() && job.batch->any_fresh(t, rows)) {
            if (alone) job.barrier.wait(member.count);
            if (first) job.clear_carry(t, rows);
            job.barrier.wait(member.count);
        }
    }
    if (alone) job.barrier.wait(member.count);
    if (first) job.finish_rows(all);
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
