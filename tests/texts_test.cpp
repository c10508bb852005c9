// What nano's training reads (weights/nano/texts): the works of a split, the windows of a step, the
// candidates for its softmax.
#include "weights/nano/texts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/ensure.h"
#include "support.h"

using namespace vimach;
using namespace vimach::nano;
using namespace vimach::test;

namespace {

constexpr WindowPlan tiny_plan = {.n_window = 3, .n_ctx = 6, .seed = 1};

}  // namespace

TEST_CASE("train: a split holds its own works, each behind <|endoftext|>") {
    TempFolder folder;
    write_raw(folder.file("a.txt"), "one two");
    write_raw(folder.file("b.txt"), "three\n");
    write_raw(folder.file("c.txt"), "four");
    write_raw(folder.file("SOURCES.tsv"),
              "title\tfile\tsplit\nA\ta.txt\ttrain\nC\tc.txt\tvalidation\nB\tb.txt\ttrain\n");
    Tokenizer tokenizer = load_tokenizer();
    Split train = read_split(tokenizer, folder.path(), "train");
    CHECK(train.n_work == 2);
    CHECK(train.n_byte == 13);
    CHECK(tokenizer.decode(train.ids) == "<|endoftext|>one two<|endoftext|>three\n");
    CHECK(tokenizer.decode(read_split(tokenizer, folder.path(), "validation").ids) ==
          "<|endoftext|>four");
    CHECK(train.ids[0] == tokenizer.end_of_text());

    check_contains(error_of([&] { read_split(tokenizer, folder.path(), "test"); }), "'test'");

    // Lines may end as on Windows, and be empty; nothing else is passed over.
    auto read = [&](const char* table) {
        write_raw(folder.file("SOURCES.tsv"), table);
        return read_split(tokenizer, folder.path(), "train");
    };
    CHECK(read("split\tfile\r\ntrain\ta.txt\r\n\r\n").n_work == 1);
    std::pair<const char*, const char*> wrong[] = {
        {"title\tfile\nA\ta.txt\n", "SOURCES.tsv, line 1"},
        {"split\tfile\ntrain\ta.txt\ntrain b.txt\n", "SOURCES.tsv, line 3"},
        {"split\tfile\nTrain\ta.txt\n", "'Train'"},
        {"split\tfile\ntrain\ta.txt\nvalidation\ta.txt\n", "names 'a.txt' again"},
        {"split\tfile\nvalidation\ta.txt\n", "no work"},
        {"split\tfile\ntrain\tgone.txt\n", "gone.txt"}};
    for (auto [table, phrase] : wrong) check_contains(error_of([&] { read(table); }), phrase);
}

TEST_CASE("train: a pass takes every window once, the next one other windows in another order") {
    std::vector<int> ids(200);
    for (int i = 0; i < 200; ++i) ids[i] = i;
    int64_t n_per_pass = (200 - 1) / 6 - 1;
    std::vector<std::set<int>> starts(2);
    std::vector<std::vector<int64_t>> orders(2);
    for (int64_t step = 0; step < 2 * n_per_pass / 3 + 1; ++step) {
        std::vector<int> windows = step_windows(tiny_plan, ids, step);
        REQUIRE(windows.size() == 3 * 7);
        CHECK(windows == step_windows(tiny_plan, ids, step));
        for (int64_t w = 0; w < 3; ++w) {
            for (int64_t i = 1; i < 7; ++i) CHECK(windows[w * 7 + i] == windows[w * 7] + i);
            int64_t pass = (step * 3 + w) / n_per_pass;
            if (pass >= 2) continue;
            CHECK(starts[pass].insert(windows[w * 7]).second);
            orders[pass].push_back(windows[w * 7] / 6);
        }
    }
    CHECK(static_cast<int64_t>(starts[0].size()) == n_per_pass);
    CHECK(static_cast<int64_t>(starts[1].size()) == n_per_pass);
    CHECK(starts[0] != starts[1]);
    CHECK(orders[0] != orders[1]);
    for (const std::vector<int64_t>& order : orders) CHECK_FALSE(std::ranges::is_sorted(order));
    CHECK(step_windows(tiny_plan, ids, 0) != step_windows(tiny_plan, ids, 1));
    WindowPlan other = tiny_plan;
    other.seed = 2;
    CHECK(step_windows(tiny_plan, ids, 0) != step_windows(other, ids, 0));
    check_contains(error_of([&] { step_windows(tiny_plan, std::vector<int>(20), 0); }), "too few");
}

TEST_CASE("train: ranks count the text; rarer ids are candidates less often, and weigh more") {
    // Id 39 is the most frequent of 40, then 38, ...; two ids that do not occur keep their order.
    std::vector<int> ids;
    for (int id = 2; id < 40; ++id) ids.insert(ids.end(), id, id);
    Text text = rank_tokens(ids, 40);
    for (int id = 2; id < 40; ++id) CHECK(text.ranks[id] == 39 - id);
    CHECK(text.ranks[0] == 38);
    CHECK(text.ranks[1] == 39);

    // Equal counts, however many, go by id.
    std::vector<int> twice(2000);
    for (int i = 0; i < 2000; ++i) twice[i] = i % 1000;
    std::vector<int> ranks = rank_tokens(twice, 1500).ranks;
    for (int id = 0; id < 1500; ++id) CHECK(ranks[id] == id);

    // Over 8 steps every id counts 8 times: once with weight 8, or twice with weight 4, ...
    constexpr int64_t n_frequent = 4;
    std::vector<double> weight(40), n_turn(40);
    for (int64_t step = 5; step < 13; ++step) {
        Candidates all = step_candidates(text, n_frequent, {}, step);
        CHECK(std::ranges::is_sorted(all.ids));
        for (size_t i = 0; i < all.ids.size(); ++i) {
            weight[all.ids[i]] += std::exp(all.log_weights[i]);
            ++n_turn[all.ids[i]];
        }
    }
    for (int id = 0; id < 40; ++id) {
        int rank = text.ranks[id];
        CHECK(weight[id] == doctest::Approx(8));
        CHECK(n_turn[id] == (rank < 8 ? 8 : rank < 16 ? 4 : rank < 32 ? 2 : 1));
    }

    // A target is always there, once, and stands for itself.
    for (int64_t step = 0; step < 8; ++step) {
        std::vector<int> targets = {0, 5, 0};
        Candidates with = step_candidates(text, n_frequent, targets, step);
        for (int id : targets) {
            auto at = std::ranges::find(with.ids, id);
            REQUIRE(at != with.ids.end());
            CHECK(with.log_weights[at - with.ids.begin()] == 0);
        }
        CHECK(std::ranges::count(with.ids, 0) == 1);
    }
    CHECK_THROWS_AS(step_candidates(text, 0, {}, 0), Error);
}
