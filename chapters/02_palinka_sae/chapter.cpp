// Chapter 2: does a latent with a high geography score know geography?
// Method: a tied top-k sparse autoencoder on the MLP activations of one passage about pálinka; each
// latent scored for the passage's geography words, and for a thousand random sets of words.
// You will see: how many latents answer to anything, how high a score chance alone reaches among
// so many, what the best latents fire on besides, and how little of it another seed finds again.
// Run: build/02_palinka_sae --quick
//      build/02_palinka_sae --preset notebook --layer 3
//      build/02_palinka_sae --text FILE --words FILE

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "controls.h"
#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "model/gpt2_file.h"
#include "page.h"
#include "show/console.h"
#include "show/progress.h"
#include "show/report.h"
#include "text/html_text.h"

using namespace vimach;
using namespace vimach::palinka;

namespace {

struct Settings {
    const char* hook;          // the activation of a block
    int64_t n_latent;          // 0: twice the width
    int64_t k_share;           // k = width / this
    bool keep_ties;            // at the k-th largest
    double l1, decorrelation;  // weights of the penalties
    Ratio ratio;
    double learning_rate = 1e-4;
    int64_t n_epoch = 100;  // full batches
    int64_t n_seed = 5;
    int64_t n_set = 1000;    // random sets of words
    int64_t n_best = 10;     // latents that are looked at closely
    int64_t hold_out = 5;    // every so many tokens are held out, for 2a
    int64_t more_text = 10;  // times as many tokens, for 2f
    int64_t n_card = 36;     // latents on the dashboard
    Criteria criteria = {};  // with their reasons in controls.h
};

// clang-format off
//                        hook       latents  k  ties   L1   decorrelation  ratio
const Settings document = {"mlp_out", 6144,  2, false, 0.0, 0.0,           Ratio::of_means};
const Settings notebook = {"mlp_pre", 0,     3, true,  1.0, 0.0005,        Ratio::of_live_means};
// clang-format on

const ChapterInfo info = {
    .name = "02_palinka_sae",
    .purpose = "Chapter 2: does a latent with a high geography score know geography?",
    .options = {
        {"--text", "FILE", "a passage (data/passage.txt)"},
        {"--words", "FILE", "words of a topic, one a line (data/words.txt)"},
        {"--layer", "N", "whose MLP is read (the middle one)"},
        {"--k", "N", "latents kept of every token (half of the width; notebook: a third)"}}};

// --- one training -------------------------------------------------------------------------------

struct Training {
    const char* name;
    SaeConfig config;
    ConstMatrixView x;
    uint64_t seed;
    double learning_rate;
    Sae sae = {};
    std::vector<SaeLosses> losses = {};  // before each epoch
};

/// Trains an SAE from its random start: forward, backward and a step of Adam, all tokens at once.
void train(Training& t, int64_t n_epoch, Progress& progress) {
    Rng rng(t.seed);
    t.sae = random_sae(t.config, rng);
    SaeAdam adam = {.settings = {.learning_rate = t.learning_rate}};
    for (int64_t epoch = 0; epoch < n_epoch; ++epoch) {
        SaeLosses losses = sae_train_step(t.sae, t.x, adam).losses;
        double loss = total_loss(t.config, losses);
        if (!std::isfinite(loss)) {
            fail(format("the loss is no number in epoch %ld", epoch), t.name,
                 "check the model's weights, or lower the learning rate in Settings");
        }
        t.losses.push_back(losses);
        progress.step(t.x.rows);
    }
}

/// All SAEs of a run. Besides the seeds: a rate that hardly differs, other k, tokens held out with
/// and without tying, more text.
struct Trainings {
    std::vector<Training> seeds, nudged, richer, tied_fit, untied_fit, other_k;
};

Trainings plan_trainings(const Settings& s, const SaeConfig& config, ConstMatrixView x,
                         ConstMatrixView fit, ConstMatrixView more, uint64_t rng_seed) {
    Trainings all;
    SaeConfig untied = config;
    untied.tied = false;
    for (int64_t i = 0; i < s.n_seed; ++i) {
        uint64_t own = rng_seed + static_cast<uint64_t>(i);
        all.seeds.push_back({"the SAE", config, x, own, s.learning_rate});
        all.nudged.push_back({"rate 1 % higher", config, x, own, s.learning_rate * 1.01});
        all.richer.push_back({"more text", config, more, own, s.learning_rate});
        all.tied_fit.push_back({"tied", config, fit, own, s.learning_rate});
        all.untied_fit.push_back({"untied", untied, fit, own, s.learning_rate});
    }
    for (int64_t k : {config.top_k / 2, config.top_k * 2, config.n_latent / 2}) {
        SaeConfig changed = config;
        changed.top_k = std::clamp<int64_t>(k, 1, config.n_latent);
        all.other_k.push_back({"other k", changed, x, rng_seed, s.learning_rate});
    }
    return all;
}

/// All of them but the first SAE; those on more text lead, because they take longest.
std::vector<Training*> all_but_first(Trainings& all) {
    std::vector<Training*> rest;
    for (auto* list :
         {&all.richer, &all.seeds, &all.nudged, &all.tied_fit, &all.untied_fit, &all.other_k}) {
        for (Training& t : *list) {
            if (&t != &all.seeds[0]) rest.push_back(&t);
        }
    }
    return rest;
}

// --- data ---------------------------------------------------------------------------------------

/// The passage's rows, and below them rows of another text until there are `n_row` in all, or
/// until the other text ends.
Tensor with_more_text(const Gpt2& model, const Tokenizer& tokenizer, const Tensor& x, int64_t n_row,
                      const std::string& hook) {
    std::string path = find_in_project("chapters/03_laminar_profile/data/led.html");
    std::vector<int> ids = tokenizer.encode(read_article(read_text(path), PageForm::text, path));
    int64_t n_ctx = model.config.n_ctx, n_extra = n_row - x.rows();
    int64_t n_window = (n_extra + n_ctx - 1) / n_ctx;
    ids.resize(std::min(ids.size(), static_cast<size_t>(n_window * n_ctx)));
    n_window = static_cast<int64_t>(ids.size()) / n_ctx;
    ids.resize(static_cast<size_t>(n_window * n_ctx));
    Tensor extra = activations(model, ids, n_window, hook);
    n_extra = std::min(n_extra, extra.rows());
    Tensor out({x.rows() + n_extra, x.cols()});
    std::ranges::copy(x.data, out.data.begin());
    std::copy_n(extra.data.begin(), n_extra * x.cols(), out.data.begin() + x.size());
    return out;
}

/// The rows whose number leaves `rest` when divided by n, or all others.
Tensor every(const Tensor& x, int64_t n, bool others) {
    std::vector<Real> data;
    for (int64_t i = 0; i < x.rows(); ++i) {
        if ((i % n == n / 2) != others) data.insert(data.end(), x.row(i).begin(), x.row(i).end());
    }
    Tensor out({static_cast<int64_t>(data.size()) / x.cols(), x.cols()});
    std::ranges::copy(data, out.data.begin());
    return out;
}

// --- the steps ----------------------------------------------------------------------------------

Settings choose_settings(const Options& options) {
    Settings s = options.preset() == "document" ? document : notebook;
    if (options.has("--quick")) s.n_seed = 3;
    return s;
}

void chapter(const Options& options) {
    Settings s = choose_settings(options);
    auto rng_seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, 1'000'000'000));
    std::string folder = output_folder(options, info);

    // 1. Read the passage, and the model's activations on it.
    std::string path = options.text("--text", chapter_file(info, "data/passage.txt"));
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> ids = tokenizer.encode(read_text(path), {.source = path});
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    const Gpt2Config& c = model.config;
    auto n_token = static_cast<int64_t>(ids.size());
    if (n_token < 8 || n_token > c.n_ctx) {
        fail(format("the passage has %ld tokens, the model takes 8 to %ld", n_token, c.n_ctx), path,
             n_token < 8 ? "give a longer passage" : "give a shorter passage");
    }
    int64_t layer = options.integer("--layer", c.n_layer / 2, 0, c.n_layer - 1);
    std::string hook = format("blocks.%ld.%s", layer, s.hook);
    Tensor x = activations(model, ids, 1, hook);
    int64_t width = x.cols(), n_latent = s.n_latent > 0 ? s.n_latent : 2 * width;
    SaeConfig config = {.d_in = width,
                        .n_latent = n_latent,
                        .tied = true,
                        .bias = false,
                        .top_k = options.integer("--k", width / s.k_share, 1, n_latent),
                        .keep_ties = s.keep_ties,
                        .l1 = s.l1,
                        .decorrelation = s.decorrelation};
    std::printf("model: %s\npreset %s; %s, %ld wide; tied SAE with %ld latents, %ld kept\n",
                describe(model).c_str(), options.preset().c_str(), hook.c_str(), width, n_latent,
                config.top_k);
    std::printf("passage: %ld tokens\n", n_token);

    // 2. Find the topic's words in it.
    std::string words_path = options.text("--words", chapter_file(info, "data/words.txt"));
    Topic topic = find_topic(tokenizer, read_text(words_path), ids, words_path);
    std::printf("topic: %zu words on %zu tokens\n", topic.ids.size(), topic.tokens.size());
    for (const std::string& remark : topic.remarks) std::printf("  %s\n", remark.c_str());

    // 3. Train.
    Tensor fit = every(x, s.hold_out, true), held = every(x, s.hold_out, false);
    Tensor more = with_more_text(model, tokenizer, x, s.more_text * n_token, hook);
    Trainings all = plan_trainings(s, config, x.matrix(), fit.matrix(), more.matrix(), rng_seed);
    Training& first = all.seeds[0];
    std::vector<Training*> rest = all_but_first(all);
    int64_t n_row = first.x.rows;
    for (const Training* t : rest) n_row += t->x.rows;
    Progress progress("trained on", s.n_epoch * n_row, "tokens");
    train(first, s.n_epoch, progress);
    progress.clear();
    Table terms = loss_table(first.losses);
    std::printf("\nLoss before each epoch (terms without their weights)\n");
    print(terms);

    // 4. Train all others, one a thread.
    parallel_for(std::ssize(rest), [&](int64_t i) { train(*rest[i], s.n_epoch, progress); });
    progress.clear();

    // 5. Count to how many tokens latents answer, beside SAEs as they begin.
    std::vector<Sae> blank;
    std::vector<SaeSummary> trained, untrained;
    for (const Training& t : all.seeds) {
        Rng rng(t.seed);
        blank.push_back(random_sae(config, rng));
        trained.push_back(summarise(t.sae, x.matrix()));
        untrained.push_back(summarise(blank.back(), x.matrix()));
    }
    double ceiling = static_cast<double>(config.top_k) / static_cast<double>(n_latent);
    std::printf("\nFVU %.4f, L0 %.1f of at most %ld; untrained: FVU %.4f, L0 %.1f\n",
                trained[0].fvu, trained[0].l0, config.top_k, untrained[0].fvu, untrained[0].l0);
    std::printf(
        "density %.4f, at most k / n_latent = %.4f; of latents live at all: mean %.4f, "
        "median %.4f\n",
        trained[0].density(), ceiling, live_density(trained[0], mean_of),
        live_density(trained[0], median_of));
    std::printf("live on one token or more: %.4f of the latents, %.4f could be; untrained %.4f\n",
                trained[0].alive(), std::min(1.0, ceiling * static_cast<double>(n_token)),
                untrained[0].alive());
    Table answers = responses_table(trained[0], untrained[0]);
    print(answers);

    // 6. Ask what tying buys: parameters, and the error on tokens held out.
    std::vector<double> fvu_tied, fvu_untied;
    for (const Training& t : all.tied_fit) {
        fvu_tied.push_back(summarise(t.sae, held.matrix()).fvu);
    }
    for (const Training& t : all.untied_fit) {
        fvu_untied.push_back(summarise(t.sae, held.matrix()).fvu);
    }
    const Training &tied = all.tied_fit[0], &untied = all.untied_fit[0];
    std::printf("\ntied: %ld parameters, FVU %.4f, on %ld tokens held out %.4f\n",
                tied.config.n_parameter(), summarise(tied.sae, fit.matrix()).fvu, held.rows(),
                mean(fvu_tied));
    std::printf("untied: %ld parameters, FVU %.4f, on tokens held out %.4f\n",
                untied.config.n_parameter(), summarise(untied.sae, fit.matrix()).fvu,
                mean(fvu_untied));

    // 7. Score every latent for the topic, and for random sets of content words.
    std::vector<TokenKind> kinds;
    for (int id : ids) kinds.push_back(kind_of(tokenizer.token_bytes(id)));
    std::vector<std::vector<int64_t>> topic_only = {topic.tokens},
                                      sets =
                                          random_topics(tokenizer, topic, ids, s.n_set, rng_seed);
    sets.insert(sets.begin(), topic.tokens);
    auto look = [&](const Sae& sae, const std::vector<std::vector<int64_t>>& at) {
        return examine(sae, x.matrix(), at, kinds, s.ratio, s.n_best);
    };
    Examined own = look(first.sae, sets), start = look(blank[0], sets);
    Table counts = count_table(own, start, s.criteria.high);
    std::printf("\nRatios of at least %g, and latents that random sets do not match\n",
                s.criteria.high);
    print(counts);
    Table best = best_table(own);
    std::printf("\nThe %ld best latents (each of them: see the report)\n", s.n_best);
    print(best);

    // 8. Ask what comes back with another seed, another k, a rate that hardly differs, more text.
    Stability stable = {.seeds = {own}, .blank = {start}};
    for (int64_t i = 0; i < s.n_seed; ++i) {
        if (i > 0) {
            stable.seeds.push_back(look(all.seeds[i].sae, topic_only));
            stable.blank.push_back(look(blank[i], topic_only));
        }
        stable.nudged.push_back(look(all.nudged[i].sae, topic_only));
        stable.richer.push_back(look(all.richer[i].sae, topic_only));
    }
    for (const Training& t : all.other_k) stable.other_k.push_back(look(t.sae, topic_only));
    Table overlaps = overlap_table(stable, s.criteria.same);
    std::printf("\n");
    print(overlaps);

    // 9. Count the neurons that a word lights.
    std::vector<double> lit = lit_neurons(
        activations(model, ids, 1, format("blocks.%ld.mlp_post", layer)), s.criteria.lit);
    Table neurons = lit_table(tokenizer, ids, topic, lit);
    std::printf("\nNeurons above %g, of %ld; the median token has %.1f\n", s.criteria.lit, c.d_mlp,
                quantile(lit, 0.5));
    print(neurons);

    // 10. Answer, claim by claim.
    Findings f = find(trained, untrained, own, stable, s.criteria, rng_seed);
    f.ceiling = ceiling;
    f.n_tied = tied.config.n_parameter();
    f.n_untied = untied.config.n_parameter();
    f.overfitting = difference_measure(fvu_untied, fvu_tied, rng_seed);
    f.overfitting_null = seed_null(fvu_tied);
    f.lit = lit_by_topic(lit, topic.tokens, rng_seed);
    f.lit_others = lit_by_others(lit, topic.tokens, rng_seed);
    std::vector<OldClaim> claims = judge(f, s.criteria);
    std::printf("\n");
    print(verdict_table(claims));
    write_claims(folder, claims, model.source, overlaps);

    // 11. Draw the page.
    Report report("Chapter 2: the pálinka autoencoder", describe(model));
    report.paragraph(format("Preset %s, %s, %ld latents, %ld kept of each token, %ld epochs.%s",
                            options.preset().c_str(), hook.c_str(), n_latent, config.top_k,
                            s.n_epoch, options.has("--quick") ? " Quick run: fewer seeds." : ""));
    report.heading("What the document claims, and what this run says");
    report.claims(claims);
    report.heading("Look at single latents");
    draw_dashboard(report, tokenizer, ids, own, s.n_card);
    report.table("Beside other dashboards", other_dashboards());
    report.heading("What was measured");
    draw_losses(report, first.losses, config);
    report.table("To how many tokens latents answer", answers);
    draw_responses(report, trained[0], untrained[0]);
    draw_scores(report, own);
    report.table("High scores, and what chance makes of them", counts);
    report.table("The best by AUC", tested_table(own.tested, own.best_auc));
    report.table("The best by ratio", tested_table(own.tested, own.best_ratio));
    report.table("What comes back", overlaps);
    report.table("Neurons that a word lights", neurons);
    report.write(folder);
    announce_report(folder);
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
