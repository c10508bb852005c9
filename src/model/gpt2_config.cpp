// config.json of a GPT-2; see model/gpt2_config.h. Where a member is missing, Hugging Face's
// default (transformers, GPT2Config) holds, and those are what this project computes.
#include "model/gpt2_config.h"

#include <charconv>

#include "core/ensure.h"
#include "model/json.h"

namespace vimach {

namespace {

/// One config.json, and what is said where it cannot be followed.
class ConfigFile {
public:
    ConfigFile(const std::string& text, const std::string& path)
        : path_(path), root_(parse_json(text, path)) {
        if (root_.kind != Json::Kind::object) refuse("is not a JSON object");
    }

    [[noreturn]] void refuse(const std::string& what) const {
        fail(what, path_, "take a model of GPT-2's arithmetic, or correct config.json if it errs");
    }

    /// A member that is there and not null.
    const Json* find(const char* name) const {
        const Json* member = root_.find(name);
        return member == nullptr || member->kind == Json::Kind::null ? nullptr : member;
    }

    /// The same; refuses one of another kind.
    const Json* find_kind(const char* name, Json::Kind kind, const char* kind_name) const {
        const Json* member = find(name);
        if (member == nullptr || member->kind == kind) return member;
        refuse(format("%s is not a %s", name, kind_name));
    }

    /// A whole number, or `otherwise` where there is none.
    int64_t integer(const char* name, int64_t otherwise) const {
        const Json* member = find_kind(name, Json::Kind::number, "whole number");
        return member == nullptr ? otherwise : json_integer(*member, path_);
    }

    /// Refuses a text other than `wanted`.
    void check_text(const char* name, const char* wanted) const {
        const Json* member = find_kind(name, Json::Kind::string, "text");
        if (member == nullptr || member->text == wanted) return;
        refuse(format("%s is %s; this program computes %s", name, json_quote(member->text).c_str(),
                      wanted));
    }

    /// Refuses a switch that is not as `wanted`.
    void check_switch(const char* name, bool wanted) const {
        const Json* member = find_kind(name, Json::Kind::boolean, "switch, true or false");
        if (member == nullptr || (member->text == "true") == wanted) return;
        refuse(format("%s is %s; this program computes with %s", name, member->text.c_str(),
                      wanted ? "true" : "false"));
    }

    void check_number(const char* name, double wanted) const {
        const Json* member = find_kind(name, Json::Kind::number, "number");
        if (member == nullptr) return;
        double value = 0;
        std::from_chars(member->text.data(), member->text.data() + member->text.size(), value);
        if (value == wanted) return;
        refuse(
            format("%s is %s; this program computes with %g", name, member->text.c_str(), wanted));
    }

    /// Refuses an extent other than that of the tensors, under either of its names.
    void check_extent(const char* name, const char* alias, int64_t extent) const {
        for (const char* each : {name, alias}) {
            if (int64_t said = integer(each, extent); said != extent) {
                refuse(format("%s is %ld, the tensors say %ld", each, said, extent));
            }
        }
    }

private:
    std::string path_;
    Json root_;
};

}  // namespace

int64_t heads_in_config(const std::string& text, const std::string& path,
                        const Gpt2Config& shapes) {
    ConfigFile config(text, path);

    // Refuse what is computed otherwise.
    config.check_text("model_type", "gpt2");
    config.check_text("activation_function", "gelu_new");
    config.check_number("layer_norm_epsilon", 1e-5);
    config.check_switch("scale_attn_weights", true);
    config.check_switch("scale_attn_by_inverse_layer_idx", false);
    config.check_switch("add_cross_attention", false);
    config.check_switch("tie_word_embeddings", true);

    // Refuse extents of another model.
    config.check_extent("n_layer", "num_hidden_layers", shapes.n_layer);
    config.check_extent("n_embd", "hidden_size", shapes.d_model);
    config.check_extent("n_positions", "max_position_embeddings", shapes.n_ctx);
    config.check_extent("vocab_size", "vocab_size", shapes.d_vocab);
    int64_t n_inner = config.integer("n_inner", 4 * shapes.d_model);
    if (n_inner != shapes.d_mlp) {
        config.refuse(format("n_inner is %ld, the tensors say %ld", n_inner, shapes.d_mlp));
    }

    // Take the heads under either of their names.
    int64_t alias = config.integer("num_attention_heads", 0);
    int64_t n_head = config.integer("n_head", alias);
    bool has_alias = config.find("num_attention_heads") != nullptr;
    bool named = has_alias || config.find("n_head") != nullptr;
    if (named && (n_head < 1 || shapes.d_model % n_head != 0)) {
        config.refuse(
            format("n_head is %ld, which does not divide n_embd = %ld", n_head, shapes.d_model));
    }
    if (has_alias && alias != n_head) {
        config.refuse(format("n_head is %ld, num_attention_heads %ld", n_head, alias));
    }
    return n_head;
}

}  // namespace vimach
