// Work cut into fixed blocks and spread over a few std::threads. The blocks never depend on the
// number of threads, and whoever adds partial results adds them in block order, so a program
// prints the same digits with one thread and with many.
#pragma once

#include <cstdint>
#include <functional>

namespace vimach {

/// Calls work(0), ..., work(n_block - 1), each once, in any order and on any thread; returns when
/// all are done. The exception of the lowest failing block is rethrown. Called from inside a
/// block, it runs its blocks one after the other on the calling thread.
void parallel_for(int64_t n_block, const std::function<void(int64_t)>& work);

/// parallel_for over the ranges [begin, end) that cut 0 .. n into pieces of `grain`.
void parallel_ranges(int64_t n, int64_t grain,
                     const std::function<void(int64_t begin, int64_t end)>& work);

/// Threads in use: the environment's VIMACH_THREADS, else the number of processors.
int thread_count();

/// Changes the number of threads (tests and benchmarks); 1 or more.
void set_thread_count(int n_thread);

}  // namespace vimach
