// Files are read only where they are regular, texts also from pipes; files appear only when they
// are complete: what InputFile refuses, what OutputFile leaves behind when it is abandoned or
// cannot finish, and what is on the disk by then.
#include "core/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;
namespace fs = std::filesystem;

namespace {

/// What fsync finds when it is called, and whether it is to fail.
struct Synced {
    int n_call = 0;
    std::string temporary = "";  ///< the file's name and text
    bool is_renamed = false;
    std::string final_path = "";
    bool fails = false;
};
Synced* watched = nullptr;

}  // namespace

/// Stands before the system's own in this program, so that a test sees what is synced.
extern "C" int fsync(int descriptor) {
    if (watched != nullptr) {
        ++watched->n_call;
        fs::path name = fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor));
        watched->temporary = read_raw(name);
        watched->is_renamed = name == watched->final_path || fs::exists(watched->final_path);
        if (watched->fails) return errno = EIO, -1;
    }
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

// --- reading ------------------------------------------------------------------------------------

TEST_CASE("read_text returns every byte of a file") {
    TempFolder folder;
    std::string path = folder.file("a");
    for (size_t size : {0, 1, 4096, 3'000'000}) {
        std::string bytes(size, '\0');
        for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 + i / 251);
        write_raw(path, bytes);
        CAPTURE(size);
        CHECK((read_text(path) == bytes));
    }
}

TEST_CASE("read_input reads files, standard input and pipes to their end") {
    TempFolder folder;
    std::string bytes = std::string(200'000, 'x') + std::string(
                                                        "\0\xFF"
                                                        "end",
                                                        5);
    write_raw(folder.file("in"), bytes);
    CHECK((read_input(folder.file("in")) == bytes));
    int file = ::open(folder.file("in").c_str(), O_RDONLY), old = ::dup(STDIN_FILENO);
    ::dup2(file, STDIN_FILENO);
    std::string text = read_input("-"), again = read_input("/dev/stdin");
    ::dup2(old, STDIN_FILENO);
    ::close(old);
    ::close(file);
    CHECK((text == bytes && again == bytes));

    // A fifo, and a pipe by the name that a shell gives it in <(command), written in two parts.
    auto write_parts = [&](int to) {
        CHECK(::write(to, bytes.data(), 1) == 1);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        for (size_t at = 1; at < bytes.size();) {
            ssize_t put = ::write(to, &bytes[at], bytes.size() - at);
            if (put > 0) at += static_cast<size_t>(put);
        }
        ::close(to);
    };
    ::alarm(30);
    REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
    std::thread writer([&] { write_parts(::open(folder.file("fifo").c_str(), O_WRONLY)); });
    CHECK((read_input(folder.file("fifo")) == bytes));
    writer.join();
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    writer = std::thread([&] { write_parts(ends[1]); });
    CHECK((read_input("/dev/fd/" + std::to_string(ends[0])) == bytes));
    writer.join();
    ::close(ends[0]);
    ::alarm(0);

    // What brings no text is refused, as it is for weights.
    check_contains(error_of([&] { read_input(folder.path()); }), "is a directory, not a file");
    check_contains(error_of([&] { read_input("/dev/null"); }), "is not a regular file (/dev/null)");
    check_contains(error_of([&] { read_input(folder.file("no")); }), "cannot open: No such file");
    check_contains(error_of([&] { read_text("-"); }), "cannot open: No such file");
}

TEST_CASE("read_at fills the part asked for, and refuses what lies past the end") {
    TempFolder folder;
    std::string path = folder.file("digits");
    write_raw(path, "0123456789");
    InputFile file(path);
    CHECK(file.size() == 10);
    CHECK(file.path() == path);

    char part[5] = "....";
    file.read_at(6, part, 4);
    CHECK(std::string(part) == "6789");
    file.read_at(0, part, 2);
    CHECK(std::string(part) == "0189");
    file.read_at(10, part, 0);

    // Name the byte at which the file ends and how much is missing.
    struct Case {
        int64_t offset, count;
        const char* phrase;
    };
    const Case cases[] = {{8, 3, "ends at byte 10, 1 bytes short"},
                          {10, 1, "ends at byte 10, 1 bytes short"},
                          {50, 4, "ends at byte 50, 4 bytes short"},
                          {-1, 1, "cannot read"}};
    for (const Case& c : cases) {
        std::string error = error_of([&] { file.read_at(c.offset, part, c.count); });
        check_contains(error, c.phrase);
        check_contains(error, path);
    }
}

TEST_CASE("only regular files are read") {
    TempFolder folder;
    write_raw(folder.file("real"), "text");
    ::mkfifo(folder.file("fifo").c_str(), 0600);
    fs::create_symlink("real", folder.file("link"));
    fs::create_symlink("nowhere", folder.file("dangling"));
    fs::create_symlink("loop", folder.file("loop"));
    CHECK(read_text(folder.file("link")) == "text");

    struct Case {
        std::string path;
        const char* phrase;
    };
    const Case cases[] = {{folder.path(), "is a directory, not a file"},
                          {folder.file("missing"), "cannot open: No such file"},
                          {folder.file("dangling"), "cannot open: No such file"},
                          {folder.file("loop"), "cannot open: Too many levels of symbolic links"},
                          {folder.file("real/below"), "cannot open: Not a directory"},
                          {folder.file(std::string(5000, 'n')), "cannot open: File name too long"},
                          {"", "cannot open: No such file"},
                          {"/dev/null", "is not a regular file"},
                          {folder.file("fifo"), "is not a regular file"}};

    // A fifo without a writer must not make anyone wait: an alarm would end the tests here.
    ::alarm(30);
    for (const Case& c : cases) {
        std::string error = error_of([&] { read_text(c.path); });
        check_contains(error, c.phrase);
        check_contains(error, "(" + c.path + "): ");
    }
    ::alarm(0);
}

// --- writing ------------------------------------------------------------------------------------

TEST_CASE("write_text writes all bytes and replaces what was there") {
    TempFolder folder;
    std::string path = folder.file("out"), bytes("a\0b\r\n\xFF", 6);
    write_text(path, std::string(100'000, 'x'));
    write_text(path, bytes);
    CHECK((read_raw(path) == bytes));
    write_text(path, "");
    CHECK(read_raw(path).empty());

    // A temporary file that an earlier, killed process of the same number left is no obstacle.
    write_raw(path + format(".%d.tmp", static_cast<int>(::getpid())), "left over");
    write_text(path, "new");
    CHECK(read_raw(path) == "new");
    CHECK(folder.count() == 1);
}

TEST_CASE("an output is on the disk before it has its name, or it never gets it") {
    TempFolder folder;
    Synced synced = {.final_path = folder.file("out")};
    watched = &synced;
    write_text(synced.final_path, "whole");
    CHECK(synced.n_call == 1);
    CHECK(synced.temporary == "whole");
    CHECK_FALSE(synced.is_renamed);

    synced.fails = true;
    std::string error = error_of([&] { write_text(synced.final_path, "newer"); });
    watched = nullptr;
    CHECK(error == "cannot write: Input/output error (" + synced.final_path + "): check the disk");
    CHECK(read_raw(synced.final_path) == "whole");
    CHECK(folder.count() == 1);
}

TEST_CASE("folders on the way are created") {
    TempFolder folder;
    std::string path = folder.file("a/b/c/out.csv");
    write_text(path, "1");
    write_text(path, "2");
    CHECK(read_raw(path) == "2");
}

TEST_CASE("an output appears when it is committed, not before, and not without") {
    TempFolder folder;
    std::string path = folder.file("out");
    write_raw(path, "old");
    {
        OutputFile file(path);
        file.write("half", 4);
        CHECK(read_raw(path) == "old");
    }
    CHECK(read_raw(path) == "old");
    CHECK(folder.count() == 1);

    OutputFile file(path);
    file.write("new", 3);
    file.write(" and more", 9);
    CHECK(read_raw(path) == "old");
    file.commit();
    CHECK(read_raw(path) == "new and more");
    CHECK(folder.count() == 1);
}

TEST_CASE("an abandoned output leaves nothing where nothing was") {
    TempFolder folder;
    std::string error = error_of([&] {
        OutputFile file(folder.file("out"));
        file.write("half", 4);
        CHECK(folder.count() == 1);
        fail("something else went wrong", "here", "mend it");
    });
    CHECK(error == "something else went wrong (here): mend it");
    CHECK(folder.count() == 0);
}

TEST_CASE("an output that cannot be renamed leaves no temporary file") {
    TempFolder folder;
    fs::create_directory(folder.file("taken"));
    std::string error = error_of([&] { write_text(folder.file("taken"), "text"); });
    check_contains(error, "cannot rename the finished file to: Is a directory");
    check_contains(error, folder.file("taken"));
    CHECK(fs::is_directory(folder.file("taken")));
    CHECK(folder.count() == 1);
}

TEST_CASE("an output that does not fit on the disk leaves what was there") {
    TempFolder folder;
    std::string path = folder.file("out"), text(100'000, 'x');
    write_raw(path, "old");
    std::string error = error_with_file_limit(5000, [&] { write_text(path, text); });
    check_contains(error, "cannot write: File too large");
    check_contains(error, path);
    CHECK(read_raw(path) == "old");
    CHECK(folder.count() == 1);
}

TEST_CASE("an output removes what killed programs left of it, and nothing else") {
    TempFolder folder;
    std::string gone = "999999999.tmp";  // above every process number of Linux; 1 is alive
    std::vector<std::string> kept = {"b." + gone, "a.1.tmp",  "a.x.tmp",
                                     "a..tmp",    "a.-1.tmp", "a." + gone + "x"};
    for (const std::string& name : kept) write_raw(folder.file(name), "left");
    write_raw(folder.file("a." + gone), "left");
    int locked = ::open(folder.file("b." + gone).c_str(), O_RDONLY);
    REQUIRE(::flock(locked, LOCK_EX) == 0);  // as by a writer that this machine does not see
    write_text(folder.file("a"), "whole");
    write_text(folder.file("b"), "whole");
    CHECK(!fs::exists(folder.file("a." + gone)));
    for (const std::string& name : kept) CHECK_MESSAGE(fs::exists(folder.file(name)), name);
    ::close(locked);
    write_text(folder.file("b"), "whole");
    CHECK(!fs::exists(folder.file("b." + gone)));
}

TEST_CASE("no output can stand below a regular file") {
    TempFolder folder;
    write_raw(folder.file("file"), "text");
    for (const char* below : {"file/out", "file/sub/out", "file/a/b/out"}) {
        std::string error = error_of([&] { write_text(folder.file(below), "text"); });
        check_contains(error, "cannot create the folder: Not a directory");
        check_contains(error, folder.file("file"));
    }
    CHECK(read_raw(folder.file("file")) == "text");
    CHECK(folder.count() == 1);
}

// --- the project's files ------------------------------------------------------------------------

TEST_CASE("find_in_project looks from the current folder, then above the program") {
    TempFolder folder;
    fs::path program = fs::read_symlink("/proc/self/exe"), room = program.parent_path();
    fs::path relative = room.filename() / program.filename();  // e.g. tests/unit
    fs::path start = fs::current_path();

    fs::current_path(folder.path());
    CHECK(find_in_project(relative.string()) == program.string());
    CHECK(find_in_project("no/such/file") == "no/such/file");
    CHECK(find_in_project("/no/such/file") == "/no/such/file");
    write_text(relative.string(), "nearer");
    CHECK(find_in_project(relative.string()) == relative.string());
    fs::current_path(start);
}

TEST_CASE("find_in_project looks where VIMACH_HOME says, and a missing file says what to do") {
    TempFolder here, home;
    write_raw(home.file("there"), "");
    write_raw(home.file("both"), "");
    write_raw(here.file("both"), "");
    fs::path start = fs::current_path();
    fs::current_path(here.path());
    ::setenv("VIMACH_HOME", home.path().c_str(), 1);
    CHECK(find_in_project("there") == home.file("there"));
    CHECK(project_file("there") == home.file("there"));
    CHECK(find_in_project("both") == "both");
    CHECK(find_in_project("nowhere") == "nowhere");
    std::string error = error_of([] { project_file("no/such"); });
    ::setenv("VIMACH_HOME", "", 1);
    CHECK(find_in_project("there") == "there");
    ::unsetenv("VIMACH_HOME");
    CHECK(find_in_project("there") == "there");
    fs::current_path(start);
    CHECK(error ==
          "the project's files are not where this program looks (no/such): run it from "
          "the checkout, or set VIMACH_HOME to the checkout");
}
