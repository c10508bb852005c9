// Chapter 0: the model itself. What does GPT-2 do with a text, and where can one look inside?
// Method: cut the text into tokens, run the model, and read off the loss of every token, the next
// token it expects, what it would already say after each layer, and where one head looks.
// You will see: a mean loss far below its controls, predictions that form layer by layer, and the
// list of activations that the later chapters take apart. No claims belong to this chapter.
// Run: build/00_gpt2
//      build/00_gpt2 --text FILE --generate 40 --model weights/gpt2

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/ensure.h"
#include "figures.h"
#include "math/vector_ops.h"
#include "model/generate.h"
#include "model/gpt2_file.h"
#include "model/layers.h"
#include "model/vocabulary.h"
#include "show/html.h"
#include "show/page.h"
#include "show/progress.h"
#include "text/prose.h"

namespace vimach::ch00 {

struct Settings {
    int64_t n_generate = 20;  // tokens to continue the text by
    int64_t n_shuffle = 10;   // random orders of the tokens, as a control
    int64_t n_top = 5;        // next tokens to print
    int64_t n_shown = 24;     // tokens in the heatmaps, which must stay readable
    Sampling sampling = {};   // how the text is continued
};
constexpr Settings full, quick = {.n_generate = 8, .n_shuffle = 3};

const ChapterInfo info = {
    .name = "00_gpt2",
    .purpose = "Chapter 0: what GPT-2 does with a text, and where one can look inside",
    .options = {{"--text", "FILE", "the text; - is standard input (data/text.txt)"},
                {"--ids", "", "print the text's token ids on one line, and nothing else"},
                {"--bytes", "", "take text that is not UTF-8 as it is"},
                {"--generate", "N", "tokens to continue the text by (20)"},
                {"--temperature", "T", "draw the tokens: logits are divided by T (0: the best)"},
                {"--top-k", "K", "draw among the K most probable tokens only (all)"}},
    .has_presets = false};

/// The residual stream after the last block: all that the model has to say about a window.
Tensor run(const Gpt2& model, std::span<const int> window) {
    Tensor resid = embed_ids(model, window, 1);
    run_blocks(model, resid, 1);
    return resid;
}

/// The loss of every token that has one before it in its window, NaN for a window's first.
Losses losses_of(const Gpt2& model, std::span<const int> ids) {
    Losses losses;
    auto n_ctx = static_cast<size_t>(model.config.n_ctx);
    for (size_t begin = 0; begin < ids.size(); begin += n_ctx) {
        std::span<const int> window = ids.subspan(begin, std::min(n_ctx, ids.size() - begin));
        Losses part = next_token_losses(model, run(model, window), window, 1);
        losses.push_back(std::nan(""));
        losses.insert(losses.end(), part.begin(), part.end());
    }
    return losses;
}

int best_guess(const Tensor& logits) { return largest(logits.data, 1).front(); }

double probability(const Tensor& logits, int id) {
    return std::exp(-cross_entropy(logits.matrix(), std::span(&id, 1))[0]);
}

/// Takes a guess, appends it, and asks again; a terminal shows the text grow.
std::string write_on(Continuation& text, const Tokenizer& tokenizer, const Settings& s,
                     uint64_t seed) {
    Progress progress("wrote", s.n_generate, "tokens");
    Rng rng(seed);
    std::string made;
    int64_t n_slid = 0;
    for (int64_t i = 0; i < s.n_generate; ++i) {
        n_slid += text.slides();
        text.append(choose_token(text.logits(), s.sampling, rng));
        made += tokenizer.decode(std::span(text.ids()).last(1));
        progress.step(1, made);
    }
    std::string how = s.sampling.temperature > 0
                          ? format("at temperature %g", s.sampling.temperature)
                          : "greedily";
    std::string full = format(
        " (the context is full; before each of the last %ld the first token drops out)", n_slid);
    return "Continued " + how + format(" by %ld tokens", s.n_generate) + (n_slid > 0 ? full : "") +
           ": " + made;
}

/// Runs the model block by block: the logit lens (nostalgebraist 2020) reads the stream after each,
/// and of the attention patterns only one layer's are held at a time.
Inside look_inside(const Gpt2& model, std::span<const int> window) {
    Inside inside;
    Tensor resid = embed_ids(model, window, 1);
    auto speak = [&] {
        inside.lens.push_back(next_token_losses(model, resid, window, 1));
        Tensor logits = unembed_last(model, resid);
        inside.guesses.push_back({best_guess(logits), probability(logits, best_guess(logits))});
    };
    speak();
    for (int64_t layer = 0; layer < model.config.n_layer; ++layer) {
        std::string tap = format("blocks.%ld.attn_pattern", layer);
        RunOptions one_block = {.first = layer, .stop = layer + 1, .taps = {tap}};
        compare_heads(run_blocks(model, resid, 1, one_block).at(tap), layer, inside.head);
        speak();
    }
    return inside;
}

void chapter(const Options& options, Page& page) {
    Settings settings = options.has("--quick") ? quick : full;
    settings.n_generate = options.integer("--generate", settings.n_generate, 0, 100'000);
    std::string path = options.text("--text", chapter_file(info, "data/text.txt"));
    Gpt2 model = gpt2_without_weights(options.text("--model", "weights/nano"));
    Tokenizer tokenizer = tokenizer_of(model);
    settings.sampling.temperature = options.real("--temperature", 0, 0);
    settings.sampling.top_k =
        options.has("--top-k") ? options.integer("--top-k", 1, 1, model.config.d_vocab) : 0;
    if (options.has("--top-k") && settings.sampling.temperature == 0) {
        throw UsageError("nothing is drawn at temperature 0", "--top-k", "pass --temperature too");
    }
    EncodeOptions how = {.any_bytes = options.has("--bytes"), .source = path};
    std::vector<int> ids = tokenizer.encode(read_prose(path, how.any_bytes), how);
    if (options.has("--ids")) return page.discard(), print_ids(ids);
    if (ids.size() < 2) {
        fail(format("the text has %s; a loss needs 2 tokens", ids.empty() ? "no token" : "1 token"),
             path, "give a longer text");
    }
    page.model(model.source);
    page.about("model: %s", describe(model).c_str());
    page.about("text: %s", describe_text(ids, model.config.n_ctx).c_str());

    // The control has its turn before the weights are read: two models take twice the memory.
    auto n_window = std::min(ids.size(), static_cast<size_t>(model.config.n_ctx));
    std::span<const int> window = std::span<const int>(ids).first(n_window);
    double untrained_loss = 0;
    Inside bare;
    {
        Gpt2 untrained = random_gpt2(model.config, options.seed());
        untrained_loss = mean_loss(losses_of(untrained, ids));
        bare = look_inside(untrained, window);
    }
    read_weights(model);

    page.step("Follow the data: what can be tapped in each block N, as blocks.N.NAME.");
    page.figure(flow_figure(read_prose(chapter_file(info, "data/flow.txt"))));
    page.say(tap_list());

    page.step("Take each token's loss: -ln of the probability that the model gave it, in nats.");
    Losses losses = losses_of(model, ids);
    page.long_table("Tokens and their loss", token_table(tokenizer, ids, losses));
    page.figure(text_figure(tokenizer, ids, losses));

    page.step("Set the mean beside its controls.");
    page.table("Mean loss", mean_table(losses_of, model, untrained_loss, ids, settings.n_shuffle,
                                       options.seed()));

    page.step("Ask for the next token; then take the best guess, append it, ask again.");
    Continuation continued(model, ids);
    Table top = {.header = {"next token", "id", "probability"}};
    for (int id : largest(continued.logits().data, settings.n_top)) {
        add_row(top, {quoted(tokenizer, id), std::to_string(id),
                      format("%.4f", probability(continued.logits(), id))});
    }
    page.table("What comes next? The model's first guesses", top);
    page.say(write_on(continued, tokenizer, settings, options.seed()));

    page.step("Let the model speak after each block: the logit lens, on the first window.");
    std::span<const int> shown = window.first(std::min<size_t>(settings.n_shown, n_window));
    Inside inside = look_inside(model, window);
    page.table(
        format("The loss of the first %zu tokens, and the guess at what follows them", n_window),
        lens_table(tokenizer, inside, bare));
    page.figure(lens_heatmap(tokenizer, shown, inside, n_window));

    page.step("Find the head that looks at the previous token, in both models.");
    page.say(
        "Layer %ld, head %ld gives %.4f of its attention to the token before; the best head of "
        "the untrained model %.4f.",
        inside.head.layer, inside.head.head, inside.head.attention, bare.head.attention);
    page.figure(head_figure(tokenizer, shown, inside.head, n_window));

    page.answer(format("A token of this text costs %.2f nats, a blind guess %.2f. The prediction "
                       "forms block by block: %.2f nats after block 0, %.2f after the last.",
                       mean_loss(losses), std::log(static_cast<double>(model.config.d_vocab)),
                       mean_loss(inside.lens[1]), mean_loss(inside.lens.back())),
                lens_figure(inside, bare, model.config.d_vocab));
}

}  // namespace vimach::ch00

int main(int argc, char** argv) {
    return vimach::run_chapter(argc, argv, vimach::ch00::info, vimach::ch00::chapter);
}
