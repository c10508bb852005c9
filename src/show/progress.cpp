// Progress on standard error; see show/progress.h.
// The time left is extrapolated from the steps done so far.
#include "show/progress.h"

#include <unistd.h>

#include <cstdio>

#include "core/ensure.h"

namespace vimach {

namespace {

using Seconds = std::chrono::duration<double>;

constexpr double between_lines = 0.2;           // seconds
constexpr const char* erase_line = "\r\033[K";  // as every terminal understands it

}  // namespace

Progress::Progress(int64_t n_step)
    : begin_(std::chrono::steady_clock::now()),
      shown_(begin_),
      n_left_(n_step),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

void Progress::step(const std::string& doing) {
    --n_left_;
    ++n_done_;
    auto now = std::chrono::steady_clock::now();
    if (!terminal_ || Seconds(now - shown_).count() < between_lines) return;
    shown_ = now;
    std::fprintf(stderr, "%s%s, %s", erase_line, doing.c_str(), time_left().c_str());
    std::fflush(stderr);
}

void Progress::finish_part(const std::string& text) {
    std::fprintf(stderr, "%s%s; %s\n", terminal_ ? erase_line : "", text.c_str(),
                 time_left().c_str());
    std::fflush(stderr);
}

std::string Progress::time_left() const {
    if (n_done_ == 0 || n_left_ <= 0) return n_left_ <= 0 ? "done" : "time left not known yet";
    Seconds passed = std::chrono::steady_clock::now() - begin_;
    double left = passed.count() / static_cast<double>(n_done_) * static_cast<double>(n_left_);
    return left < 90 ? format("%.0f s left", left) : format("%.0f min left", left / 60);
}

}  // namespace vimach
