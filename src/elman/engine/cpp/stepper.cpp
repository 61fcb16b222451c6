#include "stepper.h"

#include <algorithm>

namespace elman {

template <class T>
Stepper<T>::Stepper(std::vector<std::shared_ptr<Job<T>>> jobs_, T* input_, i64 size_, int most)
    : jobs(std::move(jobs_)), input(input_), size(size_) {
    for (const std::shared_ptr<Job<T>>& job : jobs) {
        job->prepare();
        runners.emplace_back();
        for (i64 unit = 0; unit < job->units(); ++unit) runners.back().emplace_back(*job, unit);
        threads = int(std::max<i64>(threads, job->units()));
    }
    threads = std::min(threads, most);
}

template <class T>
void Stepper<T>::bind(size_t layer, const std::vector<const T*>& before, const std::vector<T*>& after) {
    Job<T>& job = *jobs.at(layer);
    const std::vector<State>& states = job.program->states;
    for (size_t k = 0; k < states.size(); ++k) {
        const i64 size = job.size(states[k].width);
        job.bind_initial(int(k), {before.at(k), size});
        job.bind_final(int(k), {after.at(k), size});
    }
}

template <class T>
void Stepper<T>::run(const T* from) {
    std::copy_n(from, size, input);
    team::run(threads, [this](Member member) {
        for (size_t i = 0; i < jobs.size(); ++i) {
            Job<T>& job = *jobs[i];
            std::vector<Runner<T>>& own = runners[i];
            // The team may be smaller than planned, and other layers may have work for more threads than this one.
            const int units = int(std::min<i64>(job.units(), member.count));
            if (job.plan.columns) {
                if (member.index < units) run_columns(job, own[size_t(member.index)], {member.index, units, member.failed});
            } else {
                for (size_t part = size_t(member.index); part < own.size(); part += size_t(member.count))
                    run_rows(job, own[part], i64(part));
            }
            barrier.wait(member);
        }
    });
}

template class Stepper<float>;
template class Stepper<double>;

}  // namespace elman
