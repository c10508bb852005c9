// The program that trains the embedded model (weights/nano/train.cpp), as a person meets it: a
// step from random weights, going on, and what it refuses.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "core/files.h"
#include "program.h"
#include "support.h"

using namespace vimach;
using test::check_contains;
using test::Outcome;

namespace {

/// Two works, of 3,600 tokens to train on and of 600 held out.
void write_texts(const test::TempFolder& folder) {
    std::string train, held_out;
    for (int i = 0; i < 600; ++i) train += "plums and pears are fruit\n";
    for (int i = 0; i < 100; ++i) held_out += "pears and plums are fruit\n";
    test::write_raw(folder.file("a.txt"), train);
    test::write_raw(folder.file("b.txt"), held_out);
    test::write_raw(folder.file("SOURCES.tsv"), "split\tfile\ntrain\ta.txt\nvalidation\tb.txt\n");
}

Outcome run(const test::TempFolder& folder, const std::string& options) {
    return test::shell_in(folder, "'" + test::program("train_nano") + "' " + options);
}

}  // namespace

TEST_CASE("train_nano: one step, then nothing more to do; other texts are refused") {
    test::TempFolder folder;
    write_texts(folder);
    Outcome first = run(folder, "--text . --steps 1 --out run");
    CHECK(first.status == 0);
    check_contains(first.out, "before training: validation loss 10.8");
    check_contains(first.out, "step 1, loss 10.7");
    for (const char* name : {"model.safetensors", "checkpoint.safetensors", "loss.svg"}) {
        CHECK_MESSAGE(std::filesystem::exists(folder.file(std::string("run/") + name)), name);
    }
    std::string curve = test::read_raw(folder.file("run/loss.csv"));
    check_contains(curve, "step,tokens,seconds,train_loss,validation_loss");
    check_contains(curve, "\n1,2048,");

    // The same command again finds nothing to do; more steps go on where the rate did not fall.
    Outcome again = run(folder, "--text . --steps 1 --out run");
    CHECK(again.status == 0);
    check_contains(again.out, "step 1 of 1");
    CHECK(again.out.substr(again.out.rfind("validation")) ==
          first.out.substr(first.out.rfind("validation")));
    Outcome longer = run(folder, "--text . --steps 9 --out run");
    CHECK(longer.status == 1);
    check_contains(longer.err, "--steps 1");
    test::write_raw(folder.file("a.txt"), test::read_raw(folder.file("a.txt")) + "and apples");
    Outcome other = run(folder, "--text . --steps 1 --out run");
    CHECK(other.status == 1);
    check_contains(other.err, "another training");
    CHECK(test::read_raw(folder.file("run/loss.csv")) == curve);
}

TEST_CASE("train_nano: another training starts with the weights that one has left") {
    test::TempFolder folder;
    write_texts(folder);
    CHECK(run(folder, "--text . --steps 2 --out run").status == 0);
    Outcome more = run(folder, "--text . --steps 4 --start run --before 2 --out more");
    CHECK_MESSAGE(more.status == 0, more.err);
    check_contains(more.out, "step 2 of 4");
    std::string before = more.out.substr(more.out.find("validation"));
    Outcome card = run(folder, "--text . --card --model run");
    CHECK(before.substr(0, before.find('\n')) == card.out.substr(0, card.out.find('\n')));
    check_contains(test::read_raw(folder.file("more/loss.csv")), "\n4,8192,");

    // A hundred steps warm up to --rate, and the fall has begun: step 4 is the second of both.
    Outcome slow = run(folder, "--text . --steps 4 --start run --before 2 --rate 0.01 --out slow");
    CHECK_MESSAGE(slow.status == 0, slow.err);
    check_contains(test::read_raw(folder.file("slow/loss.csv")), ",0.0001,");
    Outcome other =
        run(folder, "--text . --steps 4 --start more --before 2 --rate 0.01 --out slow");
    check_contains(other.err, "another training");
}

TEST_CASE("train_nano: what cannot be trained is refused before the first step") {
    test::TempFolder folder;
    write_texts(folder);
    test::write_raw(folder.file("file"), "");
    std::pair<const char*, const char*> wrong[] = {{"", "--text"},
                                                   {"--text gone", "gone/SOURCES.tsv"},
                                                   {"--text . --model weights/nano", "--card"},
                                                   {"--text . --card --steps 3", "--steps"},
                                                   {"--text . --before 3", "--start"},
                                                   {"--text . --rate -1", "--rate"},
                                                   {"--text . --rate 0", "--rate"},
                                                   {"--text . --card --rate 1", "--rate"},
                                                   {"--text . --steps 3 --start gone", "gone"},
                                                   {"--text . --steps 1 --out file/run", "file"}};
    for (auto [options, phrase] : wrong) {
        Outcome outcome = run(folder, options);
        CHECK_MESSAGE(outcome.status != 0, options);
        check_contains(outcome.err, phrase);
        CHECK(outcome.err.starts_with("error: "));
    }
    test::write_raw(folder.file("b.txt"), "too short");
    Outcome brief = run(folder, "--text . --steps 1 --out run");
    CHECK(brief.status == 1);
    check_contains(brief.err, "held-out");
    CHECK_FALSE(std::filesystem::exists(folder.file("run")));
}

TEST_CASE("train_nano: a model of other tokens is read with them, and is no start") {
    test::TempFolder folder;
    write_texts(folder);
    std::filesystem::create_directories(folder.file("own"));
    std::filesystem::copy(find_in_project("weights/nano/model.safetensors"), folder.file("own"));
    std::string merges = read_text(find_in_project("weights/merges.txt"));
    size_t last = merges.rfind('\n', merges.size() - 2);  // the last two change places
    size_t one = merges.rfind('\n', last - 1);
    std::string tail = merges.substr(last + 1) + merges.substr(one + 1, last - one);
    test::write_raw(folder.file("own/merges.txt"), merges.substr(0, one + 1) + tail);
    Outcome start = run(folder, "--text . --steps 1 --start own --out run");
    CHECK(start.status == 1);
    check_contains(start.err, "is read with other tokens than GPT-2's: merges of its own");
}
