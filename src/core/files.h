// Reading and writing files so that nothing is ever half done: weights and tables are read from
// regular files only (a fifo is refused before it is opened), texts that a person names also from
// pipes; what is written appears under its final name only when it is complete.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vimach {

/// A regular file opened for reading at given offsets. Throws Error where it cannot be.
class InputFile {
public:
    explicit InputFile(const std::string& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    /// Size in bytes at the time of opening.
    int64_t size() const { return size_; }
    const std::string& path() const { return path_; }

    /// Fills `destination` with the `count` bytes at `offset`; throws if the file ends earlier.
    void read_at(int64_t offset, void* destination, int64_t count) const;

private:
    std::string path_;
    int descriptor_ = -1;
    int64_t size_ = 0;
};

/// A file written under a temporary name beside the final one; commit() renames it. Without
/// commit() the temporary file is removed, and what a killed program left of the same file is
/// removed by the next that writes it. Folders on the way are created.
class OutputFile {
public:
    explicit OutputFile(const std::string& path);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(const void* bytes, int64_t count);
    void commit();

private:
    std::string path_, temporary_;
    int descriptor_ = -1;
};

/// The whole of a regular file.
std::string read_text(const std::string& path);

/// The whole of a text that a person names: a regular file; a pipe or fifo up to its end, as in
/// --text <(command) or /dev/stdin; or "-", standard input. Folders and devices are refused.
std::string read_input(const std::string& path);

/// Whether there is anything of this name, readable or not.
bool is_there(const std::string& path);

/// Writes a whole file, or leaves what was there before.
void write_text(const std::string& path, std::string_view text);

/// What a person does where the project's files are not found.
constexpr const char* go_home = "run it from the checkout, or set VIMACH_HOME to the checkout";

/// Finds a file or folder of the project: as given from the current folder, else in the folder that
/// the environment variable VIMACH_HOME names, else in the project that the running program was
/// built in. Returns `path` itself where it is in none of them.
std::string find_in_project(const std::string& path);

/// The same for what no run can do without: throws Error where it is nowhere.
std::string project_file(const std::string& path);

}  // namespace vimach
