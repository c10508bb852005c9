// Reading, writing and drawing GPT-2's weights; see model/gpt2_file.h. One list, `parameters`,
// says which tensors a model has, under which name and in which shape; all three follow it.
#include "model/gpt2_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <unordered_set>

#include "core/ensure.h"
#include "core/rng.h"
#include "model/gpt2_config.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "model/weight_files.h"

namespace vimach {

std::vector<Parameter> parameters(Gpt2& model) {
    const Gpt2Config& c = model.config;
    int64_t d = c.d_model, m = c.d_mlp;
    constexpr double wide = 0.02, zero = 0, one = -1;
    double narrow = wide / std::sqrt(2.0 * static_cast<double>(c.n_layer));

    std::vector<Parameter> list = {{"wte.weight", &model.W_E, {c.d_vocab, d}, wide},
                                   {"wpe.weight", &model.W_pos, {c.n_ctx, d}, wide / 2}};
    for (size_t layer = 0; layer < model.blocks.size(); ++layer) {
        Gpt2Block& b = model.blocks[layer];
        Parameter block[] = {{"ln_1.weight", &b.ln_1_gain, {d}, one},
                             {"ln_1.bias", &b.ln_1_bias, {d}, zero},
                             {"attn.c_attn.weight", &b.W_QKV, {d, 3 * d}, wide},
                             {"attn.c_attn.bias", &b.b_QKV, {3 * d}, zero},
                             {"attn.c_proj.weight", &b.W_O, {d, d}, narrow},
                             {"attn.c_proj.bias", &b.b_O, {d}, zero},
                             {"ln_2.weight", &b.ln_2_gain, {d}, one},
                             {"ln_2.bias", &b.ln_2_bias, {d}, zero},
                             {"mlp.c_fc.weight", &b.W_in, {d, m}, wide},
                             {"mlp.c_fc.bias", &b.b_in, {m}, zero},
                             {"mlp.c_proj.weight", &b.W_out, {m, d}, narrow},
                             {"mlp.c_proj.bias", &b.b_out, {d}, zero}};
        for (Parameter& parameter : block) {
            parameter.name = format("h.%zu.", layer) + parameter.name;
            list.push_back(std::move(parameter));
        }
    }
    list.push_back({"ln_f.weight", &model.ln_final_gain, {d}, one});
    list.push_back({"ln_f.bias", &model.ln_final_bias, {d}, zero});
    return list;
}

namespace {

/// A mask buffer that some files store with the weights: h.N.attn.bias, h.N.attn.masked_bias.
bool is_mask_buffer(const std::string& name) {
    return name.starts_with("h.") &&
           (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"));
}

/// What a tensor says of a model that is more or less than GPT-2 with its tied head.
Foreign other_model(const std::string& name) {
    if (name.find("lora_") != name.npos) {
        return {"holds a LoRA adapter", "merge it into its base model (peft: merge_and_unload)"};
    }
    if (name.ends_with("score.weight") || name.find("classifier.") != name.npos) {
        return {"is a classifier, with the tensor " + json_quote(name),
                "pass the language model that it was made from"};
    }
    if (name.find("v_head.") != name.npos) {
        return {"has a value head, the tensor " + json_quote(name),
                "pass the language model that it was made from"};
    }
    return {};
}

/// Looks tensors up in the files of a model, by their names without what some programs put in front
/// of all of them ("transformer.", "module.", "_orig_mod.").
class Source {
public:
    explicit Source(const std::string& folder) : folder_(folder) {
        for (const std::string& path : weight_files(folder)) readers_.emplace_back(path);
        std::unordered_set<std::string> names;
        for (const SafetensorsReader& reader : readers_) {
            for (const TensorEntry& found : reader.header().tensors) {
                constexpr std::string_view known = "ln_f.weight";
                if (found.name.ends_with(known)) {
                    prefix_ = found.name.substr(0, found.name.size() - known.size());
                }
                if (!names.insert(found.name).second) {
                    refuse(json_quote(found.name) + " is in another file of the model as well",
                           reader.path());
                }
                if (Foreign other = other_model(found.name); !other.what.empty()) {
                    fail(other.what, reader.path(), other.remedy);
                }
            }
        }
    }

    [[noreturn]] void refuse(const std::string& what, const std::string& path) const {
        fail(what, path, remedy_for(folder_));
    }
    [[noreturn]] void refuse(const std::string& what) const {
        refuse(what, readers_.front().path());
    }

    const TensorEntry& entry(const std::string& name, size_t n_extent) const {
        Place place = place_of(name);
        if (place.entry == nullptr) refuse("is no GPT-2: the tensor " + name + " is missing");
        if (place.entry->shape.size() != n_extent) refuse_shape(name, place);
        return *place.entry;
    }

    /// How many N from 0 on stand in names h.N.*.
    int64_t n_block() const {
        std::unordered_set<std::string> blocks;
        for (const SafetensorsReader& reader : readers_) {
            for (const TensorEntry& found : reader.header().tensors) {
                std::string name = found.name.substr(std::min(prefix_.size(), found.name.size()));
                if (name.starts_with("h.")) blocks.insert(name.substr(0, name.find('.', 2)));
            }
        }
        int64_t n = 0;
        while (blocks.contains(format("h.%ld", n))) ++n;
        return n;
    }

    /// Refuses a parameter that is missing or has another shape.
    const TensorEntry& check(const Parameter& parameter) const {
        const TensorEntry& found = entry(parameter.name, parameter.shape.size());
        if (found.shape == parameter.shape) return found;
        Place place = place_of(parameter.name);
        refuse_transposed(parameter, place);
        refuse_shape(parameter.name, place);
    }

    Tensor read(const Parameter& parameter) const {
        const TensorEntry& found = check(parameter);
        const SafetensorsReader& reader = *place_of(parameter.name).reader;
        Tensor tensor = reader.read(found);
        auto is_finite = [](Real value) { return std::isfinite(value); };
        if (!std::ranges::all_of(tensor.data, is_finite)) {
            refuse(parameter.name + " holds a value that is NaN or infinite", reader.path());
        }
        return tensor;
    }

    /// The number of heads by the metadata; 0 where they do not say.
    int64_t n_head(int64_t d_model) const {
        for (const SafetensorsReader& reader : readers_) {
            auto stored = reader.header().metadata.find("n_head");
            if (stored == reader.header().metadata.end()) continue;
            int64_t value = 0;
            const std::string& text = stored->second;
            auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            bool number = error == std::errc{} && end == text.data() + text.size();
            if (number && value > 0 && d_model % value == 0) return value;
            refuse("n_head is " + json_quote(text) + ", which does not divide d_model into heads",
                   reader.path());
        }
        return 0;
    }

    /// Refuses tensors that are neither parameters nor mask buffers, and a head that is not W_E.
    void refuse_extras(const std::vector<Parameter>& wanted) const {
        std::unordered_set<std::string> names;
        for (const Parameter& parameter : wanted) names.insert(prefix_ + parameter.name);
        for (const SafetensorsReader& reader : readers_) {
            for (const TensorEntry& found : reader.header().tensors) {
                bool known = names.contains(found.name) || is_head(found.name) ||
                             (found.name.starts_with(prefix_) &&
                              is_mask_buffer(found.name.substr(prefix_.size())));
                if (!known) {
                    refuse("is no GPT-2: it has a tensor " + json_quote(found.name), reader.path());
                }
                if (is_head(found.name)) check_tied(reader, found);
            }
        }
    }

private:
    struct Place {
        const SafetensorsReader* reader = nullptr;
        const TensorEntry* entry = nullptr;
    };

    /// Of two names of one matrix a file may keep that of the head alone.
    Place place_of(const std::string& name) const {
        Place head;
        for (const SafetensorsReader& reader : readers_) {
            if (const TensorEntry* found = reader.find(prefix_ + name)) return {&reader, found};
            for (const TensorEntry& found : reader.header().tensors) {
                if (is_head(found.name)) head = {&reader, &found};
            }
        }
        return name == "wte.weight" ? head : Place();
    }

    static bool is_head(const std::string& name) { return name.ends_with("lm_head.weight"); }

    [[noreturn]] void refuse_shape(const std::string& name, Place place) const {
        refuse("is no GPT-2: " + name + " has the shape " + shape_text(place.entry->shape),
               place.reader->path());
    }

    /// GPT-2 unembeds by W_E; a head of its own must be that matrix once more.
    void check_tied(const SafetensorsReader& reader, const TensorEntry& head) const {
        auto same = [](Real a, Real b) { return a == b || (std::isnan(a) && std::isnan(b)); };
        Place W_E = place_of("wte.weight");
        bool tied =
            head.shape == W_E.entry->shape &&
            std::ranges::equal(reader.read(head).data, W_E.reader->read(*W_E.entry).data, same);
        if (!tied) refuse("is untied: lm_head.weight is not wte.weight", reader.path());
    }

    /// Conv1D of GPT-2 stores [d_in, d_out]; torch.nn.Linear the other way round.
    void refuse_transposed(const Parameter& parameter, Place place) const {
        const std::vector<int64_t>& shape = place.entry->shape;
        bool turned =
            shape.size() == 2 && shape[0] == parameter.shape[1] && shape[1] == parameter.shape[0];
        if (!turned) return;
        fail("is no GPT-2: " + parameter.name + " has the shape " + shape_text(shape) +
                 ", transposed as torch.nn.Linear stores it",
             place.reader->path(),
             "transpose attn.c_attn, attn.c_proj, mlp.c_fc and mlp.c_proj (weight = weight.T)");
    }

    std::deque<SafetensorsReader> readers_;
    const std::string& folder_;
    std::string prefix_;
};

/// The number of heads as metadata and config.json say, or d_model / 64 where neither does.
void set_heads(const Source& source, const std::string& folder, Gpt2& model) {
    Gpt2Config& c = model.config;
    std::string path = folder + "/config.json";
    int64_t stored = source.n_head(c.d_model);
    int64_t said = is_there(path) ? heads_in_config(read_json_text(path), path, c) : 0;
    if (stored > 0 && said > 0 && stored != said) {
        fail(format("n_head is %ld, in the metadata of the weights %ld", said, stored), path,
             "correct the one that errs");
    }
    c.n_head = stored > 0 ? stored : said;
    if (c.n_head > 0) return;
    if (is_there(path)) {
        // So does Hugging Face read a config.json without that member.
        constexpr int64_t usual = 12;
        if (c.d_model % usual != 0) {
            fail(format("has no n_head, and the usual %ld do not divide n_embd = %ld", usual,
                        c.d_model),
                 path, "add n_head to config.json");
        }
        c.n_head = usual;
        model.note = format("%ld heads, the default: config.json does not say n_head", usual);
        return;
    }
    if (c.d_model % 64 != 0) source.refuse("has no n_head, and d_model is no multiple of 64");
    c.n_head = c.d_model / 64;
    model.note =
        format("%ld heads guessed as d_model / 64: put config.json beside the weights", c.n_head);
}

}  // namespace

Gpt2 gpt2_without_weights(const std::string& folder) {
    Source source(folder);

    // Take each extent from the shape of one tensor; the shapes of all others must agree.
    Gpt2 model;
    Gpt2Config& c = model.config;
    c.d_model = source.entry("ln_f.weight", 1).shape[0];
    c.d_vocab = source.entry("wte.weight", 2).shape[0];
    c.n_ctx = source.entry("wpe.weight", 2).shape[0];
    c.d_mlp = source.entry("h.0.mlp.c_fc.weight", 2).shape[1];
    if (c.d_vocab < 1 || c.d_model < 1 || c.n_ctx < 1 || c.d_mlp < 1) {
        source.refuse("is no GPT-2: it has an empty tensor");
    }
    if (c.n_ctx < 2) source.refuse("has a context of one token, so it predicts nothing");
    c.n_layer = source.n_block();
    set_heads(source, model_folder(folder), model);
    model.blocks.resize(static_cast<size_t>(c.n_layer));
    model.source = folder;

    std::vector<Parameter> wanted = parameters(model);
    source.refuse_extras(wanted);
    for (const Parameter& parameter : wanted) source.check(parameter);
    return model;
}

void read_weights(Gpt2& model) {
    Source source(model.source);
    for (Parameter& parameter : parameters(model)) *parameter.tensor = source.read(parameter);
}

Gpt2 load_gpt2(const std::string& folder) {
    Gpt2 model = gpt2_without_weights(folder);
    read_weights(model);
    return model;
}

void save_gpt2(const Gpt2& model, const std::string& folder, const char* dtype) {
    // The list is only read here; it is shared with code that writes through it.
    std::vector<NamedTensor> tensors;
    for (const Parameter& parameter : parameters(const_cast<Gpt2&>(model))) {
        tensors.push_back({parameter.name, parameter.tensor});
    }
    write_safetensors(folder + "/model.safetensors", tensors,
                      {{"format", "pt"}, {"n_head", std::to_string(model.config.n_head)}}, dtype);
}

Gpt2 zeros_like(const Gpt2& model) {
    Gpt2 zeros;
    zeros.config = model.config;
    zeros.blocks.resize(model.blocks.size());
    for (Parameter& parameter : parameters(zeros)) *parameter.tensor = Tensor(parameter.shape);
    return zeros;
}

Gpt2 random_gpt2(const Gpt2Config& config, uint64_t seed) {
    Gpt2 model;
    model.config = config;
    model.blocks.resize(static_cast<size_t>(config.n_layer));
    model.source = format("random weights, seed %lu", seed);

    Rng rng(seed);
    for (Parameter& parameter : parameters(model)) {
        *parameter.tensor = Tensor(parameter.shape);
        for (Real& value : parameter.tensor->data) {
            value = static_cast<Real>(parameter.deviation < 0   ? 1
                                      : parameter.deviation > 0 ? parameter.deviation * rng.normal()
                                                                : 0);
        }
    }
    return model;
}

}  // namespace vimach
