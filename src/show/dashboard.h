// What the latents of a sparse autoencoder fire on, over one text: a list of latents, a card for
// each (the text tinted by it, its strongest and weakest tokens, a histogram, its scores, its
// neighbours, a latent to compare it with), and for every token its strongest latents. Works with
// scripts off: links lead to cards, and the style sheet shows the one that was chosen. A script
// adds arrow keys, sorting, a filter and a panel for the chosen token. Every latent that is named
// has a card.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "show/svg.h"

namespace vimach {

struct LatentCard {
    int64_t latent;                        ///< its number, unique on a page
    std::string note = {};                 ///< why it is here
    bool listed = true;                    ///< in the list, or reached by links alone
    std::vector<std::string> scores = {};  ///< in the list, one for each of Dashboard::columns
    std::vector<double> values = {};       ///< its activation at every token
    Table more_scores = {};                ///< on its card
    Table extras = {};  ///< a second table, e.g. the words that it raises, or none
    std::vector<std::pair<int64_t, double>> near = {};  ///< latents with a card, and their cosine
    std::string rival = {};                             ///< who it is compared with, or nothing
    std::vector<double> rival_values = {};              ///< the other's activation at every token
};

/// The strongest latents at one token, in descending order: of those that have a card.
struct TokenCard {
    int64_t n_active = 0;  ///< of all latents
    std::vector<int64_t> latents = {};
    std::vector<double> values = {};
};

/// One text: the raw bytes of its tokens, cards of some latents, and a card for every token.
struct Dashboard {
    std::vector<std::string> tokens = {};
    std::vector<bool> marked = {};          ///< tokens to underline on every card, or empty
    std::vector<std::string> columns = {};  ///< of the list: names of scores
    std::vector<LatentCard> latents = {};
    std::vector<TokenCard> by_token = {};
};

/// Throws where a card does not fit the tokens or the columns, or a latent named has no card.
Figure draw_dashboard(const PlotText& text, const Dashboard& dashboard);

}  // namespace vimach
