// What a run of chapter 2 is about: a model, a passage, the words of a topic in it, and the
// activation that the SAE reads.
#pragma once

#include <string>
#include <vector>

#include "model/gpt2.h"
#include "scores.h"
#include "show/page.h"
#include "text/tokenizer.h"

namespace vimach::ch02 {

struct Study {
    Gpt2 model;
    Tokenizer tokenizer;
    std::vector<int> ids;  ///< of the passage
    int64_t layer;
    std::string tap;  ///< "blocks.6.mlp_out"
    Topic topic;
    std::vector<TokenKind> kinds;  ///< of every token
    uint64_t seed;                 ///< --seed
};

/// Reads what --model, --text, --words and --layer name, and says so. Throws where the passage is
/// longer than the context, or shorter than 8 tokens.
Study read_study(const Options& options, Page& page, const ChapterInfo& info,
                 const std::string& activation);

/// The chapter's SAE for rows of this width: tied, without biases, k from --k or width / k_share.
SaeConfig tied_sae(SaeConfig config, int64_t width, int64_t k_share, const Options& options);

/// The activation that the SAEs read, on the passage. Throws where it does not vary.
Tensor tapped_rows(const Study& study);

/// The activation of block `layer` that has this name, e.g. "mlp_post".
Tensor activation_of(const Study& study, const std::string& name);

/// A text that the SAE has not seen: chapter 0's, as much of it as the context holds.
std::vector<int> unseen_text(const Study& study);

}  // namespace vimach::ch02
