// Chapter 5: is there a direction in the MLP along which "him" varies and "her" does not?
// Method: the MLP's expansion at the pronoun, for the same sentences with him and with her; PCA of
// the average covariance; generalized eigendecomposition (GED) of one covariance against the
// other, shrunk; then the same on pairs left out, swapped labels, noise and an untrained model.
// You will see: how GED fails and is cured, eigenvalues that the cure itself sets, and what of the
// separation survives on sentences that were left out.
// Run: build/05_him_her_ged
//      build/05_him_her_ged --preset notebook --layer 3
#include <algorithm>
#include <cmath>

#include "controls.h"
#include "core/ensure.h"
#include "figures.h"
#include "math/blas.h"
#include "model/gpt2_file.h"
#include "patch.h"
#include "rivals.h"
#include "sentences.h"
#include "show/page.h"
#include "tokens.h"

using namespace vimach;
using namespace vimach::ch05;

namespace {

struct Settings {
    GedSettings ged;         // share of the variance, how it is counted, shrinkage
    bool centre_projection;  // centre what is projected on a filter
};

// clang-format off
//                        share  rule                    gamma   centred
const Settings document = {{0.99, ShareRule::reach,      0.01},  true};
const Settings notebook = {{0.99, ShareRule::stay_below, 0.01},  false};
//                   swap  null  boot  random  noise  rival  patch  folds
const Draws full  = {1000,  200, 1000,    500,   200,   100,   100,    11};
const Draws quick = { 200,   20,  200,    100,    40,    20,    20,    11};
const SaePlan sae = {.n_latent = 1024, .top_k = 16, .n_step = 200};
// clang-format on

const ChapterInfo info = {
    .name = "05_him_her_ged",
    .purpose = "Chapter 5: is there a direction along which \"him\" varies and \"her\" does not?",
    .lecture =
        "Generalized eigendecomposition of two covariances, compressed by PCA and shrunk, "
        "finds a filter for him and one for her in GPT-2's MLP; over a sentence they split "
        "at the pronoun alone.",
    .options = {{"--him", "FILE", "sentences with him, one a line (data/him.txt)"},
                {"--her", "FILE", "the same with her (data/her.txt)"},
                {"--words", "A,B", "other words than him and her, each one token (him,her)"},
                {"--layer", "N", "the block whose MLP is read (half of the layers)"}}};

/// What the command line asks for.
struct Study {
    Gpt2 model;
    int64_t layer;
    Twins twins;
    Settings settings;
    Draws draws;
};

Study read_study(const Options& options, const Tokenizer& tokenizer, Page& page) {
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    int64_t n_layer = model.config.n_layer;
    int64_t layer = options.integer("--layer", n_layer / 2, 0, n_layer - 1);
    Words words = read_words(options.text("--words", "him,her"), tokenizer);
    Twins twins = read_twins(options.text("--him", chapter_file(info, "data/him.txt")),
                             options.text("--her", chapter_file(info, "data/her.txt")), words,
                             tokenizer, model.config.n_ctx);
    Draws draws = options.has("--quick") ? quick : full;
    draws.seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, INT64_MAX));
    page.model(model.source);
    page.about("model: %s", describe(model).c_str());
    page.about("preset %s; blocks.%ld.mlp_pre, %ld dimensions; words '%s' and '%s'",
               options.preset().c_str(), layer, model.config.d_mlp, words.him.c_str(),
               words.her.c_str());
    return {model, layer, twins, options.preset() == "document" ? document : notebook, draws};
}

/// The MLP's expansion of one block for every token of a text: [n_token, d_mlp].
Matrix expansion(const Gpt2& model, int64_t layer, std::span<const int> ids) {
    return to_matrix(activations(model, ids, 1, format("blocks.%ld.mlp_pre", layer)));
}

/// The same at the pronoun, which sees only what stands in front of it: [n_sentence, d_mlp].
Matrix at_pronoun(const Gpt2& model, int64_t layer, const std::vector<Sentence>& sentences) {
    Matrix out(std::ssize(sentences), model.config.d_mlp);
    for (int64_t i = 0; i < out.rows; ++i) {
        Matrix all = expansion(model, layer, sentences[i].prefix());
        std::ranges::copy(all.row(all.rows - 1), out.row(i).begin());
    }
    if (varies(out)) return out;
    fail(format("blocks.%ld.mlp_pre does not vary over the sentences", layer), model.source,
         "choose another --layer");
}

/// The same at every token of each pair.
std::vector<TokenPair> at_every_token(const Gpt2& model, int64_t layer, const Twins& twins) {
    std::vector<TokenPair> out;
    for (size_t i = 0; i < twins.him.size(); ++i) {
        out.push_back({expansion(model, layer, twins.him[i].ids),
                       expansion(model, layer, twins.her[i].ids), twins.him[i].pronoun});
    }
    return out;
}

/// States a claim about an exact number, or that arithmetic decides it.
void state(Page& page, const char* id, const Measure& measured, const Measure& when_shrunk,
           const std::string& forced_by) {
    if (forced_by.empty()) {
        page.claim(id, measured, {exact_control("R shrunk", measured, when_shrunk.value)});
    } else {
        page.forced(id, measured, forced_by);
    }
}

void chapter(const Options& options, Page& page) {
    Tokenizer tokenizer = load_tokenizer();
    const auto [model, layer, twins, settings, draws] = read_study(options, tokenizer, page);
    const GedSettings& ged = settings.ged;

    page.step("Read the same sentences with him and with her; take the MLP at the pronoun.");
    Pairs pairs = {at_pronoun(model, layer, twins.him), at_pronoun(model, layer, twins.her),
                   group_by_beginning(twins.him)};
    page.say("%s", pairs_text(pairs, draws).c_str());
    page.figure(activations_figure(pairs));

    page.step("Compute both covariances, and try S w = lambda R w as it is.");
    Matrix him = centred(pairs.him), her = centred(pairs.her);
    Matrix S = covariance(him), R = covariance(her);
    page.say("%s", rank_text(pairs).c_str());
    page.figure(covariances_figure(S, R, {"Covariances before PCA", "neuron", "neuron"}));
    state(page, "5a", refused(S, R), refused(S, shrunk(R, ged.gamma)),
          singular_by(him.rows, him.cols));

    page.step("Compress: keep the principal components V of the average covariance.");
    Pca pca = average_pca(him, her);
    Matrix V = first_rows(pca.components, components_for_share(pca.variances, ged.share, ged.rule));
    page.say("%s", components_text(pca, ged).c_str());
    page.figure(cumulative_figure(pca, ged.share));
    page.claim("5b few", kept_share(pca, ged), {noise_share(him, ged, draws)});

    page.step("Project both covariances on the components, and shrink a copy of each.");
    S = covariance(product(him, V, false, true));
    R = covariance(product(her, V, false, true));
    Matrix S_shrunk = shrunk(S, ged.gamma), R_shrunk = shrunk(R, ged.gamma);
    page.figure(covariances_figure(S, R, {"Covariances after PCA", "component", "component"}));
    state(page, "5b rank", missing_rank(R), missing_rank(R_shrunk),
          singular_by(count_groups(pairs.group), V.rows));

    page.step("Solve S w = lambda R w, and R w = lambda S w, the one on the right shrunk.");
    Eigen for_him = generalized_eigen(S, R_shrunk).eigen;
    Eigen for_her = generalized_eigen(R, S_shrunk).eigen;
    SwapTest swaps = swap_test(pairs, V, ged.gamma, draws);
    page.table("In sample", spectrum_table(for_him, for_her, S, R));
    page.table("What sets the eigenvalue?", shrinkage_table(S, R),
               "Where the last column stays the same, the shrinkage has set it.");
    page.say("%s", swaps_text(swaps, for_him, for_her).c_str());
    page.figure(spectra_figure(for_him, for_her, swaps));
    page.figure(sentences_figure(pairs, V, {for_him, for_her}, settings.centre_projection));
    page.claim("5c him", exact_measure(for_him.values[0]),
               {null_control("labels swapped", swaps.for_him)});
    page.claim("5c her", exact_measure(for_her.values[0]),
               {null_control("labels swapped", swaps.for_her)});

    page.step("Leave pairs out, do all of it with the others, and try the filters on those.");
    std::vector<FoldFit> folds = fit_folds(pairs, ged, draws.n_fold, draws.seed);
    Squares squares = left_out_squares(pairs, folds);
    Gpt2 untrained = random_gpt2(model.config, draws.seed);
    Pairs blank = {at_pronoun(untrained, layer, twins.him), at_pronoun(untrained, layer, twins.her),
                   pairs.group};
    page.say("%s", untrained_text(blank, ged).c_str());
    Measure left_out = contrast_measure(squares, pairs.group, draws);
    Control of_swaps = swapped_contrast(pairs, ged, draws);
    Control of_untrained = untrained_contrast(squares, blank, ged, draws);
    page.claim("5c", left_out, {of_swaps, of_untrained});

    page.step("Run whole sentences left out through the filters, token by token.");
    std::vector<TokenPair> tokens = left_out_tokens(at_every_token(model, layer, twins), folds);
    Directions filters = fold_directions(folds, Along::him_over_her, him.rows);
    page.table("Shares of pairs left out", token_table(tokens, folds));
    page.figure(pair_figure(twins.tokens(tokenizer, 0), tokens[0], filters[0]));
    page.forced("5d before", gap_before(tokens, filters),
                "causal attention: no token sees a later one");
    page.claim("5d gap", share_measure(gap_at_pronoun(tokens, filters)),
               {random_share(tokens, gap_at_pronoun, draws)});
    page.claim("5d sign", share_measure(opposite_signs(tokens, filters)),
               {random_share(tokens, opposite_signs, draws)});

    page.step("Tell him from her on pairs left out, by GED and by what it is to be superior to.");
    std::vector<Pairs> latents = fold_latents(pairs, folds, sae, draws.seed);
    Rivals rivals = left_out_scores(pairs, folds, latents);
    SwappedLeads swapped_labels = swapped_leads(pairs, latents, ged, draws);
    page.table("Area under the ROC curve on pairs left out", auc_table(rivals, pairs.group, draws));
    page.claim("5e logistic", lead_measure(rivals.ged, rivals.logistic, pairs.group, draws),
               {null_control("labels swapped", swapped_labels.over_logistic)});
    page.claim("5e sae", lead_measure(rivals.ged, rivals.latent, pairs.group, draws),
               {null_control("labels swapped", swapped_labels.over_latent)});

    page.step("Compare directions: filters w, and patterns S w, which show what they read.");
    Matrix him_pattern = product(patterns(for_him.vectors, S), V);  // [k, d_mlp]
    Matrix her_pattern = product(patterns(for_her.vectors, R), V);
    page.say("%s", cosines_text(for_him, for_her).c_str());
    page.figure(patterns_figure(him_pattern.row(0), her_pattern.row(0)));
    page.claim("5f", exact_measure(mean_cosine(for_him.vectors)),
               {null_control("labels swapped", swaps.angles), noise_cosine(him, ged, draws),
                reference("PCA's components", exact_measure(mean_cosine(V)))});

    page.step("Give him's token her value along one direction u: a + ((b - a) . u) u; go on.");
    Matrix him_filter = product(for_him.vectors, V), her_filter = product(for_her.vectors, V);
    PatchPlan plan = plan_patches({{"difference of means", mean_difference(pairs)},
                                   {"filter him > her", him_filter.row(0)},
                                   {"filter her > him", her_filter.row(0)},
                                   {"pattern of him > her", him_pattern.row(0)},
                                   {"pattern of her > him", her_pattern.row(0)}},
                                  V, draws);
    Matrix kl = patch_pairs(model, layer, twins.him, pairs, plan.directions);
    page.table("KL(clean || patched) of the next token", patch_table(kl, plan));
    Measure moved = kl_share(kl, 2, pairs.group, draws);
    page.claim("5g", moved, {random_kl_share(kl, plan)});

    Measure ratio = as_ratio(left_out);
    page.answer(
        format("in the sentences that made the filter his variance is %.1f times hers "
               "(%s); on pairs left out %.2f times %s, in an untrained model %.2f times.",
               for_him.values[0], p_text(for_him.values[0], swaps.for_him).c_str(), ratio.value,
               interval_text(ratio.interval).c_str(), as_ratio(of_untrained.measure).value),
        ratios_figure({for_him.values[0], for_her.values[0]}, swaps, left_out,
                      {of_swaps, of_untrained}));
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
