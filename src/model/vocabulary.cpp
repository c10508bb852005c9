// A model's own vocabulary; see model/vocabulary.h. Three files may say it: merges.txt (the merges
// in their order), vocab.json (symbols to ids), tokenizer.json (both, and how a text is cut).
#include "model/vocabulary.h"

#include <algorithm>
#include <unordered_map>

#include "core/ensure.h"
#include "core/files.h"
#include "model/json.h"
#include "model/weight_files.h"
#include "text/utf8.h"

namespace vimach {

namespace {

constexpr const char* remedy = own_vocabulary;
constexpr const char* other_model = "take a model whose tokenizer is a byte-level BPE as GPT-2's";

/// What the files beside the weights say.
struct Vocabulary {
    std::string merges = {};       ///< as in merges.txt
    std::string merges_path = {};  ///< empty: not there
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

Json read_json(const std::string& path) { return parse_json(read_json_text(path), path); }

void add_ids(const Json& vocabulary, const std::string& path, Vocabulary& out) {
    if (vocabulary.kind != Json::Kind::object) fail("is not a JSON object", path, remedy);
    for (const auto& [symbol, id] : vocabulary.members) {
        out.ids.push_back({symbol, json_integer(id, path)});
    }
    out.ids_path = path;
}

/// Adds a token that came after the merges; where its name has an id already, that must be the
/// same.
void add_token(const std::string& symbol, int64_t id, const std::string& path, Vocabulary& out) {
    auto there = std::ranges::find(out.ids, symbol, &NamedId::symbol);
    if (there == out.ids.end()) {
        out.ids.push_back({symbol, id, true});
    } else if (there->id != id) {
        fail(format("gives %s the id %ld, its vocabulary %ld", json_quote(symbol).c_str(), id,
                    there->id),
             path, remedy);
    } else {
        there->added = true;
    }
}

bool has_switch(const Json& object, const char* name, const char* value) {
    const Json* found = object.find(name);
    return found != nullptr && found->text == value;
}

/// Whether a step of a tokenizer.json, alone or as the only part of a sequence, cuts a text as
/// GPT-2's does.
bool cuts_as_gpt2(const Json& step) {
    const Json *type = step.find("type"), *parts = step.find("pretokenizers");
    if (parts != nullptr) return parts->items.size() == 1 && cuts_as_gpt2(parts->items[0]);
    return type != nullptr && type->text == "ByteLevel" &&
           !has_switch(step, "add_prefix_space", "true") && !has_switch(step, "use_regex", "false");
}

/// The parts of tokenizer.json that are read. Refuses what turns a text into bytes, or cuts it, in
/// another way: the ids would be others, in silence.
Json parse_tokenizer_json(const std::string& path) {
    Json root = read_json(path);
    const Json* type = member(root, "model", Json::Kind::object, path).find("type");
    const Json *cut = root.find("pre_tokenizer"), *change = root.find("normalizer");
    if ((type != nullptr && type->text != "BPE") || cut == nullptr || !cuts_as_gpt2(*cut)) {
        fail("is no byte-level BPE that cuts a text as GPT-2's does", path, other_model);
    }
    if (change != nullptr && change->kind != Json::Kind::null) {
        fail("changes a text before it cuts it (normalizer), as GPT-2's does not", path,
             other_model);
    }
    return root;
}

/// Refuses what tokenizer_config.json may ask for beyond the vocabulary.
void check_tokenizer_config(const std::string& folder, bool has_vocabulary) {
    std::string path = folder + "/tokenizer_config.json";
    if (!is_there(path)) return;
    Json root = read_json(path);
    if (has_switch(root, "add_prefix_space", "true")) {
        fail("puts a blank before every text (add_prefix_space), as GPT-2's does not", path,
             other_model);
    }
    const Json* name = root.find("tokenizer_class");
    bool gpt2 = name == nullptr || name->kind != Json::Kind::string ||
                name->text.starts_with("GPT2") || name->text.starts_with("PreTrainedTokenizer");
    if (!gpt2 && !has_vocabulary) {
        fail("names the tokenizer " + json_quote(name->text) + ", whose vocabulary is not here",
             path, other_model);
    }
}

/// Refuses vocabularies of other kinds, where the folder has no byte-level BPE.
void refuse_other_kinds(const std::string& folder) {
    for (const char* name : {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
                             "vocab.txt", "bpe.codes", "added_tokens.json"}) {
        std::string path = folder + "/" + name;
        if (!is_there(path)) continue;
        fail(
            "belongs to a vocabulary that is not GPT-2's, and neither merges.txt nor "
            "tokenizer.json is beside it",
            path, remedy);
    }
}

/// Merges and ids of a tokenizer.json of Hugging Face's tokenizers.
Vocabulary read_tokenizer_json(const std::string& path) {
    Json root = parse_tokenizer_json(path);
    const Json& model = member(root, "model", Json::Kind::object, path);
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
        add_token(symbol, json_integer(member(token, "id", Json::Kind::number, path), path), path,
                  out);
    }
    return out;
}

/// Merges and ids stand twice where tokenizer.json has companions; they must be the same.
void check_companions(const Vocabulary& both, const Vocabulary& apart) {
    constexpr const char* one = "keep the files that the model was trained with, move the others";
    if (plain_merges(both.merges) != plain_merges(apart.merges)) {
        fail("has other merges than tokenizer.json", apart.merges_path, one);
    }
    std::unordered_map<std::string_view, int64_t> ids;
    for (const NamedId& named : both.ids) ids[named.symbol] = named.id;
    for (const NamedId& named : apart.ids) {
        auto at = ids.find(named.symbol);
        if (at != ids.end() && at->second == named.id) continue;
        fail("gives " + json_quote(named.symbol) + " another id than tokenizer.json",
             apart.ids_path, one);
    }
}

Vocabulary read_vocabulary(const std::string& folder) {
    Vocabulary out;
    std::string merges = folder + "/merges.txt", ids = folder + "/vocab.json";
    std::string both = folder + "/tokenizer.json", added = folder + "/added_tokens.json";
    bool here = is_there(merges) || is_there(ids) || is_there(both);
    check_tokenizer_config(folder, here);
    if (!here) refuse_other_kinds(folder);
    if (is_there(both) && (!is_there(merges) || !is_there(ids))) return read_tokenizer_json(both);
    if (is_there(merges)) {
        out.merges = without_bom(read_text(merges));
        out.merges_path = merges;
        if (plain_merges(out.merges).empty()) fail("has no merges", merges, remedy);
    }
    if (is_there(ids)) add_ids(read_json(ids), ids, out);
    if (is_there(both)) {
        Vocabulary twice = read_tokenizer_json(both);
        check_companions(twice, out);
        return twice;
    }
    if (is_there(ids) && is_there(added)) {
        for (const auto& [symbol, id] : read_json(added).members) {
            add_token(symbol, json_integer(id, added), added, out);
        }
    }
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
    bool own = !v.merges_path.empty() && plain_merges(v.merges) != plain_merges(gpt2_merges());
    Tokenizer tokenizer = own ? Tokenizer(v.merges, v.merges_path, remedy) : load_tokenizer();
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
        std::string other = !v.ids_path.empty() ? v.ids_path
                            : own               ? v.merges_path
                                                : "GPT-2's tokenizer";
        fail(format("the model has a vocabulary of %ld tokens, %s one of %ld", n_row, other.c_str(),
                    n_id),
             folder, remedy);
    }
    constexpr int64_t most_padded = 51'200;  // 50,257 as a multiple of 1024, the coarsest in use
    if (v.merges_path.empty() && v.ids.empty() && n_row > most_padded) {
        fail(format("the model has a vocabulary of %ld tokens, GPT-2's tokenizer %ld", n_row, n_id),
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
