// POSIX file access behind core/files.h.
// Errors carry the system's own reason (strerror) and name the path.
#include "core/files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr int64_t max_transfer = int64_t{1} << 30;  // Linux moves at most 2 GiB - 4 KiB a call

[[noreturn]] void fail_system(const char* action, const std::string& path, const char* remedy) {
    fail(format("cannot %s: %s", action, std::strerror(errno)), path, remedy);
}

void require_regular(const struct stat& status, const std::string& path) {
    if (S_ISREG(status.st_mode)) return;
    fail(S_ISDIR(status.st_mode) ? "is a directory, not a file" : "is not a regular file", path,
         "name a regular file");
}

/// What a pipe brings until its writer closes it.
std::string read_stream(int descriptor, const std::string& name) {
    std::string text;
    char buffer[65536];
    for (;;) {
        ssize_t count = ::read(descriptor, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_system("read", name, "pipe text into the program");
        if (count == 0) return text;
        text.append(buffer, static_cast<size_t>(count));
    }
}

/// A descriptor that is closed with the object.
struct Opened {
    int descriptor;
    ~Opened() { ::close(descriptor); }
};

/// The process that writes, or wrote, a temporary file of `name`, by that file's own name; 0 if it
/// is none.
pid_t writer_of(const std::string& temporary, const std::string& name) {
    constexpr std::string_view ending = ".tmp";
    if (!temporary.starts_with(name + ".") || !temporary.ends_with(ending)) return 0;
    size_t begin = name.size() + 1, end = temporary.size() - ending.size();
    if (begin >= end) return 0;
    pid_t writer = 0;
    auto [at, error] = std::from_chars(&temporary[begin], &temporary[end], writer);
    return error == std::errc{} && at == &temporary[end] && writer > 0 ? writer : 0;
}

/// Removes what killed programs left of this file: its writer is gone and so is the writer's lock.
void remove_left(const std::filesystem::path& path) {
    std::error_code ignored;
    std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        pid_t writer = writer_of(entry.path().filename().string(), path.filename().string());
        if (writer == 0 || ::kill(writer, 0) == 0 || errno != ESRCH) continue;
        int left = ::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (left < 0) continue;
        if (::flock(left, LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
        ::close(left);
    }
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
    // Look before opening: opening a fifo would wait for a writer.
    struct stat status;
    if (::stat(path.c_str(), &status) != 0) fail_system("open", path, "check the path");
    require_regular(status, path);

    // Look again at what was opened, in case the name changed hands in between.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ < 0) fail_system("open", path, "check the permissions");
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(descriptor_);
        fail("changed while it was opened", path, "try again");
    }
    size_ = status.st_size;
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read_at(int64_t offset, void* destination, int64_t count) const {
    auto* out = static_cast<char*>(destination);
    while (count > 0) {
        auto part = static_cast<size_t>(std::min(count, max_transfer));
        ssize_t got = ::pread(descriptor_, out, part, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail_system("read", path_, "check the disk");
        if (got == 0) {
            fail(format("ends at byte %ld, %ld bytes short", offset, count), path_,
                 "the file is truncated: write or fetch it again");
        }
        out += got;
        offset += got;
        count -= got;
    }
}

OutputFile::OutputFile(const std::string& path)
    : path_(path), temporary_(path + format(".%d.tmp", static_cast<int>(::getpid()))) {
    auto folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) {
        fail("cannot create the folder: " + error.message(), folder.string(),
             "choose another with --out");
    }

    // Where files may not grow, let write() say so instead of being killed by a signal.
    ::signal(SIGXFSZ, SIG_IGN);
    remove_left(path);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail_system("write", path, "choose a folder that can be written");
    ::flock(descriptor_, LOCK_EX | LOCK_NB);
}

OutputFile::~OutputFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
}

void OutputFile::write(const void* bytes, int64_t count) {
    const auto* in = static_cast<const char*>(bytes);
    while (count > 0) {
        auto part = static_cast<size_t>(std::min(count, max_transfer));
        ssize_t put = ::write(descriptor_, in, part);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) fail_system("write", path_, "free some space or choose another folder");
        in += put;
        count -= put;
    }
}

void OutputFile::commit() {
    // What is renamed must be on the disk, or a loss of power would leave an empty file.
    bool safe = ::fsync(descriptor_) == 0;
    safe = ::close(descriptor_) == 0 && safe;
    descriptor_ = -1;
    if (safe && ::rename(temporary_.c_str(), path_.c_str()) == 0) return;

    // Leave no temporary file behind.
    int reason = errno;
    ::unlink(temporary_.c_str());
    errno = reason;
    if (!safe) fail_system("write", path_, "check the disk");
    fail_system("rename the finished file to", path_, "move what stands in its place");
}

std::string read_text(const std::string& path) {
    InputFile file(path);
    std::string text(static_cast<size_t>(file.size()), '\0');
    file.read_at(0, text.data(), file.size());
    return text;
}

std::string read_input(const std::string& path) {
    if (path == "-") return read_stream(STDIN_FILENO, "standard input");
    struct stat status;
    bool is_pipe = ::stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
    if (!is_pipe) return read_text(path);

    // Wait for who writes into it, as everything does that reads a pipe.
    Opened pipe = {::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (pipe.descriptor < 0) fail_system("open", path, "check the permissions");
    return read_stream(pipe.descriptor, path);
}

bool is_there(const std::string& path) {
    std::error_code error;
    return std::filesystem::status(path, error).type() != std::filesystem::file_type::not_found;
}

void write_text(const std::string& path, std::string_view text) {
    OutputFile file(path);
    file.write(text.data(), static_cast<int64_t>(text.size()));
    file.commit();
}

std::string find_in_project(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (fs::path(path).is_absolute() || fs::exists(path, error)) return path;
    if (const char* home = std::getenv("VIMACH_HOME"); home != nullptr && *home != '\0') {
        if (fs::exists(fs::path(home) / path, error)) return (fs::path(home) / path).string();
    }

    // Climb from the program (build/00_gpt2, build/float/tests) to a folder that has the path.
    fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (int level = 0; level < 3 && !error && folder.has_relative_path(); ++level) {
        folder = folder.parent_path();
        if (fs::exists(folder / path, error)) return (folder / path).string();
    }
    return path;
}

std::string project_file(const std::string& path) {
    std::string found = find_in_project(path);
    std::error_code error;
    if (std::filesystem::exists(found, error)) return found;
    fail("the project's files are not where this program looks", path, go_home);
}

}  // namespace vimach
