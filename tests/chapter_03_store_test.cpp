// What chapter 3 keeps of a run on disk: numbers come back to the last digit, for the same run
// only, and a line that is not as it was written is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "chapters/03_laminar_profile/profiles.h"
#include "chapters/03_laminar_profile/store.h"
#include "core/hash.h"
#include "support.h"

using namespace vimach;
using namespace vimach::ch03;

namespace {

std::vector<std::string> split(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> columns;
    for (std::string column; std::getline(in, column, '\t');) columns.push_back(column);
    return columns;
}

std::string joined(const std::vector<std::string>& columns) {
    std::string line;
    for (const std::string& column : columns) line += (line.empty() ? "" : "\t") + column;
    return line;
}

}  // namespace

TEST_CASE("laminar: finished layers come back to the last digit, for the same run only") {
    test::TempFolder folder;
    std::string path = folder.file("layers.tsv");
    Job a = {trained, 0.1, 3, 1}, b = {gaussian, 1, 3, 2};
    LayerResult result = {1.0 / 3, 2.0 / 7, 1e-17, 3e300, 0.1, 511.5, 0, 0.25, -1.0 / 3, 9};
    {
        Store store(path, 42, false);
        CHECK(store.n_reused() == 0);
        store.add(a, result);
        store.add(b, {});
    }
    Store again(path, 42, false);
    CHECK(again.n_reused() == 2);
    REQUIRE(again.find(a) != nullptr);
    for (const ResultField& field : result_fields) {
        CHECK_MESSAGE(again.find(a)->*field.value == result.*field.value, field.name);
    }
    CHECK(again.find({trained, 0.1, 3, 2}) == nullptr);
    CHECK(again.profile({gaussian, 1, 0, 2}, {3}, 1, result_fields[0]).data ==
          std::vector<double>{0});
    CHECK(test::error_of([&] {
              again.profile({trained, 1, 0, 1}, {3}, 1, result_fields[0]);
          }).starts_with("an SAE is missing"));

    std::string why = test::error_of([&] { Store other(path, 43, false); });
    test::check_contains(why, "other settings, seed, model or page (" + path + ")");
    test::check_contains(why, "--fresh");
    Store fresh(path, 43, true);
    CHECK(fresh.find(a) == nullptr);
    CHECK(folder.count() == 0);
    fresh.add(a, result);
    fresh.finish();
    CHECK(folder.count() == 0);
}

/// A file of two lines, and what becomes of it when it is changed.
class Damaged {
public:
    Damaged() {
        Store store(path, 42, false);
        store.add({trained, 0.1, 3, 1}, {0.5, 0.25, 1e-17, 3e300, 0.125, 511.5, 0, 0.75, -2, 9});
        store.add({gaussian, 1, 4, 1}, {});
        std::istringstream lines(test::read_raw(path));
        std::getline(lines, header);
        std::getline(lines, first);
        std::getline(lines, second);
    }
    std::string refusal(const std::string& text) const {
        test::write_raw(path, text);
        return test::error_of([&] { Store broken(path, 42, false); });
    }

    test::TempFolder folder;
    const std::string path = folder.file("layers.tsv");
    std::string header, first, second;
};

TEST_CASE("laminar: a damaged line of what is kept is refused by its number") {
    Damaged file;
    std::vector<std::string> columns = split(file.first), damaged;
    REQUIRE(columns.size() == 4 + std::size(result_fields) + 1);
    for (size_t i = 0; i < columns.size(); ++i) {
        for (const char* number : {"-1", "99999999", "nan", "", "x", "0 "}) {
            std::vector<std::string> changed = columns;
            changed[i] = number;
            damaged.push_back(joined(changed));
        }
    }
    for (const char* end : {"\t0", "\t", " ", "\tx", "\r", "0"})
        damaged.push_back(file.first + end);
    damaged.insert(damaged.end(), {"", "x", "1\t2", " " + file.first, file.first + file.first,
                                   file.first.substr(file.first.find('\t') + 1),
                                   file.first.substr(0, file.first.rfind('\t')),
                                   file.first.substr(0, file.first.size() - 1)});
    for (const std::string& line : damaged) {
        CAPTURE(line);
        std::string why = file.refusal(file.header + "\n" + file.second + "\n" + line + "\n");
        CHECK(why == "is damaged: the line does not fit its checksum (" + file.path +
                         ", line 3): start anew with --fresh");
    }
}

TEST_CASE("laminar: a layer that is kept twice is refused, and one of another run") {
    Damaged file;
    std::string whole = file.header + "\n" + file.first + "\n" + file.second + "\n";
    REQUIRE(test::read_raw(file.path) == whole);
    REQUIRE(file.refusal(file.header + "\n" + file.second + "\n") == "no Error was thrown");
    CHECK(file.refusal(whole + file.first + "\n") == "is damaged: it has this layer twice (" +
                                                         file.path +
                                                         ", line 4): start anew with --fresh");
    std::string path = file.folder.file("other");
    Store(path, 43, false).add({gaussian, 1, 5, 1}, {});
    std::string other = test::read_raw(path);
    test::check_contains(file.refusal(whole + other.substr(other.find('\n') + 1)),
                         ", line 4): start anew with --fresh");

    // Nor is there a file without its header.
    for (const std::string& text : {file.first + "\n", file.header + "9\n", std::string()}) {
        test::check_contains(file.refusal(text), "holds layers of an interrupted run with other");
    }
}

TEST_CASE("laminar: a result that is NaN or infinite is kept as it is") {
    test::TempFolder folder;
    Job job = {trained, 0.1, 3, 1};
    constexpr double inf = std::numeric_limits<double>::infinity();
    {
        Store store(folder.file("layers.tsv"), 42, false);
        store.add(job, {.density = std::nan(""), .fvu = inf, .ablated = -inf});
    }
    Store again(folder.file("layers.tsv"), 42, false);
    REQUIRE(again.find(job) != nullptr);
    CHECK(std::isnan(again.find(job)->density));
    CHECK((again.find(job)->fvu == inf && again.find(job)->ablated == -inf));
}

TEST_CASE("laminar: the hash of a file sees every byte, in its place") {
    test::TempFolder folder;
    test::write_raw(folder.file("a"), std::string(3'000'000, 'x') + "y");
    CHECK(hash_file(folder.file("a"), fnv_1a("z")) ==
          fnv_1a("z" + std::string(3'000'000, 'x') + "y"));
}

TEST_CASE("laminar: what is plotted as the loss has L1 with the weight of the plot") {
    test::TempFolder folder;
    Store store(folder.file("layers.tsv"), 7, false);
    LayerResult result = {};
    result.mse = 2, result.l1 = 3;
    for (int arm = 0; arm < n_arm; ++arm) {
        store.add({static_cast<Arm>(arm), 0.5, 0, 1}, result);
    }
    Profiles p = {.layers = {0}, .n_layer = 1, .n_seed = 1, .l1 = 0.5};
    for (double weight : {0.0, 0.5, 2.0}) {
        p.l1_in_loss = weight;
        CHECK(gather(store, p).of[trained][loss].data == std::vector<double>{2 + weight * 3});
    }
}
