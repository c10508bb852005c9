// Texts, windows and candidates; see texts.h.
// Nothing here draws from a generator that lives longer than a call: a step depends on its number.
#include "weights/nano/texts.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "text/utf8.h"

namespace vimach::nano {

// --- works --------------------------------------------------------------------------------------

namespace {

std::vector<std::string> cut(const std::string& text, char mark) {
    std::vector<std::string> parts;
    for (size_t at = 0; at <= text.size();) {
        size_t end = std::min(text.find(mark, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

size_t column_of(const std::vector<std::string>& header, const char* name,
                 const std::string& path) {
    auto at = std::ranges::find(header, name);
    if (at == header.end()) {
        fail(std::string("there is no column '") + name + "'", path + ", line 1",
             "name the columns split and file");
    }
    return static_cast<size_t>(at - header.begin());
}

/// The files of a split that a table of works names.
std::vector<std::string> files_of(const std::string& path, const std::string& split) {
    std::string table(without_bom(read_text(path)));
    std::erase(table, '\r');
    std::vector<std::string> lines = cut(table, '\n'), header = cut(lines[0], '\t'), files;
    size_t split_column = column_of(header, "split", path),
           file_column = column_of(header, "file", path);
    std::set<std::string> seen;
    for (size_t i = 1; i < lines.size(); ++i) {
        if (lines[i].empty()) continue;
        std::string where = format("%s, line %zu", path.c_str(), i + 1);
        std::vector<std::string> cells = cut(lines[i], '\t');
        if (cells.size() != header.size()) {
            fail(format("%zu cells under %zu columns", cells.size(), header.size()), where,
                 "separate them with tabs");
        }
        if (cells[split_column] != "train" && cells[split_column] != "validation") {
            fail("there is no split '" + cells[split_column] + "'", where,
                 "use train or validation");
        }
        if (!seen.insert(cells[file_column]).second) {
            fail("names '" + cells[file_column] + "' again", where,
                 "give every work once: what is trained on cannot be held out");
        }
        if (cells[split_column] == split) files.push_back(cells[file_column]);
    }
    if (files.empty()) fail("no work belongs to '" + split + "'", path, "give one or more");
    return files;
}

}  // namespace

Split read_split(const Tokenizer& tokenizer, const std::string& folder, const std::string& split) {
    // Find the works, then cut them into tokens side by side.
    std::vector<std::string> files = files_of(folder + "/SOURCES.tsv", split);
    for (std::string& file : files) file.insert(0, folder + "/");
    std::vector<std::vector<int>> works(files.size());
    std::vector<int64_t> sizes(files.size());
    parallel_for(static_cast<int64_t>(files.size()), [&](int64_t i) {
        std::string text = read_text(files[i]);
        works[i] = tokenizer.encode(text, {.source = files[i]});
        sizes[i] = static_cast<int64_t>(text.size());
    });
    Split out;
    for (size_t i = 0; i < works.size(); ++i) {
        out.ids.push_back(tokenizer.end_of_text());
        out.ids.insert(out.ids.end(), works[i].begin(), works[i].end());
        out.n_byte += sizes[i];
        ++out.n_work;
    }
    return out;
}

// --- what a step reads --------------------------------------------------------------------------

Text rank_tokens(std::vector<int> ids, int64_t d_vocab) {
    auto n = static_cast<size_t>(d_vocab);
    std::vector<int64_t> counts(n);
    for (int id : ids) ++counts[id];
    std::vector<int> order(n), ranks(n);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](int a, int b) { return counts[a] > counts[b]; });
    for (size_t i = 0; i < n; ++i) ranks[order[i]] = static_cast<int>(i);
    return {std::move(ids), std::move(ranks)};
}

std::vector<int> step_windows(const WindowPlan& plan, std::span<const int> ids, int64_t step) {
    int64_t n_ctx = plan.n_ctx;
    auto n_id = static_cast<int64_t>(ids.size());
    int64_t n_per_pass = (n_id - 1) / n_ctx - 1;
    if (n_per_pass < plan.n_window) {
        fail(format("%ld tokens are too few for %ld windows of %ld", n_id, plan.n_window, n_ctx),
             "the text", "give more text");
    }
    std::vector<int> out;
    std::vector<int64_t> order;
    int64_t pass = -1, offset = 0;
    for (int64_t i = step * plan.n_window; i < (step + 1) * plan.n_window; ++i) {
        if (i / n_per_pass != pass) {
            pass = i / n_per_pass;
            Rng rng(plan.seed * 1'000'003 + static_cast<uint64_t>(pass));
            offset = rng.below(n_ctx);
            order = rng.permutation(n_per_pass);
        }
        auto begin = ids.begin() + offset + order[i % n_per_pass] * n_ctx;
        out.insert(out.end(), begin, begin + n_ctx + 1);
    }
    return out;
}

Candidates step_candidates(const Text& text, int64_t n_frequent, std::span<const int> targets,
                           int64_t step) {
    ensure(n_frequent >= 1, "no token is frequent", "step_candidates", "pass 1 or more");
    std::vector<bool> is_target(text.ranks.size());
    for (int target : targets) is_target[target] = true;

    // Let every id take its turn once in its period; a target is there beside the turns.
    Candidates out;
    for (size_t id = 0; id < text.ranks.size(); ++id) {
        int64_t rank = text.ranks[id], octave = std::max<int64_t>(1, rank / n_frequent);
        auto period = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(octave)));
        if (!is_target[id] && (rank + step) % period != 0) continue;
        out.ids.push_back(static_cast<int>(id));
        out.log_weights.push_back(is_target[id] ? 0 : std::log(static_cast<Real>(period)));
    }
    return out;
}

}  // namespace vimach::nano
