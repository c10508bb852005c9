// Chapter 1: can a sparse autoencoder (SAE) unmix two sources, and what does each penalty do?
// Method: a sine and a step are mixed; an SAE 2 -> 20 -> 2 learns to rebuild the mixture; each
// latent is compared with each source. The same with either penalty left out, with both left out,
// many seeds each; and with SAEs that were never trained.
// You will see: how the loss terms fall, how often both sources are found, and how often an
// untrained SAE finds them as well.
// Run: build/01_sparse_autoencoder
//      build/01_sparse_autoencoder --preset notebook --seed 7

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "controls.h"
#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/stats.h"
#include "page.h"
#include "show/console.h"
#include "show/report.h"
#include "show/table.h"

using namespace vimach;
using namespace vimach::unmixing;

namespace {

struct Settings {
    Activation activation;
    double learning_rate;
    double l1, decorrelation;  // the penalties' weights; those of seed come from a sweep (docs)
    int64_t n_epoch = 600;     // full batches
    int64_t n_latent = 20, n_sample = 3000;
    int64_t n_seed = 20;        // trainings of every arm
    int64_t n_untrained = 600;  // SAEs that are scored and never trained
    Criteria criteria = {};     // with their reasons in controls.h
};

// clang-format off
//                       activation         rate     l1     decorrelation
const Settings document = {Activation::relu, 0.007,  0.01,  0.01};
const Settings notebook = {Activation::gelu, 0.0007, 1.0,   0.0};
// clang-format on

const ChapterInfo info = {
    .name = "01_sparse_autoencoder",
    .purpose = "Chapter 1: can a sparse autoencoder unmix two sources?",
    .options = {{"--sweep", "", "try penalty weights against each other, and nothing else"}},
    .has_model = false};

// --- one training -------------------------------------------------------------------------------

SaeConfig config_of(const Settings& s, const Arm& arm) {
    return {.d_in = 2,
            .n_latent = s.n_latent,
            .activation = s.activation,
            .l1 = arm.l1,
            .decorrelation = arm.decorrelation};
}

/// The scores of an SAE as it is.
void examine(const Sae& sae, const Tensor& x, const Matrix& sources, Run& run) {
    Matrix z = to_matrix(encode(sae, x.matrix()));
    run.score = score_latents(z, sources);
    run.found = Matrix(z.rows, 2);
    for (int64_t i = 0; i < z.rows; ++i) {
        for (int source : {sine, step}) run.found.at(i, source) = z.at(i, run.score.latent[source]);
    }
    run.fvu = summarise(sae, x.matrix()).fvu;
    run.identity_gap = identity_gap(sae, x.matrix());
}

/// Trains one SAE from its own random start: forward, backward, one step of Adam, all samples at
/// once, n_epoch times.
Run train(const Settings& s, const Arm& arm, const Tensor& x, const Matrix& sources,
          uint64_t start) {
    Rng rng(start);
    Sae sae = random_sae(config_of(s, arm), rng);
    SaeAdam adam = {.settings = {.learning_rate = s.learning_rate}};
    Run run;
    for (int64_t epoch = 0; epoch <= s.n_epoch; ++epoch) {
        SaeStep step = sae_forward_backward(sae, x.matrix());
        run.mse.push_back(step.losses.mse);
        run.l1.push_back(step.losses.l1);
        run.decorrelation.push_back(step.losses.decorrelation);
        if (!std::isfinite(step.losses.mse)) {
            fail(format("the loss is no number after %ld epochs", epoch), arm.name,
                 "use smaller penalties");
        }
        if (epoch < s.n_epoch) adam_step(sae, step.grad, adam);
    }
    examine(sae, x, sources, run);
    return run;
}

/// An SAE at its random start.
Run untrained(const Settings& s, const Arm& arm, const Tensor& x, const Matrix& sources,
              uint64_t start) {
    Rng rng(start);
    Run run;
    examine(random_sae(config_of(s, arm), rng), x, sources, run);
    return run;
}

// --- tables -------------------------------------------------------------------------------------

std::string with_interval(const Measure& m) {
    return format("%.3f [%.3f, %.3f]", m.value, m.interval.low, m.interval.high);
}

/// One row of the ablation.
void add_arm(Table& table, const Arm& arm, const Criteria& criteria, uint64_t rng_seed) {
    std::vector<double> redundancy, n_live, density, mse, l1;
    int64_t n_recovered = 0, n_best = 0;
    for (const Run& run : arm.runs) {
        redundancy.push_back(run.score.redundancy);
        n_live.push_back(static_cast<double>(run.score.n_live));
        density.push_back(run.score.density);
        mse.push_back(run.mse.empty() ? std::nan("") : run.mse.back());
        l1.push_back(run.l1.empty() ? std::nan("") : run.l1.back());
        n_recovered += run.score.recovered(criteria.follows);
        n_best += std::abs(run.score.best[sine]) >= criteria.follows &&
                  std::abs(run.score.best[step]) >= criteria.follows;
    }
    auto n = static_cast<int64_t>(arm.runs.size());
    auto number = [](double value) {
        return std::isnan(value) ? std::string("-") : format("%.4f", value);
    };
    add_row(table,
            {arm.name, with_interval(share_measure(n_recovered, n)),
             format("%.3f", static_cast<double>(n_best) / static_cast<double>(n)),
             with_interval(mean_measure(redundancy, 1000, rng_seed)), format("%.1f", mean(n_live)),
             format("%.3f", mean(density)), number(mean(mse)), number(mean(l1))});
}

/// How the penalties' weights were chosen, on random starts that the chapter itself does not use.
/// Pairs within one standard error of the pair that recovers both sources most often are not told
/// apart by it; of those the least redundant is taken (Hastie, Tibshirani and Friedman 2009, 7.10).
void sweep(const Settings& s, const Tensor& x, const Matrix& sources, uint64_t rng_seed) {
    struct Pair {
        double l1, decorrelation, recovered, redundancy, mse;
    };
    std::vector<Pair> pairs;
    int64_t n = 2 * s.n_seed;
    auto start = [&](int64_t i) { return run_seed(rng_seed + 1000, i); };
    for (double l1 : {0.001, 0.01, 0.1, 1.0}) {
        for (double decorrelation : {0.001, 0.01, 0.1, 1.0}) {
            std::vector<Run> runs(static_cast<size_t>(n));
            Arm arm = {"sweep", l1, decorrelation};
            parallel_for(n, [&](int64_t i) { runs[i] = train(s, arm, x, sources, start(i)); });
            std::vector<double> recovered, redundancy, mse;
            for (const Run& run : runs) {
                recovered.push_back(run.score.recovered(s.criteria.follows) ? 1 : 0);
                redundancy.push_back(run.score.redundancy);
                mse.push_back(run.mse.back());
            }
            pairs.push_back({l1, decorrelation, mean(recovered), mean(redundancy), mean(mse)});
        }
    }
    double best = std::ranges::max_element(pairs, {}, &Pair::recovered)->recovered;
    double near = best - std::sqrt(best * (1 - best) / static_cast<double>(n));
    const Pair* chosen = nullptr;
    for (const Pair& p : pairs) {
        bool better = chosen == nullptr || p.redundancy < chosen->redundancy;
        if (p.recovered >= near && better) chosen = &p;
    }
    Table table = {.header = {"L1", "decorrelation", "both |r| >= 0.95", "redundancy", "MSE", ""}};
    for (const Pair& p : pairs) {
        add_row(table, {format("%g", p.l1), format("%g", p.decorrelation),
                        format("%.3f", p.recovered), format("%.3f", p.redundancy),
                        format("%.4f", p.mse), &p == chosen ? "chosen" : ""});
    }
    print(table);
}

// --- the steps ----------------------------------------------------------------------------------

void chapter(const Options& options) {
    std::string preset = options.preset();
    Settings s = preset == "document" ? document : notebook;
    if (options.has("--quick")) s.n_seed = 6, s.n_untrained = 200;
    auto rng_seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, INT64_MAX / 2'000'000));
    std::string folder = output_folder(options, info);

    // 1. Make two sources and mix them.
    Matrix sources = make_sources(s.n_sample), mixed = mix(sources);
    Tensor x = to_tensor(mixed);
    std::printf("preset %s: %ld samples, 2 -> %ld -> 2, %s, Adam %g, %ld epochs\n", preset.c_str(),
                s.n_sample, s.n_latent, s.activation == Activation::relu ? "ReLU" : "GELU",
                s.learning_rate, s.n_epoch);
    std::printf("weights: L1 %g, decorrelation %g\n\n", s.l1, s.decorrelation);
    std::printf("correlation of the sources  %9.6f\ncorrelation of the mixtures %9.6f\n",
                correlation(column(sources, sine), column(sources, step)),
                correlation(column(mixed, 0), column(mixed, 1)));
    std::printf("means %.4f %.4f, variances %.4f %.4f\n", mean(column(mixed, 0)),
                mean(column(mixed, 1)), variance(column(mixed, 0)), variance(column(mixed, 1)));

    if (options.has("--sweep")) return sweep(s, x, sources, rng_seed);

    // 2. Ask what a linear method can do. PCA looks for uncorrelated directions, and any rotation
    //    of two uncorrelated, rescaled components is uncorrelated as well: it cannot choose.
    Matrix principal = components(mixed);
    Score pca = score_latents(principal, sources);
    std::vector<double> rotated;
    for (const Score& score : score_rotations(principal, sources, 1000, rng_seed)) {
        rotated.push_back(std::min(std::abs(score.r[sine]), std::abs(score.r[step])));
    }
    double pca_sine = std::abs(pca.r[sine]), pca_step = std::abs(pca.r[step]);
    std::printf(
        "\nPCA: |r| %.4f with the sine, %.4f with the step\n1000 random rotations of its "
        "components: the weaker |r| %.4f to %.4f, median %.4f\n",
        pca_sine, pca_step, quantile(rotated, 0), quantile(rotated, 1), quantile(rotated, 0.5));

    // 3. Ask how high a latent that sees a single source can score: half a wave, and more of it.
    std::vector<double> wave = column(sources, sine), half_wave = wave;
    for (double& value : half_wave) value = std::max(value - 1, 0.0);
    std::printf("ceiling of a latent that is half of the sine: |r| %.4f\n",
                correlation(wave, half_wave));

    // 4. Train every arm from every seed, side by side, one training a thread.
    std::vector<Arm> arms = {{"both", s.l1, s.decorrelation},
                             {"L1 only", s.l1, 0},
                             {"decorrelation only", 0, s.decorrelation},
                             {"none", 0, 0}};
    Arm blank = {"untrained", 0, 0, std::vector<Run>(static_cast<size_t>(s.n_seed))};
    for (Arm& arm : arms) arm.runs.resize(static_cast<size_t>(s.n_seed));
    parallel_for(5 * s.n_seed, [&](int64_t i) {
        int64_t which = i / s.n_seed, run = i % s.n_seed;
        uint64_t start = run_seed(rng_seed, run);
        if (which == 4) {
            blank.runs[run] = untrained(s, blank, x, sources, start);
        } else {
            arms[which].runs[run] = train(s, arms[which], x, sources, start);
        }
    });

    // 5. Look at the first training: how each term of the loss falls.
    const Run& first = arms[both].runs[0];
    Table terms = {.header = {"epoch", "MSE", "L1", "decorrelation"}};
    for (int64_t epoch : {0, 1, 3, 10, 30, 100, 300, 600}) {
        if (epoch > s.n_epoch) continue;
        add_row(terms,
                {std::to_string(epoch), format("%.4f", first.mse[epoch]),
                 format("%.4f", first.l1[epoch]), format("%.4f", first.decorrelation[epoch])});
    }
    std::printf("\nThe first training with both penalties (terms without their weights)\n");
    print(terms);
    std::printf(
        "its latent %ld follows the sine, r %.4f; its latent %ld the step, r %.4f; "
        "%ld of %ld latents live, density %.4f\n",
        first.score.latent[sine], first.score.r[sine], first.score.latent[step],
        first.score.r[step], first.score.n_live, s.n_latent, first.score.density);

    // 6. The ablation: what does each penalty do?
    Table ablation = {.header = {"arm", "both |r| >= 0.95", "best per source", "redundancy", "live",
                                 "density", "MSE", "L1"}};
    for (const Arm& arm : arms) add_arm(ablation, arm, s.criteria, rng_seed);
    add_arm(ablation, blank, s.criteria, rng_seed);
    std::printf("\n%ld trainings of every arm, the same random starts\n", s.n_seed);
    print(ablation);

    // 7. Control: many SAEs that were never trained, scored in the same way.
    std::vector<Score> never =
        score_untrained(config_of(s, arms[both]), sources, x.matrix(), s.n_untrained, rng_seed + 1);
    int64_t n_found = std::ranges::count_if(
        never, [&](const Score& score) { return score.recovered(s.criteria.follows); });
    int64_t n_best = std::ranges::count_if(never, [&](const Score& score) {
        return std::abs(score.best[sine]) >= s.criteria.follows &&
               std::abs(score.best[step]) >= s.criteria.follows;
    });
    auto share = [&](int64_t n) {
        return static_cast<double>(n) / static_cast<double>(s.n_untrained);
    };
    std::printf(
        "\n%ld untrained SAEs: both sources followed with |r| >= 0.95 by %.4f of them "
        "(best latent per source: %.4f)\n",
        s.n_untrained, share(n_found), share(n_best));

    // 8. How sharp do the step's edges come out, from seed to seed?
    std::vector<double> sharpness;
    for (const Run& run : arms[both].runs) sharpness.push_back(run.score.sharpness);
    std::printf(
        "sharpness of the step's edges over seeds: lowest %.4f, median %.4f, highest %.4f "
        "(the step itself: %.4f)\n",
        quantile(sharpness, 0), quantile(sharpness, 0.5), quantile(sharpness, 1),
        edge_sharpness(column(sources, step), sources));

    // 9. Without penalties: does it learn the identity?
    std::vector<double> gaps, unexplained;
    for (const Run& run : arms[none].runs) {
        gaps.push_back(run.identity_gap);
        unexplained.push_back(run.fvu);
    }
    std::printf(
        "without penalties: unexplained variance %.5f, distance of its slope from the "
        "identity %.4f\n",
        mean(unexplained), mean(gaps));

    // 10. Answer the question, claim by claim.
    Findings findings = find(arms, never, blank.runs, sources, mixed, s.criteria, rng_seed);
    std::vector<OldClaim> claims = judge(findings, s.criteria);
    std::printf("\n");
    print(verdict_table(claims));
    write_claims(folder, claims, "simulated sources", ablation);

    // 11. Draw the page.
    Report report("Chapter 1: a sparse autoencoder unmixes two sources",
                  format("2 -> %ld -> 2, %ld epochs, %ld seeds", s.n_latent, s.n_epoch, s.n_seed));
    report.paragraph(format("Preset %s: L1 %g, decorrelation %g.%s", preset.c_str(), s.l1,
                            s.decorrelation,
                            options.has("--quick") ? " Quick run: fewer seeds." : ""));
    report.heading("What the document claims, and what this run says");
    report.claims(claims);
    report.heading("What was measured");
    draw_data(report, sources, mixed);
    draw_losses(report, first);
    draw_found(report, first);
    report.table("Ablation", ablation,
                 "Shares and means with 95 % intervals over seeds; both |r| with a latent of its "
                 "own for each source.");
    draw_seeds(report, arms, never, s.criteria.follows);
    report.write(folder);
    announce_report(folder);
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
