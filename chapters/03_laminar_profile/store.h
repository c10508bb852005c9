// What chapter 3 has finished, on disk: one line for every trained SAE, written as it ends, so that
// a run that was interrupted (Ctrl-C, kill -9) goes on where it stopped and ends with the same
// table. Lines are used again only by a run with the same settings, seed, model and page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arms.h"
#include "math/matrix.h"

namespace vimach::ch03 {

/// One number for every seed and layer: [n_seed, n_layer].
using Profile = Matrix;

/// Which SAE: what it was trained on, with which weight of L1, in which layer, from which seed.
struct Job {
    Arm arm = trained;
    double l1 = 0;
    int64_t layer = 0;
    uint64_t seed = 0;
    bool operator==(const Job&) const = default;
};

/// The SAEs of one layer: on random weights the one; else those of the trained model in the order
/// in which they can share the memory of its rows, with other weights of L1 in `sweep`.
std::vector<Job> jobs_of(const Job& first, const std::vector<double>& sweep);

/// Throws where the training of this job has come to a loss that is NaN or infinite.
void check_finite(double loss, const Job& job, int64_t epoch);

/// FNV-1a of a whole file, after what has the hash `before`.
uint64_t hash_file(const std::string& path, uint64_t before);

class Store {
public:
    /// Reads what an interrupted run has left in `path`. Throws Error, naming --fresh, if that was
    /// a run with another hash or if the file is damaged, that is, if a line is not as it was
    /// written or stands there twice; with `fresh` it is removed instead.
    Store(const std::string& path, uint64_t hash, bool fresh);

    /// The result of this job, or null.
    const LayerResult* find(const Job& job) const;

    /// Keeps a result, in memory and on disk.
    void add(const Job& job, const LayerResult& result);

    /// One number over layers and n_seed seeds: those of jobs like `first` in other layers and
    /// with the seeds that follow.
    Profile profile(const Job& first, const std::vector<int64_t>& layers, int64_t n_seed,
                    const ResultField& field) const;

    /// "seed 1, trained, layer 3": a layer that is done, and whether an interrupted run had begun
    /// it.
    std::string part_text(const Job& job) const;

    /// How many results were there at the beginning.
    size_t n_reused() const { return n_reused_; }

    /// Removes the file: the run is complete.
    void finish() const;

private:
    struct Entry {
        Job job;
        LayerResult result;
    };
    std::string line(const Entry& entry) const;  ///< as it stands in the file, with its checksum
    void read(const std::string& text);

    std::string path_, header_;
    std::vector<Entry> entries_;
    size_t n_reused_ = 0;
};

}  // namespace vimach::ch03
