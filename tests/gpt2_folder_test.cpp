// What people have where a model should be: a config.json that says what the shapes do not, or asks
// for other arithmetic; shards; files of other formats; adapters, classifiers, heads of their own.
#include <doctest/doctest.h>

#include <limits>

#include "model/gpt2_file.h"
#include "model/safetensors.h"
#include "model/weight_files.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

constexpr Gpt2Config tiny = {
    .n_layer = 2, .n_head = 4, .d_model = 128, .d_mlp = 512, .n_ctx = 3, .d_vocab = 7};

/// A model's folder whose tensors can be renamed, dealt to files, and added to.
struct Folder {
    TempFolder folder;
    Gpt2 model = random_gpt2(tiny, 1);
    std::map<std::string, std::string> metadata = {{"format", "pt"}};
    std::vector<std::pair<std::string, Tensor>> extra = {};

    std::string path() const { return folder.path(); }

    /// Tensors [begin, end) of the model, and the extras with the last of them.
    void write(const std::string& file, size_t begin = 0, size_t end = 1000) {
        std::vector<NamedTensor> named;
        std::vector<Parameter> all = parameters(model);
        for (size_t i = begin; i < std::min(end, all.size()); ++i) {
            named.push_back({all[i].name, all[i].tensor});
        }
        for (const auto& [name, tensor] : extra) named.push_back({name, &tensor});
        write_safetensors(folder.file(file), named, metadata);
    }

    void config(const std::string& json) { write_raw(folder.file("config.json"), json); }
    std::string error() const {
        return error_of([&] { load_gpt2(path()); });
    }
};

}  // namespace

// --- config.json --------------------------------------------------------------------------------

TEST_CASE("gpt2 folder: the number of heads is config.json's where the metadata do not say") {
    Folder f;
    f.write("model.safetensors");
    CHECK(load_gpt2(f.path()).config.n_head == 2);
    check_contains(describe(load_gpt2(f.path())), "2 heads guessed as d_model / 64");
    f.config(R"({"model_type": "gpt2", "n_head": 8, "n_inner": null, "layer_norm_epsilon": 1e-05,
                 "n_embd": 128, "unknown": [1]})");
    CHECK(load_gpt2(f.path()).config.n_head == 8);
    CHECK(load_gpt2(f.path()).note.empty());
    f.config("\xEF\xBB\xBF{\"num_attention_heads\": 4, \"hidden_size\": 128}");
    CHECK(load_gpt2(f.path()).config.n_head == 4);
    f.config(R"({"num_attention_heads": 4, "n_head": 8})");
    check_contains(f.error(), "n_head is 8, num_attention_heads 4");
    f.config("{}");
    check_contains(f.error(), "has no n_head, and the usual 12 do not divide n_embd = 128");

    // Where config.json does not say, it is 12, as Hugging Face reads it.
    Folder usual;
    usual.model = random_gpt2(
        {.n_layer = 1, .n_head = 2, .d_model = 24, .d_mlp = 96, .n_ctx = 3, .d_vocab = 7}, 1);
    usual.write("model.safetensors");
    usual.config("{}");
    CHECK(load_gpt2(usual.path()).config.n_head == 12);
    check_contains(describe(load_gpt2(usual.path())), "12 heads, the default");

    f.metadata["n_head"] = "4";
    f.write("model.safetensors");
    CHECK(load_gpt2(f.path()).config.n_head == 4);
    f.config(R"({"n_head": 4})");
    CHECK(load_gpt2(f.path()).config.n_head == 4);
    f.config(R"({"n_head": 8})");
    check_contains(f.error(), "n_head is 8, in the metadata of the weights 4");
}

TEST_CASE("gpt2 folder: a config.json that asks for another model is refused by name") {
    std::pair<const char*, const char*> cases[] = {
        {R"("model_type": "gpt_neo")", "model_type is \"gpt_neo\"; this program computes gpt2"},
        {R"("activation_function": "relu")", "activation_function is \"relu\""},
        {R"("activation_function": "gelu")", "computes gelu_new"},
        {R"("layer_norm_epsilon": 1e-6)", "layer_norm_epsilon is 1e-6; this program computes with"},
        {R"("layer_norm_epsilon": "1e-5")", "layer_norm_epsilon is not a number"},
        {R"("model_type": ["gpt2"])", "model_type is not a text"},
        {R"("scale_attn_weights": "true")", "scale_attn_weights is not a switch"},
        {R"("scale_attn_weights": false)", "scale_attn_weights is false"},
        {R"("scale_attn_by_inverse_layer_idx": true)", "scale_attn_by_inverse_layer_idx is true"},
        {R"("add_cross_attention": true)", "add_cross_attention is true"},
        {R"("tie_word_embeddings": false)", "tie_word_embeddings is false"},
        {R"("n_inner": 256)", "n_inner is 256, the tensors say 512"},
        {R"("n_embd": 64)", "n_embd is 64, the tensors say 128"},
        {R"("n_layer": 12)", "n_layer is 12, the tensors say 2"},
        {R"("n_positions": 1024)", "n_positions is 1024, the tensors say 3"},
        {R"("num_hidden_layers": 12)", "num_hidden_layers is 12, the tensors say 2"},
        {R"("vocab_size": 50257)", "vocab_size is 50257, the tensors say 7"},
        {R"("n_head": 3)", "n_head is 3, which does not divide n_embd = 128"},
        {R"("n_head": 0)", "n_head is 0"},
        {R"("n_head": -4)", "config.json"},
        {R"("n_head": "4")", "n_head is not a whole number"},
        {R"("n_head": 4, "n_head": 8)", "config.json"},
        {R"("n_head")", "config.json"}};
    Folder f;
    f.write("model.safetensors");
    for (auto [member, phrase] : cases) {
        f.config(std::string("{") + member + "}");
        std::string error = f.error();
        CHECK_MESSAGE(error.find(phrase) != std::string::npos, error);
        CHECK_MESSAGE(error.find("config.json") != std::string::npos, error);
    }
    for (const char* text : {"", "[]", "4", "{", "\xFF"}) {
        f.config(text);
        check_contains(f.error(), "config.json");
    }
    f.config(R"({"n_head": 2})");
    CHECK(f.error() == "no Error was thrown");

    // n_inner that is not there is 4 n_embd; a model of another width must say so.
    Folder wide;
    wide.model = random_gpt2(
        {.n_layer = 1, .n_head = 2, .d_model = 128, .d_mlp = 24, .n_ctx = 3, .d_vocab = 7}, 1);
    wide.write("model.safetensors");
    wide.config("{}");
    check_contains(wide.error(), "n_inner is 512, the tensors say 24");
}

// --- shards -------------------------------------------------------------------------------------

TEST_CASE("gpt2 folder: shards are one model") {
    Folder whole, f;
    whole.write("model.safetensors");
    f.write("model-00001-of-00002.safetensors", 0, 9);
    f.write("model-00002-of-00002.safetensors", 9);
    auto index = [&](const std::string& map) {
        write_raw(f.folder.file("model.safetensors.index.json"),
                  "{\"metadata\": {}, \"weight_map\": " + map + "}");
    };
    index(R"({"wte.weight": "model-00001-of-00002.safetensors",
              "wpe.weight": "model-00001-of-00002.safetensors",
              "ln_f.bias": "model-00002-of-00002.safetensors"})");
    Gpt2 a = load_gpt2(whole.path()), b = load_gpt2(f.path());
    CHECK(a.W_E.data == b.W_E.data);
    CHECK(a.blocks[1].W_out.data == b.blocks[1].W_out.data);
    CHECK(weight_files(f.path()).size() == 2);

    // What errs is called by the name of its own file.
    f.model.ln_final_bias.data[5] = std::numeric_limits<Real>::quiet_NaN();
    f.write("model-00002-of-00002.safetensors", 9);
    check_contains(f.error(), "NaN or infinite (" + f.folder.file("model-00002"));
    f.extra = {{"wte.weight", Tensor({7, 128})}};
    f.write("model-00002-of-00002.safetensors", 9);
    check_contains(f.error(), "\"wte.weight\" is in another file of the model as well (" +
                                  f.folder.file("model-00002"));

    index(R"({"wte.weight": "model-00003.safetensors"})");
    check_contains(f.error(), "model-00003.safetensors): fetch the model again");
    index(R"({"wte.weight": "../model.safetensors"})");
    check_contains(f.error(), "names no file of this folder for \"wte.weight\"");
    index("{}");
    check_contains(f.error(), "has no weight_map");
    index(R"({"wte.weight": "model-00001-of-00002.safetensors"})");
    check_contains(f.error(), "is missing");
}

// --- something else -----------------------------------------------------------------------------

TEST_CASE("gpt2 folder: a file of another kind is called by its name") {
    std::pair<std::string, const char*> cases[] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n",
         "is a pointer of Git LFS, not the file itself"},
        {"<!DOCTYPE html><html><body>403</body></html>", "is a server's answer in words"},
        {"\n  <html></html>", "is a server's answer in words"},
        {"Entry not found", "is a server's answer in words"},
        {"{\"error\": \"Repository not found\"}", "is a server's answer in words"},
        {std::string("GGUF\x03\0\0\0\0\0\0\0\0\0\0\0", 16), "is a GGUF file"},
        {std::string("PK\x03\x04\0\0\x08\x08\0\0\0\0", 12), "is a zip archive (as PyTorch writes)"},
        {"\x80\x02}q\x01(X\x0A", "is a Python pickle"},
        {"\x80\x05}q\x01(X\x0A", "is a Python pickle"},
        {std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10), "is compressed with gzip"},
        {std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10) + std::string(600'000, 'x'),
         "is compressed with gzip"},
        {std::string("\xc6\xd7\x34\x01\x03\0\0\0\0\x04\0\0", 12), "is a checkpoint of llm.c"}};
    Folder f;
    for (const auto& [bytes, phrase] : cases) {
        write_raw(f.folder.file("model.safetensors"), bytes);
        check_contains(f.error(), phrase);
    }
}

TEST_CASE("gpt2 folder: what is there instead of weights is named, with what mends it") {
    std::pair<const char*, const char*> cases[] = {
        {"pytorch_model.bin", "there is only pytorch_model.bin"},
        {"adapter_model.safetensors", "there is a LoRA adapter"},
        {"model-q4.gguf", "there is only model-q4.gguf, a GGUF file"},
        {"tf_model.h5", "there is only tf_model.h5, TensorFlow's format"},
        {"flax_model.msgpack", "there is only flax_model.msgpack, Flax's format"},
        {"ckpt.pt", "there is only ckpt.pt, PyTorch's format"},
        {"gpt2_124M.bin", "there is only gpt2_124M.bin, a format of another program"},
        {"model.safetensors.part", "of an interrupted download"},
        {"model.fp16.safetensors", "rename it to model.safetensors"},
        {"model-00001-of-00002.safetensors", "fetch model.safetensors.index.json too"},
        {"other", "there is no model"}};
    for (auto [name, phrase] : cases) {
        Folder f;
        write_raw(f.folder.file(name), "bytes");
        check_contains(f.error(), phrase);
    }
    Folder f;
    write_raw(f.folder.file("pytorch_model.bin"), "bytes");
    check_contains(f.error(),
                   "convert it: python3 -c 'import sys; from transformers import GPT2LM");
    check_contains(f.error(), "' '" + f.path() + "'");
}

TEST_CASE("gpt2 folder: a file, a name with an apostrophe, no name at all") {
    Folder f;
    f.write("model.safetensors");
    std::string file = f.folder.file("model.safetensors");
    check_contains(error_of([&] { load_gpt2(file); }), "is a file; a model is a folder");
    check_contains(error_of([&] { load_gpt2(file); }), "pass --model " + f.path());
    write_raw(f.folder.file("text"), "text");
    check_contains(error_of([&] { load_gpt2(f.folder.file("text")); }),
                   "pass --model weights/nano");
    check_contains(error_of([&] { load_gpt2(""); }), "the name is empty (--model)");
    std::filesystem::create_directories(f.folder.file("Tiep's"));
    write_raw(f.folder.file("Tiep's/pytorch_model.bin"), "bytes");
    check_contains(error_of([&] { load_gpt2(f.folder.file("Tiep's")); }), "/Tiep'\\''s'");
}

TEST_CASE("gpt2 folder: heads, adapters and layouts that GPT-2 does not have are named") {
    std::pair<const char*, const char*> cases[] = {
        {"score.weight", "is a classifier, with the tensor \"score.weight\""},
        {"v_head.summary.weight", "has a value head"},
        {"base_model.h.0.attn.c_attn.lora_A.weight", "holds a LoRA adapter"},
        {"lm_head.weight", "is untied: lm_head.weight is not wte.weight"}};
    for (auto [name, phrase] : cases) {
        Folder f;
        f.extra = {{name, Tensor({7, 128})}};
        f.write("model.safetensors");
        check_contains(f.error(), phrase);
    }
    Folder tied;
    tied.extra = {{"lm_head.weight", tied.model.W_E}};
    tied.write("model.safetensors");
    CHECK(tied.error() == "no Error was thrown");
    tied.write("model.safetensors", 1);  // without wte.weight
    CHECK(load_gpt2(tied.path()).W_E.data == tied.model.W_E.data);
    tied.model.W_E.data[5] = tied.extra[0].second.data[5] = std::numeric_limits<Real>::quiet_NaN();
    tied.write("model.safetensors");
    check_contains(tied.error(), "wte.weight holds a value that is NaN or infinite");

    Folder turned;
    Tensor& W = turned.model.blocks[0].W_QKV;
    W = Tensor({W.shape[1], W.shape[0]});
    turned.write("model.safetensors");
    check_contains(turned.error(),
                   "has the shape [384, 128], transposed as torch.nn.Linear stores it");
    // Known from the headers alone, before any weight is read.
    check_contains(error_of([&] { gpt2_without_weights(turned.path()); }), "transposed as");
}

TEST_CASE("gpt2 folder: a model of the project is found by its name alone") {
    CHECK(model_folder("nano") == find_in_project("weights/nano"));
    CHECK(model_folder("weights/nano") == find_in_project("weights/nano"));
    CHECK(model_folder("no such model") == "no such model");
}

TEST_CASE("gpt2 folder: a folder that is there comes before one of its name among the weights") {
    TempFolder work;
    std::filesystem::create_directories(work.file("nano"));
    std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(work.path());
    std::string here = model_folder("nano");
    std::filesystem::remove(work.file("nano"));
    std::string elsewhere = model_folder("nano");
    std::filesystem::current_path(before);
    CHECK(here == "nano");
    CHECK(elsewhere.ends_with("weights/nano"));
}
