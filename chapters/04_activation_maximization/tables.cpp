// Tables and sentences of chapter 4; see tables.h.
// Nothing is measured here that a claim rests on.
#include "tables.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/ensure.h"
#include "math/stats.h"
#include "show/html.h"

namespace vimach::ch04 {

namespace {

void add_arm(Table& table, const Arm& arm) {
    add_row(table,
            {arm.name, format("%.4f", mean(arm.climb.activation.front())),
             format("%.4f", mean(arm.ends())), number_cell("%.3f", mean(orders_of_growth(arm))),
             format("%.3f", mean_norm_growth(arm)), format("%.3f", mean(falls(arm).data))});
}

}  // namespace

std::string text_text(const std::vector<int>& text, const Reached& reached) {
    return format(
        "On %zu real tokens the target has the standard deviation %s; of all windows of that "
        "text the best reaches %.3f.",
        text.size(), number_cell("%.4f", reached.deviation).c_str(), reached.text.best);
}

Table way_table(const Climb& c) {
    Table table = {
        .header = {"step", "activation", "lowest", "highest", "|gradient|", "|theta|^2"}};
    int64_t last = std::ssize(c.activation) - 1;
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

const char* const growth_note =
    "log10 growth: the mean over starts of log10 of |end| over the median |start|. It can lie "
    "below 0 although the activation rose.";

std::string rise_text(const Arm& own, const Reached& reached) {
    double rise = climbed_deviations(own, reached);
    if (std::isfinite(rise))
        return format("The target rose by %.2f standard deviations of the text.", rise);
    return "It does not vary over the text: its rise has no such unit.";
}

double climbed_deviations(const Arm& own, const Reached& reached) {
    double rise = mean(own.ends()) - mean(own.climb.activation.front());
    return reached.deviation > 0 ? rise / reached.deviation : std::nan("");
}

Table arms_table(const Arms& arms) {
    Table table = {
        .header = {"climb", "start", "end", "log10 growth", "|theta| growth", "others that fall"}};
    for (const Arm* arm : arms.all()) add_arm(table, *arm);
    explain_dashes(table, "an activation of 0 has no logarithm");
    return table;
}

std::string dimension_text(const Arms& arms) {
    std::vector<double> dims = finite(orders_of_growth(arms.dims));
    double own = mean(orders_of_growth(arms.own));
    if (dims.empty() || std::isnan(own)) return "An activation of 0 has no growth.";
    auto below = std::ranges::count_if(dims, [&](double value) { return value < own; });
    std::string text = format(
        "Of %s, one start each, %ld grow by fewer orders than dimension %ld. The "
        "quartiles of all of them are %.2f, %.2f and %.2f.",
        plural(std::ssize(dims), "dimension").c_str(), below, arms.own.target.dim,
        quantile(dims, 0.25), quantile(dims, 0.5), quantile(dims, 0.75));
    int64_t n_zero = arms.dims.n_start() - std::ssize(dims);
    return n_zero == 0 ? text : text + format(" %ld more begin or end at 0.", n_zero);
}

// --- decoding -----------------------------------------------------------------------------------

std::string tokens_text(const Tokenizer& tokenizer, std::span<const int> ids) {
    std::string text;
    for (int id : ids) {
        text += (text.empty() ? "" : " | ") + visible_text(tokenizer.token_bytes(id));
    }
    return text;
}

Table decoded_table(const Tokenizer& tokenizer, std::span<const int> decoded,
                    const Cosines& cosines) {
    Table table = {.header = {"start", "nearest tokens", "best cosine"}};
    size_t n_start = cosines.optimised.size(), n_token = decoded.size() / n_start;
    for (size_t i = 0; i < n_start; ++i) {
        add_row(table,
                {format("%zu", i), tokens_text(tokenizer, decoded.subspan(i * n_token, n_token)),
                 format("%.3f", cosines.optimised[i])});
    }
    return table;
}

std::string distinct_text(const std::vector<int>& decoded, const std::vector<int>& starts) {
    auto n_distinct = [](const std::vector<int>& ids) {
        return std::set<int>(ids.begin(), ids.end()).size();
    };
    return format("Distinct nearest tokens: %zu of %zu after the climb, %zu before.",
                  n_distinct(decoded), decoded.size(), n_distinct(starts));
}

Table cosine_table(const Cosines& cosines) {
    Table table = {.header = {"best cosine of a window", "mean", "low", "high"}};
    auto add = [&](const char* name, const std::vector<double>& values) {
        Interval range = central_95(values);
        add_row(table, {name, format("%.4f", mean(values)), format("%.4f", range.low),
                        format("%.4f", range.high)});
    };
    add("optimised", cosines.optimised);
    add("random vectors", cosines.isotropic);
    add("random, spread like W_E", cosines.matched);
    return table;
}

// --- tokens put in ------------------------------------------------------------------------------

Table reached_table(const Reached& r) {
    Table table = {.header = {"put in", "activation", "low", "high", "over sd", "share of gain"}};
    auto add = [&](const char* name, const std::vector<double>& values) {
        Interval range = central_95(values);
        add_row(table, {name, format("%.3f", mean(values)), format("%.3f", range.low),
                        format("%.3f", range.high), number_cell("%.2f", mean(values) / r.deviation),
                        number_cell("%.3f", mean(r.kept(values)))});
    };
    add("optimised vectors", r.optimised);
    add("their nearest tokens", r.decoded);
    add("random tokens", r.random);
    add("best window of each part of a text", r.text.parts);
    add("best window of the text", {r.text.best});
    add("random search", values_of(r.found.blind));
    add("guided search", values_of(r.found.guided));
    explain_dashes(table, "the target does not vary over the text, or nothing is gained");
    return table;
}

std::string best_text(const Tokenizer& tokenizer, const Reached& reached) {
    const SearchResult& best =
        *std::ranges::max_element(reached.found.guided, {}, &SearchResult::value);
    return "Best window of the text: " + tokens_text(tokenizer, reached.text.ids) +
           ". Best of the guided search: " + tokens_text(tokenizer, best.ids) + ".";
}

Table loss_table(const Losses& losses) {
    Table table = {.header = {"nats per token, window by window", "mean", "low", "high"}};
    auto add = [&](const char* name, const std::vector<double>& values) {
        if (values.empty()) return;
        Interval range = central_95(values);
        add_row(table, {name, format("%.3f", mean(values)), format("%.3f", range.low),
                        format("%.3f", range.high)});
    };
    add("decoded tokens", losses.decoded);
    add("random tokens", losses.random);
    add("tokens drawn from a text", losses.drawn);
    add("real text", losses.text);
    return table;
}

std::string answer(const Arm& own, const Reached& reached, const Losses& losses) {
    double rise = climbed_deviations(own, reached);
    std::string text = format("The vectors climb from %.1f to %.1f",
                              mean(own.climb.activation.front()), mean(own.ends()));
    if (std::isfinite(rise)) text += format(", %.1f standard deviations of a real text", rise);
    text += format(
        ". The tokens nearest to them reach %.1f, random tokens %.1f, tokens found by search %.1f.",
        mean(reached.decoded), mean(reached.random), mean(values_of(reached.found.guided)));
    if (losses.decoded.empty()) return text;
    return text +
           format(
               " The model's loss per token is %.1f nats on the decoded tokens, %.1f on random "
               "ones, %.1f on real text.",
               mean(losses.decoded), mean(losses.random), mean(losses.text));
}

}  // namespace vimach::ch04
