// Reading and writing files so that nothing is ever half done: only regular files are read
// (a fifo is refused before it is opened), and what is written appears under its final name
// only when it is complete.
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

/// The whole of a regular file; "-" is standard input.
std::string read_text(const std::string& path);

/// Writes a whole file, or leaves what was there before.
void write_text(const std::string& path, std::string_view text);

/// Finds a file or folder of the project: as given from the current folder, else relative to
/// the project that the running program was built in. Returns `path` itself where neither is.
std::string find_in_project(const std::string& path);

}  // namespace vimach
