// The figures of chapter 3; see figures.h.
// Nothing is computed here but means and ranges over seeds.
#include "figures.h"

#include <algorithm>

#include "core/ensure.h"
#include "math/stats.h"
#include "published.h"
#include "show/plot.h"
#include "tables.h"

namespace vimach::ch03 {

namespace {

/// Values by layer; low and high stay empty where there is one seed.
Series series_of(const std::string& name, const Profile& profile, const Layers& layers) {
    Series series = {name, {}, {}};
    for (int64_t i = 0; i < profile.cols; ++i) {
        std::vector<double> values = column(profile, i);
        series.x.push_back(static_cast<double>(layers[i]));
        series.y.push_back(mean(values));
        if (profile.rows == 1) continue;
        series.low.push_back(std::ranges::min(values));
        series.high.push_back(std::ranges::max(values));
    }
    return series;
}

/// A caption, with what the bands are where there are any.
std::string with_bands(const Profiles& p, const std::string& caption) {
    return p.n_seed > 1 ? caption + " Bands: from the lowest to the highest seed." : caption;
}

/// One number of some arms.
Figure draw(const Profiles& p, Field field, PlotText text, const PlotOptions& options = {},
            const std::vector<Arm>& arms = {trained, unit_scale, gaussian, random_weights}) {
    std::vector<Series> all;
    for (Arm arm : arms) all.push_back(series_of(arm_names[arm], p.of[arm][field], p.layers));
    text.x_label = "layer";
    if (!text.caption.empty()) text.caption = with_bands(p, text.caption);
    return draw_lines(text, all, options);
}

Series listed(const char* name, std::span<const double> values) {
    Series series = {name, {}, {values.begin(), values.end()}};
    for (size_t i = 0; i < values.size(); ++i) series.x.push_back(static_cast<double>(i));
    return series;
}

}  // namespace

Figure density_figure(const Profiles& p) {
    PlotOptions options = {.horizontal = {{0, "none"}}};
    if (p.ceiling > 0) options.horizontal.push_back({p.ceiling, "k / n_latent"});
    return draw(p, density,
                {.title = "Density by layer",
                 .y_label = "share of latents that are active",
                 .caption = "Three of the four lines are controls: the same network with every "
                            "layer in its own unit, Gaussian rows with each layer's mean and "
                            "covariance, and a network that has learnt nothing."},
                options);
}

Figure beyond_covariance_figure(const Profiles& p) {
    Series left[] = {series_of("trained - Gaussian",
                               difference(p.of[trained][density], p.of[gaussian][density]),
                               p.layers)};
    return draw_lines(
        {.title = "Density that mean and covariance do not explain",
         .x_label = "layer",
         .y_label = "density, trained minus Gaussian",
         .caption = with_bands(p,
                               "Layer by layer, from SAEs with the same start. If the rise were "
                               "in what the words mean and not in how numbers vary together, it "
                               "would be here.")},
        left, {.horizontal = {{0, "no difference"}}});
}

Figure loss_figure(const Profiles& p) {
    std::string name = loss_name(p);
    return draw(p, loss,
                {.title = "Loss by layer: " + name,
                 .y_label = name,
                 .caption = "The axis is logarithmic. In each layer's own units, but for unit "
                            "scale and random weights: where a layer writes large numbers, its "
                            "error is large."},
                {.log_y = true});
}

Figure fvu_figure(const Profiles& p) {
    return draw(p, fvu,
                {.title = "Fraction of the variance unexplained",
                 .y_label = "FVU",
                 .caption = "The error in units of the layer's own variance: 1 is what predicting "
                            "the mean would leave."},
                {.horizontal = {{0, "nothing unexplained"}}});
}

Figure latents_figure(const Profiles& p) {
    Figure parts[] = {
        draw(p, ever_active, {.title = "Ever active", .y_label = "share of latents"},
             {.horizontal = {{0, "none"}, {1, "all"}}}),
        draw(p, together, {.title = "Density times activation", .y_label = "mean over latents"},
             {.horizontal = {{0, "none"}}})};
    return panels(
        {.title = "The latents of each layer",
         .caption = with_bands(p,
                               "Left, latents that are active on one row or more, on an axis from "
                               "none to all. Right, a latent's density times its mean where it "
                               "is active, both scaled to 0 ... 1 within the layer: whether the "
                               "latents that are active often are also the strong ones.")},
        parts);
}

Figure cost_figure(const Profiles& p) {
    Series lines[] = {series_of("mean of the layer", p.of[trained][ablated], p.layers),
                      series_of("reconstruction", p.of[trained][spliced], p.layers),
                      series_of("Gaussian rows' SAE", p.of[gaussian][spliced], p.layers)};
    return draw_lines(
        {.title = "What the model loses with something else in a layer's place",
         .x_label = "layer",
         .y_label = "nats a token above the model's own loss",
         .caption = with_bands(p,
                               "The reconstruction keeps what the model needs where its line "
                               "stays near 0 and that of the mean does not. Where the mean costs "
                               "nothing, the model does not need the layer on this page, and no "
                               "reconstruction can prove its worth.")},
        lines, {.horizontal = {{0, "the model as it is"}}});
}

Figure first_token_figure(const FirstTokens& first, const Draws& draws) {
    auto series = [&](const char* name, const std::vector<std::vector<double>>& layers) {
        Series s = {name, {}, {}};
        for (const std::vector<double>& ratios : layers) {
            Measure m = over_windows(ratios, draws);
            s.x.push_back(static_cast<double>(s.x.size()));
            s.y.push_back(m.value);
            s.low.push_back(m.interval.low);
            s.high.push_back(m.interval.high);
        }
        return s;
    };
    Series both[] = {series("trained", first.trained), series("random weights", first.random)};
    return draw_lines({.title = "The first token of a window",
                       .x_label = "layer",
                       .y_label = "norm, others = 1",
                       .caption = "Norm of the first token's activation over the median norm of "
                                  "its window, on a logarithmic axis. Bands: 95 % over windows."},
                      both, {.log_y = true, .horizontal = {{1, "like any other"}, {3, "needed"}}});
}

Figure published_figure() {
    auto part = [](const char* title, const char* y_label, std::span<const double> values) {
        Series line[] = {listed("published", values)};
        return draw_lines({.title = title, .x_label = "layer", .y_label = y_label}, line);
    };
    Figure parts[] = {part("Residual stream", "active latents", published_resid_l0),
                      part("MLP output", "active latents", published_mlp_l0),
                      part("MLP output, unexplained", "FVU", published_mlp_fvu)};
    return panels({.title = "Published SAEs of GPT-2 small",
                   .caption = "Trained by others, on far more text; active latents of a token, and "
                              "the fraction of the variance unexplained. Each was tuned by "
                              "itself, so that its sparsity is a choice as well."},
                  parts);
}

Figure opening_figure(const Profiles& p) {
    const std::vector<Arm> arms = {trained, gaussian, random_weights};
    Figure parts[] = {draw(p, density, {.title = "Density", .y_label = "share of latents active"},
                           {.horizontal = {{0, "none"}}}, arms),
                      draw(p, loss, {.title = "Loss: " + loss_name(p), .y_label = loss_name(p)},
                           {.log_y = true}, arms)};
    return panels({.title = "The two profiles, beside their controls",
                   .caption = "Does the line of the trained network do what those of Gaussian rows "
                              "with its covariance, and of a network that has learnt nothing, do "
                              "not? The loss has a logarithmic axis."},
                  parts);
}

}  // namespace vimach::ch03
