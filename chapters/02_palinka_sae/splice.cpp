// Claim 2i; see splice.h.
// The activation is an MLP's: what takes its place goes through the rest of the MLP and is added to
// the stream in front of it, and the remaining blocks run on.
#include "splice.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/stats.h"
#include "model/layers.h"
#include "show/claims.h"

namespace vimach::ch02 {

namespace {

/// Rows that all are the mean of other rows.
Tensor mean_rows(const Tensor& others, int64_t n_row) {
    std::vector<double> means = column_means(to_matrix(others));
    Tensor out({n_row, others.cols()});
    for (int64_t i = 0; i < out.rows(); ++i) {
        for (size_t j = 0; j < means.size(); ++j) out.row(i)[j] = static_cast<Real>(means[j]);
    }
    return out;
}

/// What the MLP adds to the stream where its activation of this name has these rows.
Tensor rest_of_mlp(const Gpt2Block& block, const std::string& name, const Tensor& rows) {
    if (name == "mlp_out") return rows;
    Tensor hidden = rows;
    if (name == "mlp_pre") gelu(hidden.matrix(), hidden.matrix());
    return linear(hidden, block.W_out, block.b_out);
}

/// n random directions at right angles: Gram and Schmidt's, [n, d].
Matrix random_directions(int64_t n, int64_t d, uint64_t seed) {
    Matrix out(n, d);
    Rng rng(seed);
    for (int64_t i = 0; i < n; ++i) {
        std::span<double> row = out.row(i);
        for (double& value : row) value = rng.normal();
        for (int64_t k = 0; k < i; ++k) {
            std::span<const double> other = out.row(k);
            double along = 0;
            for (int64_t j = 0; j < d; ++j) along += row[j] * other[j];
            for (int64_t j = 0; j < d; ++j) row[j] -= along * other[j];
        }
        double square = 0;
        for (double value : row) square += value * value;
        for (double& value : row) value /= std::sqrt(square);
    }
    return out;
}

std::vector<double> each(const std::vector<Spliced>& list, double Spliced::*number) {
    std::vector<double> out;
    for (const Spliced& s : list) out.push_back(s.*number);
    return out;
}

}  // namespace

double spliced_loss(const Splice& s, const Tensor& rows) {
    // Run up to the MLP.
    const Gpt2& model = s.study.model;
    auto [layer, name] = cut_tap(s.study.tap);
    std::string resid_mid = format("blocks.%ld.resid_mid", layer);
    Tensor resid = embed_ids(model, s.ids, 1);
    Taps taps = run_blocks(model, resid, 1, {.stop = layer + 1, .taps = {resid_mid}});

    // resid_post = resid_mid + mlp_out, from the rows given; then the remaining blocks.
    Tensor mlp_out = rest_of_mlp(model.blocks[layer], name, rows);
    resid = taps.at(resid_mid);
    for (size_t i = 0; i < resid.data.size(); ++i) resid.data[i] += mlp_out.data[i];
    run_blocks(model, resid, 1, {.first = layer + 1});
    return mean(next_token_losses(model, resid, s.ids, 1));
}

Splice make_splice(const Study& study, const std::vector<int>& ids,
                   const std::vector<Training>& saes) {
    Splice s = {.study = study, .ids = ids, .x = activations(study.model, ids, 1, study.tap)};
    s.clean = spliced_loss(s, s.x);
    s.mean = spliced_loss(s, mean_rows(*saes.at(0).x, s.x.rows()));
    s.zero = spliced_loss(s, Tensor(s.x.shape));
    for (const Training& t : saes) {
        double loss = spliced_loss(s, decode(t.sae, encode(t.sae, s.x.matrix()).matrix()));
        s.saes.push_back({loss, recovered(s, loss), summarise(t.sae, s.x.matrix()).fvu});
    }
    return s;
}

double recovered(const Splice& s, double loss) {
    double lost = s.mean - s.clean;
    return lost != 0 ? (s.mean - loss) / lost : nan;
}

Tensor random_projection(const Tensor& x, int64_t n_direction, uint64_t seed) {
    Matrix rows = to_matrix(x);
    std::vector<double> means = column_means(rows);
    Matrix directions = random_directions(n_direction, rows.cols, seed);
    Matrix kept = product(product(centred(rows, means), directions, false, true), directions);
    for (int64_t i = 0; i < kept.rows; ++i) {
        for (int64_t j = 0; j < kept.cols; ++j) kept.at(i, j) += means[j];
    }
    return to_tensor(kept);
}

Finding loss_recovered(const Splice& s, int64_t n_draw, uint64_t seed) {
    if (s.mean == s.clean) return {not_measurable("the mean row in its place costs nothing")};
    double fvu = mean(each(s.saes, &Spliced::fvu));
    if (std::isnan(fvu)) return {not_measurable("the layer does not vary over the text")};

    // A random direction explains 1 / width of the variance on average.
    double kept = std::clamp(1 - fvu, 0.0, 1.0);
    int64_t n_direction = std::llround(kept * static_cast<double>(s.x.cols()));
    std::vector<double> projections;
    for (int64_t i = 0; i < n_draw; ++i) {
        Tensor rows = random_projection(s.x, n_direction, run_seed(seed, i));
        projections.push_back(recovered(s, spliced_loss(s, rows)));
    }
    return loss_recovered(s.saes, projections);
}

Finding loss_recovered(const std::vector<Spliced>& saes, const std::vector<double>& projections) {
    return {mean_measure(each(saes, &Spliced::recovered)),
            {null_control("random projections", projections)}};
}

Table splice_table(const Splice& passage, const Splice& unseen) {
    Table table = {.header = {"text", "FVU", "clean", "spliced", "mean row", "zeros"}};
    auto add = [&](const char* name, const Splice& s) {
        add_row(table, {name, value_text(mean(each(s.saes, &Spliced::fvu))),
                        format("%.4f", s.clean), format("%.4f", mean(each(s.saes, &Spliced::loss))),
                        format("%.4f", s.mean), format("%.4f", s.zero)});
    };
    add("the passage", passage);
    add("unseen", unseen);
    return table;
}

}  // namespace vimach::ch02
