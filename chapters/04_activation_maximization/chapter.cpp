// Chapter 4: which input excites a number inside the model most, and does that input mean anything?
// Method: gradient ascent on five input vectors, past the tokenizer, up to one coordinate of the
// residual stream; the vectors are decoded to their nearest tokens, and these are put back in.
// You will see: an activation that grows, as it does along any direction and in a model that has
// learnt nothing; cosines that chance reaches too; and what real tokens can do after all.
// Run: build/04_activation_maximization --quick
//      build/04_activation_maximization --preset notebook --layer mlp:4 --dim 7

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <set>

#include "controls.h"
#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/adam.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"
#include "page.h"
#include "show/console.h"
#include "show/progress.h"
#include "show/report.h"
#include "text/html_text.h"

using namespace vimach;
using namespace vimach::climbing;

namespace {

struct Settings {
    const char* target;           // hidden:N, block:N or mlp:N
    int64_t dim;                  // its coordinate
    bool add_positions;           // whether position embeddings are added to the vectors
    double lambda;                // of the loss L = -a + lambda |theta|^2
    double learning_rate = 1e-3;  // Adam's
    int64_t n_step = 500, n_start = 10, n_token = 5;
    int64_t n_noise = 200;    // windows of random vectors
    int64_t n_random = 1000;  // windows of random tokens
    int64_t n_search = 6;     // token searches, guided and random
    SearchSettings search = {.budget = 5000};
    Criteria criteria = {};  // with their reasons in controls.h
};

// clang-format off
//                        target     dim  positions  lambda
const Settings document = {"hidden:4", 90, false,     0.01};
const Settings notebook = {"hidden:8", 91, true,      0.01};
// clang-format on

const ChapterInfo info = {
    .name = "04_activation_maximization",
    .purpose = "Chapter 4: which input excites a number inside the model most?",
    .options = {{"--layer", "TARGET", "hidden:N, block:N or mlp:N (hidden:4; notebook: hidden:8)"},
                {"--dim", "N", "the coordinate to climb (90; notebook: 91)"},
                {"--tokens", "N", "input vectors (5)"},
                {"--at", "N", "the position whose activation is climbed (the mean of all)"},
                {"--starts", "N", "climbs from random starts (10)"},
                {"--steps", "N", "steps of a climb (500)"},
                {"--lambda", "X", "weight of |theta|^2 in the loss (0.01)"},
                {"--positions", "on|off", "add position embeddings (off; notebook: on)"},
                {"--text", "FILE", "a text to compare with (the page of chapter 3)"}}};

/// What a run does, and where it counts its passes: one window, forward or backward.
struct Run {
    const Settings& s;
    Progress& progress;
};

// --- the climb ----------------------------------------------------------------------------------

/// Climbs from all starts at once; start i along row i of `directions`, or all along its only row.
/// The loss of a start is L = -a + lambda |theta|^2.
Climb climb(const Gpt2& model, const Target& target, const Tensor& directions, const Tensor& starts,
            double lambda, const Run& run) {
    int64_t n_start = starts.rows() / target.n_token;
    Climb c;
    c.theta = starts;
    AdamMoments moments;
    for (int64_t step = 0;; ++step) {
        // Run the vectors up to the target.
        Tensor embeddings = c.theta;
        if (target.add_positions) add_position_embeddings(model, embeddings, n_start);
        Trace trace = trace_blocks(model, embeddings, n_start, target.tap);
        std::vector<double> a = climbed(target, trace.target.matrix(), directions);

        // Run the gradient of a back down to them.
        Tensor grad = backward_to_embeddings(
            model, trace, gradient_at_target(target, c.theta.rows(), directions));

        // Turn it into the gradient of the loss: -grad a + 2 lambda theta.
        for (int64_t i = 0; i < grad.size(); ++i) {
            grad.data[i] = static_cast<Real>(2 * lambda * c.theta.data[i]) - grad.data[i];
        }

        // Keep what the report shows, and stop where it is no number.
        c.activation.push_back(a);
        c.square_norm.push_back(sum_of_squares(c.theta.data) / static_cast<double>(n_start));
        double norm = 0;
        for (int64_t start = 0; start < n_start; ++start) {
            MatrixView rows = row_range(grad.matrix(), start * target.n_token, target.n_token);
            norm +=
                std::sqrt(sum_of_squares({rows.data, static_cast<size_t>(rows.rows * rows.cols)}));
        }
        c.gradient_norm.push_back(norm / static_cast<double>(n_start));
        if (!std::isfinite(mean(a)) || !std::isfinite(norm)) {
            fail("the climb diverged: a value is no finite number", format("step %ld", step),
                 "use a smaller --lambda, or check the model's weights");
        }
        run.progress.step(2 * n_start);
        if (step == 0) c.before = trace.target;
        if (step == run.s.n_step) {
            c.after = trace.target;
            return c;
        }
        adam_step(c.theta, grad, moments, step + 1, {.learning_rate = run.s.learning_rate});
    }
}

// --- tables -------------------------------------------------------------------------------------

/// The climb along the way: means over starts.
Table way_table(const Climb& c) {
    Table table = {.header = {"step", "activation", "low", "high", "|gradient|", "|theta|^2"}};
    auto last = static_cast<int64_t>(c.activation.size()) - 1;
    for (int64_t i = 0; i <= 5; ++i) {
        int64_t step = last * i / 5;
        if (i > 0 && step == last * (i - 1) / 5) continue;
        const std::vector<double>& a = c.activation[step];
        add_row(table,
                {format("%ld", step), format("%.4f", mean(a)), format("%.4f", std::ranges::min(a)),
                 format("%.4f", std::ranges::max(a)), format("%.4f", c.gradient_norm[step]),
                 format("%.3f", c.square_norm[step])});
    }
    return table;
}

void add_arm(Table& table, const std::string& name, const Climb& c, const Target& target,
             const std::vector<double>& orders) {
    add_row(table, {name, format("%.4f", mean(c.activation.front())),
                    format("%.4f", mean(c.activation.back())), format("%.3f", mean(orders)),
                    format("%.3f", norm_growth(c)), format("%.3f", mean(falls(c, target).data))});
}

/// What some windows of tokens reach, in the target's units and in standard deviations on text.
void add_reached(Table& table, const char* name, const std::vector<double>& values, double random,
                 double optimised, double deviation) {
    Interval range = central_95(values);
    add_row(table, {name, format("%.3f", mean(values)), format("%.3f", range.low),
                    format("%.3f", range.high), format("%.2f", mean(values) / deviation),
                    format("%.3f", (mean(values) - random) / (optimised - random))});
}

size_t n_distinct(const std::vector<std::vector<Neighbour>>& nearest) {
    std::set<int> ids;
    for (const std::vector<Neighbour>& tokens : nearest) ids.insert(tokens[0].id);
    return ids.size();
}

// --- the steps ----------------------------------------------------------------------------------

Settings choose_settings(const Options& options) {
    Settings s = options.preset() == "document" ? document : notebook;
    if (options.has("--quick")) {
        s.n_start = 6;
        s.n_step = 300;
        s.n_noise = s.n_random = 100;
        s.n_search = 3;
        s.search.budget = 1500;
    }
    s.n_start = options.integer("--starts", s.n_start, 2, 1000);
    s.n_step = options.integer("--steps", s.n_step, 1, 1'000'000);
    s.lambda = options.real("--lambda", s.lambda, 0);
    std::string positions = options.text("--positions", s.add_positions ? "on" : "off");
    if (positions != "on" && positions != "off") {
        throw UsageError("'" + positions + "' is neither on nor off", "--positions",
                         "use on or off");
    }
    s.add_positions = positions == "on";
    return s;
}

Target choose_target(const Options& options, const Settings& s, const Gpt2Config& config) {
    Target target = parse_target(options.text("--layer", s.target), config);
    int64_t preset_dim = std::min(s.dim, target.width - 1);
    target.dim = options.integer("--dim", preset_dim, 0, target.width - 1);
    target.n_token = options.integer("--tokens", s.n_token, 1, config.n_ctx);
    target.at = options.has("--at") ? options.integer("--at", 0, 0, target.n_token - 1) : -1;
    target.add_positions = s.add_positions;
    return target;
}

std::vector<int> read_ids(const Options& options, const Tokenizer& tokenizer) {
    if (options.has("--text")) {
        std::string path = options.text("--text", "");
        return tokenizer.encode(read_text(path), {.source = path});
    }
    std::string path = find_in_project("chapters/03_laminar_profile/data/led.html");
    return tokenizer.encode(read_article(read_text(path), PageForm::text, path));
}

void chapter(const Options& options) {
    Settings s = choose_settings(options);
    auto rng_seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, 1'000'000'000));
    std::string folder = output_folder(options, info);

    // 1. Read the model and a real text, and say what is climbed.
    Tokenizer tokenizer = load_tokenizer();
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    Target target = choose_target(options, s, model.config);
    std::vector<int> text = read_ids(options, tokenizer);
    int64_t n_row = s.n_start * target.n_token;
    TextWindows windows = best_windows(model, target, text, s.n_start);
    double deviation = deviation_on_text(model, target, text);
    std::printf("model: %s\npreset %s; target %s = %s, dimension %ld, ", describe(model).c_str(),
                options.preset().c_str(), target.name.c_str(), target.tap.c_str(), target.dim);
    std::printf(target.at < 0 ? "mean over %ld tokens\n" : "%ld tokens, at position %ld\n",
                target.n_token, target.at);
    std::printf("lambda %g; position embeddings %s; %ld starts, %ld steps\n", s.lambda,
                target.add_positions ? "added" : "not added", s.n_start, s.n_step);
    std::printf("on %zu real tokens the target has the standard deviation %.4f\n", text.size(),
                deviation);

    // 2. Draw the starts, as wide as the embedding matrix.
    Tensor starts = isotropic_vectors(model.W_E, n_row, rng_seed);

    // 3. Climb. (The passes of all six climbs and of the searches in step 6 are counted together.)
    int64_t n_climb = 6, n_pass_climb = 2 * s.n_start * (s.n_step + 1);
    Progress progress("ran", n_climb * n_pass_climb + 2 * s.n_search * s.search.budget, "passes");
    Run run = {s, progress};
    Climb own = climb(model, target, axis(target), starts, s.lambda, run);
    progress.clear();
    Table way = way_table(own);
    std::printf("\n");
    print(way);
    double optimised = mean(own.activation.back());
    std::printf("climbed %.2f standard deviations\n",
                (optimised - mean(own.activation.front())) / deviation);

    // 4. Control: other lambdas, other directions, weights in random order, no block at all.
    Tensor directions = random_directions(target, s.n_start, rng_seed + 1);
    Gpt2 shuffled = shuffled_blocks(model, std::max<int64_t>(target.n_block, 1), rng_seed);
    Target no_block = target;
    no_block.tap = "blocks.0.resid_pre";
    no_block.dim = std::min(target.dim, model.config.d_model - 1);
    no_block.width = model.config.d_model;
    Climb free, held, other, blank, bare;
    auto along_axis = [&](double lambda) {
        return climb(model, target, axis(target), starts, lambda, run);
    };
    std::function<void()> climbs[] = {
        [&] { free = along_axis(0); }, [&] { held = along_axis(10 * s.lambda); },
        [&] { other = climb(model, target, directions, starts, s.lambda, run); },
        [&] { blank = climb(shuffled, target, axis(target), starts, s.lambda, run); },
        [&] { bare = climb(model, no_block, axis(no_block), starts, s.lambda, run); }};
    parallel_for(std::ssize(climbs), [&](int64_t i) { climbs[i](); });
    progress.clear();
    Table arms = {
        .header = {"climb", "start", "end", "log10 growth", "|theta| growth", "others fall"}};
    add_arm(arms, format("lambda %g", s.lambda), own, target, orders_of_growth(own));
    add_arm(arms, "lambda 0", free, target, orders_of_growth(free));
    add_arm(arms, format("lambda %g", 10 * s.lambda), held, target, orders_of_growth(held));
    add_arm(arms, "random directions", other, target, orders_of_growth(other, target, directions));
    add_arm(arms, "random weights", blank, target, orders_of_growth(blank));
    add_arm(arms, "no block, the input itself", bare, no_block, orders_of_growth(bare));
    std::printf("\n");
    print(arms);

    // 5. Decode each vector to its nearest tokens; do the same for vectors drawn at random.
    std::vector<std::vector<Neighbour>> nearest = nearest_tokens(model.W_E, own.theta, 5);
    std::vector<int> decoded;
    for (const std::vector<Neighbour>& tokens : nearest) decoded.push_back(tokens[0].id);
    int64_t n_noise = s.n_noise * target.n_token;
    Tensor noise = isotropic_vectors(model.W_E, n_noise, rng_seed + 2);
    Tensor like_tokens = matched_vectors(model.W_E, n_noise, rng_seed + 3);
    std::vector<double> cosines = best_cosines(model.W_E, own.theta, target.n_token),
                        isotropic = best_cosines(model.W_E, noise, target.n_token),
                        matched = best_cosines(model.W_E, like_tokens, target.n_token);
    std::printf(
        "\nfirst start, decoded: %s\n",
        tokens_text(tokenizer, {decoded.begin(), decoded.begin() + target.n_token}).c_str());
    std::printf("distinct nearest tokens: %zu of %ld; of the starts themselves %zu\n",
                n_distinct(nearest), n_row, n_distinct(nearest_tokens(model.W_E, starts, 1)));
    Table floor = {.header = {"best cosine of a window", "mean", "low", "high"}};
    auto add_cosines = [&](const char* name, const std::vector<double>& values) {
        Interval range = central_95(values);
        add_row(floor, {name, format("%.4f", mean(values)), format("%.4f", range.low),
                        format("%.4f", range.high)});
    };
    add_cosines("optimised", cosines);
    add_cosines("random vectors", isotropic);
    add_cosines("random vectors like W_E", matched);
    print(floor);

    // 6. Search for real tokens: swaps proposed by the gradient, and at random.
    std::vector<SearchResult> guided(static_cast<size_t>(s.n_search)), blind = guided;
    TokenObjective objective = token_objective(model, target), counted = objective;
    counted.values = [&](std::span<const int> ids, int64_t n_window) {
        std::vector<double> values = objective.values(ids, n_window);
        progress.step(n_window);
        return values;
    };
    parallel_for(2 * s.n_search, [&](int64_t i) {
        SearchSettings settings = s.search;
        settings.guided = i % 2 == 0;
        uint64_t own_seed = run_seed(rng_seed, i / 2);
        (settings.guided ? guided : blind)[i / 2] = search_tokens(
            model.W_E, counted, random_ids(model, 1, target.n_token, own_seed), settings, own_seed);
    });
    progress.clear();

    // 7. Put tokens in: the decoded ones, random ones, real text, those that were found.
    std::vector<double> put_back = activation_of_ids(model, target, decoded, s.n_start);
    std::vector<double> random = activation_of_ids(
        model, target, random_ids(model, s.n_random, target.n_token, rng_seed + 4), s.n_random);
    std::vector<double> found, found_blind;
    for (const SearchResult& result : guided) found.push_back(result.value);
    for (const SearchResult& result : blind) found_blind.push_back(result.value);
    double base = mean(random);
    Table reached = {.header = {"put in", "activation", "low", "high", "in sd", "share of gain"}};
    auto reach = [&](const char* name, const std::vector<double>& values) {
        add_reached(reached, name, values, base, optimised, deviation);
    };
    reach("optimised vectors", own.activation.back());
    reach("their nearest tokens", put_back);
    reach("random tokens", random);
    reach("best windows of parts of a text", windows.parts);
    reach("best window of the text", {windows.best});
    reach("random search", found_blind);
    reach("guided search", found);
    std::printf("\n");
    print(reached);
    std::printf("best window of the text: %s\n", tokens_text(tokenizer, windows.ids).c_str());

    // 8. Answer, claim by claim.
    int64_t n_bootstrap = s.criteria.n_bootstrap;
    auto over_starts = [&](const std::vector<double>& x) {
        return mean_measure(x, n_bootstrap, rng_seed);
    };
    Findings f = {.lambda = s.lambda};
    f.growth = over_starts(orders_of_growth(own));
    f.growth_directions = over_starts(orders_of_growth(other, target, directions));
    f.growth_weights = over_starts(orders_of_growth(blank));
    measure_neighbours(own, target, s.criteria, rng_seed, f);
    f.kept = over_starts(kept_share(put_back, base, optimised));
    f.kept_text = over_starts(kept_share(windows.parts, base, optimised));
    f.cosine = over_starts(cosines);
    f.isotropic = {mean(isotropic), central_95(isotropic)};
    f.growth_free = measure_norms(free, starts, target.n_token, s.criteria, rng_seed);
    f.growth_held = measure_norms(own, starts, target.n_token, s.criteria, rng_seed);
    std::vector<OldClaim> claims = judge(f, s.criteria);
    std::printf("\n");
    print(verdict_table(claims));
    write_claims(folder, claims, model.source, arms);

    // 9. Draw the page.
    Report report("Chapter 4: activation maximization", describe(model));
    report.paragraph(
        format("Preset %s, target %s = %s, dimension %ld, %ld starts of %ld tokens, "
               "position embeddings %s.%s",
               options.preset().c_str(), target.name.c_str(), target.tap.c_str(), target.dim,
               s.n_start, target.n_token, target.add_positions ? "added" : "not added",
               options.has("--quick") ? " Quick run: smaller counts." : ""));
    report.heading("What the document claims, and what this run says");
    report.claims(claims);
    report.heading("The climb");
    draw_activations(report, {{format("lambda %g", s.lambda), &own},
                              {"random directions", &other},
                              {"random weights", &blank},
                              {"no block", &bare}});
    draw_gradients(report, own);
    report.table("Beside other climbs", arms);
    draw_norms(report, {{format("lambda %g", s.lambda), &own},
                        {"lambda 0", &free},
                        {format("lambda %g", 10 * s.lambda), &held}});
    draw_embeddings(report, starts, own);
    draw_others(report, own, target);
    report.heading("Decoding");
    add_decoding(report, tokenizer, nearest, target.n_token);
    draw_cosines(report, cosines, isotropic, matched);
    report.table("Best cosine with any token", floor);
    report.heading("Real tokens");
    report.table("What is put in, and what comes out", reached,
                 "The share of gain is 0 for random tokens and 1 for the optimised vectors.");
    const SearchResult& best = *std::ranges::max_element(guided, {}, &SearchResult::value);
    report.paragraph("Best window of the text: " + tokens_text(tokenizer, windows.ids) +
                     ". Best of the guided search: " + tokens_text(tokenizer, best.ids) + ".");
    draw_search(report, guided, blind, windows.best, optimised);
    report.write(folder);
    announce_report(folder);
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
