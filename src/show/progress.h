// How far long work has come, on standard error. On a terminal it is one line, rewritten in place a
// few times a second and cleared at the end. Elsewhere (a file, a pipe, TERM=dumb) it is a plain
// line every ten seconds, so a short run prints nothing. Standard output never shows it, so results
// do not depend on how long they took.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace vimach {

class Progress {
public:
    /// Work of n_step steps that take about equally long. Shown as "trained 34 of 100 epochs; 20 s
    /// left" for Progress("trained", 100, "epochs"); `between_lines` are seconds, off a terminal.
    Progress(std::string did, int64_t n_step, std::string unit, double between_lines = 10);

    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// n steps are done. Any thread may call this. Of `made`, a text that grows with the steps, a
    /// terminal shows the end.
    void step(int64_t n = 1, const std::string& made = "");

    /// n steps need not be done: they count as done, but not for the time that is left.
    void skip(int64_t n);

    /// A part is done: prints one line that stays, with the time that the rest will take.
    void finish_part(const std::string& text);

    /// Clears the line. Call this before anything else is printed; more steps may follow.
    void clear();

private:
    std::string time_left() const;

    const std::string did_, unit_;
    const int64_t n_step_;
    const bool terminal_;
    const double between_lines_;
    const std::chrono::steady_clock::time_point begin_;

    std::mutex mutex_;  // guards what follows, and the order of the lines
    std::chrono::steady_clock::time_point written_;
    int64_t n_done_ = 0, n_skipped_ = 0;
    bool line_shown_ = false;  // on the terminal, without its newline
};

}  // namespace vimach
