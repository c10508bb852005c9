// The cost of a run of chapter 3; see plan.h.
// Measured steps go through the same training step as the run itself.
#include "plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "core/ensure.h"
#include "core/rng.h"

namespace vimach::laminar {

double memory_bound(const RunShape& s) {
    double numbers = static_cast<double>(s.model.n_parameter()) +
                     static_cast<double>(s.n_token * s.model.d_model) +
                     1.5 * static_cast<double>(s.n_token * s.sae.d_in) +
                     4 * static_cast<double>(s.sae.n_parameter());
    return numbers * sizeof(Real) + 64e6;
}

double peak_memory() {
    rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return 1024 * static_cast<double>(usage.ru_maxrss);
}

double measure_epoch(const RunShape& shape, ConstMatrixView x) {
    constexpr int64_t most = 1024;
    constexpr int n_step = 3;
    Rng rng(1);
    Sae sae = random_sae(shape.sae, rng);
    SaeAdam adam = {.settings = {.learning_rate = 1e-4}};
    ConstMatrixView rows = row_range(x, 0, std::min(most, x.rows));
    sae_train_step(sae, rows, adam);
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < n_step; ++i) sae_train_step(sae, rows, adam);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    double n_batch = static_cast<double>(shape.n_token) / static_cast<double>(rows.rows);
    return took.count() / n_step * n_batch;
}

double measure_epoch(const RunShape& shape) {
    Tensor x({std::min<int64_t>(1024, shape.n_token), shape.sae.d_in});
    Rng rng(1);
    for (Real& value : x.data) value = static_cast<Real>(rng.normal());
    return measure_epoch(shape, x.matrix());
}

std::string scaled_down(const std::vector<Extent>& extents) {
    std::string text;
    for (const Extent& e : extents) {
        if (e.here >= e.full) continue;
        text += format("%s%ld of %ld %s", text.empty() ? "" : ", ", e.here, e.full, e.name);
    }
    return text;
}

namespace {

std::string duration_text(double seconds) {
    if (seconds < 90) return format("%.0f s", seconds);
    return seconds < 5400 ? format("%.0f min", seconds / 60) : format("%.1f h", seconds / 3600);
}

}  // namespace

void add_plan(Table& table, const RunShape& s, double epoch_seconds) {
    double one = epoch_seconds * static_cast<double>(s.n_epoch * s.n_layer);
    add_row(table, {s.name, format("%.0f MB", memory_bound(s) / 1e6), duration_text(one),
                    duration_text(one * static_cast<double>(s.n_sae))});
}

}  // namespace vimach::laminar
