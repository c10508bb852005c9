// Progress on standard error; see show/progress.h.
// The time left is extrapolated from the steps done so far. Every line is one write, so that other
// programs that share the log cannot cut it in two. What a line quotes is made visible first.
#include "show/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/ensure.h"
#include "show/html.h"
#include "text/utf8.h"

namespace vimach {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double between_rewrites = 0.2;        // seconds
constexpr const char* erase_line = "\r\033[K";  // as every terminal but a dumb one understands it

/// Whether standard error is a terminal that can rewrite a line.
bool is_terminal() {
    const char* term = std::getenv("TERM");
    bool is_able = term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
    return is_able && ::isatty(STDERR_FILENO) != 0;
}

/// The part of a line that the terminal can show in one row: only one row can be erased again.
std::string cut_to_row(const std::string& line) {
    winsize size = {};
    bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    int most = is_known ? size.ws_col - 1 : 79, used = 0;
    size_t end = 0;
    while (end < line.size()) {
        std::string_view here =
            std::string_view(line).substr(end, read_code_point(line, end).length);
        used += text_columns(here);
        if (used > most) break;
        end += here.size();
    }
    return line.substr(0, end);
}

void emit(const std::string& text) { std::fputs(text.c_str(), stderr); }

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The end of a text that grows, as much as fits beside the count.
std::string tail(const std::string& text) {
    constexpr size_t most = 48;  // bytes
    if (text.size() <= most) return text;
    size_t begin = text.size() - most;
    while (begin < text.size() && (text[begin] & 0xC0) == 0x80) ++begin;  // no part of a character
    return "..." + text.substr(begin);
}

}  // namespace

Progress::Progress(std::string did, int64_t n_step, std::string unit, double between_lines)
    : did_(std::move(did)),
      unit_(std::move(unit)),
      n_step_(n_step),
      terminal_(is_terminal()),
      between_lines_(terminal_ ? between_rewrites : between_lines),
      begin_(Clock::now()),
      written_(begin_) {}

void Progress::step(int64_t n, const std::string& made) {
    // Count every step, but write only once in a while.
    std::lock_guard lock(mutex_);
    n_done_ += n;
    if (seconds_since(written_) < between_lines_) return;
    written_ = Clock::now();

    // Rewrite the line on a terminal; add one elsewhere.
    std::string line = format("%s %ld of %ld %s; %s", did_.c_str(), n_done_, n_step_, unit_.c_str(),
                              time_left().c_str());
    if (terminal_ && !made.empty()) line += ": " + tail(made);
    line = visible_text(line, false);
    emit(terminal_ ? erase_line + cut_to_row(line) : line + "\n");
    line_shown_ = terminal_;
}

void Progress::skip(int64_t n) {
    std::lock_guard lock(mutex_);
    n_done_ += n;
    n_skipped_ += n;
}

void Progress::finish_part(const std::string& text) {
    std::lock_guard lock(mutex_);
    emit((line_shown_ ? erase_line : "") + visible_text(text, false) + "; " + time_left() + "\n");
    written_ = Clock::now();
    line_shown_ = false;
}

void Progress::clear() {
    std::lock_guard lock(mutex_);
    if (line_shown_) emit(erase_line);
    line_shown_ = false;
}

std::string Progress::time_left() const {
    int64_t n_left = n_step_ - n_done_, n_timed = n_done_ - n_skipped_;
    if (n_left <= 0) return "done";
    if (n_timed == 0) return "time left not known yet";
    double left =
        seconds_since(begin_) / static_cast<double>(n_timed) * static_cast<double>(n_left);
    return left < 90 ? format("%.0f s left", left) : format("%.0f min left", left / 60);
}

}  // namespace vimach
