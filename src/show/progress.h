// How far long work has come, on standard error: a line that is rewritten in place where that is a
// terminal, and one flushed line for every finished part either way. Standard output never shows
// it, so results do not depend on how long they took.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vimach {

class Progress {
public:
    /// Work of `n_step` steps that take about equally long.
    explicit Progress(int64_t n_step);

    /// One step is done; `doing` says of what. Shown on terminals, a few times a second.
    void step(const std::string& doing);

    /// Steps that need not be done: they count as done, but not for the time that is left.
    void skip(int64_t n_step) { n_left_ -= n_step; }

    /// A part is done: prints one line, with the time that the rest will take.
    void finish_part(const std::string& text);

private:
    std::string time_left() const;

    std::chrono::steady_clock::time_point begin_, shown_;
    int64_t n_left_, n_done_ = 0;
    bool terminal_;
};

}  // namespace vimach
