// Chapter 2: does a latent with a high geography score know geography?
// Method: a tied top-k sparse autoencoder (SAE) on the MLP activations of one passage about
// pálinka; each latent scored for the passage's geography words, and for random sets of words.
// You will see: how many latents are active at all, how high a score chance alone reaches among so
// many, what the best latents fire on besides, and how little another random start finds again.
// Run: build/02_palinka_sae --preset notebook --layer 3 --text FILE --words FILE

#include <algorithm>
#include <limits>

#include "cards.h"
#include "figures.h"
#include "lens/decorrelation.h"
#include "lens/top_k.h"
#include "math/blas.h"
#include "math/vector_ops.h"
#include "splice.h"
#include "tables.h"

namespace vimach::ch02 {

/// The document's: mean activation on the words over the mean on all other tokens.
double ratio_of_means(const Part& words, const Part& others) {
    if (others.total == 0) return words.total == 0 ? 0 : std::numeric_limits<double>::infinity();
    return words.total / words.n_token / (others.total / others.n_token);
}

/// The notebook's: the same means over tokens on which the latent is active; 0 without any.
double ratio_of_active_means(const Part& words, const Part& others) {
    if (words.total == 0 || others.total == 0) return 0;
    return words.total / words.n_active / (others.total / others.n_active);
}

struct Settings {
    const char* activation;  // of a block
    RatioRule ratio;         // the score
    int64_t k_share;         // k = width / this
    SaeConfig sae;           // 0 latents: twice the width
};

// clang-format off
//                        activation score                  k  SAE
const Settings document = {"mlp_out", ratio_of_means,        2, {.n_latent = 6144}};
const Settings notebook = {"mlp_pre", ratio_of_active_means, 3,
                           {.n_latent = 0, .keep_ties = true, .l1 = 1.0, .decorrelation = 0.0005}};
const Lengths lengths = {.rate = 1e-4, .n_step = 100, .longer_rate = 1e-3};
//                    starts  again  more text  longer  steps  word sets  projections
const Counts full  = {10,     5,     2,         6,      800,   1000,      100};
const Counts quick = {6,      3,     2,         2,      500,   1000,      40};

const ChapterInfo info = {
    .name = "02_palinka_sae",
    .purpose = "Chapter 2: does a latent with a high geography score know geography?",
    .lecture = "A tied top-k autoencoder on an MLP finds latents with high geography scores; they "
               "also fire on brackets and commas: a score without inspection misleads.",
    .options = {{"--text", "FILE", "a passage (data/passage.txt)"},
                {"--words", "FILE", "words of a topic, one a line (data/words.txt)"},
                {"--layer", "N", "the block whose MLP is read (half of the layers)"},
                {"--k", "N", "latents kept of a token (half of the width; notebook: a third)"}}};
// clang-format on

/// What a forward pass leaves for the backward pass.
struct Forward {
    Tensor latents = {};          // [n_token, n_latent]
    Tensor error = {};            // recon - x, [n_token, d_in]
    Decorrelation together = {};  // D and its gradient by the latents
    SaeLosses losses = {};        // each term without its weight
};

Forward forward(const Sae& sae, const Tensor& x) {
    // Encode by the decoder, transposed: latents = keep_k(relu(x W^T)).
    const SaeConfig& c = sae.config;
    Forward f = {.latents = product(x, sae.W_dec, {.transpose_b = true})};
    for (Real& z : f.latents.data) z = std::max(z, Real(0));
    for (int64_t i = 0; i < x.rows(); ++i) keep_top_k(f.latents.row(i), c.top_k, c.keep_ties);

    // Decode by the same matrix: recon = latents W. What it misses is the error.
    f.error = product(f.latents, sae.W_dec);
    for (size_t i = 0; i < x.data.size(); ++i) f.error.data[i] -= x.data[i];

    // MSE = mean error^2, L1 = mean |latents|, D = sum of squared covariances between latents.
    f.losses.mse = sum_of_squares(f.error.data) / static_cast<double>(x.size());
    f.losses.l1 = sum_of_sizes(f.latents.data) / static_cast<double>(f.latents.size());
    if (c.decorrelation > 0) f.together = decorrelation(f.latents);
    f.losses.decorrelation = f.together.value;
    return f;
}

/// Undoes the forward pass, last line first: the derivative by W of MSE + l1 L1 + decorrelation D.
Tensor backward(const Sae& sae, const Tensor& x, const Forward& f) {
    // MSE = mean error^2
    Tensor grad_recon = f.error;
    for (Real& g : grad_recon.data) g *= static_cast<Real>(2 / static_cast<double>(x.size()));

    // recon = latents W, W as decoder
    Tensor grad_W = product(f.latents, grad_recon, {.transpose_a = true});
    Tensor grad_pre = product(grad_recon, sae.W_dec, {.transpose_b = true});

    // D; L1 = mean |latents|; latents = keep_k(relu(pre_acts)): what is 0 passes nothing on
    auto l1 = static_cast<Real>(sae.config.l1 / static_cast<double>(f.latents.size()));
    auto weight = static_cast<Real>(sae.config.decorrelation);
    for (size_t i = 0; i < grad_pre.data.size(); ++i) {
        Real of_D = weight > 0 ? weight * f.together.grad_latents.data[i] : 0;
        grad_pre.data[i] = f.latents.data[i] > 0 ? grad_pre.data[i] + of_D + l1 : 0;
    }

    // pre_acts = x W^T, W as encoder: both parts of the tied weight add up
    Tensor as_encoder = product(grad_pre, x, {.transpose_a = true});
    for (size_t i = 0; i < grad_W.data.size(); ++i) grad_W.data[i] += as_encoder.data[i];
    return grad_W;
}

/// Trains an SAE from its random start: by this step, or by the faster one of lens/sae.
void train(Training& t, Progress& progress) {
    t.sae = t.start();
    SaeAdam adam = {.settings = {.learning_rate = t.rate}};
    for (int64_t epoch = 0; epoch < t.n_step; ++epoch) {
        if (t.plain) {
            Forward f = forward(t.sae, *t.x);
            t.losses.push_back(f.losses);
            adam_step(t.sae, {.W_dec = backward(t.sae, *t.x, f)}, adam);
        } else {
            t.losses.push_back(sae_train_step(t.sae, t.batch(epoch), adam).losses);
        }
        check_loss(t);
        progress.step(t.batch(epoch).rows);
    }
}

void chapter(const Options& options, Page& page) {
    const Settings& s = options.preset() == "document" ? document : notebook;
    const Counts& counts = options.has("--quick") ? quick : full;
    Study study = read_study(options, page, info, s.activation);
    Tensor x = tapped_rows(study);
    SaeConfig config = tied_sae(s.sae, x.cols(), s.k_share, options);
    page.about(settings_text(study, config, lengths));

    page.step("Train one SAE, and others on more text or longer; see how far latents move.");
    Data data = make_data(study, x);
    Arms arms = train_all(plan_arms(config, data, lengths, counts, study.seed), train);
    page.table("Loss of the first SAE, terms without their weights", loss_table(arms));
    page.figure(loss_figure(arms.seeds[0]));
    Groups groups = examine_all(arms, study, x, s.ratio, counts.n_set);
    const Examined &own = groups.trained[0], &start = groups.untrained[0];
    page.say(moved_text(arms, groups));

    page.step("Count the tokens on which each latent is active, trained and untrained.");
    page.say(density_text(own, start));
    page.table("On how many tokens latents are active", responses_table(own, start));
    page.figure(image_figure(own));
    page.figure(latents_figure(own, start));
    page.claim("2b volume", small_volume(groups));
    page.claim("2b latents", latents_survive(groups));
    page.claim("2c none", latents_silent(groups));
    page.claim("2c all", latents_always(groups));

    page.step("Ask what tying buys: parameters, and the error on tokens held out.");
    Fits tied = fits(arms.tied_fit, data), untied = fits(arms.untied_fit, data);
    page.table("Every fifth token held out", tying_table(tied, untied));
    page.claim("2a half", half_parameters(tied, untied));
    page.claim("2a fit", held_out_error(tied, untied));
    page.claim("2a gap", overfitting_gap(tied, untied));

    page.step("Score every latent for geography, and for random sets of content words.");
    page.table("Ratios of 2 or more, and latents beyond random sets", count_table(own, start));
    page.table("The ten best latents", best_table(own));
    page.figure(words_figure(groups.trained));
    page.claim("2d", high_scores(groups));
    page.claim("2e", fires_on_filler(groups));

    page.step("Ask what another start, more text or another k finds again, and what is redundant.");
    page.table("What comes back", overlap_table(groups));
    page.claim("2f seed", start_matters(groups));
    page.claim("2f data", text_helps(arms.more_text, groups.more_text, groups.trained));
    page.claim("2f data long", text_helps(arms.longer_more, groups.longer_more, groups.longer));
    Twins twins = find_twins(groups);
    page.say(twins_text(twins));
    page.claim("2h", latents_correlate(twins));

    page.step("Count the neurons of the MLP that a word lights.");
    std::vector<double> lit = lit_neurons(activation_of(study, "mlp_post"));
    page.table("Neurons above 0.1", lit_table(study, lit));
    state_neurons(page, study, lit);

    page.step("Put the reconstruction in the activation's place: does the model notice?");
    Splice passage = make_splice(study, study.ids, arms.seeds);
    Splice unseen = make_splice(study, unseen_text(study), arms.seeds);
    page.table("Mean loss of a token, in nats", splice_table(passage, unseen));
    page.claim("2i", loss_recovered(unseen, counts.n_projection, study.seed));

    page.step("Look at single latents.");
    page.figure(cards_figure(study, arms.seeds[0].sae, own, start));
    page.answer(answer_text(groups), scores_figure(own));
}

}  // namespace vimach::ch02

int main(int argc, char** argv) {
    return vimach::run_chapter(argc, argv, vimach::ch02::info, vimach::ch02::chapter);
}
