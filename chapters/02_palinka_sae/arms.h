// Chapter 2's trainings: the SAE that the lecture trains, and beside it SAEs that differ in one
// thing each: the start, the rate, k, tying, the text, the length. All of them are trained by the
// chapter's own loop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lens/sae.h"
#include "show/progress.h"
#include "study.h"

namespace vimach::ch02 {

/// One training, before it and after it.
struct Training {
    std::string name;
    SaeConfig config;
    const Tensor* x = nullptr;  ///< rows to learn from
    uint64_t seed = 0;          ///< of the random start
    double rate = 0;
    int64_t n_step = 0;
    int64_t n_batch = 1;  ///< step i learns from part i of the rows, of so many in turn
    bool plain = false;   ///< by the chapter's own step, or by the faster one of lens/sae
    Sae sae = {};
    std::vector<SaeLosses> losses = {};  ///< before each step

    ConstMatrixView batch(int64_t step) const;
    Sae start() const;  ///< the SAE as it was before the first step
};
/// Throws where the last loss is NaN or infinite.
void check_loss(const Training& training);

/// Trains one SAE, step by step.
using Trainer = std::function<void(Training& training, Progress& progress)>;

/// How many SAEs a run trains and how many draws its null distributions take.
struct Counts {
    int64_t n_start;   ///< trainings as in the document, an even number
    int64_t n_again;   ///< of them again at another rate; tied and untied with tokens held out
    int64_t n_more;    ///< of them again with more text
    int64_t n_longer;  ///< of them again, but longer; and longer with more text
    int64_t n_longer_step;
    int64_t n_set;         ///< random sets of words
    int64_t n_projection;  ///< random projections
};

/// Rates and lengths: as the document has them, and long enough to move the latents.
struct Lengths {
    double rate;
    int64_t n_step;
    double longer_rate;
};

/// Rows of activations, [n, d_in] each.
struct Data {
    Tensor x;          ///< the passage
    Tensor fit, held;  ///< every fifth row held out, and the others
    Tensor more;       ///< the passage, and ten times as many rows in all
};

/// Adds to the passage's rows the article of chapter 3; it may end before there are ten times as
/// many.
Data make_data(const Study& study, const Tensor& x);

/// Lists over starts: training i of each list begins like training i of the others.
struct Arms {
    std::vector<Training> seeds, nudged, more_text, tied_fit, untied_fit, longer, longer_more;
    std::vector<Training> other_k;  ///< half of k, twice k, half of the latents; the first start
    Training plain;                 ///< the first steps of the first SAE, by the chapter's own step
};
Arms plan_arms(const SaeConfig& config, const Data& data, const Lengths& lengths,
               const Counts& counts, uint64_t seed);

/// Trains the first SAE, then all others, one a thread.
Arms train_all(Arms arms, const Trainer& train);

}  // namespace vimach::ch02
