// What the latents of a sparse autoencoder answer to, over one text: a card for each latent (the
// text tinted by it, its strongest tokens, a histogram, its scores), and the other way round, for
// every token the latents that answer to it. Works with scripts off: tokens are links, and the
// style sheet shows the card that a link leads to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "show/svg.h"

namespace vimach {

struct LatentCard {
    int64_t latent;                   ///< its number, unique on a page
    std::string note = {};            ///< why it is here
    std::vector<double> values = {};  ///< its activation at every token
    Table scores = {};                ///< a row for each
};

/// The strongest latents at one token, in descending order.
struct TokenCard {
    int64_t n_live = 0;
    std::vector<int64_t> latents = {};
    std::vector<double> values = {};
};

/// One text: the raw bytes of its tokens, cards of some latents, and a card for every token.
struct Dashboard {
    std::vector<std::string> tokens = {};
    std::vector<LatentCard> latents = {};
    std::vector<TokenCard> by_token = {};
};

Figure draw_dashboard(const PlotText& text, const Dashboard& dashboard);

}  // namespace vimach
