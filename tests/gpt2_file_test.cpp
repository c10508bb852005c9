// GPT-2 on disk: a tiny random model goes there and back; then its file is changed in one place,
// and load_gpt2 must refuse it (or not) with an error that names the tensor and what mends it.
#include "model/gpt2_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "model/safetensors.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;
using namespace std::string_literals;

namespace {

constexpr Gpt2Config tiny = {
    .n_layer = 2, .n_head = 4, .d_model = 128, .d_mlp = 24, .n_ctx = 3, .d_vocab = 7};

struct BlockTensor {
    const char* name;
    Tensor Gpt2Block::*tensor;
    std::vector<int64_t> shape;
};

/// Hugging Face's names of a block's tensors, and their shapes in the tiny model.
const BlockTensor block_tensors[] = {{"ln_1.weight", &Gpt2Block::ln_1_gain, {128}},
                                     {"ln_1.bias", &Gpt2Block::ln_1_bias, {128}},
                                     {"attn.c_attn.weight", &Gpt2Block::W_QKV, {128, 384}},
                                     {"attn.c_attn.bias", &Gpt2Block::b_QKV, {384}},
                                     {"attn.c_proj.weight", &Gpt2Block::W_O, {128, 128}},
                                     {"attn.c_proj.bias", &Gpt2Block::b_O, {128}},
                                     {"ln_2.weight", &Gpt2Block::ln_2_gain, {128}},
                                     {"ln_2.bias", &Gpt2Block::ln_2_bias, {128}},
                                     {"mlp.c_fc.weight", &Gpt2Block::W_in, {128, 24}},
                                     {"mlp.c_fc.bias", &Gpt2Block::b_in, {24}},
                                     {"mlp.c_proj.weight", &Gpt2Block::W_out, {24, 128}},
                                     {"mlp.c_proj.bias", &Gpt2Block::b_out, {128}}};

struct ModelTensor {
    std::string name;
    const Tensor* tensor;
    std::vector<int64_t> shape;
};

/// Every tensor of a tiny model by its name in the file.
std::vector<ModelTensor> model_tensors(const Gpt2& model) {
    std::vector<ModelTensor> list = {{"wte.weight", &model.W_E, {7, 128}},
                                     {"wpe.weight", &model.W_pos, {3, 128}},
                                     {"ln_f.weight", &model.ln_final_gain, {128}},
                                     {"ln_f.bias", &model.ln_final_bias, {128}}};
    for (size_t layer = 0; layer < model.blocks.size(); ++layer) {
        for (const BlockTensor& block : block_tensors) {
            list.push_back({format("h.%zu.%s", layer, block.name),
                            &(model.blocks[layer].*block.tensor), block.shape});
        }
    }
    return list;
}

/// A tiny model in which no two tensors are alike: biases and gains are random too.
Gpt2 tiny_model(uint64_t seed = 1) {
    Gpt2 model = random_gpt2(tiny, seed);
    Rng rng(seed + 100);
    for (const ModelTensor& part : model_tensors(model)) {
        for (Real& value : const_cast<Tensor*>(part.tensor)->data) {
            value = static_cast<float>(rng.normal());
        }
    }
    return model;
}

/// The contents of a model's file, to be changed in one place and written again.
struct Contents {
    std::vector<std::pair<std::string, Tensor>> tensors;
    std::map<std::string, std::string> metadata = {{"n_head", "4"}};

    Tensor& at(const std::string& name) {
        auto found = std::ranges::find(tensors, name, &std::pair<std::string, Tensor>::first);
        REQUIRE_MESSAGE(found != tensors.end(), name);
        return found->second;
    }
};

Contents contents_of(const Gpt2& model) {
    Contents contents;
    for (const ModelTensor& part : model_tensors(model)) {
        contents.tensors.push_back({part.name, *part.tensor});
    }
    return contents;
}

Gpt2 write_and_load(const Contents& contents, const std::string& folder) {
    std::vector<NamedTensor> named;
    for (const auto& [name, tensor] : contents.tensors) named.push_back({name, &tensor});
    write_safetensors(folder + "/model.safetensors", named, contents.metadata);
    return load_gpt2(folder);
}

constexpr const char* fetch_gpt2 = "run weights/fetch.sh gpt2 and pass --model weights/gpt2";

/// The error of loading a changed file; it must name the file and what mends it.
std::string load_error(const Contents& contents) {
    TempFolder folder;
    std::string error = error_of([&] { write_and_load(contents, folder.file("gpt2")); });
    std::string fetch = std::string("/gpt2/model.safetensors): ") + fetch_gpt2;
    CHECK((error.ends_with(fetch) || error.ends_with("(weight = weight.T)")));
    return error;
}

}  // namespace

// --- there and back -----------------------------------------------------------------------------

TEST_CASE("gpt2 file: a saved model is loaded again") {
    Gpt2 model = tiny_model();
    for (const char* dtype : {"F32", "F16"}) {
        CAPTURE(dtype);
        TempFolder folder;
        save_gpt2(model, folder.file("sub/model"), dtype);
        Gpt2 back = load_gpt2(folder.file("sub/model"));
        CHECK(back.source == folder.file("sub/model"));
        CHECK((back.config.n_layer == 2 && back.config.n_head == 4 && back.config.d_model == 128));
        CHECK((back.config.d_mlp == 24 && back.config.n_ctx == 3 && back.config.d_vocab == 7));

        // Compare every tensor, as its dtype holds it.
        std::vector<ModelTensor> parts = model_tensors(model), loaded = model_tensors(back);
        REQUIRE(loaded.size() == parts.size());
        for (size_t i = 0; i < parts.size(); ++i) {
            CAPTURE(parts[i].name);
            std::vector<Real> expected = parts[i].tensor->data;
            for (Real& value : expected) {
                auto narrow = static_cast<float>(value);
                value = dtype[1] == '1' ? half_to_float(float_to_half(narrow)) : narrow;
            }
            CHECK(loaded[i].tensor->shape == parts[i].shape);
            CHECK((loaded[i].tensor->data == expected));
        }
    }
}

TEST_CASE("gpt2 file: a saved file has Hugging Face's names, shapes and metadata") {
    Gpt2 model = tiny_model();
    TempFolder folder;
    save_gpt2(model, folder.path());
    SafetensorsReader reader(folder.file("model.safetensors"));
    CHECK(reader.header().metadata.at("n_head") == "4");
    CHECK(reader.header().metadata.at("format") == "pt");
    std::vector<ModelTensor> parts = model_tensors(model);
    CHECK(reader.header().tensors.size() == parts.size());
    for (const ModelTensor& part : parts) {
        CAPTURE(part.name);
        const TensorEntry* entry = reader.find(part.name);
        REQUIRE(entry != nullptr);
        CHECK(entry->dtype == "F32");
        CHECK(entry->shape == part.shape);
        CHECK((reader.read(*entry).data == part.tensor->data));
    }
}

TEST_CASE("gpt2 file: the order of the tensors, a prefix and mask buffers make no difference") {
    Contents plain = contents_of(tiny_model()), changed = plain;
    const Tensor scalar{std::vector<int64_t>{}};
    std::ranges::reverse(changed.tensors);
    for (const char* layer : {"h.0.", "h.1."}) {
        changed.tensors.push_back({std::string(layer) + "attn.bias", Tensor({1, 1, 3, 3})});
        changed.tensors.push_back({std::string(layer) + "attn.masked_bias", scalar});
    }
    std::vector<Contents> same;
    for (const char* prefix : {"", "transformer.", "module.transformer.", "_orig_mod."}) {
        same.push_back(changed);
        for (auto& [name, tensor] : same.back().tensors) name = prefix + name;
    }
    TempFolder folder;
    Gpt2 expected = write_and_load(plain, folder.file("plain"));
    for (const Contents& contents : same) {
        Gpt2 model = write_and_load(contents, folder.file("changed"));
        std::vector<ModelTensor> parts = model_tensors(model), wanted = model_tensors(expected);
        REQUIRE(parts.size() == wanted.size());
        for (size_t i = 0; i < parts.size(); ++i) {
            CAPTURE(parts[i].name);
            CHECK((parts[i].tensor->data == wanted[i].tensor->data));
        }
    }
}

TEST_CASE("gpt2 file: mask buffers are skipped whatever their dtype") {
    // Append nine bytes of data, and their entry to the header.
    TempFolder folder;
    save_gpt2(tiny_model(), folder.path());
    std::string path = folder.file("model.safetensors"), bytes = read_raw(path);
    auto n_data = static_cast<size_t>(SafetensorsReader(path).header().tensors.back().end);
    std::string header = bytes.substr(8, bytes.size() - n_data - 8);
    header.resize(header.rfind('}'));
    header += format(R"(,"h.1.attn.bias":{"dtype":"BOOL","shape":[3,3],"data_offsets":[%zu,%zu]}})",
                     n_data, n_data + 9);
    bytes = safetensors_bytes(header, bytes.substr(bytes.size() - n_data) + "123456789");
    write_raw(path, bytes);
    CHECK(load_gpt2(folder.path()).config.n_layer == 2);
}

// --- what is refused ----------------------------------------------------------------------------

TEST_CASE("gpt2 file: each missing tensor is named") {
    const Contents whole = contents_of(tiny_model());
    for (size_t i = 0; i < whole.tensors.size(); ++i) {
        const std::string& name = whole.tensors[i].first;
        CAPTURE(name);
        Contents contents = whole;
        contents.tensors.erase(contents.tensors.begin() + static_cast<int64_t>(i));
        check_contains(load_error(contents), "is no GPT-2: the tensor " + name + " is missing (");
    }
    check_contains(load_error(Contents()), "is missing (");
}

TEST_CASE("gpt2 file: each misshapen tensor is named") {
    // Transpose matrices and lengthen vectors; then give each tensor one extent too many.
    const Contents whole = contents_of(tiny_model());
    for (const auto& [name, tensor] : whole.tensors) {
        CAPTURE(name);
        std::vector<int64_t> turned(tensor.shape.rbegin(), tensor.shape.rend());
        if (turned.size() == 1) turned[0] += 64;
        if (turned == tensor.shape) turned[1] += 1;
        std::vector<int64_t> deep = tensor.shape;
        deep.insert(deep.begin(), 1);

        Contents contents = whole;
        contents.at(name) = Tensor(deep);
        std::string has = " has the shape ";
        check_contains(load_error(contents), "is no GPT-2: " + name + has + shape_text(deep));

        // The final norm's gain says what d_model is: where it is wrong, all others are.
        contents.at(name) = Tensor(turned);
        bool is_measure = name == "ln_f.weight";
        check_contains(load_error(contents),
                       "is no GPT-2: " + (is_measure ? "wte.weight has the shape [7, 128]"
                                                     : name + has + shape_text(turned)));
    }
}

TEST_CASE("gpt2 file: tensors that do not belong there are named") {
    struct Case {
        const char *name, *quoted;
    };
    const Case cases[] = {{"h.0.attn.bias2", "\"h.0.attn.bias2\""},
                          {"H.0.attn.bias", "\"H.0.attn.bias\""},
                          {"h.3.ln_1.weight", "\"h.3.ln_1.weight\""},
                          {"transformer.h.0.attn.bias", "\"transformer.h.0.attn.bias\""},
                          {"../../x\n\x1B[2J", "\"../../x\\u000a\\u001b[2J\""},
                          {"", "\"\""}};
    for (const Case& c : cases) {
        Contents contents = contents_of(tiny_model());
        contents.tensors.push_back({c.name, Tensor({1})});
        check_contains(load_error(contents), "is no GPT-2: it has a tensor "s + c.quoted + " (");
    }
}

TEST_CASE("gpt2 file: empty extents and a context of one token are refused") {
    const std::pair<std::vector<const char*>, std::vector<std::vector<int64_t>>> cases[] = {
        {{"wte.weight"}, {{0, 128}}},
        {{"wpe.weight"}, {{0, 128}}},
        {{"ln_f.weight"}, {{0}}},
        {{"h.0.mlp.c_fc.weight", "h.0.mlp.c_fc.bias", "h.0.mlp.c_proj.weight"},
         {{128, 0}, {0}, {0, 128}}}};
    for (const auto& [names, shapes] : cases) {
        Contents contents = contents_of(tiny_model());
        for (size_t i = 0; i < names.size(); ++i) contents.at(names[i]) = Tensor(shapes[i]);
        check_contains(load_error(contents), "is no GPT-2: it has an empty tensor");
    }
    Contents short_sighted = contents_of(tiny_model());
    short_sighted.at("wpe.weight") = Tensor({1, 128});
    check_contains(load_error(short_sighted), "has a context of one token");
}

// --- the number of heads ------------------------------------------------------------------------

TEST_CASE("gpt2 file: the number of heads is the file's, else d_model / 64") {
    Contents contents = contents_of(tiny_model());
    TempFolder folder;
    for (int64_t n_head : {1, 2, 8, 128}) {
        contents.metadata["n_head"] = std::to_string(n_head);
        CHECK(write_and_load(contents, folder.path()).config.n_head == n_head);
    }
    contents.metadata = {{"format", "pt"}};
    CHECK(write_and_load(contents, folder.path()).config.n_head == 2);
}

TEST_CASE("gpt2 file: numbers of heads that are none are refused") {
    Contents contents = contents_of(tiny_model());
    for (const char* bad : {"x", "0", "-1", "-4", "3", "256", "4 ", " 4", "+4", "", "4.0", "4e0",
                            "0x4", "9223372036854775807", "9223372036854775808",
                            "18446744073709551620", "99999999999999999999999999"}) {
        contents.metadata["n_head"] = bad;
        check_contains(load_error(contents), "n_head is \""s + bad + "\", which does not divide");
    }
    contents.metadata["n_head"] = "4\n\x1B";
    check_contains(load_error(contents), "n_head is \"4\\u000a\\u001b\", which does not divide");
}

TEST_CASE("gpt2 file: without n_head, d_model must be a multiple of 64") {
    Gpt2Config config = tiny;
    config.d_model = 96;
    Contents contents = contents_of(random_gpt2(config, 1));
    contents.metadata = {};
    check_contains(load_error(contents), "has no n_head, and d_model is no multiple of 64");
}

// --- what mends it ------------------------------------------------------------------------------

TEST_CASE("gpt2 file: a missing model comes with the command that brings it") {
    std::string other = std::string("pass --model weights/nano, or ") + fetch_gpt2;
    const std::pair<const char*, std::string> cases[] = {
        {"gpt2", fetch_gpt2},
        {"gpt2/", fetch_gpt2},
        {"x/../gpt2/.", fetch_gpt2},
        {"gpt2-large", "run weights/fetch.sh gpt2-large and pass --model weights/gpt2-large"},
        {"gpt2-shape", "run make weights/gpt2-shape"},
        {"gpt3", other},
        {"gpt2/x", other}};
    TempFolder folder;
    for (const auto& [name, remedy] : cases) {
        std::string path = folder.file(name), error = error_of([&] { load_gpt2(path); });
        CHECK(error == "there is no model (" + path + "/model.safetensors): " + remedy);
    }
}

TEST_CASE("gpt2 file: a model's folder that is none is an Error") {
    TempFolder folder;
    write_raw(folder.file("model.safetensors"), "text");
    std::filesystem::create_symlink("loop", folder.file("loop"));
    std::filesystem::create_directories(folder.file("taken/model.safetensors"));
    const std::pair<std::string, const char*> cases[] = {
        {"loop", "Too many levels of symbolic links"},
        {"taken", "is a directory, not a file"},
        {std::string(5000, 'n'), "File name too long"},
        {".", "is shorter than the 8 bytes of a header length"}};
    for (const auto& [name, phrase] : cases) {
        std::string error = error_of([&] { load_gpt2(folder.file(name)); });
        check_contains(error, phrase);
        check_contains(error, " (" + folder.file(name) + "/model.safetensors");
    }
}

// --- random weights -----------------------------------------------------------------------------

TEST_CASE("gpt2 file: the number of parameters follows from the extents") {
    CHECK(gpt2_small.n_parameter() == 124'439'808);
    CHECK(gpt2_large.n_parameter() == 774'030'080);

    Gpt2 model = random_gpt2(tiny, 1);
    int64_t n = 0;
    for (const ModelTensor& part : model_tensors(model)) n += part.tensor->size();
    CHECK(tiny.n_parameter() == n);
}

TEST_CASE("gpt2 file: random weights follow the seed") {
    Gpt2 a = random_gpt2(tiny, 7), b = random_gpt2(tiny, 7), c = random_gpt2(tiny, 8);
    std::vector<ModelTensor> parts = model_tensors(a), same_seed = model_tensors(b),
                             other_seed = model_tensors(c);
    for (size_t i = 0; i < parts.size(); ++i) {
        CAPTURE(parts[i].name);
        bool drawn = parts[i].tensor->shape.size() == 2;
        CHECK(parts[i].tensor->shape == parts[i].shape);
        CHECK((parts[i].tensor->data == same_seed[i].tensor->data));
        CHECK((parts[i].tensor->data != other_seed[i].tensor->data) == drawn);
    }
    CHECK(a.source == "random weights, seed 7");
}

TEST_CASE("gpt2 file: random weights have the spread of an untrained GPT-2") {
    Gpt2Config config = tiny;
    config.d_vocab = 100;
    config.n_ctx = config.d_mlp = 64;
    Gpt2 model = random_gpt2(config, 3);
    for (const ModelTensor& part : model_tensors(model)) {
        CAPTURE(part.name);
        double sum = 0, sum_squares = 0, n = static_cast<double>(part.tensor->size());
        for (Real value : part.tensor->data) {
            sum += value;
            sum_squares += static_cast<double>(value) * value;
        }

        // Gains are 1, biases 0; matrices have the deviation of their kind, sqrt(2 n_layer) = 2.
        bool gain = part.name.ends_with("ln_1.weight") || part.name.ends_with("ln_2.weight") ||
                    part.name == "ln_f.weight";
        double deviation = part.tensor->shape.size() == 1         ? 0
                           : part.name == "wpe.weight"            ? 0.01
                           : part.name.ends_with("c_proj.weight") ? 0.02 / 2
                                                                  : 0.02;
        double mean = sum / n, measured = std::sqrt(sum_squares / n - mean * mean);
        CHECK(std::abs(mean - gain) <= 4 * deviation / std::sqrt(n));
        CHECK(std::abs(measured - deviation) <= 0.03 * deviation);
    }
}
