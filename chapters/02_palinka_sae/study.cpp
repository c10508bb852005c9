// What a run of chapter 2 is about; see study.h.
// Files that do not fit are refused with their name and the remedy.
#include "study.h"

#include <algorithm>

#include "core/ensure.h"
#include "core/files.h"
#include "math/stats.h"
#include "model/gpt2_file.h"
#include "model/vocabulary.h"
#include "text/prose.h"

namespace vimach::ch02 {

Study read_study(const Options& options, Page& page, const ChapterInfo& info,
                 const std::string& activation) {
    std::string path = options.text("--text", chapter_file(info, "data/passage.txt"));
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    Tokenizer tokenizer = tokenizer_of(model);
    std::vector<int> ids = tokenizer.encode(read_prose(path), {.source = path});
    auto n_token = static_cast<int64_t>(ids.size());
    if (n_token < 8 || n_token > model.config.n_ctx) {
        fail(format("the passage has %ld tokens, the model takes 8 to %ld", n_token,
                    model.config.n_ctx),
             path, n_token < 8 ? "give a longer passage" : "give a shorter passage");
    }
    int64_t n_layer = model.config.n_layer;
    int64_t layer = options.integer("--layer", n_layer / 2, 0, n_layer - 1);
    std::string words = options.text("--words", chapter_file(info, "data/words.txt"));
    Topic topic = find_topic(tokenizer, read_prose(words), ids, words);
    std::vector<TokenKind> kinds;
    for (int id : ids) kinds.push_back(kind_of(tokenizer.token_bytes(id)));
    page.model(model.source);
    page.about("model: %s", describe(model).c_str());
    for (const std::string& remark : topic.remarks) page.about(remark);
    std::string tap = format("blocks.%ld.", layer) + activation;
    return {model, tokenizer, ids, layer, tap, topic, kinds, options.seed()};
}

SaeConfig tied_sae(SaeConfig config, int64_t width, int64_t k_share, const Options& options) {
    config.d_in = width;
    if (config.n_latent == 0) config.n_latent = 2 * width;
    config.tied = true;
    config.bias = false;
    config.top_k =
        options.integer("--k", std::max<int64_t>(width / k_share, 1), 1, config.n_latent);
    return config;
}

Tensor activation_of(const Study& study, const std::string& name) {
    return activations(study.model, study.ids, 1, format("blocks.%ld.", study.layer) + name);
}

Tensor tapped_rows(const Study& study) {
    Tensor x = activations(study.model, study.ids, 1, study.tap);
    if (varies(to_matrix(x))) return x;
    fail(study.tap + " does not vary over the passage", study.model.source,
         "choose another --layer");
}

std::vector<int> unseen_text(const Study& study) {
    std::string path = project_file("chapters/00_gpt2/data/text.txt");
    std::vector<int> ids = study.tokenizer.encode(read_prose(path), {.source = path});
    ids.resize(std::min(ids.size(), static_cast<size_t>(study.model.config.n_ctx)));
    return ids;
}

}  // namespace vimach::ch02
