// Chapter 4: which input does a dimension of GPT-2 like best, and what can tokens say of it?
// Method: gradient ascent on five input embeddings, from several random starts; the vectors are
// decoded to their nearest tokens, the tokens are put back in, and a search among real tokens is
// set beside them.
// You will see: how far the activation climbs and what of it is the method's doing, how close to a
// token chance alone comes, and how much of the climb is left once tokens replace vectors.
// Run: build/04_activation_maximization
//      build/04_activation_maximization --preset course --layer hidden:8 --dim 91

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "04_controls.h"
#include "04_page.h"
#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "lens/search.h"
#include "math/adam.h"
#include "math/stats.h"
#include "math/vector_ops.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"
#include "show/console.h"
#include "show/progress.h"
#include "show/report.h"
#include "text/html_text.h"

using namespace vimach;
using namespace vimach::actmax;

namespace {

struct Settings {
    const char* layer;     // the target
    int64_t dim;           // its dimension
    bool add_positions;    // position embeddings
    double lambda = 0.01;  // weight of the squared norm
    double learning_rate = 0.001;
    int64_t n_step = 500;
    int64_t n_token = 5;
    int64_t n_start = 10;
    int64_t n_chance = 200;  // starts of random vectors, for the decoding
    int64_t n_text = 2000;   // windows of a real text, and of random tokens
    SearchSettings search = {.n_step = 40, .n_candidate = 64, .n_top = 128};
    Criteria criteria = {};  // with their reasons in 04_controls.h
};

// clang-format off
//                     layer       dim  positions
const Settings seed   = {"hidden:4", 90, false};  // the document: none are added
const Settings course = {"hidden:8", 91, true};   // the notebook: Hugging Face adds them
// clang-format on

const ChapterInfo info = {
    .name = "04_activation_maximization",
    .purpose = "Chapter 4: which input does a dimension of GPT-2 like best?",
    .options = {{"--layer", "NAME:N", "hidden:N, block:N or mlp:N (hidden:4; course: hidden:8)"},
                {"--dim", "N", "dimension or neuron (90; course: 91)"},
                {"--tokens", "N", "embeddings of a start (5)"},
                {"--starts", "N", "random starts (10)"},
                {"--steps", "N", "of Adam (500)"},
                {"--lambda", "X", "weight of the squared norm (0.01)"}}};

// --- the climb ----------------------------------------------------------------------------------

/// Gradient ascent on L = a - lambda |theta|^2 for every start at once: a is the mean over a
/// start's tokens, and starts do not see each other.
Climb climb(const Gpt2& model, const Target& target, const Tensor& start, const Settings& s,
            double lambda, Progress& progress) {
    Climb out = {.start = start, .theta = start};
    AdamMoments moments;
    AdamSettings adam = {.learning_rate = s.learning_rate};
    Real per_token = 1 / static_cast<Real>(s.n_token);
    for (int64_t step = 0; step <= s.n_step; ++step) {
        // Run the model up to the target.
        Tensor embeddings = out.theta;
        if (s.add_positions) add_position_embeddings(model, embeddings, s.n_start);
        Trace trace = trace_blocks(model, embeddings, s.n_start, target.hook);
        out.a_end = window_means(trace.target, target.direction, s.n_start);
        if (step == 0) out.a_start = out.a_end, out.hooked_start = trace.target;
        if (step == s.n_step) out.hooked = trace.target;

        // Come back with the gradient of -L: that of a is the direction, at every token.
        Tensor grad_target(trace.target.shape);
        for (int64_t i = 0; i < grad_target.rows(); ++i) {
            std::span<Real> row = grad_target.row(i);
            for (size_t j = 0; j < row.size(); ++j) row[j] = -per_token * target.direction[j];
        }
        Tensor grad = backward_to_embeddings(model, trace, grad_target);
        for (int64_t i = 0; i < grad.size(); ++i) {
            grad.data[i] += static_cast<Real>(2 * lambda) * out.theta.data[i];
        }

        // Note how far it is, and step.
        auto n = static_cast<double>(s.n_start);
        out.a.push_back(mean(out.a_end));
        out.squares.push_back(sum_of_squares(out.theta.data) / n);
        out.gradient_norm.push_back(std::sqrt(sum_of_squares(grad.data) / n));
        if (!std::isfinite(out.a.back()) || !std::isfinite(out.squares.back())) {
            fail(format("the climb diverges in step %ld", step), target.text,
                 "take fewer steps or a larger --lambda");
        }
        if (step < s.n_step) adam_step(out.theta, grad, moments, step + 1, adam);
        progress.step(format("step %ld, activation %.3f", step, out.a.back()));
    }
    return out;
}

/// Random starts with the standard deviation of the token embeddings.
Tensor random_starts(const Gpt2& model, const Settings& s, uint64_t rng_seed) {
    std::vector<double> values(model.W_E.data.begin(), model.W_E.data.end());
    double deviation = std::sqrt(variance(values));
    Rng rng(rng_seed);
    Tensor out({s.n_start * s.n_token, model.config.d_model});
    for (Real& value : out.data) value = static_cast<Real>(deviation * rng.normal());
    return out;
}

Settings choose_settings(const Options& options, const Gpt2Config& c) {
    std::string preset = options.text("--preset", "seed");
    if (preset != "seed" && preset != "course") {
        throw UsageError("there is no preset '" + preset + "'", "--preset", "use seed or course");
    }
    Settings s = preset == "seed" ? seed : course;
    if (options.has("--quick"))
        s.n_step = 150, s.n_chance = 50, s.n_text = 500, s.search.n_step = 15;
    s.n_token = options.integer("--tokens", s.n_token, 1, c.n_ctx);
    s.n_start = options.integer("--starts", s.n_start, 2, 1000);
    s.n_step = options.integer("--steps", s.n_step, 1, 1'000'000);
    s.lambda = options.number("--lambda", s.lambda, 0, 1e6);
    return s;
}

/// The first windows of a real text, one after the other.
std::vector<int> text_windows(const Tokenizer& tokenizer, const Settings& s) {
    std::string path = find_in_project("chapters/data/03_led.html");
    std::vector<int> ids = tokenizer.encode(read_article(read_text(path), PageForm::text, path));
    auto n_window = std::min<int64_t>(s.n_text, static_cast<int64_t>(ids.size()) / s.n_token);
    ids.resize(static_cast<size_t>(n_window * s.n_token));
    return ids;
}

/// One window of a list.
std::span<const int> window(const std::vector<int>& ids, int64_t i, int64_t n_token) {
    return std::span(ids).subspan(static_cast<size_t>(i * n_token), static_cast<size_t>(n_token));
}

int64_t index_of_max(const std::vector<double>& values) {
    return std::ranges::max_element(values) - values.begin();
}

// --- the steps ----------------------------------------------------------------------------------

void chapter(const Options& options) {
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    Settings s = choose_settings(options, model.config);
    auto rng_seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, 1'000'000'000));
    std::string folder = output_folder(options, info), preset = options.text("--preset", "seed");
    const Gpt2Config& c = model.config;

    // 1. Name the target.
    Target target = parse_target(options.text("--layer", s.layer), c);
    int64_t width = target.hook.ends_with("mlp_post") ? c.d_mlp : c.d_model;
    int64_t dim = options.integer("--dim", std::min(s.dim, width - 1), 0, width - 1);
    target.direction = axis(width, dim);
    std::printf("model: %s\npreset %s; %s, dimension %ld of %ld; position embeddings %s\n",
                describe(model).c_str(), preset.c_str(), target.text.c_str(), dim, width,
                s.add_positions ? "added" : "left out");
    std::printf("%ld starts of %ld vectors, %ld steps, lambda %g\n", s.n_start, s.n_token, s.n_step,
                s.lambda);

    // 2. Measure what real and random tokens do to it.
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> text = text_windows(tokenizer, s);
    int64_t n_text = static_cast<int64_t>(text.size()) / s.n_token;
    std::vector<int> chance = random_windows(n_text, s.n_token, c.d_vocab, rng_seed + 1);
    auto measure = [&](const Gpt2& of, const Target& at, const std::vector<int>& ids) {
        return activation_of(of, at, ids, static_cast<int64_t>(ids.size()) / s.n_token,
                             s.add_positions);
    };
    std::vector<double> a_text = measure(model, target, text),
                        a_chance = measure(model, target, chance);
    double deviation = std::sqrt(variance(a_text));
    std::printf("real text: mean %.4f, standard deviation %.4f over %ld windows\n", mean(a_text),
                deviation, n_text);

    // 3. Climb; and climb where nothing was learnt, along a direction that is no dimension, and
    //    with other penalties.
    Progress progress(5 * (s.n_step + 1));
    Tensor start = random_starts(model, s, rng_seed);
    Climb own = climb(model, target, start, s, s.lambda, progress);
    Gpt2 blank = random_gpt2(c, rng_seed);
    Climb untrained =
        climb(blank, target, random_starts(blank, s, rng_seed), s, s.lambda, progress);
    Target turned = target;
    turned.direction = random_direction(width, rng_seed);
    Climb other = climb(model, turned, start, s, s.lambda, progress);
    Climb free = climb(model, target, start, s, 0, progress);
    Climb heavy = climb(model, target, start, s, 10 * s.lambda, progress);
    double blank_deviation = std::sqrt(variance(measure(blank, target, text))),
           turned_deviation = std::sqrt(variance(measure(model, turned, text)));
    Table way = way_table(own);
    std::printf("\nThe climb, means over starts\n");
    print(way);
    std::vector<NamedClimb> climbs = {{"dimension", &own},
                                      {"random direction", &other},
                                      {"random weights", &untrained},
                                      {"lambda 0", &free},
                                      {"lambda x 10", &heavy}};
    Table compared = climb_table(
        climbs, {deviation, turned_deviation, blank_deviation, deviation, deviation}, s.n_start);
    std::printf("\nBeside its controls\n");
    print(compared);

    // 4. Ask what happens to the other dimensions.
    Fallen down = fallen(own, s.n_start, dim, s.criteria.reach);
    std::printf("\nof the %ld dimensions on either side %.3f shrink, of all others %.3f\n",
                s.criteria.reach, mean(down.near), mean(down.far));

    // 5. Decode every vector to its nearest tokens, and random vectors as well.
    std::vector<Decoded> decoded = decode_vectors(model.W_E, own.theta, 5),
                         start_decoded = decode_vectors(model.W_E, start, 1);
    int64_t n_random = s.n_chance * s.n_token;
    auto best_of = [&](const Tensor& vectors) {
        return best_cosines(decode_vectors(model.W_E, vectors, 1), s.n_token);
    };
    std::vector<double> cosine = best_cosines(decoded, s.n_token),
                        isotropic = best_of(isotropic_vectors(n_random, c.d_model, rng_seed + 2)),
                        matched = best_of(matched_vectors(model.W_E, n_random, rng_seed + 3));
    std::vector<int> nearest;
    for (const Decoded& d : decoded) nearest.push_back(d.ids[0]);
    std::vector<int> distinct = nearest;
    std::ranges::sort(distinct);
    auto n_distinct = std::unique(distinct.begin(), distinct.end()) - distinct.begin();
    std::printf(
        "\nlargest cosine of a start's vectors with any token: %.4f, before the climb "
        "%.4f\n",
        mean(cosine), mean(best_cosines(start_decoded, s.n_token)));
    std::printf("random vectors: isotropic %.4f, with the tokens' mean and covariance %.4f\n",
                mean(isotropic), mean(matched));
    std::printf("%ld different tokens for %zu vectors; the first start: %s\n",
                static_cast<int64_t>(n_distinct), nearest.size(),
                tokens_text(tokenizer, window(nearest, 0, s.n_token)).c_str());

    // 6. Search among real tokens, guided by the gradient and at random, with the same budget.
    WindowScore score = [&](std::span<const int> ids, int64_t n_window) {
        return activation_of(model, target, ids, n_window, s.add_positions);
    };
    WindowGradient gradient = [&](std::span<const int> ids) {
        Trace trace =
            trace_blocks(model, embed_ids(model, ids, 1, s.add_positions), 1, target.hook);
        Tensor grad_target(trace.target.shape);
        for (int64_t i = 0; i < grad_target.rows(); ++i) grad_target.row(i)[dim] = 1;
        return backward_to_embeddings(model, trace, grad_target);
    };
    int64_t best_text = index_of_max(a_text);
    std::vector<double> found_scores, random_scores;
    SearchResult found, random;
    for (int64_t i = 0; i < s.n_start; ++i) {
        Rng rng(rng_seed * 1'000'003 + static_cast<uint64_t>(i));
        std::span<const int> from = window(chance, i % n_text, s.n_token);
        std::vector<int> begin(from.begin(), from.end());
        SearchResult guided = search_by_gradient(model.W_E, begin, score, gradient, s.search, rng);
        SearchResult blind =
            search_at_random(c.d_vocab, begin, score, guided.n_forward, s.search, rng);
        if (i == 0 || guided.score > found.score) found = guided;
        if (i == 0 || blind.score > random.score) random = blind;
        found_scores.push_back(guided.score);
        random_scores.push_back(blind.score);
    }

    // 7. Put tokens back in, and see what is left.
    std::vector<double> a_nearest = measure(model, target, nearest);
    auto text_of = [&](std::span<const int> ids) { return tokens_text(tokenizer, ids); };
    Table put_back = put_back_table(
        {{"the vectors themselves", own.a_end, ""},
         {"their nearest tokens", a_nearest,
          text_of(window(nearest, index_of_max(a_nearest), s.n_token))},
         {"random tokens", a_chance, text_of(window(chance, index_of_max(a_chance), s.n_token))},
         {"a real text", a_text, text_of(window(text, best_text, s.n_token))},
         {"found by gradient", found_scores, text_of(found.ids)},
         {"found at random", random_scores, text_of(random.ids)}},
        deviation);
    std::printf("\nThe activation, and what tokens keep of it\n");
    print(put_back);

    // 8. Answer, claim by claim.
    auto share_kept = [&](double a) {
        return (a - mean(a_chance)) / (mean(own.a_end) - mean(a_chance));
    };
    std::vector<double> kept;
    for (double a : a_nearest) kept.push_back(share_kept(a));
    auto average = [&](const std::vector<double>& x) { return mean_measure(x, 1000, rng_seed); };
    Findings f;
    f.orders = average(orders(own));
    f.orders_random = average(orders(untrained));
    f.deviations = average(deviations(own, deviation));
    f.deviations_random = average(deviations(untrained, blank_deviation));
    f.near = average(down.near);
    f.far = average(down.far);
    f.kept = average(kept);
    f.kept_text = exact_measure(share_kept(a_text[best_text]));
    f.cosine = average(cosine);
    f.cosine_chance = {mean(isotropic), central_95(isotropic)};
    f.growth = average(growth(own, s.n_start));
    f.growth_free = average(growth(free, s.n_start));
    f.penalty = s.lambda;
    std::vector<Claim> claims = judge(f, s.criteria);
    std::printf("\n");
    print(verdict_table(claims));
    write_claims(folder, claims, model.source, compared);

    // 9. Draw the page.
    Report report("Chapter 4: activation maximization", describe(model));
    report.paragraph(format("Preset %s, %s, dimension %ld, %ld starts of %ld vectors, %ld steps.%s",
                            preset.c_str(), target.text.c_str(), dim, s.n_start, s.n_token,
                            s.n_step, options.has("--quick") ? " Quick run: fewer steps." : ""));
    report.heading("What the document claims, and what this run says");
    report.claims(claims);
    report.heading("What was measured");
    draw_way(report, climbs);
    report.table("The climb beside its controls", compared);
    draw_values(report, own, model.W_E);
    draw_dimensions(report, own, dim);
    report.table("Vectors and their nearest tokens",
                 decoded_table(tokenizer, decoded, s.n_token, std::min<int64_t>(s.n_start, 3)));
    report.table("What tokens keep of the activation", put_back);
    draw_search(report, found.curve, s.search.n_candidate + 3, random.curve, s.search.n_candidate);
    report.write(folder);
    announce_report(folder);
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
