// Chapter 0's figures, tables and sentences: each is one function from what the model did with a
// text. Figures of single tokens show the beginning of the text and say so.
#pragma once

#include <string>

#include "controls.h"
#include "show/svg.h"
#include "text/tokenizer.h"

namespace vimach::ch00 {

/// What this chapter sees inside a model.
struct Inside {
    struct Guess {
        int id;
        double probability;
    };
    std::vector<Losses> lens = {};    ///< if the model had to speak after 0, 1, ... blocks
    std::vector<Guess> guesses = {};  ///< what it would say then about the token after the window
    PreviousTokenHead head = {};
};

/// A token as it is printed: in quotes, on one line.
std::string quoted(const Tokenizer& tokenizer, int id);

/// The ids on one line of standard output.
void print_ids(std::span<const int> ids);

/// "601 tokens, cut into 3 windows of at most 256 that do not see each other".
std::string describe_text(std::span<const int> ids, int64_t n_ctx);

/// The names of a block's taps.
std::string tap_list();

Table token_table(const Tokenizer& tokenizer, std::span<const int> ids, const Losses& losses);
Table lens_table(const Tokenizer& tokenizer, const Inside& inside, const Inside& untrained);

/// The way of the data from text to loss, as it is drawn in a text file.
Figure flow_figure(const std::string& drawing);

/// The text, tinted by loss.
Figure text_figure(const Tokenizer& tokenizer, std::span<const int> ids, const Losses& losses);

/// The logit lens: mean loss by depth, and token by token.
Figure lens_figure(const Inside& inside, const Inside& untrained, int64_t d_vocab);
Figure lens_heatmap(const Tokenizer& tokenizer, std::span<const int> shown, const Inside& inside,
                    size_t n_token);

/// The pattern of one head: a row looks at the columns.
Figure head_figure(const Tokenizer& tokenizer, std::span<const int> shown,
                   const PreviousTokenHead& best, size_t n_token);

}  // namespace vimach::ch00
