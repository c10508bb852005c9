// GPT-2 on disk: a folder with model.safetensors in Hugging Face's tensor names and layouts
// (huggingface/transformers, GPT2Model: wte, wpe, h.N.attn.c_attn, ...; W stored [d_in, d_out]).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/gpt2.h"

namespace vimach {

/// One tensor of a model: its name in the file, its place, the shape that the configuration gives
/// it, and the standard deviation of its random start (0: all zero; -1: all one).
struct Parameter {
    std::string name;
    Tensor* tensor;
    std::vector<int64_t> shape;
    double deviation;
};

/// Every tensor of a model whose config and number of blocks are set, in the order of the file.
std::vector<Parameter> parameters(Gpt2& model);

/// Reads FOLDER/model.safetensors, or its shards. The extents follow from the shapes; the number of
/// heads from the metadata "n_head" or from config.json, else it is guessed and `note` says so.
/// Missing, extra or misshapen tensors, values that are not finite, and a config.json that asks for
/// other arithmetic are an Error; causal-mask buffers and a tied lm_head.weight are skipped.
Gpt2 load_gpt2(const std::string& folder);

/// The same in two steps: all but the tensors, which stay empty; then the tensors, from
/// model.source. Only values that are not finite are left to the second for an Error.
Gpt2 gpt2_without_weights(const std::string& folder);
void read_weights(Gpt2& model);

/// Writes FOLDER/model.safetensors so that load_gpt2 reads it; dtype "F32" or "F16".
void save_gpt2(const Gpt2& model, const std::string& folder, const char* dtype = "F32");

/// A model of the same shape whose parameters are all zero: gradients, or an optimiser's moments.
Gpt2 zeros_like(const Gpt2& model);

/// Random weights as before training: normal with standard deviation 0.02 (W_pos 0.01; W_O and
/// W_out 0.02 / sqrt(2 n_layer)), biases 0, gains 1 (Radford et al. 2019, sec. 2.3).
Gpt2 random_gpt2(const Gpt2Config& config, uint64_t seed);

}  // namespace vimach
