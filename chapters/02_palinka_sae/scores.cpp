// Chapter 2's words and scores; see scores.h.
// Ranks of a latent's activations are taken once and serve all sets: AUC is a sum of ranks.
#include "scores.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/stats.h"
#include "text/utf8.h"

namespace vimach::ch02 {

// --- words --------------------------------------------------------------------------------------

namespace {

constexpr std::string_view function_words[] = {
    "a",    "about", "above",  "after", "again",   "all",    "alone",  "also",  "an",    "and",
    "any",  "are",   "as",     "at",    "be",      "been",   "before", "both",  "but",   "by",
    "can",  "could", "do",     "does",  "each",    "else",   "ever",   "for",   "from",  "had",
    "has",  "have",  "he",     "her",   "here",    "his",    "how",    "if",    "in",    "into",
    "is",   "it",    "its",    "left",  "less",    "many",   "may",    "might", "more",  "most",
    "much", "must",  "naught", "near",  "neither", "never",  "no",     "nor",   "not",   "now",
    "of",   "off",   "often",  "on",    "once",    "one",    "only",   "or",    "other", "our",
    "out",  "over",  "rarely", "same",  "she",     "should", "so",     "some",  "such",  "than",
    "that", "the",   "their",  "them",  "then",    "there",  "these",  "they",  "this",  "those",
    "to",   "too",   "twice",  "under", "up",      "very",   "was",    "we",    "were",  "what",
    "when", "where", "which",  "while", "who",     "will",   "with",   "would", "yet",   "you"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Positions of every id in the passage.
std::map<int, std::vector<int64_t>> positions(const std::vector<int>& passage) {
    std::map<int, std::vector<int64_t>> out;
    for (size_t i = 0; i < passage.size(); ++i) out[passage[i]].push_back(static_cast<int64_t>(i));
    return out;
}

/// How often a word stands in the text behind neither a blank nor a letter: at the beginning of a
/// line, behind a quotation mark or a bracket.
int64_t count_bare(std::string_view text, std::string_view word) {
    auto in_word = [&](size_t at) {
        while (at > 0 && (text[at] & 0xC0) == 0x80) --at;  // to the beginning of a code point
        uint32_t c = read_code_point(text, at).value;
        return c < 0x80 ? is_letter(text[at]) : c >= 0xC0 && (c < 0x2000 || c > 0x206F);
    };
    int64_t n = 0;
    for (size_t at = 0; (at = text.find(word, at)) != text.npos; at += word.size()) {
        bool bare = at == 0 || (text[at - 1] != ' ' && !in_word(at - 1));
        size_t end = at + word.size();
        n += bare && (end == text.size() || !in_word(end)) ? 1 : 0;
    }
    return n;
}

/// The words of a file, one a line, without blanks around them, each once; empty lines are skipped.
std::vector<std::string> read_words(const std::string& text) {
    std::vector<std::string> words;
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find('\n', at), text.size());
        std::string line = text.substr(at, end - at);
        size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
        at = end + 1;
        if (first == std::string::npos) continue;
        std::string word = line.substr(first, last - first + 1);
        if (std::ranges::find(words, word) == words.end()) words.push_back(word);
    }
    return words;
}

}  // namespace

TokenKind kind_of(std::string_view token) {
    bool blank = token.starts_with(' ');
    std::string word(blank ? token.substr(1) : token);
    bool letters = !word.empty() && std::ranges::all_of(word, is_letter);
    for (char& c : word) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (letters && std::ranges::binary_search(function_words, word)) return TokenKind::filler;
    if (letters) return blank && word.size() >= 3 ? TokenKind::content : TokenKind::piece;
    bool mark = std::ranges::all_of(word, [](unsigned char c) {
        return c < 0x80 && !is_letter(static_cast<char>(c)) && !(c >= '0' && c <= '9');
    });
    return mark ? TokenKind::filler : TokenKind::piece;
}

Topic find_topic(const Tokenizer& tokenizer, const std::string& words,
                 const std::vector<int>& passage, const std::string& source) {
    Topic topic;
    std::map<int, std::vector<int64_t>> where = positions(passage);
    std::string text = tokenizer.decode(passage);
    for (const std::string& word : read_words(words)) {
        std::vector<int> ids = tokenizer.encode(" " + word, {.source = source});
        if (ids.size() > 1) {
            topic.remarks.push_back(
                format("'%s' is %zu tokens; the first one is used", word.c_str(), ids.size()));
        }
        if (int64_t n = count_bare(text, word); n > 0) {
            topic.remarks.push_back(format(
                "'%s' without a blank before it (%ld in the passage) is another token and does not "
                "count",
                word.c_str(), n));
        }
        if (!where.contains(ids[0])) {
            topic.remarks.push_back("'" + word + "' does not occur after a blank in the passage");
        } else if (std::ranges::find(topic.ids, ids[0]) == topic.ids.end()) {
            topic.ids.push_back(ids[0]);
            for (int64_t at : where[ids[0]]) topic.tokens.push_back(at);
        }
    }
    if (topic.ids.empty()) {
        fail("none of its words occurs in the passage", source, "give words of the passage");
    }
    std::ranges::sort(topic.tokens);
    return topic;
}

std::vector<std::vector<int64_t>> random_topics(const Tokenizer& tokenizer, const Topic& topic,
                                                const std::vector<int>& passage, int64_t n_set,
                                                uint64_t seed) {
    // List the content words beside the topic's.
    std::map<int, std::vector<int64_t>> where = positions(passage);
    std::vector<int> others;
    for (const auto& [id, tokens] : where) {
        bool own = std::ranges::find(topic.ids, id) != topic.ids.end();
        if (!own && kind_of(tokenizer.token_bytes(id)) == TokenKind::content) others.push_back(id);
    }
    if (others.size() < 2 * topic.ids.size()) {
        fail(format("the passage has %zu other content words, random sets of %zu need %zu",
                    others.size(), topic.ids.size(), 2 * topic.ids.size()),
             "the words", "give fewer words, or a longer passage");
    }

    // Replace each of the topic's words, the most frequent first, by one that is as frequent.
    std::vector<int64_t> wanted;
    for (int id : topic.ids) wanted.push_back(static_cast<int64_t>(where[id].size()));
    std::ranges::sort(wanted, std::greater());
    Rng rng(seed);
    std::vector<std::vector<int64_t>> sets;
    for (int64_t draw = 0; draw < n_set; ++draw) {
        std::vector<int64_t> order = rng.permutation(static_cast<int64_t>(others.size())), set;
        for (int64_t count : wanted) {
            auto distance = [&](int64_t i) {
                return std::abs(static_cast<int64_t>(where[others[i]].size()) - count);
            };
            auto nearest = std::ranges::min_element(order, {}, distance);
            for (int64_t at : where[others[*nearest]]) set.push_back(at);
            order.erase(nearest);
        }
        std::ranges::sort(set);
        sets.push_back(set);
    }
    return sets;
}

// --- scores -------------------------------------------------------------------------------------

namespace {

/// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(const std::vector<double>& x) {
    std::vector<size_t> order(x.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t i) { return x[i]; });
    std::vector<double> out(x.size());
    for (size_t begin = 0, end; begin < x.size(); begin = end) {
        end = begin;
        while (end < x.size() && x[order[end]] == x[order[begin]]) ++end;
        double shared = static_cast<double>(begin + 1 + end) / 2;
        for (size_t i = begin; i < end; ++i) out[order[i]] = shared;
    }
    return out;
}

}  // namespace

Scores score_sets(const Matrix& latents, const std::vector<std::vector<int64_t>>& sets,
                  RatioRule ratio) {
    auto n_set = static_cast<int64_t>(sets.size());
    auto n_token = static_cast<double>(latents.rows);
    Scores out = {Matrix(n_set, latents.cols), Matrix(n_set, latents.cols)};
    parallel_for(latents.cols, [&](int64_t j) {
        std::vector<double> z = column(latents, j), rank = ranks(z);
        double total = std::accumulate(z.begin(), z.end(), 0.0);
        auto n_active =
            static_cast<double>(std::ranges::count_if(z, [](double v) { return v > 0; }));
        for (int64_t set = 0; set < n_set; ++set) {
            // Add up what the set has of activation, of active tokens and of ranks.
            Part inside = {.n_token = static_cast<double>(sets[set].size())};
            double rank_sum = 0;
            for (int64_t i : sets[set]) {
                inside.total += z[i];
                inside.n_active += z[i] > 0 ? 1 : 0;
                rank_sum += rank[i];
            }
            double n = inside.n_token;
            Part outside = {n_active == inside.n_active ? 0 : total - inside.total, n_token - n,
                            n_active - inside.n_active};
            out.ratio.at(set, j) = ratio(inside, outside);
            out.auc.at(set, j) = (rank_sum - n * (n + 1) / 2) / (n * (n_token - n));
        }
    });
    return out;
}

namespace {

/// p of a latent's score among its own random scores and among the best of each random set.
void test_score(const Matrix& scores, int64_t j, const std::vector<double>& best, double& score,
                double& p, double& p_max) {
    std::vector<double> own = column(scores, j);
    score = own[0];
    p = permutation_p(score, std::span(own).subspan(1));
    p_max = permutation_p(score, std::span(best).subspan(1));
}

/// The largest finite score of every set.
std::vector<double> best_of_sets(const Matrix& scores) {
    std::vector<double> out(static_cast<size_t>(scores.rows));
    for (int64_t set = 0; set < scores.rows; ++set) {
        for (double value : scores.row(set)) {
            if (std::isfinite(value)) out[set] = std::max(out[set], value);
        }
    }
    return out;
}

}  // namespace

std::vector<Tested> test_latents(const Matrix& latents, const Scores& scores,
                                 const std::vector<int64_t>& topic,
                                 const std::vector<TokenKind>& kinds) {
    std::vector<double> best_ratio = best_of_sets(scores.ratio),
                        best_auc = best_of_sets(scores.auc);
    std::vector<Tested> out(static_cast<size_t>(latents.cols));
    parallel_for(latents.cols, [&](int64_t j) {
        Tested& t = out[j];
        test_score(scores.ratio, j, best_ratio, t.ratio, t.ratio_p, t.ratio_p_max);
        test_score(scores.auc, j, best_auc, t.auc, t.auc_p, t.auc_p_max);
        double total = 0, on_filler = 0, n_active = 0, n_covered = 0;
        for (int64_t i = 0; i < latents.rows; ++i) {
            total += latents.at(i, j);
            on_filler += kinds[i] == TokenKind::filler ? latents.at(i, j) : 0;
            n_active += latents.at(i, j) > 0 ? 1 : 0;
        }
        for (int64_t i : topic) n_covered += latents.at(i, j) > 0 ? 1 : 0;
        t.coverage = n_covered / static_cast<double>(topic.size());
        t.filler = total > 0 ? on_filler / total : 0;
        t.density = n_active / static_cast<double>(latents.rows);
        t.mean = total / static_cast<double>(latents.rows);
    });
    return out;
}

std::vector<int64_t> best_by(const std::vector<Tested>& tested, double Tested::*member, int64_t n) {
    std::vector<int64_t> order;
    for (size_t j = 0; j < tested.size(); ++j) {
        if (tested[j].density > 0 && std::isfinite(tested[j].*member)) {
            order.push_back(static_cast<int64_t>(j));
        }
    }
    std::ranges::stable_sort(order, std::greater(), [&](int64_t j) { return tested[j].*member; });
    order.resize(std::min(order.size(), static_cast<size_t>(n)));
    return order;
}

std::vector<double> share_high(const Scores& scores, const std::vector<Tested>& tested,
                               double high) {
    double n_active = 0;
    for (const Tested& t : tested) n_active += t.density > 0 ? 1 : 0;
    std::vector<double> out;
    for (int64_t set = 0; set < scores.ratio.rows; ++set) {
        double n_high = 0;
        for (double value : scores.ratio.row(set)) n_high += value >= high && std::isfinite(value);
        out.push_back(n_active > 0 ? n_high / n_active : 0);
    }
    return out;
}

std::vector<double> filler_of_best(const Scores& scores, const std::vector<Tested>& tested,
                                   int64_t n) {
    std::vector<double> out(static_cast<size_t>(scores.ratio.rows));
    parallel_for(scores.ratio.rows, [&](int64_t set) {
        // Sort the best to the front: by ratio, the lower number first among equals.
        std::span<const double> ratio = scores.ratio.row(set);
        std::vector<int64_t> order;
        for (int64_t j = 0; j < std::ssize(ratio); ++j) {
            if (tested[j].density > 0 && std::isfinite(ratio[j])) order.push_back(j);
        }
        auto end = order.begin() + std::min(n, std::ssize(order));
        std::ranges::partial_sort(order, end, [&](int64_t a, int64_t b) {
            return ratio[a] != ratio[b] ? ratio[a] > ratio[b] : a < b;
        });
        double total = 0;
        for (auto at = order.begin(); at != end; ++at) total += tested[*at].filler;
        if (end != order.begin()) out[set] = total / static_cast<double>(end - order.begin());
    });
    return out;
}

Examined examine(const Sae& sae, const Question& q) {
    Examined out = {.top_k = sae.config.top_k, .summary = summarise(sae, q.x)};
    out.latents = encode(sae, q.x);
    Matrix latents = to_matrix(out.latents);
    Scores scores = score_sets(latents, q.sets, q.ratio);
    out.tested = test_latents(latents, scores, q.sets[0], q.kinds);
    out.best_auc = best_by(out.tested, &Tested::auc, n_best);
    out.best_ratio = best_by(out.tested, &Tested::ratio, n_best);
    out.high = share_high(scores, out.tested, high_ratio);
    out.filler = filler_of_best(scores, out.tested, n_best);
    std::vector<double> best = best_of_sets(scores.ratio);
    for (size_t set = 1; set < best.size(); ++set) {
        out.best_random = std::max(out.best_random, best[set]);
    }
    return out;
}

}  // namespace vimach::ch02
