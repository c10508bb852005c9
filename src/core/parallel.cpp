// A pool of sleeping workers that take blocks from one counter. Workers sleep between jobs
// (no spinning: on shared or virtual cores a spinning thread steals from the one that works).
#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr int max_thread = 256;

thread_local bool inside_block = false;

/// One call of parallel_for: its counter, and the exception of its lowest failing block.
struct Job {
    const std::function<void(int64_t)>& work;
    int64_t n_block;
    std::atomic<int64_t> next{0};
    std::mutex failure_mutex;
    int64_t failed_block = -1;
    std::exception_ptr failure;

    void run_blocks() {
        inside_block = true;
        for (int64_t block = next++; block < n_block; block = next++) run_block(block);
        inside_block = false;
    }

    void run_block(int64_t block) {
        try {
            work(block);
        } catch (...) {
            std::lock_guard lock(failure_mutex);
            if (failed_block >= 0 && failed_block < block) return;
            failed_block = block;
            failure = std::current_exception();
        }
    }
};

class Pool {
public:
    explicit Pool(int n_thread) { resize(n_thread); }
    ~Pool() { stop_workers(); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    int n_thread() const { return static_cast<int>(workers_.size()) + 1; }

    void resize(int n_thread) {
        stop_workers();
        stopping_ = false;
        try {
            for (int i = 1; i < n_thread; ++i) {
                workers_.emplace_back([this, seen = generation_] { serve(seen); });
            }
        } catch (const std::system_error&) {
            stop_workers();
            fail(format("the system gives no %d threads", n_thread), "parallel",
                 "set VIMACH_THREADS to a smaller number");
        }
    }

    void run(Job& job) {
        // One job at a time: a second caller waits for the first.
        std::lock_guard callers(caller_mutex_);
        {
            std::lock_guard lock(mutex_);
            job_ = &job;
            n_busy_ = workers_.size();
            ++generation_;
        }
        wake_.notify_all();
        job.run_blocks();

        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return n_busy_ == 0; });
        job_ = nullptr;
    }

private:
    void serve(uint64_t seen) {
        for (;;) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
            if (stopping_) return;
            seen = generation_;
            Job* job = job_;
            lock.unlock();

            job->run_blocks();

            lock.lock();
            if (--n_busy_ == 0) done_.notify_one();
        }
    }

    void stop_workers() {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
        workers_.clear();
    }

    std::vector<std::thread> workers_;
    std::mutex caller_mutex_, mutex_;
    std::condition_variable wake_, done_;
    Job* job_ = nullptr;
    size_t n_busy_ = 0;
    uint64_t generation_ = 0;
    bool stopping_ = false;
};

int default_thread_count() {
    const char* asked = std::getenv("VIMACH_THREADS");
    if (asked == nullptr || *asked == '\0') {
        return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, max_thread);
    }
    char* end = nullptr;
    long n_thread = std::strtol(asked, &end, 10);
    if (*end != '\0' || n_thread < 1 || n_thread > max_thread) {
        fail(format("'%s' is no number of threads", asked), "environment VIMACH_THREADS",
             format("set it to 1 ... %d, or unset it", max_thread));
    }
    return static_cast<int>(n_thread);
}

Pool& pool() {
    static Pool shared(default_thread_count());
    return shared;
}

}  // namespace

void parallel_for(int64_t n_block, const std::function<void(int64_t)>& work) {
    // Stay on this thread where there is nothing to share or the caller is itself a block.
    if (n_block <= 1 || inside_block || pool().n_thread() == 1) {
        for (int64_t block = 0; block < n_block; ++block) work(block);
        return;
    }

    Job job{.work = work, .n_block = n_block, .failure_mutex = {}, .failure = {}};
    pool().run(job);
    if (job.failure) std::rethrow_exception(job.failure);
}

void parallel_ranges(int64_t n, int64_t grain,
                     const std::function<void(int64_t begin, int64_t end)>& work) {
    parallel_for((n + grain - 1) / grain,
                 [&](int64_t block) { work(block * grain, std::min(n, (block + 1) * grain)); });
}

int thread_count() { return pool().n_thread(); }

void set_thread_count(int n_thread) {
    ensure(n_thread >= 1 && n_thread <= max_thread, "number of threads out of range",
           "set_thread_count", "pass 1 ... 256");
    pool().resize(n_thread);
}

}  // namespace vimach
