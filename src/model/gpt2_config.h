// What a model's folder says of itself beside its tensors: config.json, as Hugging Face writes it.
// Shapes say the extents; the number of heads, the nonlinearity and a few switches stand here
// alone, and a model computed with others than its own is another model. So all that this project's
// forward pass does otherwise is refused by name.
#pragma once

#include <cstdint>
#include <string>

#include "model/gpt2.h"

namespace vimach {

/// The number of heads that the text of a config.json names, or 0. `shapes` has all extents but
/// n_head. Throws, naming `path`, where the text is no JSON object, where it and the shapes
/// disagree, and where it asks for other arithmetic: another model_type or activation_function than
/// gpt2's gelu_new, a layer_norm_epsilon other than 1e-5, attention scaled otherwise,
/// cross-attention.
int64_t heads_in_config(const std::string& text, const std::string& path, const Gpt2Config& shapes);

}  // namespace vimach
