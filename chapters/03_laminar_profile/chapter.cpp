// Chapter 3: what does a profile over the layers say about the network, and what about the method?
// Method: a fresh sparse autoencoder (SAE) for the MLP of every layer, over a page of text; the
// same on random weights, on Gaussian data of the same covariance, and in each layer's own unit.
// You will see: density, error, and what the model loses with each reconstruction in place, layer
// by layer beside the controls, and how far the first token of a window stands out.
// Run: build/03_laminar_profile --preset notebook --layers 0-3 --epochs 5

#include <algorithm>

#include "core/ensure.h"
#include "core/files.h"
#include "figures.h"
#include "model/gpt2_file.h"
#include "model/vocabulary.h"
#include "plan.h"
#include "show/page.h"
#include "show/progress.h"
#include "splice.h"
#include "tables.h"
#include "text/html_text.h"

namespace vimach::ch03 {

struct Settings {
    PageForm form;              // of the page
    bool random_windows;        // drawn at random, or one after the other
    int64_t n_cut;              // tokens cut from the beginning of every window
    const char* hook;           // the activation of every block
    int64_t latents_per_input;  // n/in: n_latent = this * width
    bool tied, bias;
    int64_t kept_one_in;        // top-k with k = n_latent / this; 0: no top-k
    int64_t n_batch_row;        // 0: all rows in one batch
    double l1_in_loss;          // weight of L1 in what is plotted as the loss
    std::vector<double> sweep;  // other weights of L1, on the middle layer, to see what it does
    double l1 = 1, learning_rate = 1e-4;
    int64_t n_epoch = 75, n_token = 10'240, n_seed = 3, n_spliced_token = 2048;
    Draws draws = {};
};

using enum PageForm;
// clang-format off
//                         page   random cut hook      n/in tied   bias   k batch +L1 sweep
const Settings document = {text,   true,  1, "mlp_out", 4,  false, true,  0, 1024, 0, {.1,.3,3,10}};
const Settings notebook = {markup, false, 0, "mlp_pre", 2,  true,  false, 3, 0,    1, {}};
// clang-format on

const ChapterInfo info = {
    .name = "03_laminar_profile",
    .purpose = "Chapter 3: what does a profile over the layers say about the network?",
    .lecture = "An SAE for every layer of GPT-2: density rises on a line, the loss is U-shaped.",
    .options = {{"--page", "FILE", "a saved page (data/led.html)"},
                {"--from", "MARK", "where its article begins (mw-body-content)"},
                {"--until", "ID", "the id of the heading behind it (References)"},
                {"--layers", "LIST", "for example 0-3,11 (all)"},
                {"--epochs", "N", "of every SAE (75)"},
                {"--tokens", "N", "of the page (10240)"},
                {"--plan", "", "print memory and time, and stop"},
                {"--fresh", "", "forget what an interrupted run has finished"}}};

/// What a run does, and where it keeps what it finds.
struct Run {
    const Settings s;
    const Layers layers;
    const Job swept;  ///< the SAE that is trained with other weights of L1 as well
    Store& store;
    Progress& progress;
    FirstTokens first = {};
};

/// The SAE of an activation of this width.
SaeConfig sae_config(const Settings& s, int64_t width, double l1) {
    int64_t n_latent = s.latents_per_input * width;
    SaeConfig sae = {.d_in = width, .n_latent = n_latent, .tied = s.tied, .bias = s.bias};
    sae.top_k = s.kept_one_in > 0 ? n_latent / s.kept_one_in : 0;
    sae.keep_ties = true, sae.l1 = l1;
    return sae;
}

/// Trains an SAE on the rows of x [n_row, width]: loss = MSE + l1 * mean |latents|, by Adam.
Sae train(const Tensor& x, Sae sae, Rng& rng, const Job& job, Run& run) {
    SaeAdam adam = {.settings = {.learning_rate = run.s.learning_rate}};
    RowBatches batches(x, run.s.n_batch_row);
    for (int64_t epoch = 0; epoch < run.s.n_epoch; ++epoch) {
        // Take all rows once, in a new order.
        double loss = 0;
        batches.shuffle(rng);
        for (int64_t first = 0; first < x.rows(); first += batches.size()) {
            SaeTrained step = sae_train_step(sae, batches.from(first), adam);
            loss += total_loss(sae.config, step.losses);
        }
        check_finite(loss, job, epoch);
        run.progress.step();
    }
    return sae;
}

/// A fresh SAE for one layer, and what came of it; of the layers as they are and of Gaussian rows
/// also what the model loses with the reconstruction in the layer's place.
LayerResult fit(const Tensor& x, const Job& job, const Splice& splice, Run& run) {
    // All arms of a layer begin with the same weights and see the rows in the same order.
    Rng rng(run_seed(job.seed, job.layer));
    Sae sae = random_sae(sae_config(run.s, x.cols(), job.l1), rng);
    bool is_own = job.arm == trained && job.l1 == run.s.l1;
    double before = is_own ? splice.cost(sae) : 0;
    sae = train(x, std::move(sae), rng, job, run);

    // Take density and losses over all rows, and the loss of the model.
    LayerResult result = result_of(summarise(sae, x.matrix()));
    if (is_own) result.untrained = before, result.ablated = splice.cost_of_mean();
    if (is_own || job.arm == gaussian) result.spliced = splice.cost(sae);
    return result;
}

/// Carries windows through the blocks of the model, or of random weights, and fits the SAEs of
/// one seed on the way.
void run_model(const Gpt2& model, const std::vector<Window>& windows, Job job, Run& run) {
    const Settings& s = run.s;
    bool is_random = job.arm == random_weights;
    Stream stream = embed_windows(model, windows);
    Splice splice(model, windows, s.n_spliced_token, s.hook, s.n_cut);
    for (job.layer = 0; job.layer <= run.layers.back(); ++job.layer) {
        // Run one block on every window, and cut the first tokens off.
        LayerRows rows = run_block(model, stream, job.layer, s.hook, s.n_cut);
        run.first.add(is_random, job.layer, rows.first_ratios);
        if (!std::ranges::binary_search(run.layers, job.layer)) continue;
        if (!is_random) splice.enter(job.layer, stream, rows.x);

        // The arms share the rows: as they are, in their own unit (random weights too), Gaussian.
        double unit = 1;
        for (const Job& next : jobs_of(job, job == run.swept ? s.sweep : std::vector<double>())) {
            if (next.arm == unit_scale || is_random) unit = scale_to_unit(rows.x);
            if (run.store.find(next) != nullptr) {
                run.progress.skip(s.n_epoch);
                continue;
            }
            if (next.arm == gaussian) make_gaussian(rows.x, unit, run_seed(next.seed, next.layer));
            run.store.add(next, fit(rows.x, next, splice, run));
        }
        run.progress.finish_part(run.store.part_text(job));
    }
}

RunShape run_shape(const Settings& s, const Gpt2Config& c, int64_t n_layer) {
    SaeConfig sae = sae_config(s, width_of(c, s.hook), s.l1);
    return {s.hook,    c,       sae,           n_layer,           n_arm * s.n_seed, s.n_token,
            s.n_epoch, s.n_cut, s.n_batch_row, s.n_spliced_token, s.learning_rate,  s.draws.seed};
}

Settings read_settings(const Options& options) {
    Settings s = options.preset() == "document" ? document : notebook;
    if (options.has("--quick")) s.n_epoch = 15, s.n_seed = 1, s.n_spliced_token = 512;
    if (options.has("--quick")) s.draws.n_bootstrap = 400;
    s.draws.seed = options.seed();
    return s;
}

void chapter(const Options& options, Page& page) {
    std::string folder = options.text("--model", "weights/nano");
    Gpt2 model = load_gpt2(folder);
    Tokenizer tokenizer = tokenizer_of(model);
    const Gpt2Config c = model.config;
    Settings full = read_settings(options), s = full;
    s.n_epoch = options.integer("--epochs", s.n_epoch, 1, 1'000'000);
    s.n_token = options.integer("--tokens", s.n_token, 8, 100'000'000);
    int64_t n_ctx = std::min(c.n_ctx, s.n_token), n_window = s.n_token / n_ctx;
    s.n_token = n_window * n_ctx;
    Layers layers = parse_layers(options.text("--layers", ""), c.n_layer);
    RunShape shape = run_shape(s, c, std::ssize(layers)), whole = run_shape(full, c, c.n_layer);
    page.model(model.source);
    page.about("model: %s", describe(model).c_str());
    page.about(run_text(shape, whole));
    auto sae_of = [&](int64_t width) { return sae_config(s, width, s.l1); };
    if (options.has("--plan")) return page.only(plan_table(shape, whole, sae_of));

    page.step("Cut the article out of the page, and into tokens; draw windows of them.");
    std::string path = options.text("--page", chapter_file(info, "data/led.html"));
    PageMarks marks = {options.text("--from", PageMarks().from),
                       options.text("--until", PageMarks().until)};
    auto ids = tokenizer.encode(read_article(read_input(path), s.form, path, marks));
    auto windows =
        draw_windows(ids, {n_window, n_ctx, s.random_windows, s.draws.seed, s.n_seed}, path);
    page.say("%zu tokens of %s; %s", ids.size(), s.form == text ? "text" : "markup",
             windows_text(windows, s.draws.seed).c_str());

    page.step("Train a fresh SAE on every layer, of the model and then of random weights.");
    std::string out = output_folder(options, info);
    Store store(out + "/layers.tsv", run_hash(shape, windows, folder), options.has("--fresh"));
    Progress progress("trained", s.n_epoch * (shape.n_training() + std::ssize(s.sweep)), "epochs");
    Run run = {
        s, layers, {trained, s.l1, layers[layers.size() / 2], s.draws.seed}, store, progress};
    for (int64_t i = 0; i < s.n_seed; ++i) {
        Job job = {trained, s.l1, 0, s.draws.seed + static_cast<uint64_t>(i)};
        if (i > 0) model = load_gpt2(folder);
        run_model(model, windows[i], job, run);
        model = {}, job.arm = random_weights;
        run_model(random_gpt2(c, job.seed), windows[i], job, run);
    }
    report_memory(shape);
    Profiles p = gather(store, {layers, c.n_layer, s.draws.seed, s.n_seed, s.l1, s.l1_in_loss,
                                density_ceiling(shape.sae)});
    page.table("SAEs of the trained model, means over seeds", result_table(p));
    page.table("The weight of L1, in the middle layer", sweep_table(store, s.sweep, run.swept));
    page.figure(latents_figure(p));

    page.step("Compare density with depth, beside rows without words and random weights.");
    page.table("Density beside its controls", compared_table(p, density));
    page.table("Does density rise with depth?", rise_table(p, s.draws), gaussian_note);
    page.figure(density_figure(p));
    page.figure(beyond_covariance_figure(p));
    state(page, p, 12, "3a", density_rises(p, s.draws));
    state(page, p, 12, "3a linear", density_on_a_line(p, s.draws));
    state(page, p, 12, "3a early", early_layers_sparse(p));
    state(page, p, 36, "3a large", density_rises(p, s.draws));

    page.step("Compare the loss with depth, in the layer's own units and as a share of variance.");
    page.table("FVU beside its controls", compared_table(p, fvu));
    page.table("Is the error U-shaped?", curve_table(p));
    page.figure(loss_figure(p));
    page.figure(fvu_figure(p));
    for (auto [field, in] : {std::pair{loss, ""}, {fvu, " FVU"}}) {
        state(page, p, 12, format("3b ends%s", in), ends_highest(p, field, s.draws));
        state(page, p, 12, format("3b lowest%s", in), lowest_in_middle(p, field));
        state(page, p, 12, format("3b U%s", in), u_shaped(p, field, s.draws));
    }
    state(page, p, 36, "3b large", lowest_in_middle(p, loss));

    page.step("Put each reconstruction in its layer's place: what does the model lose?");
    page.table("Loss in nats a token above the model's own", recovered_table(p), recovered_note);
    page.figure(cost_figure(p));
    state(page, p, c.n_layer, "3d", loss_recovered(p));
    state(page, p, c.n_layer, "3d middle", middle_recovered(p, s.draws));

    page.step("See how far the first token of a window stands out.");
    page.table("Norm of a window's first token over the median of the others",
               first_token_table(run.first, s.draws));
    page.figure(first_token_figure(run.first, s.draws));
    state(page, p, c.n_layer, "3c", first_token_stands_out(run.first, s.draws));

    page.step("Look at SAEs that others trained to the end (a figure of the page).");
    page.figure(published_figure());
    page.answer(answer(p), opening_figure(p));
    write_csv(out + "/laminar.csv", long_table(p));
    page.finish(), store.finish();  // the work of hours goes only once it is reported
}

}  // namespace vimach::ch03

int main(int argc, char** argv) {
    return vimach::run_chapter(argc, argv, vimach::ch03::info, vimach::ch03::chapter);
}
