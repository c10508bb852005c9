// What the latents of a sparse autoencoder fire on, over one text: a card for each latent (the text
// tinted by it, its strongest tokens, a histogram, its scores, its neighbours), and the other way
// round, for every token its strongest latents. Works with scripts off: tokens are links, and the
// style sheet shows the card that a link leads to. Every latent that is named has a card.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "show/svg.h"

namespace vimach {

struct LatentCard {
    int64_t latent;                   ///< its number, unique on a page
    std::string note = {};            ///< why it is here
    bool listed = true;               ///< in the list above the cards, or reached by links alone
    std::string brief = {};           ///< what the list says beside its number
    std::vector<double> values = {};  ///< its activation at every token
    Table scores = {};                ///< a row for each
    Table extras = {};                ///< a second table, e.g. the words that it raises, or none
    std::vector<std::pair<int64_t, double>> near = {};  ///< latents with a card, and their cosine
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
    std::vector<bool> marked = {};  ///< tokens to underline on every card, or empty
    std::vector<LatentCard> latents = {};
    std::vector<TokenCard> by_token = {};
};

Figure draw_dashboard(const PlotText& text, const Dashboard& dashboard);

}  // namespace vimach
