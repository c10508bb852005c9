// Chapter 3: what does a profile over the layers say about the network, and what about the method?
// Method: a fresh sparse autoencoder for the MLP of every layer, over a page of text; the same on
// random weights, on Gaussian data of the same covariance, and with every layer in its own unit.
// You will see: density and reconstruction error layer by layer, each beside its controls, how
// straight the rise and how deep the U, and how far the first token of a window stands out.
// Run: build/03_laminar_profile --quick
//      build/03_laminar_profile --preset notebook --layers 0-3 --epochs 5
//      build/03_laminar_profile --plan

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "controls.h"
#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "lens/sae.h"
#include "model/gpt2_file.h"
#include "page.h"
#include "plan.h"
#include "show/console.h"
#include "show/progress.h"
#include "show/report.h"
#include "store.h"
#include "stream.h"
#include "text/html_text.h"
#include "text/tokenizer.h"

using namespace vimach;
using namespace vimach::laminar;

namespace {

struct Settings {
    PageForm form;              // of the page
    bool random_windows;        // drawn at random, or one after the other
    int64_t n_cut;              // tokens cut from the beginning of every window
    const char* hook;           // the activation of every block
    int64_t latents_per_input;  // n/in: n_latent = this * width
    bool tied, bias;
    int64_t kept_one_in;        // top-k with k = n_latent / this; 0: no top-k
    int64_t n_batch_row;        // 0: all rows in one batch
    double l1;                  // weight of mean |latents|
    std::vector<double> sweep;  // other weights, on the middle layer, to see what l1 does
    double learning_rate = 1e-4;
    int64_t n_epoch = 75;
    int64_t n_token = 10'240;
    int64_t n_seed = 3;
    Draws draws = {};
    Criteria criteria = {};  // with their reasons in controls.h
};

using enum PageForm;
// clang-format off
//                         page   random cut hook    n/in tied   bias  k batch l1 sweep
const Settings document = {text,   true,  1, "mlp_out", 4, false, true,  0, 1024, 1, {.1,.3,3,10}};
const Settings notebook = {markup, false, 0, "mlp_pre", 2, true,  false, 3, 0,    1, {}};
// clang-format on

const ChapterInfo info = {
    .name = "03_laminar_profile",
    .purpose = "Chapter 3: the laminar profile of a whole network, beside its controls.",
    .options = {{"--page", "FILE", "a saved page (data/led.html)"},
                {"--layers", "LIST", "for example 0-3,11 (all)"},
                {"--epochs", "N", "of every SAE (75)"},
                {"--tokens", "N", "of the page (10240)"},
                {"--plan", "", "print memory and time, and stop"},
                {"--fresh", "", "forget what an interrupted run has finished"}}};

/// What a run does, and where it keeps what it finds.
struct Run {
    Settings s;
    std::vector<int64_t> layers;
    int64_t swept_layer;
    uint64_t first_seed;
    Store& store;
    Progress& progress;
    std::vector<std::vector<double>> first_ratios[2];  ///< [random weights?][layer]: of windows
};

// --- one SAE ------------------------------------------------------------------------------------

SaeConfig sae_config(const Settings& s, int64_t width, double l1) {
    int64_t n_latent = s.latents_per_input * width;
    return {.d_in = width,
            .n_latent = n_latent,
            .tied = s.tied,
            .bias = s.bias,
            .top_k = s.kept_one_in > 0 ? n_latent / s.kept_one_in : 0,
            .keep_ties = true,
            .l1 = l1};
}

/// Every layer draws its own numbers, the same ones for every arm.
uint64_t job_seed(const Job& job) { return run_seed(job.seed, job.layer); }

/// Copies the rows that `order` lists from `first` on, as many as there are, up to a full batch.
ConstMatrixView take_rows(const Tensor& x, const std::vector<int64_t>& order, int64_t first,
                          Tensor& batch) {
    int64_t n = std::min(batch.rows(), x.rows() - first);
    for (int64_t i = 0; i < n; ++i) {
        std::ranges::copy(x.row(order[first + i]), batch.row(i).begin());
    }
    return row_range(batch.matrix(), 0, n);
}

/// Trains a fresh SAE on the rows of x [n_row, width].
LayerResult train_sae(const Tensor& x, const Job& job, Run& run) {
    // Every arm of a layer begins with the same weights and sees the rows in the same order.
    const Settings& s = run.s;
    Rng rng(job_seed(job));
    Sae sae = random_sae(sae_config(s, x.cols(), job.l1), rng);
    SaeAdam adam = {.settings = {.learning_rate = s.learning_rate}};
    int64_t n_batch_row = s.n_batch_row > 0 ? std::min(s.n_batch_row, x.rows()) : x.rows();
    Tensor batch;
    if (n_batch_row < x.rows()) batch = Tensor({n_batch_row, x.cols()});

    for (int64_t epoch = 0; epoch < s.n_epoch; ++epoch) {
        // Take all rows once, in a new order; a batch of all rows needs neither order nor copy.
        double loss = 0;
        std::vector<int64_t> order = rng.permutation(x.rows());
        for (int64_t first = 0; first < x.rows(); first += n_batch_row) {
            ConstMatrixView rows =
                batch.size() > 0 ? take_rows(x, order, first, batch) : x.matrix();
            SaeTrained step = sae_train_step(sae, rows, adam);
            loss += total_loss(sae.config, step.losses) * static_cast<double>(rows.rows);
        }
        loss /= static_cast<double>(x.rows());

        // Stop a training that runs away; else count the epoch.
        if (!std::isfinite(loss)) {
            fail("the loss is not finite",
                 format("layer %ld, %s, seed %lu, epoch %ld of %ld", job.layer, arm_names[job.arm],
                        job.seed, epoch + 1, s.n_epoch),
                 "lower the learning rate in Settings");
        }
        run.progress.step();
    }
    SaeSummary end = summarise(sae, x.matrix());
    return {end.density(),
            end.alive(),
            end.losses.mse,
            end.losses.l1,
            end.fvu,
            end.l0,
            density_times_activation(end)};
}

// --- all of them --------------------------------------------------------------------------------

/// The SAEs of one layer: those of the trained model, or the one of random weights.
std::vector<Job> jobs_of(const Run& run, int64_t layer, uint64_t seed, bool is_random) {
    if (is_random) return {{random_weights, run.s.l1, layer, seed}};
    std::vector<Job> jobs = {{trained, run.s.l1, layer, seed}};
    if (layer == run.swept_layer && seed == run.first_seed) {
        for (double l1 : run.s.sweep) jobs.push_back({trained, l1, layer, seed});
    }
    jobs.push_back({unit_scale, run.s.l1, layer, seed});
    jobs.push_back({gaussian, run.s.l1, layer, seed});
    return jobs;
}

/// Carries one model's stream through its blocks, and trains the SAEs of one seed on the way.
void run_model(const Gpt2& model, Stream stream, uint64_t seed, bool is_random, Run& run) {
    for (int64_t layer = 0; layer <= run.layers.back(); ++layer) {
        LayerRows rows = run_block(model, stream, layer, run.s.hook, run.s.n_cut);
        auto& ratios = run.first_ratios[is_random][layer];
        ratios.insert(ratios.end(), rows.first_ratios.begin(), rows.first_ratios.end());
        if (!std::ranges::binary_search(run.layers, layer)) continue;

        // The arms follow one another on the same memory: as it is, in its own unit, Gaussian. The
        // units of random weights mean nothing, so there each layer has its own as well.
        double unit = 1;
        bool stored = false;
        for (const Job& job : jobs_of(run, layer, seed, is_random)) {
            if (job.arm == unit_scale || is_random) unit = scale_to_unit(rows.x);
            if (run.store.find(job) != nullptr) {
                run.progress.skip(run.s.n_epoch);
                stored = true;
                continue;
            }
            if (job.arm == gaussian) make_gaussian(rows.x, unit, job_seed(job));
            run.store.add(job, train_sae(rows.x, job, run));
        }
        run.progress.finish_part(format("seed %lu, %s, layer %ld%s", seed,
                                        arm_names[is_random ? random_weights : trained], layer,
                                        stored ? " (in part from the interrupted run)" : ""));
    }
}

// --- before and after ---------------------------------------------------------------------------

Settings choose_settings(const Options& options) {
    Settings s = options.preset() == "document" ? document : notebook;
    if (options.has("--quick")) {
        s.n_epoch = 15;
        s.n_seed = 1;
        s.draws = {.n_bootstrap = 400, .n_permutation = 999};
    }
    return s;
}

/// Whatever decides the result of one SAE, but its own arm, layer and seed.
uint64_t run_hash(const Settings& s, const std::string& page, const std::string& model_folder) {
    std::string text =
        format("%d %d %ld %s %ld %d %d %ld %ld %.17g %ld %ld", static_cast<int>(s.form),
               s.random_windows, s.n_cut, s.hook, s.latents_per_input, s.tied, s.bias,
               s.kept_one_in, s.n_batch_row, s.learning_rate, s.n_epoch, s.n_token);
    std::string weights = find_in_project(model_folder + "/model.safetensors");
    return hash_file(weights, hash_bytes(page, hash_bytes(text)));
}

/// The shape of a run on a model of this configuration.
RunShape run_shape(const std::string& name, const Gpt2Config& c, const Settings& s,
                   size_t n_layer) {
    int64_t width = std::string(s.hook) == "mlp_out" ? c.d_model : c.d_mlp;
    return {.name = name,
            .model = c,
            .sae = sae_config(s, width, s.l1),
            .n_token = s.n_token,
            .n_epoch = s.n_epoch,
            .n_layer = static_cast<int64_t>(n_layer),
            .n_sae = n_arm * s.n_seed};
}

void print_plan(const RunShape& here, ConstMatrixView x, const Settings& full) {
    Table table = {.header = {"run", "memory at most", "one arm and seed", "all arms and seeds"}};
    add_plan(table, here, measure_epoch(here, x));
    for (const Gpt2Config& c : {gpt2_small, gpt2_large}) {
        RunShape shape = run_shape(format("%ld layers, d_model %ld", c.n_layer, c.d_model), c, full,
                                   static_cast<size_t>(c.n_layer));
        add_plan(table, shape, measure_epoch(shape));
    }
    std::printf("\nFrom measured steps of a training's beginning; later ones are shorter.\n");
    print(table);
}

// --- the steps ----------------------------------------------------------------------------------

void chapter(const Options& options) {
    Settings full = choose_settings(options), s = full;
    std::string preset = options.preset(), folder = output_folder(options, info);
    s.n_epoch = options.integer("--epochs", s.n_epoch, 1, 1'000'000);
    s.n_token = options.integer("--tokens", s.n_token, 8, 100'000'000);
    auto rng_seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, 1'000'000'000));

    // 1. Cut the article out of the page, and into tokens.
    std::string path = options.text("--page", chapter_file(info, "data/led.html"));
    std::string page = read_text(path);
    std::vector<int> ids = load_tokenizer().encode(read_article(page, s.form, path));

    // 2. Read the model; its context is the length of a window.
    std::string model_folder = options.text("--model", "weights/nano");
    Gpt2 model = load_gpt2(model_folder);
    Gpt2Config c = model.config;
    int64_t n_ctx = std::min(c.n_ctx, s.n_token), n_window = s.n_token / n_ctx;
    s.n_token = n_window * n_ctx;
    auto n_id = static_cast<int64_t>(ids.size());
    int64_t n_needed = s.random_windows ? n_ctx : s.n_token;
    if (n_id < n_needed) {
        fail(format("the article has %ld tokens, %ld are needed", n_id, n_needed), path,
             "give a longer page, or take fewer with --tokens");
    }
    std::vector<int64_t> layers = parse_layers(options.text("--layers", ""), c.n_layer);
    bool whole = static_cast<int64_t>(layers.size()) == c.n_layer;
    RunShape shape = run_shape("this run", c, s, layers.size());
    std::string scaled = scaled_down({{s.n_epoch, full.n_epoch, "epochs"},
                                      {s.n_token, full.n_token, "tokens"},
                                      {shape.n_layer, c.n_layer, "layers"}});
    std::printf("model: %s\npreset %s; blocks.N.%s, %ld wide, in %zu layers; %ld latents",
                describe(model).c_str(), preset.c_str(), s.hook, shape.sae.d_in, layers.size(),
                shape.sae.n_latent);
    if (shape.sae.top_k > 0) std::printf(", the %ld largest kept", shape.sae.top_k);
    std::printf("; %ld epochs\npage: %ld tokens of %s; %ld windows of %ld, first token %s\n",
                s.n_epoch, n_id, s.form == text ? "text" : "markup", n_window, n_ctx,
                s.n_cut > 0 ? "cut off" : "kept");
    if (!scaled.empty()) std::printf("scaled down: %s\n", scaled.c_str());

    // 3. Every seed draws its windows, its random weights, its Gaussian data and its SAEs anew.
    std::vector<std::vector<int64_t>> starts;
    for (int64_t i = 0; i < s.n_seed; ++i) {
        Rng rng(rng_seed + static_cast<uint64_t>(i));
        starts.push_back(window_starts(n_window, n_ctx, n_id, s.random_windows, rng));
        std::printf("seed %ld: %ld different tokens of the page in its windows\n",
                    static_cast<int64_t>(rng_seed) + i, coverage(starts.back(), n_ctx));
    }
    if (options.has("--plan")) {
        Stream stream = embed_windows(model, ids, starts[0], n_ctx);
        return print_plan(shape, run_block(model, stream, 0, s.hook, s.n_cut).x.matrix(), full);
    }

    // 4. Carry the stream through the layers, of the model and then of random weights, and train.
    Store store(folder + "/layers.tsv", run_hash(s, page, model_folder), options.has("--fresh"));
    auto n_layer = static_cast<int64_t>(layers.size()),
         n_sweep = static_cast<int64_t>(s.sweep.size());
    Progress progress("trained", s.n_epoch * (s.n_seed * n_arm * n_layer + n_sweep), "epochs");
    Run run = {s, layers, layers[layers.size() / 2], rng_seed, store, progress, {}};
    for (auto& ratios : run.first_ratios) ratios.resize(static_cast<size_t>(c.n_layer));
    std::string source = model.source, description = describe(model);
    for (int64_t i = 0; i < s.n_seed; ++i) {
        uint64_t own_seed = rng_seed + static_cast<uint64_t>(i);
        if (i > 0) model = load_gpt2(model_folder);
        run_model(model, embed_windows(model, ids, starts[i], n_ctx), own_seed, false, run);
        model = {};
        model = random_gpt2(c, own_seed);
        run_model(model, embed_windows(model, ids, starts[i], n_ctx), own_seed, true, run);
        model = {};
    }
    std::fprintf(stderr, "memory: at most %.0f MB, allowed are %.0f MB\n", peak_memory() / 1e6,
                 memory_bound(shape) / 1e6);

    // 5. Print the profiles: one arm in full, then all beside each other.
    Profiles profiles = gather(store, s.l1, layers, rng_seed, s.n_seed);
    Table own = arm_table(profiles, trained), compared = compared_table(profiles);
    std::printf("\nSAEs of the trained model, means over seeds\n");
    print(own);
    std::printf("\nBeside their controls\n");
    print(compared);
    std::vector<double> weights = s.sweep;
    weights.push_back(s.l1);
    Table sweep = sweep_table(store, weights, run.swept_layer, rng_seed);
    std::printf("\nWhat the weight of L1 does, in layer %ld\n", run.swept_layer);
    print(sweep);

    // 6. Measure how far the first token of a window stands out.
    FirstTokens first = first_tokens(run.first_ratios, s.draws, rng_seed);
    Table first_table = first_token_table(first);
    std::printf("\nNorm of a window's first token over the median of the others\n");
    print(first_table);

    // 7. Test the profiles: a straight rise of density, a U of the error.
    Findings f;
    f.n_layer = c.n_layer;
    f.whole = whole;
    for (int arm = 0; arm < n_arm; ++arm) {
        f.density[arm] = measure_trend(profiles.of[arm][0], layers, s.draws, rng_seed);
        f.mse[arm] = measure_trend(profiles.of[arm][2], layers, s.draws, rng_seed);
        f.fvu[arm] = measure_trend(profiles.of[arm][4], layers, s.draws, rng_seed);
    }
    Table rise = rise_table(f.density, published_trend(published_resid_l0, s.draws, rng_seed),
                            published_trend(published_mlp_l0, s.draws, rng_seed));
    Table curve = curve_table(f.mse, f.fvu, published_trend(published_mlp_fvu, s.draws, rng_seed));
    std::printf("\nDoes density rise with depth?\n");
    print(rise);
    std::printf("\nIs the error U-shaped?\n");
    print(curve);

    // 8. Answer, claim by claim.
    auto outlier = std::ranges::max_element(first.trained, {}, &Measure::value);
    f.first_token = *outlier;
    f.first_token_control = *std::ranges::max_element(first.random, {}, &Measure::value);
    double ceiling = static_cast<double>(shape.sae.top_k) / static_cast<double>(shape.sae.n_latent);
    f.saturated = saturation(profiles.of[trained][0], ceiling);
    std::vector<OldClaim> claims = judge(f, s.criteria);
    std::printf("\n");
    print(verdict_table(claims));
    write_claims(folder, claims, source + (scaled.empty() ? "" : ", scaled down"), rise);
    write_csv(folder + "/laminar.csv", long_table(profiles, rng_seed));

    // 9. Draw the page.
    Report report("Chapter 3: the laminar profile", description);
    report.paragraph(format("Preset %s, blocks.N.%s, %ld epochs, seeds: %ld.%s%s%s", preset.c_str(),
                            s.hook, s.n_epoch, s.n_seed,
                            options.has("--quick") ? " Quick run: fewer epochs, one seed." : "",
                            scaled.empty() ? "" : " Scaled down: ", scaled.c_str()));
    report.heading("What the document claims, and what this run says");
    report.claims(claims);
    report.heading("What was measured");
    draw_profiles(report, profiles, ceiling);
    report.table("Does density rise with depth?", rise);
    report.table("Is the error U-shaped?", curve);
    draw_first_tokens(report, first);
    report.table("What the weight of L1 does", sweep, format("In layer %ld.", run.swept_layer));
    draw_published(report);
    report.table("SAEs of the trained model", own, "Means over seeds.");
    report.write(folder);
    store.finish();
    announce_report(folder);
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
