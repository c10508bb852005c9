// Finding a model's files; see model/weight_files.h. Formats are told by their first bytes, which
// no safetensors file has: read as the length of a header they exceed the file, or no header is
// there.
#include "model/weight_files.h"

#include <algorithm>
#include <filesystem>

#include "core/ensure.h"
#include "core/files.h"
#include "model/json.h"
#include "text/utf8.h"

namespace vimach {

namespace {

namespace fs = std::filesystem;

constexpr const char* lfs_pull = "run git lfs pull";

/// The command that writes the model of a folder anew as safetensors; `how` it is read.
std::string convert(const std::string& folder, const char* how = "") {
    std::string quoted = folder;
    for (size_t at = 0; (at = quoted.find('\'', at)) != quoted.npos; at += 4) {
        quoted.replace(at, 1, "'\\''");
    }
    return format(
        "convert it: python3 -c 'import sys; from transformers import GPT2LMHeadModel as M; "
        "f = sys.argv[1]; M.from_pretrained(f%s).save_pretrained(f, safe_serialization=True)' '%s'",
        how, quoted.c_str());
}

/// What is in a folder without safetensors weights, if it is something known.
Foreign instead_of_weights(const std::string& folder) {
    if (is_there(folder + "/adapter_model.safetensors") ||
        is_there(folder + "/adapter_config.json")) {
        return {"there is a LoRA adapter, not a model",
                "merge it into its base model (peft: merge_and_unload), save that with "
                "save_pretrained, and pass its folder"};
    }
    constexpr const char* own = "fetch the model's own model.safetensors";
    const struct {
        const char *end, *what;
        std::string remedy;
    } kinds[] = {
        {".safetensors.part", "of an interrupted download",
         "run weights/fetch.sh again, or fetch the file again"},
        {"pytorch_model.bin", "PyTorch's format", convert(folder)},
        {"pytorch_model.bin.index.json", "PyTorch's format", convert(folder)},
        {"tf_model.h5", "TensorFlow's format", convert(folder, ", from_tf=True")},
        {"flax_model.msgpack", "Flax's format", convert(folder, ", from_flax=True")},
        {".safetensors", "which may be the weights under another name",
         "rename it to model.safetensors if it is"},
        {".gguf", "a GGUF file", own},
        {".pt", "PyTorch's format", "load it with PyTorch and save it with safetensors.torch"},
        {".pth", "PyTorch's format", "load it with PyTorch and save it with safetensors.torch"},
        {".bin", "a format of another program", own}};
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    for (const auto& kind : kinds) {
        for (const std::string& name : names) {
            if (!name.ends_with(kind.end)) continue;
            if (name.starts_with("model-") && name.ends_with(".safetensors")) {
                return {"there is " + name + ", a part of a model, without the index of its parts",
                        "fetch model.safetensors.index.json too"};
            }
            return {"there is only " + name + ", " + kind.what + ", not model.safetensors",
                    kind.remedy};
        }
    }
    return {};
}

/// The shards that an index names, each once. Their names stand for files beside it, nothing else.
std::vector<std::string> shards(const std::string& folder, const std::string& index) {
    constexpr const char* again = "fetch the model again";
    Json root = parse_json(read_json_text(index), index);
    const Json* map = root.find("weight_map");
    if (map == nullptr || map->kind != Json::Kind::object || map->members.empty()) {
        fail("has no weight_map", index, again);
    }
    std::vector<std::string> paths;
    for (const auto& [tensor, file] : map->members) {
        bool plain = file.kind == Json::Kind::string && file.text.ends_with(".safetensors") &&
                     file.text.find('/') == file.text.npos;
        if (!plain) fail("names no file of this folder for " + json_quote(tensor), index, again);
        std::string path = folder + "/" + file.text;
        if (std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
    }
    for (const std::string& path : paths) {
        if (!is_there(path)) fail("is named by the model's index, and is missing", path, again);
    }
    return paths;
}

}  // namespace

std::string remedy_for(const std::string& folder) {
    auto path = fs::path(folder).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // gpt2/ is gpt2
    std::string name = path.filename().string();
    if (name == "gpt2" || name == "gpt2-large") {
        return "run weights/fetch.sh " + name + " and pass --model weights/" + name;
    }
    if (path == "weights/nano") return go_home;
    if (name == "gpt2-shape") return "run make weights/gpt2-shape";
    return "pass --model weights/nano, or run weights/fetch.sh gpt2 and pass --model weights/gpt2";
}

std::string model_folder(const std::string& folder) {
    std::string found = find_in_project(folder);
    if (is_there(found)) return found;
    std::string among_weights = find_in_project("weights/" + folder);
    return fs::path(folder).is_relative() && is_there(among_weights) ? among_weights : found;
}

std::vector<std::string> weight_files(const std::string& folder) {
    if (folder.empty()) fail("the name is empty", "--model", remedy_for(folder));
    std::string found = model_folder(folder), path = found + "/model.safetensors";
    std::error_code error;
    if (fs::is_regular_file(found, error)) {
        std::string parent = fs::path(folder).parent_path().string();
        fail("is a file; a model is a folder", found,
             !found.ends_with(".safetensors") ? remedy_for(folder)
             : parent.empty()                 ? "pass --model ."
                                              : "pass --model " + parent);
    }
    if (is_there(path)) return {path};
    if (std::string index = path + ".index.json"; is_there(index)) return shards(found, index);
    Foreign other = instead_of_weights(found);
    if (!other.what.empty()) fail(other.what, found, other.remedy);
    fail("there is no model", path, remedy_for(folder));
}

std::string read_json_text(const std::string& path) {
    std::string text(without_bom(read_text(path)));
    if (Foreign foreign = foreign_format(text); foreign.remedy == lfs_pull) {
        fail(foreign.what, path, foreign.remedy);
    }
    return text;
}

Foreign foreign_format(std::string_view first) {
    size_t letter = first.find_first_not_of(" \t\r\n");
    std::string_view text = first.substr(std::min(letter, first.size()));
    if (first.starts_with("version https://git-lfs")) {
        return {"is a pointer of Git LFS, not the file itself", lfs_pull};
    }
    if (text.starts_with('<') || text.starts_with('{') || text.starts_with("Entry not found") ||
        text.starts_with("Not Found") || text.starts_with("Access to")) {
        return {"is a server's answer in words, not a model", "fetch the file again"};
    }
    if (first.starts_with("GGUF")) {
        return {"is a GGUF file, not safetensors", "fetch the model's own model.safetensors"};
    }
    if (first.starts_with("PK\x03\x04")) {
        return {"is a zip archive (as PyTorch writes), not safetensors",
                "load it with PyTorch and save it with safetensors.torch.save_file"};
    }
    if (first.size() > 1 && first[0] == '\x80' && first[1] >= 2 && first[1] <= 5) {
        return {"is a Python pickle (as PyTorch wrote), not safetensors",
                "load it with PyTorch and save it with safetensors.torch.save_file"};
    }
    if (first.starts_with("\x1f\x8b")) return {"is compressed with gzip", "unpack it with gunzip"};
    if (first.starts_with(std::string_view("\xc6\xd7\x34\x01", 4))) {  // 20240326
        return {"is a checkpoint of llm.c, not safetensors",
                "pass the model that it was made from, in Hugging Face's format"};
    }
    return {};
}

}  // namespace vimach
