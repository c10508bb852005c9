// Chapter 5: is there a direction in the MLP along which "him" varies and "her" does not?
// Method: the MLP's expansion at the pronoun, for the same sentences with him and with her; PCA of
// the average covariance; generalized eigendecomposition (GED) of one covariance against the
// other, shrunk; then the same on pairs left out, swapped labels, noise and an untrained model.
// You will see: how GED fails and is cured, eigenvalues that the cure itself sets, and what of the
// separation survives on sentences that were left out.
// Run: build/05_him_her_ged
//      build/05_him_her_ged --preset notebook --layer 3
#include <algorithm>

#include "controls.h"
#include "core/ensure.h"
#include "figures.h"
#include "math/blas.h"
#include "model/gpt2_file.h"
#include "model/vocabulary.h"
#include "patch.h"
#include "rivals.h"
#include "sentences.h"
#include "show/page.h"
#include "tokens.h"

namespace vimach::ch05 {

struct Settings {
    GedSettings ged;  // share of the variance, how it is counted, shrinkage
    bool centre;      // centre what is projected on a filter
};

// clang-format off
//                        share  rule                    gamma   centred
const Settings document = {{0.99, ShareRule::reach,      0.01},  true};
const Settings notebook = {{0.99, ShareRule::stay_below, 0.01},  false};
//                  swap null  boot random noise rival patch  SAE folds
const Draws full  = {1000, 200, 1000,  500,  200,  100,  100, 200, 11};
const Draws quick = { 200,  40,  200,  100,   40,   40,   40,  50, 11};
const SaePlan sae = {.n_latent = 1024, .top_k = 16};
// clang-format on

const ChapterInfo info = {
    .name = "05_him_her_ged",
    .purpose = "Chapter 5: is there a direction along which \"him\" varies and \"her\" does not?",
    .lecture =
        "PCA, shrinkage and a generalized eigendecomposition find a filter for him and one "
        "for her in GPT-2's MLP; over a sentence both split at the pronoun alone.",
    .options = {{"--him", "FILE", "sentences with him, one a line (data/him.txt)"},
                {"--her", "FILE", "the same with her (data/her.txt)"},
                {"--words", "A,B", "other words than him and her, each one token (him,her)"},
                {"--layer", "N", "the block whose MLP is read (half of the layers)"}}};

/// What the command line asks for.
struct Study {
    Settings settings;
    Draws draws;
    Gpt2 model;
    Tokenizer tokenizer;
    int64_t layer;
};

Study read_study(const Options& options, Page& page) {
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    Tokenizer tokenizer = tokenizer_of(model);
    int64_t n = model.config.n_layer, layer = options.integer("--layer", n / 2, 0, n - 1);
    Draws draws = options.has("--quick") ? quick : full;
    draws.seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, INT64_MAX));
    page.model(model.source);
    page.about("model: %s", describe(model).c_str());
    page.about("blocks.%ld.mlp_pre, %ld dimensions", layer, model.config.d_mlp);
    return {options.preset() == "document" ? document : notebook, draws, model, tokenizer, layer};
}

/// The name of the MLP's expansion in one block.
std::string expansion(int64_t layer) { return format("blocks.%ld.mlp_pre", layer); }

/// The expansion at the pronoun, which sees only what stands in front of it: [n_sentence, d_mlp].
Matrix at_pronoun(const Gpt2& model, int64_t layer, const std::vector<Sentence>& sentences) {
    std::vector<Matrix> all = run_sentences(model, sentences, expansion(layer));
    Matrix out(std::ssize(sentences), model.config.d_mlp);
    for (int64_t i = 0; i < out.rows; ++i) {
        std::ranges::copy(all[i].row(sentences[i].pronoun), out.row(i).begin());
    }
    if (varies(out)) return out;
    fail(expansion(layer) + " does not vary over the sentences", model.source,
         "choose another --layer");
}

Pairs pairs_at_pronoun(const Gpt2& model, int64_t layer, const SentencePairs& sentences) {
    return {at_pronoun(model, layer, sentences.him), at_pronoun(model, layer, sentences.her),
            group_by_beginning(sentences.him)};
}

/// The expansion at every token of each pair.
std::vector<TokenPair> at_every_token(const Gpt2& model, int64_t layer,
                                      const SentencePairs& pairs) {
    std::vector<Matrix> him = run_sentences(model, pairs.him, expansion(layer)),
                        her = run_sentences(model, pairs.her, expansion(layer));
    std::vector<TokenPair> out;
    for (size_t i = 0; i < him.size(); ++i) out.push_back({him[i], her[i], pairs.him[i].pronoun});
    return out;
}

void chapter(const Options& options, Page& page) {
    const auto [settings, draws, model, tokenizer, layer] = read_study(options, page);
    const auto& [ged, centre] = settings;

    page.step("Read the same sentences with him and with her; take the MLP at the pronoun.");
    SentencePairs sentences = read_sentence_pairs(options, info, tokenizer, model.config.n_ctx);
    Pairs pairs = pairs_at_pronoun(model, layer, sentences);
    page.say(pairs_text(pairs, sentences.words, draws));
    page.figure(activations_figure(pairs));

    page.step("Compute both covariances, and try S w = lambda R w as it is.");
    Matrix him = centred(pairs.him), her = centred(pairs.her);
    Matrix S = covariance(him), R = covariance(her);
    page.say(rank_text(pairs));
    page.figure(covariances_figure(S, R, {"Covariances before PCA", "neuron", "neuron"}));
    Measure cured = refused(S, shrunk(R, ged.gamma));
    page.claim("5a", beside_shrunk(refused(S, R), cured,
                                   singular_by(count_groups(pairs.group), him.cols)));

    page.step("Compress: keep the principal components V of the average covariance.");
    Pca pca = average_pca(him, her);
    Matrix V = first_rows(pca.components, components_for_share(pca.variances, ged.share, ged.rule));
    page.say(components_text(pca, ged));
    page.figure(cumulative_figure(pca, ged.share));
    page.claim("5b few", kept_share(pca, ged), {noise_share(him, ged, draws)});

    page.step("Project both samples on the components, and shrink their covariances.");
    S = covariance(product(him, V, false, true));
    R = covariance(product(her, V, false, true));
    Matrix S_shrunk = shrunk(S, ged.gamma), R_shrunk = shrunk(R, ged.gamma);
    page.figure(covariances_figure(S, R, {"Covariances after PCA", "component", "component"}));
    std::string full_is_out = singular_by(count_groups(pairs.group), V.rows);
    page.claim("5b rank", beside_shrunk(missing_rank(R), missing_rank(R_shrunk), full_is_out));

    page.step("Solve S w = lambda R w, and R w = lambda S w, the right-hand side shrunk.");
    Eigen for_him = generalized_eigen(S, R_shrunk).eigen;
    Eigen for_her = generalized_eigen(R, S_shrunk).eigen;
    SwapTest swaps = swap_test(pairs, V, ged.gamma, draws);
    page.table("In sample", spectrum_table(for_him, for_her, S, R));
    page.table("What sets the eigenvalue?", shrinkage_table(S, R), shrinkage_note);
    page.say(swaps_text(swaps, for_him, for_her));
    page.figure(spectra_figure(for_him, for_her, swaps));
    page.figure(sentences_figure(pairs, V, {for_him, for_her}, centre));
    page.claim("5c him", exact_measure(for_him.values[0]), {labels_swapped(swaps.for_him)});
    page.claim("5c her", exact_measure(for_her.values[0]), {labels_swapped(swaps.for_her)});

    page.step("Leave pairs out, do all of it with the others, and try the filters on those.");
    std::vector<FoldFit> folds = fit_folds(pairs, ged, draws.n_fold, draws.seed);
    Pairs untrained = pairs_at_pronoun(random_gpt2(model.config, draws.seed), layer, sentences);
    Squares squares = left_out_squares(pairs, folds);
    Measure left_out = contrast_measure(squares, pairs.group, draws);
    Control of_swaps = swapped_contrast(pairs, ged, draws);
    Control of_untrained = untrained_contrast(squares, untrained, ged, draws);
    page.say(untrained_text(untrained, ged));
    page.claim("5c", left_out, {of_swaps, of_untrained});

    page.step("Run whole sentences through filters made without them, token by token.");
    std::vector<TokenPair> tokens =
        left_out_tokens(at_every_token(model, layer, sentences), folds, pairs.group);
    Directions filters = fold_directions(folds, Along::him_over_her, him.rows);
    page.table("Shares of pairs left out", token_table(tokens, folds));
    page.figure(pair_figure(sentences.tokens[0], tokens[0], filters[0]));
    page.forced("5d before", gap_before(tokens, filters), "a token sees only what precedes it");
    page.claim("5d gap", gap_share(tokens, filters), {random_gap_share(tokens, draws)});
    page.claim("5d sign", sign_share(tokens, filters), {random_sign_share(tokens, draws)});

    page.step("Tell him from her on pairs left out, by GED and by its rivals.");
    std::vector<Pairs> latents = fold_latents(pairs, folds, sae, draws);
    Rivals rivals = left_out_scores(pairs, folds, latents);
    auto [over_logistic, over_latent] = swapped_leads(pairs, latents, ged, draws);
    page.table("Area under the ROC curve on pairs left out", auc_table(rivals, draws));
    page.claim("5e logistic", lead_measure(rivals, rivals.logistic, draws), {over_logistic});
    page.claim("5e sae", lead_measure(rivals, rivals.latent, draws), {over_latent});

    page.step("Compare directions: filters w, and patterns S w, which show what they read.");
    Matrix him_filter = product(for_him.vectors, V), her_filter = product(for_her.vectors, V);
    Matrix him_pattern = product(patterns(for_him.vectors, S), V);
    Matrix her_pattern = product(patterns(for_her.vectors, R), V);
    page.say(cosines_text(for_him, for_her));
    page.figure(patterns_figure(him_pattern.row(0), her_pattern.row(0)));
    page.claim("5f", filter_cosine(for_him.vectors),
               {labels_swapped(swaps.angles), noise_cosine(him, ged, draws), pca_cosine(V)});

    page.step("Give him's token her value along one direction u: a + ((b - a) . u) u; go on.");
    auto plan = plan_patches(pairs, {him_filter, her_filter, him_pattern, her_pattern}, V, draws);
    Matrix kl = patch_pairs(model, layer, sentences.him, pairs, plan.directions);
    page.table("Next token: KL(clean || patched)", patch_table(kl, plan));
    page.claim("5g", kl_share(kl, filter_column, pairs.group, draws), {random_kl_share(kl, plan)});

    page.answer(answer_text(for_him, swaps, left_out, of_untrained),
                ratios_figure(for_him, for_her, swaps, left_out, {of_swaps, of_untrained}));
}

}  // namespace vimach::ch05

int main(int argc, char** argv) {
    return vimach::run_chapter(argc, argv, vimach::ch05::info, vimach::ch05::chapter);
}
