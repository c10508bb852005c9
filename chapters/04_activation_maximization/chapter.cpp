// Chapter 4: which input excites a number inside the model most, and does that input mean anything?
// Method: gradient ascent on five input vectors, past the tokenizer, up to one coordinate of the
// residual stream; the vectors are decoded to their nearest tokens, and these are put back in.
// You will see: an activation that grows, as it does along any direction and in a model that has
// learnt nothing; what chance makes of cosines; and what real tokens can do after all.
// Run: build/04_activation_maximization --preset notebook --layer mlp:4 --dim 7
#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "figures.h"
#include "math/adam.h"
#include "math/vector_ops.h"
#include "model/gpt2_backward.h"
#include "tables.h"

namespace vimach::ch04 {

struct Settings {
    Choice choice;  // what is climbed
    Rates rates;    // of the loss and of Adam
};

// clang-format off
//                          target     dim  positions   lambda  rate  fast rate
const Settings document = {{"hidden:4", 90, false},    {0.01,   1e-3, 0.1}};
const Settings notebook = {{"hidden:8", 91, true},     {0.01,   1e-3, 0.1}};
//                   starts steps dims noise random searches, their passes
const Counts full  = {10,    500,   128, 200,  1000,  6,        5000};
const Counts quick = { 6,    300,    32, 100,   100,  3,        1500};
// clang-format on

const ChapterInfo info = {
    .name = "04_activation_maximization",
    .purpose = "Chapter 4: which input excites a number inside the model most?",
    .lecture = "Five vectors that excite one number a thousandfold decode to no language.",
    .options = {{"--layer", "TARGET", "hidden:N, block:N or mlp:N (hidden:4; notebook: hidden:8)"},
                {"--dim", "N", "the coordinate to climb (90; notebook: 91)"},
                {"--tokens", "N", "input vectors (5)"},
                {"--at", "N", "the position whose activation is climbed (the mean of all)"},
                {"--starts", "N", "climbs from random starts (10)"},
                {"--steps", "N", "steps of a climb (500)"},
                {"--lambda", "X", "weight of |theta|^2 in the loss (0.01)"},
                {"--positions", "on|off", "add position embeddings (off; notebook: on)"},
                {"--text", "FILE", "a text to compare with (the page of chapter 3)"}}};

/// The objective a of every window: the activation along its direction, the mean over positions.
std::vector<double> climbed(const Target& target, const Tensor& tap, const Tensor& directions) {
    std::vector<double> a(static_cast<size_t>(directions.rows()));
    for (int64_t row = 0; row < tap.rows(); ++row) {
        std::span<const Real> along = directions.row(row / target.n_token);
        a[row / target.n_token] += target.weight(row) * dot(tap.row(row), along);
    }
    return a;
}

/// Undoes a = sum of weight tap . direction: the gradient at the tap is weight times direction.
Tensor gradient_at_target(const Target& target, const Tensor& directions) {
    Tensor grad({directions.rows() * target.n_token, directions.cols()});
    for (int64_t row = 0; row < grad.rows(); ++row) {
        std::span<const Real> along = directions.row(row / target.n_token);
        for (int64_t j = 0; j < grad.cols(); ++j) grad.row(row)[j] = target.weight(row) * along[j];
    }
    return grad;
}

/// Climbs from all starts of an arm at once. The loss of a start is L = -a + lambda |theta|^2.
Climb climb(const Gpt2& model, const Arm& arm, int64_t n_step, Progress& progress) {
    const Target& target = arm.target;
    Climb c = {.theta = arm.starts};  // [n_start * n_token, d_model]
    AdamMoments moments;
    for (int64_t step = 0;; ++step) {
        // Push the vectors into the blocks, past the tokenizer, and read the objective.
        Tensor embeddings = c.theta;
        if (target.add_positions) add_position_embeddings(model, embeddings, arm.n_start());
        Trace trace = trace_blocks(model, embeddings, arm.n_start(), target.tap);
        std::vector<double> a = climbed(target, trace.target, arm.directions);

        // Run the gradient of a back through the blocks, down to the vectors.
        Tensor grad_tap = gradient_at_target(target, arm.directions);
        Tensor grad = backward_to_embeddings(model, trace, grad_tap);

        // Turn it into the gradient of the loss: -grad a + 2 lambda theta.
        for (int64_t i = 0; i < grad.size(); ++i) {
            grad.data[i] = static_cast<Real>(2 * arm.lambda * c.theta.data[i]) - grad.data[i];
        }

        // Keep what the page shows, and take Adam's step down the loss.
        c.keep(a, trace.target, grad);
        progress.step(2 * arm.n_start());
        if (step == n_step) return c;
        adam_step(c.theta, grad, moments, step + 1, {.learning_rate = arm.learning_rate});
    }
}

/// The cosine of a vector v with every token's embedding w: w . v / (|w| |v|).
std::vector<double> token_cosines(const Tensor& W_E, std::span<const Real> v) {
    std::vector<double> cosines;
    Real square = sum_of_squares(v);
    for (int64_t id = 0; id < W_E.rows(); ++id) {
        std::span<const Real> w = W_E.row(id);
        Real lengths = std::sqrt(sum_of_squares(w) * square);
        cosines.push_back(lengths > 0 ? dot(w, v) / lengths : 0);
    }
    return cosines;
}

/// Decodes every vector to the token of largest cosine.
std::vector<int> decode(const Tensor& W_E, const Tensor& vectors) {
    std::vector<int> ids(static_cast<size_t>(vectors.rows()));
    parallel_for(vectors.rows(), [&](int64_t i) {
        std::vector<double> cosines = token_cosines(W_E, vectors.row(i));
        ids[i] = static_cast<int>(std::ranges::max_element(cosines) - cosines.begin());
    });
    return ids;
}

void chapter(const Options& options, Page& page) {
    auto [choice, rates] = options.preset() == "document" ? document : notebook;
    Counts s = choose_counts(options, options.has("--quick") ? quick : full);
    rates.lambda = options.real("--lambda", rates.lambda, 0);
    uint64_t seed = options.seed();
    Study study = read_study(options, choice, page);
    const auto& [tokenizer, model, target, text] = study;
    page.about("lambda %g; position embeddings %s; %ld starts, %ld steps", rates.lambda,
               target.add_positions ? "added" : "not added", s.n_start, s.n_step);

    page.step("Read a text, to know how much the target varies and how high it comes.");
    Reached reached = {.text = best_windows(model, target, text, s.n_start),
                       .deviation = deviation_on_text(model, target, text)};
    page.say(text_text(text, reached));

    page.step("Draw vectors as wide as the embedding matrix, and climb.");
    Tensor W_E = token_embeddings(model);
    Tensor starts = isotropic_vectors(W_E, s.n_start * target.n_token, seed);
    Progress progress("ran", count_passes(target, s), "passes");
    Climber climber = [&](const Gpt2& m, const Arm& a) { return climb(m, a, s.n_step, progress); };
    Arms arms = climb_arms(climber, study, starts, rates, s, seed);
    const Arm& own = arms.own;
    progress.clear();
    page.table("The climb, means over starts", way_table(own.climb));
    page.say(rise_text(own, reached));
    page.figure(image_figure(own));
    page.figure(numbers_figure(own, W_E));

    page.step("Climb along other dimensions and directions, and with weights in random order.");
    page.table("Climbs, means over starts", arms_table(arms), growth_note);
    page.figure(climb_figure(arms));
    page.figure(gradient_figure(own));
    page.say(dimension_text(arms));
    page.figure(dimensions_figure(arms));
    page.claim("4a", grows_by_orders(arms));

    page.step("Look at the other dimensions of the stream: does the climb isolate its own?");
    page.figure(neighbours_figure(own));
    page.figure(others_figure(own));
    page.claim("4b", neighbours_fall(own, seed));

    page.step("Take the L2 term away, at the document's rate and where vectors can explode.");
    page.figure(norms_figure({&own, &arms.free, &arms.held}));
    page.claim("4e", explodes_without_term(arms.free, own));
    page.figure(norms_figure({&arms.fast, &arms.fast_free}));
    page.claim("4e rate", explodes_without_term(arms.fast_free, arms.fast));

    page.step("Decode each vector to its nearest token; do the same with vectors drawn at random.");
    std::vector<int> decoded = decode(W_E, own.climb.theta);
    Cosines cosines = read_cosines(W_E, own, s.n_noise, seed);
    page.table("Decoded", decoded_table(tokenizer, decoded, cosines));
    page.say(distinct_text(decoded, decode(W_E, own.starts)));
    page.figure(strip_figure(own, W_E, tokenizer));
    page.table("Best cosine with any token", cosine_table(cosines));
    page.figure(cosines_figure(cosines));
    page.claim("4d cosine", cosine_above_chance(cosines, seed));

    page.step("Put tokens in: the decoded ones, random ones, real text, and what a search finds.");
    reached.optimised = own.ends();
    reached.decoded = activation_of_ids(model, target, decoded, s.n_start);
    reached.random = activation_of_ids(
        model, target, random_ids(model, s.n_random, target.n_token, seed + 4), s.n_random);
    reached.found = search_both(study, s, seed, progress);
    page.table("What is put in, and what comes out", reached_table(reached));
    page.say(best_text(tokenizer, reached));
    page.figure(search_figure(reached));
    page.claim("4d kept", gain_kept(reached));

    page.step("Let the model read what was decoded: how surprising is it, beside text and chance?");
    Losses losses = read_losses(study, decoded, s.n_random, seed + 7);
    page.table("Loss of windows", loss_table(losses));
    page.figure(losses_figure(losses));
    page.claim("4c", makes_no_sense(losses, seed));

    page.answer(answer(own, reached, losses), reached_figure(reached));
}

}  // namespace vimach::ch04

int main(int argc, char** argv) {
    return vimach::run_chapter(argc, argv, vimach::ch04::info, vimach::ch04::chapter);
}
