// The figures of chapter 5; see page.h.
// Captions say which figures show what the filter was made from.
#include "page.h"

#include <cmath>

#include "math/blas.h"

namespace vimach {

namespace {

Series series_of(const char* name, std::span<const double> y) {
    Series series = {name, {}, {y.begin(), y.end()}};
    for (size_t i = 0; i < y.size(); ++i) series.x.push_back(static_cast<double>(i + 1));
    return series;
}

}  // namespace

void draw_spectra(Report& report, const GedFit& fit) {
    Series scree[] = {series_of("variance", fit.pca.variances)};
    report.line_plot(
        {.title = "Scree plot",
         .x_label = "component",
         .y_label = "variance",
         .caption = "PCA of the average covariance; components to the left are kept."},
        scree,
        {.log_y = true, .vertical = {{static_cast<double>(fit.components.rows) + 0.5, "99 %"}}});
    Series spectra[] = {series_of("him > her", fit.a_over_b.values),
                        series_of("her > him", fit.b_over_a.values)};
    report.line_plot({.title = "Eigenspectra",
                      .x_label = "filter",
                      .y_label = "eigenvalue",
                      .caption = "In sample: with few sentences such a shape comes by itself."},
                     spectra, {.log_y = true});
}

void draw_projections(Report& report, const GedFit& fit, const Pairs& pairs, bool centre) {
    std::span<const double> w = fit.a_over_b.vectors.row(0);
    Series both[] = {series_of("him", along(projected(fit, pairs.him, centre), w)),
                     series_of("her", along(projected(fit, pairs.her, centre), w))};
    report.scatter({.title = "Sentences along him > her",
                    .x_label = "sentence",
                    .y_label = "projection",
                    .caption = "In sample: the filter was made from these sentences."},
                   both);
}

void draw_tokens(Report& report, const Tokenizer& tokenizer, const std::vector<Sentence>& probes,
                 const std::vector<Matrix>& tokens, std::span<const double> filter) {
    std::vector<TokenCell> cells;
    for (size_t i = 0; i < probes.size(); ++i) {
        std::vector<double> scores = along(tokens[i], filter);
        for (const TokenGroup& group : group_by_character(tokenizer, probes[i].ids)) {
            auto part =
                std::span(probes[i].ids)
                    .subspan(static_cast<size_t>(group.first), static_cast<size_t>(group.count));
            bool pronoun = group.first == probes[i].pronoun;
            double value = group.first == 0 ? std::nan("") : scores[group.first];
            cells.push_back({tokenizer.decode(part), pronoun ? "the pronoun" : "", value});
        }
        cells.push_back({"\n", "", std::nan("")});
    }
    report.token_heatmap(
        {.title = "New sentences along him > her",
         .caption = "Each sentence has one him or her. The first token, an outlier "
                    "in every text, is left blank."},
        cells, {.diverging = true, .label = "projection"});
}

void draw_pattern(Report& report, const GedFit& fit) {
    // From the components back to the MLP's neurons.
    Matrix pattern = product(patterns(fit.a_over_b.vectors, fit.cov_a), fit.components);
    Series first[] = {series_of("pattern", pattern.row(0))};
    report.line_plot({.title = "Pattern of him > her",
                      .x_label = "neuron",
                      .y_label = "weight",
                      .caption = "What the filter's source looks like in the MLP (S w)."},
                     first);
}

}  // namespace vimach
