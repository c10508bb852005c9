// Progress as a person meets it: standard error is led into a pseudo terminal or a file while a
// test runs, and what arrives there is read byte by byte. A small screen applies the bytes, to tell
// what a person sees at the end. The clock is the real one: rates are held against the time that
// passed, so a busy machine fails no test.
#include "show/progress.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>
#include <type_traits>

#include "core/parallel.h"
#include "show/console.h"
#include "tests/project_files.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

constexpr const char* erase = "\r\033[K";

void set_term(const std::optional<std::string>& term) {
    term ? ::setenv("TERM", term->c_str(), 1) : ::unsetenv("TERM");
}

/// While it lives, standard error leads elsewhere, and the environment says TERM=term.
class Redirected {
public:
    Redirected(int to, const std::optional<std::string>& term) : old_(::dup(STDERR_FILENO)) {
        if (const char* before = std::getenv("TERM")) old_term_ = before;
        set_term(term);
        ::dup2(to, STDERR_FILENO);
    }
    ~Redirected() {
        ::dup2(old_, STDERR_FILENO);
        ::close(old_);
        set_term(old_term_);
    }
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;

private:
    int old_;
    std::optional<std::string> old_term_;
};

/// What `action` writes to a pseudo terminal of this kind, as the bytes that leave the program.
std::string on_terminal(const std::optional<std::string>& term, const std::function<void()>& action,
                        unsigned short n_column = 80) {
    // Open a terminal that changes no byte.
    termios raw = {};
    ::cfmakeraw(&raw);
    winsize size = {.ws_row = 24, .ws_col = n_column, .ws_xpixel = 0, .ws_ypixel = 0};
    int screen = -1, program = -1;
    REQUIRE(::openpty(&screen, &program, nullptr, &raw, &size) == 0);

    // Run the action, and read while it runs: a terminal that nobody reads holds only a few KB.
    std::string bytes;
    std::thread reader([&] {
        char buffer[4096];
        for (ssize_t n; (n = ::read(screen, buffer, sizeof buffer)) > 0;) {
            bytes.append(buffer, static_cast<size_t>(n));
        }
    });
    {
        Redirected redirected(program, term);
        action();
    }
    ::close(program);
    reader.join();
    ::close(screen);
    return bytes;
}

/// What `action` writes to a file, where TERM names a terminal that could do better.
std::string in_file(const std::function<void()>& action) {
    TempFolder folder;
    std::string path = folder.file("log");
    int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    REQUIRE(file >= 0);
    {
        Redirected redirected(file, "xterm");
        action();
    }
    ::close(file);
    return read_raw(path);
}

/// What a person sees after these bytes: \r goes to the start of the row, ESC [ K erases the rest
/// of it.
std::string screen_after(const std::string& bytes) {
    std::string above, row;
    size_t column = 0;
    for (size_t at = 0; at < bytes.size(); ++at) {
        if (bytes[at] == '\n') {
            above += row + "\n";
            row.clear();
            column = 0;
        } else if (bytes[at] == '\r') {
            column = 0;
        } else if (bytes.compare(at, 3, "\033[K") == 0) {
            row.resize(column);
            at += 2;
        } else {
            row.resize(std::max(row.size(), column + 1));
            row[column++] = bytes[at];
        }
    }
    return above + row;
}

int64_t count(const std::string& text, const std::string& part) {
    int64_t n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++n;
    return n;
}

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Takes `n_step` steps that last `seconds` together, or longer on a busy machine.
void work(Progress& progress, int n_step, double seconds) {
    for (int i = 0; i < n_step; ++i) {
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds / n_step));
        progress.step();
    }
}

}  // namespace

TEST_CASE("progress: a terminal shows one line, rewritten a few times a second and then cleared") {
    double begin = now();
    std::string bytes = on_terminal("xterm", [] {
        Progress progress("trained", 100, "epochs");
        work(progress, 50, 0.7);
    });
    double passed = now() - begin;
    CHECK(count(bytes, "\n") == 0);
    CHECK(count(bytes, " of 100 epochs; ") >= 1);
    CHECK(static_cast<double>(count(bytes, " of 100 epochs; ")) <= passed / 0.2);
    CHECK(count(bytes, " s left") == count(bytes, "trained "));
    CHECK(count(bytes, erase) == count(bytes, "trained ") + 1);
    CHECK_MESSAGE(bytes.ends_with(erase), bytes);
    CHECK(screen_after(bytes) == "");
}

TEST_CASE("progress: clear gives the terminal to other output, and steps may follow") {
    std::string bytes = on_terminal("xterm", [] {
        Progress progress("trained", 4, "epochs");
        work(progress, 1, 0.25);
        progress.clear();
        progress.clear();
        std::fputs("a result\n", stderr);
        work(progress, 1, 0.25);
    });
    CHECK_MESSAGE(count(bytes, "trained ") == 2, bytes);
    CHECK(count(bytes, erase) == 4);
    CHECK(screen_after(bytes) == "a result\n");
}

TEST_CASE("progress: an Error finds a clean terminal") {
    const ChapterInfo info = {.name = "99_test", .purpose = "", .options = {}};
    std::string bytes = on_terminal("xterm", [&] {
        char name[] = "99_test";
        char* arguments[] = {name, nullptr};
        run_chapter(1, arguments, info, [](const Options&) {
            Progress progress("trained", 2, "epochs");
            work(progress, 1, 0.25);
            fail("it broke", "epoch 1", "mend it");
        });
    });
    CHECK_MESSAGE(count(bytes, "trained 1 of 2 epochs; ") == 1, bytes);
    CHECK(screen_after(bytes) == "error: it broke (epoch 1): mend it\n");
}

TEST_CASE("progress: a line is cut to the terminal's row, for only one row can be erased") {
    std::string bytes = on_terminal(
        "xterm",
        [] {
            Progress progress("trained", 4, "epochs");
            work(progress, 1, 0.25);
        },
        12);
    CHECK(bytes == std::string(erase) + "trained 1 o" + erase);
}

TEST_CASE("progress: what a line quotes is visible, and cut between characters") {
    auto quote = [] {
        Progress progress("tr\x1B]0;x\x07", 4,
                          "\x9B"
                          "epochs",
                          0);
        work(progress, 1, 0.25);
        progress.finish_part("\x1B[2J\xC2\x9B");
    };
    std::string log = in_file(quote), bytes = on_terminal("xterm", quote, 200);
    for (const char* part : {"tr\\x1B]0;x\\x07 1 of 4 \\x9Bepochs; ", "\\x1B[2J\\xC2\\x9B; "}) {
        check_contains(log, part);
        check_contains(bytes, part);
    }
    CHECK(log.find_first_of("\x1B\x07\x9B") == log.npos);
    CHECK(count(bytes, "\x1B") == count(bytes, erase));

    auto narrow = [](const char* did) {
        return on_terminal(
            "xterm",
            [did] {
                Progress progress(did, 4, "epochs");
                work(progress, 1, 0.25);
            },
            4);
    };
    CHECK(narrow("\u00E9\u00E9\u00E9\u00E9") == std::string(erase) + "\u00E9\u00E9\u00E9" + erase);
    CHECK(narrow("\u4E2D\u4E2D") == std::string(erase) + "\u4E2D" + erase);  // two columns each
}

TEST_CASE("progress: a finished part keeps its line, with the time that the rest will take") {
    auto two_layers = [] {
        Progress progress("trained", 4, "epochs");
        progress.skip(2);
        progress.finish_part("layer 0");
        work(progress, 2, 0.5);
        progress.finish_part("layer 1");
    };
    std::string bytes = on_terminal("xterm", two_layers);
    CHECK_MESSAGE(count(bytes, "trained 3 of 4 epochs; ") == 1, bytes);
    CHECK(screen_after(bytes) == "layer 0; time left not known yet\nlayer 1; done\n");
    CHECK(in_file(two_layers) == "layer 0; time left not known yet\nlayer 1; done\n");
}

TEST_CASE("progress: the time left follows from the steps that were done, not from skipped ones") {
    std::string text = in_file([] {
        Progress progress("trained", 1132, "epochs");
        progress.skip(1000);
        work(progress, 1, 0.1);
        progress.step(11);
        progress.finish_part("now");
    });
    double left = 0;
    CHECK_MESSAGE(std::sscanf(text.c_str(), "now; %lf s left\n", &left) == 1, text);
    CHECK(left >= 1);  // 12 steps took a tenth of a second or more, 120 are left
}

TEST_CASE("progress: a dumb terminal, and one of no kind, get plain whole lines") {
    for (const std::optional<std::string>& term : {std::optional<std::string>("dumb"), {""}, {}}) {
        std::string bytes = on_terminal(term, [] {
            Progress progress("trained", 2, "epochs", 0);
            work(progress, 2, 0.01);
        });
        int left = -1, end = 0;
        std::sscanf(bytes.c_str(), "trained 1 of 2 epochs; %d s left\n%n", &left, &end);
        CHECK_MESSAGE(left >= 0, bytes);
        CHECK(bytes.substr(end) == "trained 2 of 2 epochs; done\n");
    }
}

TEST_CASE("progress: a log gets a line once in an interval, and nothing from a short run") {
    double begin = now();
    std::string log = in_file([] {
        Progress progress("trained", 50, "epochs", 0.1);
        work(progress, 50, 0.5);
    });
    double passed = now() - begin;
    int64_t n_line = count(log, "\n");
    CHECK(n_line >= 1);
    CHECK(static_cast<double>(n_line) <= passed / 0.1);
    CHECK(count(log, "trained ") == n_line);
    CHECK(log.find_first_of("\r\033") == log.npos);
    CHECK(log.ends_with("\n"));

    CHECK(in_file([] {
              Progress progress("trained", 50, "epochs");
              work(progress, 50, 0.5);
          }) == "");
}

TEST_CASE("progress: steps of several threads are all counted, each line whole and in its turn") {
    constexpr int64_t n_step = 2000;
    int n_thread = thread_count();
    set_thread_count(4);
    std::string log = in_file([&] {
        Progress progress("trained", 3 * n_step, "epochs", 0);
        parallel_for(n_step, [&](int64_t) { progress.step(3); });
    });
    set_thread_count(n_thread);
    std::vector<std::string> lines = split_lines(log);
    REQUIRE(std::ssize(lines) == n_step);
    int64_t n_wrong = 0;
    for (int64_t i = 0; i < n_step; ++i) {
        n_wrong += !lines[i].starts_with(format("trained %ld of 6000 epochs; ", 3 * (i + 1)));
    }
    CHECK(n_wrong == 0);
    CHECK(lines.back() == "trained 6000 of 6000 epochs; done");
}

TEST_CASE("progress: it cannot be copied, so no second one clears the line") {
    CHECK_FALSE(std::is_copy_constructible_v<Progress>);
    CHECK_FALSE(std::is_copy_assignable_v<Progress>);
}
