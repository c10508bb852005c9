// Chapter 3's finished work on disk; see store.h. The file is small and is written anew, under
// a temporary name, after every SAE. Numbers keep 17 digits, so that they come back unchanged.
#include "store.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "core/ensure.h"
#include "core/files.h"

namespace vimach::laminar {

uint64_t hash_bytes(std::string_view bytes, uint64_t hash) {
    for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return hash;
}

uint64_t hash_file(const std::string& path, uint64_t hash) {
    constexpr int64_t piece = 1 << 20;
    InputFile file(path);
    std::string bytes;
    for (int64_t at = 0; at < file.size(); at += piece) {
        bytes.resize(static_cast<size_t>(std::min(piece, file.size() - at)));
        file.read_at(at, bytes.data(), static_cast<int64_t>(bytes.size()));
        hash = hash_bytes(bytes, hash);
    }
    return hash;
}

Store::Store(const std::string& path, uint64_t hash, bool fresh)
    : path_(path), header_(format("vimach chapter 3, run %016lx", hash)) {
    std::error_code error;
    if (fresh) std::filesystem::remove(path_, error);
    if (!std::filesystem::exists(path_, error)) return;
    read(read_text(path_));
    n_reused_ = entries_.size();
}

void Store::read(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    if (line != header_) {
        fail("holds layers of an interrupted run with other settings, seed, model or page", path_,
             "repeat that run to finish it, or start anew with --fresh");
    }
    for (int64_t n = 2; std::getline(lines, line); ++n) {
        // Every line is whole, since the file was: eleven numbers and nothing else.
        std::istringstream numbers(line);
        Entry entry;
        int arm = 0;
        std::string rest;
        numbers >> arm >> entry.job.l1 >> entry.job.layer >> entry.job.seed;
        for (const ResultField& field : result_fields) numbers >> entry.result.*field.value;
        if (!numbers || numbers >> rest || arm < 0 || arm >= n_arm) {
            fail("is damaged", path_ + format(", line %ld", n), "start anew with --fresh");
        }
        entry.job.arm = static_cast<Arm>(arm);
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
    for (const Entry& entry : entries_) {
        const Job& j = entry.job;
        text += format("%d\t%.17g\t%ld\t%lu", static_cast<int>(j.arm), j.l1, j.layer, j.seed);
        for (const ResultField& field : result_fields) {
            text += format("\t%.17g", entry.result.*field.value);
        }
        text += "\n";
    }
    write_text(path_, text);
}

Profile Store::profile(Arm arm, double l1, const std::vector<int64_t>& layers, uint64_t first_seed,
                       int64_t n_seed, const ResultField& field) const {
    Profile out(n_seed, static_cast<int64_t>(layers.size()));
    for (int64_t s = 0; s < n_seed; ++s) {
        for (int64_t i = 0; i < out.cols; ++i) {
            const LayerResult* result =
                find({arm, l1, layers[i], first_seed + static_cast<uint64_t>(s)});
            ensure(result != nullptr, "an SAE is missing", "Store", "train it first");
            out.at(s, i) = result->*field.value;
        }
    }
    return out;
}

void Store::finish() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

}  // namespace vimach::laminar
