// Chapter 4's tables and sentences: the climb along the way, the climbs side by side, what vectors
// decode to, what is put in and what comes out, and what the model makes of it.
#pragma once

#include <string>

#include "controls.h"
#include "show/table.h"

namespace vimach::ch04 {

/// How much the target varies on a text, and what its best window reaches.
std::string text_text(const std::vector<int>& text, const Reached& reached);

/// The climb along the way: means over starts.
Table way_table(const Climb& climb);

/// What the column "log10 growth" is.
extern const char* const growth_note;

/// How far the mean over starts climbed, in standard deviations on a real text; NaN where the
/// target does not vary over it.
std::string rise_text(const Arm& own, const Reached& reached);
double climbed_deviations(const Arm& own, const Reached& reached);

/// Where each climb began and ended, and what became of the vectors and of the other dimensions.
Table arms_table(const Arms& arms);

/// Where the target's dimension stands among those climbed beside it.
std::string dimension_text(const Arms& arms);

/// The nearest token of every vector and the best cosine, one row per start.
Table decoded_table(const Tokenizer& tokenizer, std::span<const int> decoded,
                    const Cosines& cosines);

/// How many tokens vectors decode to, and their starts.
std::string distinct_text(const std::vector<int>& decoded, const std::vector<int>& starts);

Table cosine_table(const Cosines& cosines);
Table reached_table(const Reached& reached);
Table loss_table(const Losses& losses);

/// The best window of the text, and of the guided search.
std::string best_text(const Tokenizer& tokenizer, const Reached& reached);

/// Tokens as one line of visible text.
std::string tokens_text(const Tokenizer& tokenizer, std::span<const int> ids);

/// The answer to the chapter's question.
std::string answer(const Arm& own, const Reached& reached, const Losses& losses);

}  // namespace vimach::ch04
