// What every benchmark uses: rows, times, peers. Each tests/bench_*.cpp adds rows by functions that
// tests/bench.cpp calls.
#pragma once

#include <functional>
#include <string>

namespace vimach {

constexpr const char* shape_model = "weights/gpt2-shape";

/// A row in which less is better: seconds, bytes. No peer where `theirs` is 0.
void add_comparison(const char* name, double ours, const char* peer, double theirs,
                    const char* unit);

/// Median of 5 after a warm-up.
double median_seconds(const std::function<void()>& work);

/// Runs a peer's script, which prints its own median in seconds; 0 where it cannot run.
double peer_seconds(const std::string& command);

/// The command that starts Debian's Python, or the environment's PYTHON.
std::string python();

/// GFLOP/s of our own product of 2048 x 2048 matrices: what the machine gives.
double sgemm_rate();

/// GB/s at which all threads together read memory.
double read_rate();

void bench_actmax();
void bench_sae_palinka();
void bench_sae_batch();
void bench_sae_laminar_seed();
void bench_sae_laminar_course();
void bench_laminar_memory();
void bench_train();

}  // namespace vimach
