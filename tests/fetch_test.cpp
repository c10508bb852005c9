// weights/fetch.sh as a person meets it when it fetches a model: with curl and with wget, from a
// server that answers well or badly (tests/fetch_place.h).
#include <doctest/doctest.h>

#include <regex>

#include "fetch_place.h"
#include "project_files.h"

using namespace vimach;
using namespace vimach::test;
namespace fs = std::filesystem;

namespace {

/// The sum of the numbers that a pattern finds in a text.
int64_t sum_of(const std::string& text, const std::regex& pattern) {
    int64_t sum = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
        sum += std::stoll(at->str(1));
    }
    return sum;
}

}  // namespace

TEST_CASE("fetch: the file arrives whole, and is not fetched twice") {
    with_each([](Place& place) {
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer file");
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer");
    });
}

TEST_CASE("fetch: an interrupted download goes on where it ended") {
    with_each([](Place& place) {
        place.write_part(published().substr(0, half));
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer file from 50000-");

        // The hub redirects to another server, which must hear of the range too.
        place.write_part(published().substr(0, half));
        place.check_fetched("redirect");
        CHECK(place.requests() == " pointer file from 50000- file from 50000-");

        // A server that sends the whole file whatever was asked for.
        place.write_part(published().substr(0, half));
        place.check_fetched("plain");

        // A connection that breaks, but brings something each time, needs no second run.
        place.requests();
        place.write_part("");
        place.check_fetched("drop");
        CHECK(place.requests() == " pointer file file from 60000-");

        // Whole but for its name; too long to become right.
        place.write_part(published());
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer");
        place.write_part(published() + "x");
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer file");
    });
}

TEST_CASE("fetch: trouble with the network gets one line, and what has arrived is kept") {
    with_each([](Place& place) {
        place.check_refused("truncate", "broke after 50000 of 100000 bytes");
        CHECK(place.part_size() == half);
        place.check_refused("plain+truncate", "broke after 50000 of 100000 bytes");
        CHECK(place.part_size() == half);
        place.check_refused("stall", "sent nothing for 1 s after 50000 of 100000 bytes",
                            "VIMACH_STALL=1 $F gpt2-large");
        CHECK(place.part_size() == half);
        place.check_refused("silent", "sent nothing for 1 s when asked for the size and hash",
                            "VIMACH_STALL=1 $F gpt2-large");
        place.check_refused("404", "answered HTTP 404 after 50000 of 100000 bytes");
        place.check_refused("500", "answered HTTP 500 after 50000 of 100000 bytes");
        place.check_refused("nopointer+404", "answered HTTP 404 when asked for the size and hash");
        place.check_refused("nopointer", "sent no pointer file");
        CHECK(place.part_size() == half);
        place.requests();
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer file from 50000-");

        place.write_part("kept");
        place.stop_server();
        place.check_refused("ok", "cannot reach http://127.0.0.1:");
        CHECK(place.part_size() == 4);
    });
}

TEST_CASE("fetch: a server that falls silent is given up within a minute, and resumed later") {
    with_each([](Place& place) {
        // In the downloader's place stands a script that brings a byte, then none, and waits not.
        std::string tool = fs::exists(place.file("bin/curl")) ? "curl" : "wget";
        std::string program = place.file("bin/" + tool), real = fs::read_symlink(program);
        write_raw(program, "#!/bin/sh\ncase $* in *raw*) exec " + real +
                               " \"$@\" ;; esac\necho \"$*\" >> \"$HOME/calls\"\n"
                               "[ -s '" +
                               place.part() + "' ] || echo > '" + place.part() + "'\n" +
                               (tool == "curl" ? "exit 28\n" : "echo timed out; exit 4\n"));
        fs::permissions(program, fs::perms::owner_all);
        place.check_refused("ok", "sent nothing for 15 s after 1 of 100000 bytes");

        // Add up how long each would have waited, with what curl takes to notice the silence.
        std::vector<std::string> calls = split_lines(read_raw(place.file("calls")));
        REQUIRE(calls.size() == 2);
        std::regex transfer("(?:--speed-time |--read-timeout=)([0-9]+)"),
            any("(?:--speed-time |timeout[ =])([0-9]+)");
        int64_t waited = sum_of(calls[0], transfer) + 1 + sum_of(calls[1], any) + 6;
        CHECK_MESSAGE(waited <= 60, waited);
        CHECK(waited >= 20);

        fs::remove(program);
        fs::create_symlink(real, program);
        place.write_part(published().substr(0, half));
        place.requests();
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer file from 50000-");
        place.check_refused("ok", "is no number of seconds",
                            "rm -f '" + place.final() + "'; VIMACH_STALL=soon $F gpt2-large");
    });
}

TEST_CASE("fetch: what is no ordinary file is not written through") {
    with_each([](Place& place) {
        fs::create_directories(place.model(""));
        for (const std::string& file : {place.model("fetch.lock"), place.part()}) {
            CAPTURE(file);
            write_raw(place.file("precious"), "kept");
            fs::remove(file);
            fs::create_symlink(place.file("precious"), file);
            place.check_refused("ok", "is no ordinary file: remove it, then run weights/fetch.sh");
            CHECK(read_raw(place.file("precious")) == "kept");

            // A link that leads nowhere yet, and a folder.
            fs::remove(place.file("precious"));
            place.check_refused("ok", "is no ordinary file");
            CHECK_FALSE(fs::exists(place.file("precious")));
            fs::remove(file);
            fs::create_directory(file);
            place.check_refused("ok", "is no ordinary file");
            fs::remove(file);
        }
        CHECK(place.requests() == "");

        // A hard link cannot be told from a file: nothing is emptied.
        write_raw(place.file("precious"), "kept");
        fs::create_hard_link(place.file("precious"), place.model("fetch.lock"));
        place.check_fetched("ok");
        CHECK(read_raw(place.file("precious")) == "kept");
    });
}

TEST_CASE("fetch: a wrong file is refused, and does not stand in the way of the right one") {
    with_each([](Place& place) {
        place.check_refused("corrupt", "is not the published file");
        CHECK(place.part_size() == 0);
        place.check_refused("short", "is not the published file");
        CHECK(place.part_size() == 0);
        place.write_part(published().substr(0, half + 1));
        place.check_refused("short", "is not the published file");
        CHECK(place.part_size() == 0);
        place.write_part("wrong from the start");
        place.check_refused("ok", "is not the published file");
        CHECK(place.part_size() == 0);

        // gpt2's own size and hash stand in the script.
        place.pretend_free(99'999'999);
        place.requests();
        place.check_refused("ok", "is not the published file", "$F gpt2");
        CHECK(place.requests() == " file");

        // A wrong file under the final name stays until there is a right one.
        write_raw(place.final(), "an older file");
        CHECK(place.run("corrupt", "$F gpt2-large").status == 1);
        CHECK(place.run("truncate", "$F gpt2-large").status == 1);
        CHECK(read_raw(place.final()) == "an older file");
        place.check_fetched("ok");
    });
}

TEST_CASE("fetch: a full disk is noticed before and during the download") {
    with_each([](Place& place) {
        place.write_part(published().substr(0, half));
        place.pretend_free(48);
        place.check_refused("ok", "has 0 MiB free, gpt2-large needs 1 MiB more");
        CHECK(place.requests() == " pointer");
        place.pretend_free(49);
        place.check_fetched("ok");

        // Files of at most 64 blocks of 512 bytes (1024 in some shells) stand for a full disk.
        place.pretend_free(99'999);
        place.write_part("");
        place.check_refused("ok", "free some space there",
                            "trap '' XFSZ; ulimit -f 64; $F gpt2-large");
        CHECK(place.part_size() >= 64 * 512);
        place.check_fetched("ok");
    });
}

TEST_CASE("fetch: one run at a time, and a killed one is taken up by the next") {
    with_each([](Place& place) {
        std::string start =
            "setsid sh fetch gpt2-large > out 2>&1 & run=$!; i=0; "
            "while [ ! -s 'my weights/gpt2-large/model.safetensors.part' ] && [ $i -lt 100 ]; "
            "do sleep 0.1; i=$((i + 1)); done; ";
        std::string second = "$F gpt2-large; status=$?; ";
        std::string kill_all = "kill -9 -$run; wait $run 2> err2; exit $status";
        place.check_refused("stall", "another run is fetching", start + second + kill_all);

        // Killed alone, the script leaves its download running, which must not be disturbed.
        std::string kill_script = "kill -9 $run; wait $run 2> err2; ";
        place.write_part("");
        place.check_refused("stall", "another run is fetching",
                            start + kill_script + second + kill_all);

        std::string arrived = std::to_string(place.part_size());
        CHECK(arrived != "0");
        place.requests();
        place.check_fetched("ok");
        CHECK(place.requests() == " pointer file from " + arrived + "-");
    });
}

TEST_CASE("fetch: wrong arguments, a folder that cannot be written, and missing programs") {
    with_each([](Place& place) {
        for (const char* arguments : {"", "''", "gpt3", "gpt2 led-page", "-h"}) {
            Outcome outcome = place.run("ok", std::string("$F ") + arguments);
            CHECK_MESSAGE(outcome.status == 2, arguments);
            CHECK(outcome.err == "usage: weights/fetch.sh gpt2|gpt2-large|led-page\n");
        }

        // Where even root can write nothing: a file in the folder's place, and the kernel's folder.
        std::string folder = place.file("my weights/gpt2-large");
        write_raw(folder, "");
        place.check_refused("ok", "check its permissions");
        std::filesystem::remove(folder);
        std::filesystem::create_directory_symlink("/proc", folder);
        place.check_refused("ok", "check its permissions");
        CHECK(place.requests() == "");

        std::filesystem::remove(folder);
        std::filesystem::create_directories(place.final());
        CHECK(place.run("ok", "$F gpt2-large").err.starts_with("error: cannot rename"));
        CHECK(place.part_size() == file_size);
        std::filesystem::remove(place.final());

        place.check_refused("ok", "neither curl nor wget is installed",
                            "rm -f bin/curl bin/wget; $F gpt2-large");
        place.check_refused("ok", "flock is not installed", "mv bin/flock . && $F gpt2-large");
        place.check_refused("ok", "neither curl nor wget is installed",
                            "mv flock bin && rm -f bin/curl bin/wget && $F gpt2-large");
    });
}
