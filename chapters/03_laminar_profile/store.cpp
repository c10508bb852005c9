// Chapter 3's finished work on disk; see store.h. The file is small and is written anew, under
// a temporary name, after every SAE. Numbers keep 17 digits, so that they come back unchanged; a
// checksum at the end of each line shows whether they did.
#include "store.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "core/ensure.h"
#include "core/files.h"
#include "core/hash.h"

namespace vimach::ch03 {

std::vector<Job> jobs_of(const Job& first, const std::vector<double>& sweep) {
    std::vector<Job> jobs = {first};
    if (first.arm == random_weights) return jobs;
    for (double l1 : sweep) jobs.push_back({trained, l1, first.layer, first.seed});
    jobs.push_back({unit_scale, first.l1, first.layer, first.seed});
    jobs.push_back({gaussian, first.l1, first.layer, first.seed});
    return jobs;
}

void check_finite(double loss, const Job& job, int64_t epoch) {
    if (std::isfinite(loss)) return;
    fail("the loss is not finite",
         format("layer %ld, %s, seed %lu, epoch %ld", job.layer, arm_names[job.arm], job.seed,
                epoch + 1),
         "lower the learning rate in Settings");
}

uint64_t hash_file(const std::string& path, uint64_t before) {
    constexpr int64_t piece = 1 << 20;
    InputFile file(path);
    std::string bytes;
    for (int64_t at = 0; at < file.size(); at += piece) {
        bytes.resize(static_cast<size_t>(std::min(piece, file.size() - at)));
        file.read_at(at, bytes.data(), static_cast<int64_t>(bytes.size()));
        before = fnv_1a(bytes, before);
    }
    return before;
}

Store::Store(const std::string& path, uint64_t hash, bool fresh)
    : path_(path), header_(format("vimach chapter 3, run %016lx", hash)) {
    std::error_code error;
    if (fresh) std::filesystem::remove(path_, error);
    if (!std::filesystem::exists(path_, error)) return;
    read(read_text(path_));
    n_reused_ = entries_.size();
}

std::string Store::line(const Entry& entry) const {
    const Job& j = entry.job;
    std::string text =
        format("%d\t%.17g\t%ld\t%lu", static_cast<int>(j.arm), j.l1, j.layer, j.seed);
    for (const ResultField& field : result_fields) {
        text += format("\t%.17g", entry.result.*field.value);
    }

    // The sum counts the header in, so that no line passes into the file of another run.
    return text + format("\t%016lx", fnv_1a(text, fnv_1a(header_)));
}

void Store::read(const std::string& text) {
    std::istringstream lines(text);
    std::string line_read;
    std::getline(lines, line_read);
    if (line_read != header_) {
        fail("holds layers of an interrupted run with other settings, seed, model or page", path_,
             "repeat that run to finish it, or start anew with --fresh");
    }
    for (int64_t n = 2; std::getline(lines, line_read); ++n) {
        auto damaged = [&](const char* how) {
            fail(std::string("is damaged: ") + how, path_ + format(", line %ld", n),
                 "start anew with --fresh");
        };

        // Read an arm, a weight, a layer, a seed and the results, NaN and infinity included.
        std::istringstream columns(line_read);
        std::string column;
        auto read_number = [&](auto& number) {
            std::getline(columns, column, '\t');
            std::from_chars(column.data(), column.data() + column.size(), number);
        };
        Entry entry;
        int arm = 0;
        read_number(arm);
        read_number(entry.job.l1);
        read_number(entry.job.layer);
        read_number(entry.job.seed);
        for (const ResultField& field : result_fields) {
            read_number(entry.result.*field.value);
        }
        entry.job.arm = static_cast<Arm>(arm);

        // A line that would not be written like this, its sum included, was not written here.
        if (line(entry) != line_read) damaged("the line does not fit its checksum");
        if (find(entry.job) != nullptr) damaged("it has this layer twice");
        entries_.push_back(entry);
    }
}

const LayerResult* Store::find(const Job& job) const {
    for (const Entry& entry : entries_) {
        if (entry.job == job) return &entry.result;
    }
    return nullptr;
}

void Store::add(const Job& job, const LayerResult& result) {
    entries_.push_back({job, result});
    std::string text = header_ + "\n";
    for (const Entry& entry : entries_) text += line(entry) + "\n";
    write_text(path_, text);
}

Profile Store::profile(const Job& first, const std::vector<int64_t>& layers, int64_t n_seed,
                       const ResultField& field) const {
    Profile out(n_seed, static_cast<int64_t>(layers.size()));
    for (int64_t s = 0; s < n_seed; ++s) {
        for (int64_t i = 0; i < out.cols; ++i) {
            const LayerResult* result =
                find({first.arm, first.l1, layers[i], first.seed + static_cast<uint64_t>(s)});
            ensure(result != nullptr, "an SAE is missing", "Store", "train it first");
            out.at(s, i) = result->*field.value;
        }
    }
    return out;
}

std::string Store::part_text(const Job& job) const {
    bool reused = false;
    for (size_t i = 0; i < n_reused_; ++i) {
        const Job& old = entries_[i].job;
        bool same_model = (old.arm == random_weights) == (job.arm == random_weights);
        reused = reused || (same_model && old.layer == job.layer && old.seed == job.seed);
    }
    return format("seed %lu, %s, layer %ld%s", job.seed, arm_names[job.arm], job.layer,
                  reused ? " (in part from the interrupted run)" : "");
}

void Store::finish() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

}  // namespace vimach::ch03
