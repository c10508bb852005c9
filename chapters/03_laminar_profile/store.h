// What chapter 3 has finished, on disk: one line for every trained SAE, written as it ends, so that
// a run that was interrupted (Ctrl-C, kill -9) goes on where it stopped and ends with the same
// table. Lines are used again only by a run with the same settings, seed, model and page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controls.h"

namespace vimach::laminar {

/// Which SAE: what it was trained on, with which weight of L1, in which layer, from which seed.
struct Job {
    Arm arm = trained;
    double l1 = 0;
    int64_t layer = 0;
    uint64_t seed = 0;
    bool operator==(const Job&) const = default;
};

/// FNV-1a (Fowler, Noll & Vo), 64 bits; of several pieces where `hash` is that of the first ones.
uint64_t hash_bytes(std::string_view bytes, uint64_t hash = 14695981039346656037u);
uint64_t hash_file(const std::string& path, uint64_t hash);

class Store {
public:
    /// Reads what an interrupted run has left in `path`. Throws Error, naming --fresh, if that was
    /// a run with another hash or if the file is damaged; with `fresh` it is removed instead.
    Store(const std::string& path, uint64_t hash, bool fresh);

    /// The result of this job, or null.
    const LayerResult* find(const Job& job) const;

    /// Keeps a result, in memory and on disk.
    void add(const Job& job, const LayerResult& result);

    /// One number of an arm over layers and seeds: first_seed and those that follow it.
    Profile profile(Arm arm, double l1, const std::vector<int64_t>& layers, uint64_t first_seed,
                    int64_t n_seed, const ResultField& field) const;

    /// How many results were there at the beginning.
    size_t n_reused() const { return n_reused_; }

    /// Removes the file: the run is complete.
    void finish() const;

private:
    struct Entry {
        Job job;
        LayerResult result;
    };
    void read(const std::string& text);

    std::string path_, header_;
    std::vector<Entry> entries_;
    size_t n_reused_ = 0;
};

}  // namespace vimach::laminar
