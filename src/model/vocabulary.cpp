// A model's own vocabulary; see model/vocabulary.h. Three files may say it: merges.txt (the merges
// in their order), vocab.json (symbols to ids), tokenizer.json (both, and how a text is cut).
#include "model/vocabulary.h"

#include <algorithm>

#include "core/ensure.h"
#include "core/files.h"
#include "model/json.h"
#include "model/weight_files.h"

namespace vimach {

namespace {

constexpr const char* remedy = own_vocabulary;

/// What the files beside the weights say.
struct Vocabulary {
    std::string merges = {}, merges_path = {};  ///< as in merges.txt; empty: not there
    std::vector<NamedId> ids = {};
    std::string ids_path = {};
};

/// Lines without the first one, if it is the version, and without carriage returns.
std::string plain_merges(std::string text) {
    std::erase(text, '\r');
    if (text.starts_with("#version")) text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

const Json& member(const Json& object, const char* name, Json::Kind kind, const std::string& path) {
    const Json* found = object.kind == Json::Kind::object ? object.find(name) : nullptr;
    if (found != nullptr && found->kind == kind) return *found;
    fail(format("has no %s of the kind that a byte-level BPE has", name), path, remedy);
}

void add_ids(const Json& vocabulary, const std::string& path, Vocabulary& out) {
    if (vocabulary.kind != Json::Kind::object) fail("is not a JSON object", path, remedy);
    for (const auto& [symbol, id] : vocabulary.members) {
        out.ids.push_back({symbol, json_integer(id, path)});
    }
    out.ids_path = path;
}

/// Whether a step of a tokenizer.json, or one of its parts, is the byte-level cutting.
bool is_byte_level(const Json& step) {
    const Json *type = step.find("type"), *parts = step.find("pretokenizers");
    if (type != nullptr && type->text == "ByteLevel") {
        const Json* prefix = step.find("add_prefix_space");
        return prefix == nullptr || prefix->text != "true";
    }
    return parts != nullptr && std::ranges::any_of(parts->items, is_byte_level);
}

/// tokenizer.json of Hugging Face's tokenizers, where it is a byte-level BPE.
Vocabulary read_tokenizer_json(const std::string& path) {
    Json root = parse_json(read_text(path), path);
    const Json& model = member(root, "model", Json::Kind::object, path);
    const Json* type = model.find("type");
    const Json* cut = root.find("pre_tokenizer");
    bool known = type == nullptr || type->text == "BPE";
    if (!known || cut == nullptr || cut->kind != Json::Kind::object || !is_byte_level(*cut)) {
        fail("is no byte-level BPE as GPT-2's", path, remedy);
    }
    Vocabulary out;
    for (const Json& merge : member(model, "merges", Json::Kind::array, path).items) {
        bool pair = merge.kind == Json::Kind::array && merge.items.size() == 2;
        out.merges += (pair ? merge.items[0].text + " " + merge.items[1].text : merge.text) + "\n";
    }
    out.merges_path = path;
    add_ids(member(model, "vocab", Json::Kind::object, path), path, out);
    const Json* added = root.find("added_tokens");
    for (const Json& token : added == nullptr ? std::vector<Json>{} : added->items) {
        std::string symbol = member(token, "content", Json::Kind::string, path).text;
        bool there = std::ranges::find(out.ids, symbol, &NamedId::symbol) != out.ids.end();
        if (there) continue;
        out.ids.push_back(
            {symbol, json_integer(member(token, "id", Json::Kind::number, path), path)});
    }
    return out;
}

Vocabulary read_vocabulary(const std::string& folder) {
    Vocabulary out;
    std::string merges = folder + "/merges.txt", ids = folder + "/vocab.json";
    if (!is_there(merges) && is_there(folder + "/tokenizer.json")) {
        return read_tokenizer_json(folder + "/tokenizer.json");
    }
    if (is_there(merges)) {
        out.merges = read_text(merges);
        out.merges_path = merges;
    }
    if (is_there(ids)) add_ids(parse_json(read_text(ids), ids), ids, out);
    return out;
}

/// Whether two tokenizers have the same tokens under the same ids.
bool same_ids(const Tokenizer& a, const Tokenizer& b) {
    if (a.n_vocab() != b.n_vocab()) return false;
    for (int id = 0; id < a.n_vocab(); ++id) {
        if (a.token_bytes(id) != b.token_bytes(id)) return false;
    }
    return true;
}

std::string gpt2_merges() { return read_text(project_file("weights/merges.txt")); }

void add_note(Gpt2& model, const std::string& note) {
    model.note += (model.note.empty() ? "" : "; ") + note;
}

}  // namespace

Tokenizer tokenizer_of(Gpt2& model) {
    // Take the merges, and then the ids, of the model's folder where they are not GPT-2's.
    std::string folder = model_folder(model.source);
    Vocabulary v = read_vocabulary(folder);
    bool own = !v.merges.empty() && plain_merges(v.merges) != plain_merges(gpt2_merges());
    Tokenizer tokenizer = own ? Tokenizer(v.merges, v.merges_path) : load_tokenizer();
    if (own) add_note(model, "merges of its own (" + v.merges_path + ")");
    if (!v.ids.empty()) {
        Tokenizer in_order = tokenizer;
        tokenizer.renumber(v.ids, v.ids_path);
        if (!same_ids(tokenizer, in_order)) {
            add_note(model, "ids of its own (" + v.ids_path + ")");
        }
    }

    // Every id needs a row of the embedding; rows beyond them stand for nothing.
    int64_t n_row = model.config.d_vocab, n_id = tokenizer.n_vocab();
    if (n_id > n_row) {
        fail(format("the model has a vocabulary of %ld tokens, %s one of %ld", n_row,
                    own ? v.merges_path.c_str() : "GPT-2's tokenizer", n_id),
             folder, remedy);
    }
    if (n_id < n_row) {
        tokenizer.pad(n_row);
        model.n_padding = n_row - n_id;
        add_note(model,
                 format("rows from %ld on stand for no token and print as [%ld] ...", n_id, n_id));
    }
    return tokenizer;
}

}  // namespace vimach
