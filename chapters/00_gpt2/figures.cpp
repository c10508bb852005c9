// Figures, tables and sentences of chapter 0; see figures.h.
// Tokens that share a character stand together, so that a page never shows half of one.
#include "figures.h"

#include <cmath>
#include <cstdio>

#include "core/ensure.h"
#include "show/heatmap.h"
#include "show/html.h"
#include "show/plot.h"

namespace vimach::ch00 {

namespace {

std::string depth_name(size_t depth) {
    return depth == 0 ? "embedding" : format("block %zu", depth - 1);
}

std::vector<std::string> token_labels(const Tokenizer& tokenizer, std::span<const int> ids) {
    std::vector<std::string> labels;
    for (int id : ids) labels.emplace_back(tokenizer.token_bytes(id));
    return labels;
}

/// "The first 24 of 152 tokens", or nothing where all are shown.
std::string part_of(size_t n_shown, size_t n_token) {
    return n_shown < n_token ? format("The first %zu of %zu tokens. ", n_shown, n_token) : "";
}

}  // namespace

std::string quoted(const Tokenizer& tokenizer, int id) {
    return "'" + visible_text(tokenizer.token_bytes(id), false) + "'";
}

void print_ids(std::span<const int> ids) {
    for (size_t i = 0; i < ids.size(); ++i) std::printf(i == 0 ? "%d" : " %d", ids[i]);
    std::printf("\n");
}

std::string describe_text(std::span<const int> ids, int64_t n_ctx) {
    int64_t n_token = std::ssize(ids), n_window = (n_token + n_ctx - 1) / n_ctx;
    if (n_window <= 1) return format("%ld tokens", n_token);
    return format("%ld tokens, cut into %ld windows of at most %ld that do not see each other",
                  n_token, n_window, n_ctx);
}

std::string tap_list() {
    std::string list = "The taps:";
    for (const char* name : tap_names())
        list += std::string(list.ends_with(':') ? " " : ", ") + name;
    return list + ".";
}

Table token_table(const Tokenizer& tokenizer, std::span<const int> ids, const Losses& losses) {
    Table table = {.header = {"i", "id", "loss", "token"}};
    for (size_t i = 0; i < ids.size(); ++i) {
        add_row(table, {std::to_string(i), std::to_string(ids[i]),
                        std::isnan(losses[i]) ? "-" : format("%.4f", losses[i]),
                        quoted(tokenizer, ids[i])});
    }
    return table;
}

Table lens_table(const Tokenizer& tokenizer, const Inside& inside, const Inside& untrained) {
    Table table = {.header = {"after", "mean loss", "untrained", "guess", "probability"}};
    for (size_t depth = 0; depth < inside.lens.size(); ++depth) {
        const Inside::Guess& guess = inside.guesses[depth];
        add_row(table, {depth_name(depth), format("%.4f", mean_loss(inside.lens[depth])),
                        format("%.4f", mean_loss(untrained.lens[depth])),
                        quoted(tokenizer, guess.id), format("%.4f", guess.probability)});
    }
    return table;
}

Figure flow_figure(const std::string& drawing) {
    return {.title = "The way of the data",
            .caption =
                "Every name can be tapped. The stream is only added to (⊕), never "
                "overwritten; attention alone moves information between tokens.",
            .html =
                "<pre class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"The way of "
                "the data\">" +
                escape_text(drawing) + "</pre>\n"};
}

Figure text_figure(const Tokenizer& tokenizer, std::span<const int> ids, const Losses& losses) {
    // Give every group of tokens that share characters the mean of their losses.
    std::string text = tokenizer.decode(ids);
    std::vector<TokenCell> cells;
    for (const TokenGroup& group : group_by_character(tokenizer, ids)) {
        TokenCell cell = {text.substr(group.begin, group.end - group.begin), "", 0};
        for (int64_t i = group.first; i < group.first + group.count; ++i) {
            cell.detail += format("%sid %d", cell.detail.empty() ? "" : ", ", ids[i]);
            cell.value += losses[i] / static_cast<double>(group.count);
        }
        cells.push_back(cell);
    }
    return draw_tokens({.title = "The text, tinted by loss",
                        .caption = "The stronger the tint, the more the token surprised the model. "
                                   "A window's first token has no loss."},
                       cells, {.low = 0, .label = "loss, nats"});
}

Figure lens_figure(const Inside& inside, const Inside& untrained, int64_t d_vocab) {
    Series trained = {.name = "trained", .x = {}, .y = {}}, control = {"untrained", {}, {}};
    for (size_t depth = 0; depth < inside.lens.size(); ++depth) {
        trained.x.push_back(static_cast<double>(depth));
        trained.y.push_back(mean_loss(inside.lens[depth]));
        control.x.push_back(static_cast<double>(depth));
        control.y.push_back(mean_loss(untrained.lens[depth]));
    }
    Series both[] = {trained, control};
    double blind = std::log(static_cast<double>(d_vocab));
    return draw_lines({.title = "Logit lens",
                       .x_label = "blocks run",
                       .y_label = "mean loss, nats",
                       .caption = "The loss if the model had to speak after so many blocks, over "
                                  "the text's first window. Where the curve falls, the block has "
                                  "made the prediction better."},
                      both, {.log_y = true, .horizontal = {{blind, "blind guess"}}});
}

Figure lens_heatmap(const Tokenizer& tokenizer, std::span<const int> shown, const Inside& inside,
                    size_t n_token) {
    double blind = std::log(static_cast<double>(tokenizer.n_vocab()));
    Heatmap map = {.columns = token_labels(tokenizer, shown.subspan(1)),
                   .scale = {.low = 0, .high = 1.5 * blind, .label = "loss, nats"}};
    for (size_t depth = 0; depth < inside.lens.size(); ++depth) {
        const Losses& losses = inside.lens[depth];
        map.rows.push_back(depth_name(depth));
        map.values.insert(map.values.end(), losses.begin(),
                          losses.begin() + std::ssize(map.columns));
    }
    return draw_heatmap({.title = "Logit lens, token by token",
                         .x_label = "token to be predicted",
                         .y_label = "after",
                         .caption = part_of(shown.size(), n_token) +
                                    "Read a column downwards: where it turns light, the model has "
                                    "made up its mind."},
                        map);
}

Figure head_figure(const Tokenizer& tokenizer, std::span<const int> shown,
                   const PreviousTokenHead& best, size_t n_token) {
    std::vector<std::string> labels = token_labels(tokenizer, shown);
    Heatmap map = {
        .rows = labels, .columns = labels, .scale = {.low = 0, .high = 1, .label = "attention"}};
    for (size_t query = 0; query < shown.size(); ++query) {
        auto row = best.pattern.row(best.head * best.pattern.cols() + static_cast<int64_t>(query));
        for (size_t key = 0; key < shown.size(); ++key) {
            map.values.push_back(key <= query ? row[key] : std::nan(""));
        }
    }
    return draw_heatmap({.title = format("Attention of layer %ld, head %ld", best.layer, best.head),
                         .x_label = "key",
                         .y_label = "query",
                         .caption = part_of(shown.size(), n_token) +
                                    "The diagonal line below the main one is the token before: of "
                                    "all heads this one looks there most."},
                        map);
}

}  // namespace vimach::ch00
