// Chapter 2's trainings; see arms.h.
// Trainings with more text take it in parts, a part a step in turn, so that they have as many steps
// of the same size as those without: nothing but the text differs.
#include "arms.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "text/html_text.h"

namespace vimach::ch02 {

namespace {

constexpr int64_t more_text = 10;  // times as many rows
constexpr int64_t hold_out = 5;    // every so many rows one is held out
constexpr int64_t n_plain = 4;     // steps of the plain training

/// The rows of another text, `n_row` or as many as there are.
Tensor other_rows(const Study& study, int64_t n_row) {
    std::string path = project_file("chapters/03_laminar_profile/data/led.html");
    std::vector<int> ids =
        study.tokenizer.encode(read_article(read_text(path), PageForm::text, path));
    int64_t n_ctx = study.model.config.n_ctx, n_window = (n_row + n_ctx - 1) / n_ctx;
    ids.resize(std::min(ids.size(), static_cast<size_t>(n_window * n_ctx)));
    n_window = static_cast<int64_t>(ids.size()) / n_ctx;
    ids.resize(static_cast<size_t>(n_window * n_ctx));
    Tensor out = activations(study.model, ids, n_window, study.tap);
    out.shape[0] = std::min(n_row, out.rows());
    out.data.resize(static_cast<size_t>(out.shape[0] * out.shape[1]));
    return out;
}

/// The rows whose number leaves the middle rest when divided by hold_out, or all others.
Tensor every(const Tensor& x, bool others) {
    std::vector<Real> data;
    for (int64_t i = 0; i < x.rows(); ++i) {
        if ((i % hold_out == hold_out / 2) != others)
            data.insert(data.end(), x.row(i).begin(), x.row(i).end());
    }
    Tensor out({static_cast<int64_t>(data.size()) / x.cols(), x.cols()});
    std::ranges::copy(data, out.data.begin());
    return out;
}

}  // namespace

ConstMatrixView Training::batch(int64_t step) const {
    int64_t n = x->rows() / n_batch;
    return row_range(x->matrix(), step % n_batch * n, n);
}

Sae Training::start() const {
    Rng rng(seed);
    return random_sae(config, rng);
}

void check_loss(const Training& t) {
    if (std::isfinite(total_loss(t.config, t.losses.back()))) return;
    fail(format("the loss is NaN or infinite in epoch %zu", t.losses.size() - 1), t.name,
         "check the model's weights, or lower the learning rate in Settings");
}

Data make_data(const Study& study, const Tensor& x) {
    Tensor extra = other_rows(study, (more_text - 1) * x.rows());
    Tensor more({x.rows() + extra.rows(), x.cols()});
    std::ranges::copy(x.data, more.data.begin());
    std::ranges::copy(extra.data, more.data.begin() + x.size());
    return {.x = x, .fit = every(x, true), .held = every(x, false), .more = more};
}

Arms plan_arms(const SaeConfig& config, const Data& data, const Lengths& l, const Counts& counts,
               uint64_t seed) {
    constexpr int64_t one = 1;
    Arms arms;
    SaeConfig untied = config;
    untied.tied = false;
    for (int64_t i = 0; i < counts.n_start; ++i) {
        Training as_document = {.name = "the SAE",
                                .config = config,
                                .x = &data.x,
                                .seed = seed + static_cast<uint64_t>(i),
                                .rate = l.rate,
                                .n_step = l.n_step};
        auto add = [&](std::vector<Training>& list, const char* name) -> Training& {
            list.push_back(as_document);
            list.back().name = name;
            return list.back();
        };
        add(arms.seeds, "the SAE");
        if (i < counts.n_again) {
            add(arms.nudged, "rate 1 % higher").rate *= 1.01;
            add(arms.tied_fit, "tied").x = &data.fit;
            Training& loose = add(arms.untied_fit, "untied");
            loose.config = untied, loose.x = &data.fit;
        }
        auto with_more_text = [&](std::vector<Training>& list, const char* name) -> Training& {
            Training& t = add(list, name);
            t.x = &data.more;
            t.n_batch = std::max(data.more.rows() / std::max(data.x.rows(), one), one);
            return t;
        };
        if (i < counts.n_more) with_more_text(arms.more_text, "more text");
        if (i >= counts.n_longer) continue;
        Training* longer[] = {&add(arms.longer, "longer"),
                              &with_more_text(arms.longer_more, "longer, more text")};
        for (Training* t : longer) t->rate = l.longer_rate, t->n_step = counts.n_longer_step;
    }
    for (int64_t k : {config.top_k / 2, config.top_k * 2, config.n_latent / 2}) {
        arms.other_k.push_back(arms.seeds[0]);
        arms.other_k.back().name = "other k";
        arms.other_k.back().config.top_k = std::clamp<int64_t>(k, 1, config.n_latent);
    }
    arms.plain = arms.seeds[0];
    arms.plain.plain = true;
    arms.plain.n_step = std::min<int64_t>(n_plain, l.n_step);
    return arms;
}

Arms train_all(Arms arms, const Trainer& train) {
    // Those that take longest lead.
    std::vector<Training*> rest;
    for (auto* list : {&arms.more_text, &arms.longer, &arms.longer_more, &arms.other_k, &arms.seeds,
                       &arms.nudged, &arms.tied_fit, &arms.untied_fit}) {
        for (Training& t : *list) {
            if (&t != &arms.seeds[0]) rest.push_back(&t);
        }
    }
    int64_t n_row = 0;
    auto rows = [](const Training& t) { return t.n_step * (t.x->rows() / t.n_batch); };
    for (const Training* t : rest) n_row += rows(*t);
    n_row += rows(arms.plain) + rows(arms.seeds[0]);
    Progress progress("trained on", n_row, "tokens");
    train(arms.plain, progress);
    train(arms.seeds[0], progress);
    parallel_for(std::ssize(rest), [&](int64_t i) { train(*rest[i], progress); });
    return arms;
}

}  // namespace vimach::ch02
