// Chapter 0: the model itself. What does GPT-2 do with a text, and where can one look inside?
// Method: cut the text into tokens, run the model, and read off the loss of every token, the next
// token it expects, what it would already say after each layer, and where one head looks.
// You will see: a mean loss far below its controls (shuffled tokens, an untrained model, a blind
// guess), predictions that form layer by layer, and the list of activations that the later
// chapters take apart. No claims belong to this chapter.
// Run: build/00_gpt2
//      build/00_gpt2 --text FILE --generate 40 --model weights/gpt2

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "model/gpt2_file.h"
#include "model/layers.h"
#include "show/console.h"
#include "show/html.h"
#include "show/report.h"
#include "show/table.h"
#include "text/tokenizer.h"

using namespace vimach;

namespace {

struct Settings {
    int64_t n_generate = 20;  // tokens to continue the text by
    int64_t n_shuffle = 10;   // random orders of the tokens, as a control
    int64_t n_top = 5;        // next tokens to print
    int64_t n_shown = 24;     // tokens in the heatmaps, which must stay readable
};
constexpr Settings full, quick = {.n_generate = 8, .n_shuffle = 3};

const ChapterInfo info = {
    .name = "00_gpt2",
    .purpose = "Chapter 0: what GPT-2 does with a text, and where one can look inside.",
    .options = {{"--text", "FILE", "the text; - is standard input (data/text.txt)"},
                {"--ids", "", "print the text's token ids on one line, and nothing else"},
                {"--bytes", "", "take text that is not UTF-8 as it is"},
                {"--generate", "N", "tokens to continue the text by (20)"}},
    .has_presets = false};

// --- the chapter's ideas ------------------------------------------------------------------------

/// The end of a text that fits into the context.
std::span<const int> last_context(const Gpt2& model, std::span<const int> ids) {
    return ids.last(std::min(ids.size(), static_cast<size_t>(model.config.n_ctx)));
}

/// The residual stream after the last block: all that the model has to say about a window.
Tensor run(const Gpt2& model, std::span<const int> window) {
    Tensor resid = embed_ids(model, window, 1);
    run_blocks(model, resid, 1);
    return resid;
}

/// The loss of every token that has one before it in its window, NaN for a window's first.
std::vector<double> losses_of(const Gpt2& model, std::span<const int> ids) {
    std::vector<double> losses;
    auto n_ctx = static_cast<size_t>(model.config.n_ctx);
    for (size_t begin = 0; begin < ids.size(); begin += n_ctx) {
        std::span<const int> window = ids.subspan(begin, std::min(n_ctx, ids.size() - begin));
        std::vector<double> part = next_token_losses(model, run(model, window), window, 1);
        losses.push_back(std::nan(""));
        losses.insert(losses.end(), part.begin(), part.end());
    }
    return losses;
}

double mean_loss(const std::vector<double>& losses) {
    double total = 0;
    int64_t count = 0;
    for (double loss : losses) {
        if (std::isnan(loss)) continue;
        total += loss;
        ++count;
    }
    return total / static_cast<double>(count);
}

/// The logits of the token that follows a text.
Tensor next_logits(const Gpt2& model, std::span<const int> ids) {
    Tensor resid = run(model, last_context(model, ids)), last({1, model.config.d_model});
    std::ranges::copy(resid.row(resid.rows() - 1), last.data.begin());
    return unembed(model, last);
}

int argmax(std::span<const Real> x) {
    return static_cast<int>(std::max_element(x.begin(), x.end()) - x.begin());
}

/// A token as it is printed: in quotes, on one line.
std::string quoted(const Tokenizer& tokenizer, int id) {
    return "'" + visible_text(tokenizer.token_bytes(id), false) + "'";
}

/// The head that most looks at the previous token, and how much of its attention goes there.
struct PreviousTokenHead {
    int64_t layer = 0, head = 0;
    double attention = -1;
    Tensor pattern = {};  // [n_head, n_token, n_token], of its layer
};

/// Remembers the best head of one layer if it beats those of the layers before.
void compare_heads(const Tensor& pattern, int64_t layer, PreviousTokenHead& best) {
    int64_t n_token = pattern.cols(), before = best.layer;
    double attention_before = best.attention;
    for (int64_t head = 0; head < pattern.rows() / n_token; ++head) {
        double total = 0;
        for (int64_t query = 1; query < n_token; ++query) {
            total += pattern.row(head * n_token + query)[query - 1];
        }
        double attention = total / static_cast<double>(n_token - 1);
        if (attention > best.attention) {
            best.layer = layer;
            best.head = head;
            best.attention = attention;
        }
    }
    if (best.layer != before || best.attention != attention_before) best.pattern = pattern;
}

/// What this chapter sees inside a model.
struct Inside {
    std::vector<std::vector<double>>
        lens;  // losses if the model had to speak after 0, 1, ... blocks
    PreviousTokenHead head;
};

/// Runs the model block by block: the logit lens (nostalgebraist 2020) reads the stream after each,
/// and of the attention patterns only one layer's are held at a time.
Inside look_inside(const Gpt2& model, std::span<const int> window) {
    Tensor resid = embed_ids(model, window, 1);
    Inside inside = {.lens = {next_token_losses(model, resid, window, 1)}, .head = {}};
    for (int64_t layer = 0; layer < model.config.n_layer; ++layer) {
        std::string tap = format("blocks.%ld.attn_pattern", layer);
        RunOptions one_block = {.first = layer, .stop = layer + 1, .taps = {tap}};
        compare_heads(run_blocks(model, resid, 1, one_block).at(tap), layer, inside.head);
        inside.lens.push_back(next_token_losses(model, resid, window, 1));
    }
    return inside;
}

std::string depth_name(size_t depth) {
    return depth == 0 ? "embedding" : format("block %zu", depth - 1);
}

// --- the page -----------------------------------------------------------------------------------

/// One cell per character-aligned group of tokens; its value is the mean of their losses.
std::vector<TokenCell> token_cells(const Tokenizer& tokenizer, std::span<const int> ids,
                                   const std::vector<double>& losses) {
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
    return cells;
}

std::vector<std::string> token_labels(const Tokenizer& tokenizer, std::span<const int> ids) {
    std::vector<std::string> labels;
    for (int id : ids) labels.emplace_back(tokenizer.token_bytes(id));
    return labels;
}

/// The logit lens: mean loss by depth, and the losses of the first tokens.
void draw_lens(Report& report, const Tokenizer& tokenizer, std::span<const int> shown,
               const std::vector<std::vector<double>>& losses,
               const std::vector<std::vector<double>>& untrained, double blind) {
    Series trained = {.name = "trained", .x = {}, .y = {}}, control = {"untrained", {}, {}};
    Heatmap map = {.columns = token_labels(tokenizer, shown.subspan(1)),
                   .scale = {.low = 0, .high = 1.5 * blind, .label = "loss, nats"}};
    for (size_t depth = 0; depth < losses.size(); ++depth) {
        trained.x.push_back(static_cast<double>(depth));
        trained.y.push_back(mean_loss(losses[depth]));
        control.x.push_back(static_cast<double>(depth));
        control.y.push_back(mean_loss(untrained[depth]));
        map.rows.push_back(depth_name(depth));
        map.values.insert(map.values.end(), losses[depth].begin(),
                          losses[depth].begin() + static_cast<int64_t>(map.columns.size()));
    }
    Series both[] = {trained, control};
    report.line_plot(
        {.title = "Logit lens",
         .x_label = "blocks run",
         .y_label = "mean loss, nats",
         .caption = "The loss if the model had to speak after so many blocks; on the text's "
                    "first window."},
        both, {.log_y = true, .horizontal = {{blind, "blind guess"}}});
    report.heatmap({.title = "Logit lens, token by token",
                    .x_label = "token to be predicted",
                    .y_label = "after"},
                   map);
}

/// The pattern of one head over the first tokens: a row looks at the columns.
void draw_head(Report& report, const Tokenizer& tokenizer, std::span<const int> shown,
               const PreviousTokenHead& best, const PreviousTokenHead& control) {
    std::vector<std::string> labels = token_labels(tokenizer, shown);
    Heatmap map = {
        .rows = labels, .columns = labels, .scale = {.low = 0, .high = 1, .label = "attention"}};
    for (size_t query = 0; query < shown.size(); ++query) {
        auto row = best.pattern.row(best.head * best.pattern.cols() + static_cast<int64_t>(query));
        for (size_t key = 0; key < shown.size(); ++key) {
            map.values.push_back(key <= query ? row[key] : std::nan(""));
        }
    }
    report.heatmap({.title = format("Attention of layer %ld, head %ld", best.layer, best.head),
                    .x_label = "key",
                    .y_label = "query",
                    .caption = format("Of all heads this one looks most at the token before: %.4f "
                                      "of its attention. Control, the best head of the untrained "
                                      "model: %.4f.",
                                      best.attention, control.attention)},
                   map);
}

// --- the steps ----------------------------------------------------------------------------------

void chapter(const Options& options) {
    Settings settings = options.has("--quick") ? quick : full;
    settings.n_generate = options.integer("--generate", settings.n_generate, 0, 100'000);
    auto seed = static_cast<uint64_t>(options.integer("--seed", 1, 0, INT64_MAX));
    std::string path = options.text("--text", chapter_file(info, "data/text.txt"));

    // 1. Cut the text into tokens.
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> ids =
        tokenizer.encode(read_text(path), {.any_bytes = options.has("--bytes"), .source = path});
    if (options.has("--ids")) {
        for (size_t i = 0; i < ids.size(); ++i) std::printf(i == 0 ? "%d" : " %d", ids[i]);
        std::printf("\n");
        return;
    }
    if (ids.size() < 2) {
        fail(format("the text has %s; a loss needs 2 tokens", ids.empty() ? "no token" : "1 token"),
             path, "give a longer text");
    }

    std::string folder = output_folder(options, info);

    // 2. Load the model, and draw an untrained one of the same shape as a control.
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    Gpt2 untrained = random_gpt2(model.config, seed);
    const Gpt2Config& c = model.config;
    std::printf("model: %s\n", describe(model).c_str());
    int64_t n_token = static_cast<int64_t>(ids.size()),
            n_window = (n_token + c.n_ctx - 1) / c.n_ctx;
    std::printf("text: %ld tokens", n_token);
    if (n_window > 1) {
        std::printf(", cut into %ld windows of at most %ld that do not see each other", n_window,
                    c.n_ctx);
    }
    std::printf(
        "\n\nTokens and their loss, in nats: -ln of the probability that the model gave them\n");

    // 3. Print each token's loss. A window's first token has none: nothing precedes it.
    std::vector<double> losses = losses_of(model, ids);
    Table tokens = {.header = {"i", "id", "loss", "token"}, .rows = {}};
    for (size_t i = 0; i < ids.size(); ++i) {
        add_row(tokens, {std::to_string(i), std::to_string(ids[i]),
                         std::isnan(losses[i]) ? "-" : format("%.4f", losses[i]),
                         quoted(tokenizer, ids[i])});
    }
    print(tokens);

    // 4. Set the mean beside its controls: the same tokens in random orders, an untrained model,
    //    and a blind guess among all tokens.
    Rng rng(seed);
    std::vector<double> shuffled;
    for (int64_t i = 0; i < settings.n_shuffle; ++i) {
        std::vector<int> mixed;
        for (int64_t from : rng.permutation(n_token)) mixed.push_back(ids[from]);
        shuffled.push_back(mean_loss(losses_of(model, mixed)));
    }
    auto [least, most] = std::minmax_element(shuffled.begin(), shuffled.end());
    double mean = mean_loss(losses), untrained_mean = mean_loss(losses_of(untrained, ids));
    double blind = std::log(static_cast<double>(c.d_vocab));
    std::printf("\nmean loss %.5f\n", mean);
    std::printf("  control: tokens in %ld random orders, %.5f to %.5f\n", settings.n_shuffle,
                *least, *most);
    std::printf("  control: untrained model %.5f\n", untrained_mean);
    std::printf("  control: a blind guess, ln %ld = %.5f\n", c.d_vocab, blind);

    // 5. Ask for the next token.
    Tensor logits = next_logits(model, ids);
    std::vector<int> order(static_cast<size_t>(c.d_vocab));
    std::iota(order.begin(), order.end(), 0);
    settings.n_top = std::min(settings.n_top, c.d_vocab);
    std::partial_sort(order.begin(), order.begin() + settings.n_top, order.end(),
                      [&](int a, int b) { return logits.data[a] > logits.data[b]; });
    Table top = {.header = {"next token", "id", "probability"}, .rows = {}};
    for (int id : std::span(order).first(static_cast<size_t>(settings.n_top))) {
        double loss = cross_entropy(logits.matrix(), std::span(&id, 1))[0];
        add_row(top, {quoted(tokenizer, id), std::to_string(id), format("%.4f", std::exp(-loss))});
    }
    std::printf("\nWhat comes next? The model's first %ld guesses\n", settings.n_top);
    print(top);

    // 6. Continue greedily: take the best guess, append it, ask again.
    std::vector<int> longer = ids;
    for (int64_t i = 0; i < settings.n_generate; ++i) {
        longer.push_back(argmax(next_logits(model, longer).data));
    }
    std::string continuation = tokenizer.decode(std::span(longer).subspan(ids.size()));
    std::printf("\nContinued greedily by %ld tokens:\n  %s\n", settings.n_generate,
                visible_text(continuation, false).c_str());

    // 7. Let the model speak after each layer: the logit lens, on the first window.
    std::span<const int> window =
        std::span<const int>(ids).first(static_cast<size_t>(std::min(n_token, c.n_ctx)));
    Inside inside = look_inside(model, window), blank = look_inside(untrained, window);
    Table lens = {.header = {"after", "mean loss", "untrained"}, .rows = {}};
    for (size_t depth = 0; depth < inside.lens.size(); ++depth) {
        add_row(lens, {depth_name(depth), format("%.4f", mean_loss(inside.lens[depth])),
                       format("%.4f", mean_loss(blank.lens[depth]))});
    }
    std::printf(
        "\nThe logit lens on the first %zu tokens: the loss if the model had to speak after "
        "each block\n",
        window.size());
    print(lens);

    // 8. Find the head that looks at the previous token, and its control: the best head of the
    //    untrained model, which does not know what a position is.
    const PreviousTokenHead &best = inside.head, &control = blank.head;
    std::printf(
        "\nprevious-token head: layer %ld, head %ld gives %.4f of its attention to the "
        "token before\n  control: the best head of the untrained model %.4f\n",
        best.layer, best.head, best.attention, control.attention);

    // 9. List what the later chapters tap into.
    std::printf("\nWhat can be tapped in each block N, as blocks.N.NAME:\n ");
    for (const char* name : tap_names()) std::printf(" %s", name);
    std::printf("\n");

    // 10. Draw the page.
    auto n_shown = static_cast<size_t>(std::min<int64_t>(settings.n_shown, window.size()));
    Report report("Chapter 0: the model itself", describe(model));
    if (options.has("--quick"))
        report.paragraph("Quick run: fewer shuffles, shorter continuation.");
    report.paragraph(
        format("Mean loss %.5f nats per token. Controls: %.5f to %.5f with the tokens in "
               "random order, %.5f for an untrained model of the same shape, %.5f for "
               "a blind guess.",
               mean, *least, *most, untrained_mean, blind));
    report.token_heatmap(
        {.title = "The text, coloured by loss",
         .caption = "The stronger the tint, the more the token surprised the model. "
                    "A window's first token has no loss. Tokens that share a "
                    "character stand together."},
        token_cells(tokenizer, ids, losses), {.low = 0, .label = "loss, nats"});
    report.table("The model's first guesses at the next token", top);
    report.paragraph("Continued greedily: " + visible_text(continuation, false));
    draw_lens(report, tokenizer, window.first(n_shown), inside.lens, blank.lens, blind);
    draw_head(report, tokenizer, window.first(n_shown), best, control);
    report.write(folder);
    write_csv(folder + "/tokens.csv", tokens);
    announce_report(folder);
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, chapter); }
