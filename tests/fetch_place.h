// A place to run weights/fetch.sh in: a folder with a copy of the script and the only programs that
// it may find, beside a small server on this machine (tests/fetch_server.pl) that answers well or
// badly. gpt2-large stands for both models: its size and hash come from the server, so that 100 KB
// can play its part.
#pragma once

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/files.h"
#include "program.h"
#include "support.h"

namespace vimach::test {

constexpr size_t file_size = 100'000, half = file_size / 2;

/// What the server has to give: bytes without a pattern, so that none can stand in for another.
inline std::string published() {
    std::string bytes;
    uint32_t state = 1;
    for (size_t i = 0; i < file_size; ++i) {
        state = state * 1664525 + 1013904223;
        bytes += static_cast<char>(state >> 24);
    }
    return bytes;
}

/// A page as MediaWiki sends it: marks on different lines, in different cases.
inline std::string sent_page() {
    std::string text(2000, 'x');
    return "<html>\n<div class=\"MW-Body-Content\">\n" + text + "\n<h2 id=\"References\">" + text;
}

/// A folder with the published file, its pointer and a page, a copy of the script in "my weights"
/// (a path may hold a blank), and in "bin" the only programs that the script finds.
class Folder : public test::TempFolder {
public:
    explicit Folder(const std::string& downloader) {
        namespace fs = std::filesystem;
        fs::create_directory(file("my weights"));
        fs::create_directory(file("bin"));
        fs::copy_file(find_in_project("weights/fetch.sh"), file("my weights/fetch.sh"));
        write_raw(file("fetch"), "exec sh 'my weights/fetch.sh' \"$@\"\n");
        std::string programs =
            "cut df dirname flock mkdir mv rm sed setsid sh sha256sum sleep sync touch tr wc ";
        std::string link = "ln -s \"$(command -v $program)\" '" + file("bin") + "' || exit 1; ";
        std::string loop = "for program in " + programs + downloader + "; do " + link + "done; ";
        write_raw(file("data"), published());
        write_raw(file("page"), sent_page());
        Outcome outcome = shell(loop + "sha256sum < '" + file("data") + "'");
        REQUIRE(outcome.status == 0);
        write_raw(file("pointer"), "version https://git-lfs.github.com/spec/v1\noid sha256:" +
                                       outcome.out.substr(0, 64) + "\nsize " +
                                       std::to_string(file_size) + "\n");
    }
};

/// The server of a folder's files, until this object ends.
class Server {
public:
    explicit Server(const Folder& folder) {
        std::string script = std::filesystem::absolute(find_in_project("tests/fetch_server.pl"));
        std::string command = "cd '" + folder.path() + "' && exec perl '" + script + "' ";
        pipe_ = ::popen((command + "data pointer page log").c_str(), "r");
        REQUIRE(pipe_ != nullptr);
        REQUIRE(std::fscanf(pipe_, "%d %d", &port_, &process_) == 2);
    }
    ~Server() { stop(); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void stop() {
        if (pipe_ == nullptr) return;
        ::kill(process_, SIGTERM);
        ::pclose(pipe_);
        pipe_ = nullptr;
    }
    std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

private:
    FILE* pipe_ = nullptr;
    int port_ = 0, process_ = 0;
};

/// A folder and its server.
class Place {
public:
    explicit Place(const std::string& downloader) : folder_(downloader), server_(folder_) {}

    /// Runs a shell command in the folder, in which $F is the script and the server is in a mode.
    Outcome run(const std::string& mode, const std::string& command) {
        write_raw(file("command"), "cd \"$HOME\"\nF='sh fetch'\n" + command + "\n");
        std::string shell_command = "env -i PATH='" + file("bin") + "' HOME='" + folder_.path() +
                                    "' VIMACH_HUB=" + server_.address() + "/" + mode +
                                    " /bin/sh '" + file("command") + "' 2>'" + file("err") + "'";
        Outcome outcome = shell(shell_command);
        outcome.err = read_raw(file("err"));
        return outcome;
    }

    /// Whether the script fails with one "error:" line that holds the phrase, and leaves no file
    /// under the final name.
    void check_refused(const std::string& mode, const std::string& phrase,
                       const std::string& command = "$F gpt2-large") {
        CAPTURE(mode);
        Outcome outcome = run(mode, command);
        CHECK(outcome.status == 1);
        CHECK(outcome.out == "");
        CHECK_MESSAGE(outcome.err.starts_with("error: "), outcome.err);
        CHECK_MESSAGE(std::ranges::count(outcome.err, '\n') == 1, outcome.err);
        check_contains(outcome.err, phrase);
        CHECK_FALSE(std::filesystem::exists(final()));
    }

    /// Whether the script ends well, with the published file and nothing left over.
    void check_fetched(const std::string& mode) {
        CAPTURE(mode);
        Outcome outcome = run(mode, "$F gpt2-large");
        CHECK_MESSAGE(outcome.status == 0, outcome.err);
        CHECK(outcome.err == "");
        CHECK((std::filesystem::exists(final()) && read_raw(final()) == published()));
        for (const char* name : {"model.safetensors.part", "pointer.part"}) {
            CHECK_FALSE(std::filesystem::exists(model(name)));
        }
    }

    /// Puts an interrupted download in place.
    void write_part(const std::string& bytes) {
        std::filesystem::create_directories(model(""));
        std::filesystem::remove(final());
        write_raw(part(), bytes);
    }
    /// The number of bytes of the interrupted download; 0: there is none.
    size_t part_size() const {
        return std::filesystem::exists(part()) ? std::filesystem::file_size(part()) : 0;
    }

    /// Makes the disk look as if it had so much free space.
    void pretend_free(int64_t kibibytes) {
        std::string line = "/dev/disk 9 9 " + std::to_string(kibibytes) + " 9% /folder";
        write_raw(file("bin/df"), "#!/bin/sh\necho Filesystem\necho " + line + "\n");
        std::filesystem::permissions(file("bin/df"), std::filesystem::perms::owner_all);
    }

    /// The requests since this was last asked: "pointer", "file" or "file from N", in one line.
    std::string requests() {
        std::string text = read_raw(file("log")), line;
        text.erase(0, std::exchange(seen_, text.size()));
        for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
            std::string_view request = std::string_view(text).substr(at, end - at);
            line += request.find("/raw/") != request.npos ? " pointer" : " file";
            size_t range = request.find("bytes=");
            if (range != request.npos) line += " from " + std::string(request.substr(range + 6));
        }
        return line;
    }

    std::string file(const std::string& name) const { return folder_.file(name); }
    std::string model(const std::string& name) const {
        return file("my weights/gpt2-large/" + name);
    }
    std::string final() const { return model("model.safetensors"); }
    std::string part() const { return model("model.safetensors.part"); }
    void stop_server() { server_.stop(); }

private:
    Folder folder_;
    Server server_;
    size_t seen_ = 0;
};

/// Whether a program is installed.
inline bool installed(const std::string& program) {
    return shell("command -v " + program + " > /dev/null").status == 0;
}

/// Runs a test in a place of its own with curl and with wget.
inline void with_each(const std::function<void(Place&)>& body) {
    bool found = false;
    for (const char* downloader : {"curl", "wget"}) {
        if (!installed(downloader) || !installed("perl")) continue;
        found = true;
        CAPTURE(std::string(downloader));
        Place place(downloader);
        body(place);
    }
    const char* missing = installed("perl") ? "curl or wget" : "perl";
    if (!found) std::printf("SKIPPED: needs %s\n", missing);
}

}  // namespace vimach::test
