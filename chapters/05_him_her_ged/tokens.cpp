// Claim 5d; see tokens.h.
// Gaps need no centre, since the same one is taken off both sentences; signs do.
#include "tokens.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/rng.h"
#include "sentences.h"
#include "show/claims.h"

namespace vimach::ch05 {

namespace {

/// |him - her| of every token along a direction.
std::vector<double> gaps(const TokenPair& pair, std::span<const double> direction) {
    std::vector<double> him = along(pair.him, direction), her = along(pair.her, direction);
    for (size_t t = 0; t < him.size(); ++t) him[t] = std::abs(him[t] - her[t]);
    return him;
}

}  // namespace

std::vector<double> mean_token(const std::vector<TokenPair>& sentences) {
    std::vector<double> sum(static_cast<size_t>(sentences.at(0).him.cols));
    double count = 0;
    for (const TokenPair& pair : sentences) {
        for (const Matrix* m : {&pair.him, &pair.her}) {
            for (int64_t t = 1; t < m->rows; ++t, ++count) {
                for (size_t j = 0; j < sum.size(); ++j) sum[j] += m->row(t)[j];
            }
        }
    }
    for (double& value : sum) value /= count;
    return sum;
}

std::vector<TokenPair> left_out_tokens(const std::vector<TokenPair>& sentences,
                                       const std::vector<FoldFit>& folds,
                                       const std::vector<int64_t>& group) {
    std::vector<double> centre = mean_token(sentences);
    std::vector<TokenPair> out(sentences.size());
    for (const FoldFit& fold : folds) {
        for (int64_t i : fold.test) {
            out[i] = {in_components(fold.fit, sentences[i].him, centre),
                      in_components(fold.fit, sentences[i].her, centre), sentences[i].pronoun,
                      false};
        }
    }
    for (int64_t i : first_of_groups(group)) out[i].counts = true;
    return out;
}

Directions fold_directions(const std::vector<FoldFit>& folds, Along which, int64_t n_pair) {
    Directions out(static_cast<size_t>(n_pair));
    for (const FoldFit& fold : folds) {
        std::vector<double> direction = mean_difference(fold.fit);
        if (which != Along::means) {
            std::span<const double> filter =
                which == Along::him_over_her ? him_over_her(fold.fit) : her_over_him(fold.fit);
            direction.assign(filter.begin(), filter.end());
        }
        for (int64_t i : fold.test) out[i] = direction;
    }
    return out;
}

Measure gap_before(const std::vector<TokenPair>& tokens, const Directions& directions) {
    double largest = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
        std::vector<double> gap = gaps(tokens[i], directions[i]);
        for (int64_t t = 0; t < tokens[i].pronoun; ++t) largest = std::max(largest, gap[t]);
    }
    return exact_measure(largest);
}

Outcomes gap_at_pronoun(const std::vector<TokenPair>& tokens, const Directions& directions) {
    Outcomes out;
    for (size_t i = 0; i < tokens.size(); ++i) {
        if (!tokens[i].counts) continue;
        std::vector<double> gap = gaps(tokens[i], directions[i]);
        double largest = *std::ranges::max_element(gap);
        out.push_back(largest > 0 && gap[tokens[i].pronoun] == largest);
    }
    return out;
}

Outcomes opposite_signs(const std::vector<TokenPair>& tokens, const Directions& directions) {
    Outcomes out;
    for (size_t i = 0; i < tokens.size(); ++i) {
        if (!tokens[i].counts) continue;
        int64_t t = tokens[i].pronoun;
        out.push_back(
            along(tokens[i].him, directions[i])[t] * along(tokens[i].her, directions[i])[t] < 0);
    }
    return out;
}

Measure gap_share(const std::vector<TokenPair>& tokens, const Directions& directions) {
    return share_measure(gap_at_pronoun(tokens, directions));
}

Measure sign_share(const std::vector<TokenPair>& tokens, const Directions& directions) {
    return share_measure(opposite_signs(tokens, directions));
}

namespace {

using PairTest = Outcomes (*)(const std::vector<TokenPair>&, const Directions&);

Control random_share(const std::vector<TokenPair>& tokens, PairTest test, const Draws& draws) {
    int64_t widest = 0;
    for (const TokenPair& pair : tokens) widest = std::max(widest, pair.him.cols);
    std::vector<double> shares(static_cast<size_t>(draws.n_random));
    parallel_for(draws.n_random, [&](int64_t r) {
        Rng rng(run_seed(draws.seed, r));
        std::vector<double> direction(static_cast<size_t>(widest));
        for (double& value : direction) value = rng.normal();

        // Folds keep different numbers of components: each takes as many numbers as it needs.
        Directions directions;
        for (const TokenPair& pair : tokens) {
            directions.emplace_back(direction.begin(), direction.begin() + pair.him.cols);
        }
        shares[r] = share_measure(test(tokens, directions)).value;
    });
    return null_control("random directions", shares);
}

}  // namespace

Control random_gap_share(const std::vector<TokenPair>& tokens, const Draws& draws) {
    return random_share(tokens, gap_at_pronoun, draws);
}

Control random_sign_share(const std::vector<TokenPair>& tokens, const Draws& draws) {
    return random_share(tokens, opposite_signs, draws);
}

Table token_table(const std::vector<TokenPair>& tokens, const std::vector<FoldFit>& folds) {
    Table table = {.header = {"along", "largest gap at the pronoun", "opposite signs there"}};
    const std::pair<const char*, Along> rows[] = {{"him > her", Along::him_over_her},
                                                  {"her > him", Along::her_over_him},
                                                  {"difference of means", Along::means}};
    for (const auto& [name, which] : rows) {
        Directions directions = fold_directions(folds, which, std::ssize(tokens));
        add_row(table, {name, measure_text(gap_share(tokens, directions)),
                        measure_text(sign_share(tokens, directions))});
    }
    return table;
}

}  // namespace vimach::ch05
