// Chapter 5: is there a direction in the MLP that answers to "him" and not to "her"?
// Method: the MLP's expansion at the pronoun, for the same sentences with him and with her; PCA of
// the average covariance; generalized eigendecomposition (GED) of one covariance against the
// other, shrunk; then the same on sentences, labels and models where it should find nothing.
// You will see: how GED fails and is cured, eigenvalues that the cure itself sets, and what of the
// separation survives on sentences that were left out.
// Run: build/05_him_her_ged
//      build/05_him_her_ged --preset notebook --layer 3

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "controls.h"
#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/stats.h"
#include "model/gpt2_file.h"
#include "page.h"
#include "show/console.h"
#include "show/html.h"
#include "show/report.h"
#include "text/tokenizer.h"

using namespace vimach;

namespace {

struct Settings {
    GedSettings ged;         // share of the variance, how it is counted, shrinkage
    bool centre_projection;  // centre what is projected on a filter
    Draws draws = {};
    Criteria criteria = {};  // with their reasons in controls.h
};

// clang-format off
//                        share  rule                    gamma   centred
const Settings document = {{0.99, ShareRule::reach,      0.01},  true};
const Settings notebook = {{0.99, ShareRule::stay_below, 0.01},  false};
// clang-format on

const ChapterInfo info = {
    .name = "05_him_her_ged",
    .purpose = "Chapter 5: is there a direction that answers to \"him\" and not to \"her\"?",
    .options = {{"--him", "FILE", "sentences with him, one a line (data/him.txt)"},
                {"--her", "FILE", "the same with her (data/her.txt)"},
                {"--layer", "N", "the block whose MLP is read (half of the layers)"}}};

// --- sentences ----------------------------------------------------------------------------------

/// Sentences, one a line, each with exactly one of the pronouns given ("him", "her", "him her").
std::vector<Sentence> read_sentences(const std::string& path, const Tokenizer& tokenizer,
                                     const std::string& pronouns) {
    int him = tokenizer.encode(" him").front();
    std::vector<int> wanted = tokenizer.encode(" " + pronouns);
    std::string text = read_text(path);
    std::vector<Sentence> sentences;
    size_t line = 1;
    for (size_t at = 0; at < text.size(); ++line) {
        size_t end = std::min(text.find('\n', at), text.size());
        std::string place = path + format(", line %zu", line);
        std::string_view words = std::string_view(text).substr(at, end - at);
        Sentence s = {tokenizer.encode(words, {.source = place}), 0, true};
        at = end + 1;
        auto is_wanted = [&](int id) { return std::ranges::find(wanted, id) != wanted.end(); };
        auto n_found = std::ranges::count_if(s.ids, is_wanted);
        if (n_found != 1) {
            fail(format("a sentence has '%s' %ld times, not once", pronouns.c_str(), n_found),
                 place, "give every sentence the pronoun once");
        }
        s.pronoun = std::ranges::find_if(s.ids, is_wanted) - s.ids.begin();
        s.is_him = s.ids[s.pronoun] == him;
        sentences.push_back(s);
    }
    if (sentences.size() >= 3) return sentences;
    fail(format("has %zu sentences; a covariance needs 3", sentences.size()), path,
         "add sentences, one a line");
}

/// Sentences that begin alike up to the pronoun have the same activations there: one group.
std::vector<int64_t> group_twins(const std::vector<Sentence>& sentences) {
    std::map<std::vector<int>, int64_t> seen;
    std::vector<int64_t> group;
    for (const Sentence& s : sentences) {
        std::vector<int> prefix(s.ids.begin(), s.ids.begin() + s.pronoun + 1);
        group.push_back(seen.try_emplace(prefix, static_cast<int64_t>(seen.size())).first->second);
    }
    return group;
}

/// The first pair of every group.
std::vector<int64_t> first_of_groups(const std::vector<int64_t>& group) {
    std::vector<int64_t> first;
    for (size_t i = 0; i < group.size(); ++i) {
        if (group[i] == static_cast<int64_t>(first.size()))
            first.push_back(static_cast<int64_t>(i));
    }
    return first;
}

/// The MLP's expansion of one block for every token of a text: [n_token, d_mlp].
Matrix expansion(const Gpt2& model, int64_t layer, std::span<const int> ids) {
    return to_matrix(activations(model, ids, 1, format("blocks.%ld.mlp_pre", layer)));
}

/// The same at the pronoun of every sentence: [n_sentence, d_mlp].
Matrix at_pronoun(const Gpt2& model, int64_t layer, const std::vector<Sentence>& sentences) {
    Matrix out(static_cast<int64_t>(sentences.size()), model.config.d_mlp);
    for (size_t i = 0; i < sentences.size(); ++i) {
        auto prefix =
            std::span(sentences[i].ids).first(static_cast<size_t>(sentences[i].pronoun + 1));
        Matrix all = expansion(model, layer, prefix);
        std::ranges::copy(all.row(all.rows - 1), out.row(static_cast<int64_t>(i)).begin());
    }
    return out;
}

// --- measures -----------------------------------------------------------------------------------

/// Whether LAPACK refuses S w = lambda R w, or answers with an eigenvalue that only a pivot of
/// rounding noise can give.
bool fails(const Matrix& s, const Matrix& r) {
    GeneralizedEigen solved = generalized_eigen(s, r);
    return solved.info > static_cast<int>(r.rows) || solved.eigen.values.empty() ||
           std::abs(solved.eigen.values[0]) > 1e6;
}

/// w^T M w: the variance along w where M is a covariance.
double quadratic(std::span<const double> w, const Matrix& m) {
    double total = 0;
    for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t j = 0; j < m.cols; ++j) total += w[i] * m.at(i, j) * w[j];
    }
    return total;
}

/// Cosine of a filter with one axis of its space, that is, with one principal component.
double axis_cosine(std::span<const double> w, size_t axis) {
    double square = 0;
    for (double value : w) square += value * value;
    return axis < w.size() ? w[axis] / std::sqrt(square) : 0;
}

// --- the steps ----------------------------------------------------------------------------------

void chapter(const Options& options) {
    std::string preset = options.preset();
    Settings settings = preset == "document" ? document : notebook;
    if (options.has("--quick")) {
        settings.draws = {.n_swap = 200, .n_null = 20, .n_bootstrap = 200, .n_random = 100};
    }
    std::string folder = output_folder(options, info);
    auto rng_seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, INT64_MAX));

    // 1. Read the model and the sentences; find which pairs begin alike.
    Tokenizer tokenizer = load_tokenizer();
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    int64_t layer =
        options.integer("--layer", model.config.n_layer / 2, 0, model.config.n_layer - 1);
    std::string him_path = options.text("--him", chapter_file(info, "data/him.txt"));
    std::string her_path = options.text("--her", chapter_file(info, "data/her.txt"));
    std::vector<Sentence> him = read_sentences(him_path, tokenizer, "him");
    std::vector<Sentence> her = read_sentences(her_path, tokenizer, "her");
    std::vector<Sentence> probes =
        read_sentences(chapter_file(info, "data/probe.txt"), tokenizer, "him her");
    if (him.size() != her.size()) {
        fail(format("%zu sentences with him, but %zu with her", him.size(), her.size()),
             him_path + ", " + her_path, "give both files the same sentences");
    }
    Pairs pairs = {{}, {}, group_twins(him)};
    auto n_pair = static_cast<int64_t>(him.size());
    int64_t n_group = *std::ranges::max_element(pairs.group) + 1;
    std::printf("model: %s\npreset %s; blocks.%ld.mlp_pre at the pronoun, %ld dimensions\n",
                describe(model).c_str(), preset.c_str(), layer, model.config.d_mlp);
    std::printf("sentences: %ld pairs; %ld begin like another up to the pronoun\n", n_pair,
                n_pair - n_group);

    // 2. Read the activations at the pronoun. Equal beginnings give equal activations, so each
    //    such pair costs a rank beyond the one that the mean costs.
    pairs.him = at_pronoun(model, layer, him);
    pairs.her = at_pronoun(model, layer, her);
    Matrix S = covariance(centred(pairs.him)), R = covariance(centred(pairs.her));
    Findings f = {.n_pair = n_pair, .n_dim = R.cols};
    f.rank = numerical_rank(symmetric_eigen(R).values);
    std::vector<int64_t> no_twins = first_of_groups(pairs.group);
    Matrix R_no_twins = covariance(centred(take_rows(pairs.her, no_twins)));
    std::printf("rank of her covariance: %ld with %ld sentences, %ld with the %zu that differ\n",
                f.rank, n_pair, numerical_rank(symmetric_eigen(R_no_twins).values),
                no_twins.size());

    // 3. Try GED as it is: R has no inverse.
    f.unshrunk_fails = fails(S, R);
    std::printf("\nGED in all %ld dimensions: %s\n", f.n_dim,
                f.unshrunk_fails ? "fails, R is not positive definite (LAPACK info > n)" : "works");

    // 4. Keep the components of the average covariance that carry 99 % of the variance.
    GedFit fit = fit_ged(pairs.him, pairs.her, settings.ged);
    int64_t n_component = fit.components.rows;
    auto count = [&](ShareRule rule) {
        return components_for_share(fit.pca.variances, settings.ged.share, rule);
    };
    std::printf(
        "PCA: %zu components carry variance; %.0f %% of it needs %ld (%ld stay below it); "
        "kept %ld\n",
        fit.pca.variances.size(), 100 * settings.ged.share, count(ShareRule::reach),
        count(ShareRule::stay_below), n_component);
    int64_t rank_inside = numerical_rank(symmetric_eigen(fit.cov_b).values);
    std::printf("rank of her covariance among them: %ld of %ld; GED there, unshrunk: %s\n",
                rank_inside, n_component, fails(fit.cov_a, fit.cov_b) ? "fails" : "works");

    // 5. Shrink R and solve S w = lambda R w, both ways.
    auto print_spectrum = [&](const char* name, const Eigen& eigen, const Matrix& s,
                              const Matrix& r) {
        std::span<const double> w = eigen.vectors.row(0);
        std::printf("  %s  %10.4f %10.4f %10.4f   %10.4f %10.4f\n", name, eigen.values[0],
                    eigen.values[1], eigen.values[2], quadratic(w, s), quadratic(w, r));
    };
    std::printf(
        "\nGED with R shrunk by gamma = %.2f, in sample\n"
        "                eigenvalues 1, 2, 3          variance of S and R along the first\n",
        settings.ged.gamma);
    print_spectrum("him > her", fit.a_over_b, fit.cov_a, fit.cov_b);
    print_spectrum("her > him", fit.b_over_a, fit.cov_b, fit.cov_a);

    // 6. Ask what made the eigenvalue: if lambda * gamma stays the same, the shrinkage did.
    Table sweep = {.header = {"gamma", "largest eigenvalue", "times gamma"}};
    for (double gamma : {0.001, 0.003, 0.01, 0.03, 0.1}) {
        GeneralizedEigen solved = generalized_eigen(fit.cov_a, shrunk(fit.cov_b, gamma));
        double lambda = solved.info == 0 ? solved.eigen.values[0] : std::nan("");
        add_row(sweep,
                {format("%.3f", gamma), format("%.4f", lambda), format("%.4f", lambda * gamma)});
    }
    std::printf("\nWhat sets the eigenvalue?\n");
    print(sweep);

    // 7. Control: swap him and her within pairs, and do the same again.
    SwapTest swaps = swap_test(pairs, fit, settings.ged.gamma, settings.draws.n_swap, rng_seed);
    Interval null = central_95(swaps.null_him_over_her);
    f.n_carrying = static_cast<int64_t>(fit.pca.variances.size());
    std::printf(
        "\n%ld paired swaps: largest eigenvalue %.4f to %.4f; p = %.4f (him > her), "
        "%.4f (her > him)\n",
        settings.draws.n_swap, null.low, null.high, swaps.p_him_over_her, swaps.p_her_over_him);

    // 8. Control: leave pairs out, and see what the filters do on them.
    HeldOut held_out = hold_out(pairs, settings.ged, settings.draws.n_fold, rng_seed);
    f.contrast = contrast_measure(held_out, pairs.group, settings.draws.n_bootstrap, rng_seed);
    f.contrast_control =
        contrast_null(pairs, settings.ged, settings.draws.n_fold, settings.draws.n_null, rng_seed);
    f.auc_ged = auc_measure(held_out.ged, pairs.group, settings.draws.n_bootstrap, rng_seed);
    f.auc_logistic =
        auc_measure(held_out.logistic, pairs.group, settings.draws.n_bootstrap, rng_seed);
    Measure auc_means =
        auc_measure(held_out.means, pairs.group, settings.draws.n_bootstrap, rng_seed);
    Table left_out = {.header = {"on pairs left out", "value", "low", "high"}};
    auto add_measure = [&](const char* name, const Measure& m) {
        add_row(left_out, {name, format("%.4f", m.value), format("%.4f", m.interval.low),
                           format("%.4f", m.interval.high)});
    };
    add_measure("log10 variance ratio", f.contrast);
    add_measure("  labels swapped", f.contrast_control);
    add_measure("AUC, GED", f.auc_ged);
    add_measure("AUC, difference of means", auc_means);
    add_measure("AUC, logistic regression", f.auc_logistic);
    std::printf("\n");
    print(left_out);

    // 9. Control: the same sentences through a model that has learnt nothing.
    Gpt2 untrained = random_gpt2(model.config, rng_seed);
    Pairs blank = {at_pronoun(untrained, layer, him), at_pronoun(untrained, layer, her),
                   pairs.group};
    GedFit blank_fit = fit_ged(blank.him, blank.her, settings.ged);
    HeldOut blank_out = hold_out(blank, settings.ged, settings.draws.n_fold, rng_seed);
    Measure blank_contrast =
        contrast_measure(blank_out, pairs.group, settings.draws.n_bootstrap, rng_seed);
    if (blank_contrast.interval.high > f.contrast_control.interval.high) {
        f.contrast_control = blank_contrast;  // the stronger null is the one to beat
    }
    std::printf(
        "\nuntrained model: %ld components, largest eigenvalue %.4f; held out: log10 "
        "variance ratio %.4f [%.4f, %.4f]\n",
        blank_fit.components.rows, blank_fit.a_over_b.values[0], blank_contrast.value,
        blank_contrast.interval.low, blank_contrast.interval.high);

    // 10. Project every token of new sentences: does only the pronoun stand out?
    std::vector<Matrix> tokens;
    for (const Sentence& probe : probes) {
        tokens.push_back(
            projected(fit, expansion(model, layer, probe.ids), settings.centre_projection));
    }
    measure_tokens(tokens, probes, fit, settings.draws, rng_seed, f);
    std::printf(
        "\nThe pronoun stands out most in %.4f of %zu new sentences (random directions "
        "%.4f, at most %.4f)\n",
        f.first_rank.value, probes.size(), f.first_rank_control.value,
        f.first_rank_control.interval.high);

    // 11. Compare directions.
    measure_components(pairs, settings.ged, rng_seed, f);
    measure_angles(fit, f);
    std::span<const double> forward = fit.a_over_b.vectors.row(0);
    std::printf("cosine of him > her with her > him %.4f; with PC 1, 2, 3: %.4f %.4f %.4f\n",
                cosine(forward, fit.b_over_a.vectors.row(0)), axis_cosine(forward, 0),
                axis_cosine(forward, 1), axis_cosine(forward, 2));

    // 12. Answer the question, claim by claim.
    std::vector<OldClaim> claims = judge(f, settings.criteria);
    std::printf("\n");
    print(verdict_table(claims));
    write_claims(folder, claims, model.source, left_out);

    // 13. Draw the page.
    Report report("Chapter 5: him and her", describe(model));
    report.paragraph(format(
        "Preset %s, blocks.%ld.mlp_pre at the pronoun, %ld pairs of sentences.%s", preset.c_str(),
        layer, n_pair, options.has("--quick") ? " Quick run: smaller counts." : ""));
    report.heading("What the document claims, and what this run says");
    report.claims(claims);
    report.heading("What was measured");
    draw_spectra(report, fit);
    report.table("What sets the eigenvalue?", sweep,
                 "Where the last column stays the same, the shrinkage set it.");
    draw_projections(report, fit, pairs, settings.centre_projection);
    report.table("On pairs left out", left_out);
    draw_tokens(report, tokenizer, probes, tokens, forward);
    draw_pattern(report, fit);
    report.write(folder);
    announce_report(folder);
}
}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
