// SAEs of GPT-2 small that others trained to the end, on much more text, layer by layer: active
// latents of a token and, for the MLP's output, the fraction of the variance unexplained. Each was
// tuned by itself, so that their sparsity is a choice as well. See docs/sources.md.
#pragma once

namespace vimach::ch03 {

constexpr double published_resid_l0[] = {10, 10, 18, 23, 31, 41, 51, 54, 60, 70, 52, 56};
constexpr double published_mlp_l0[] = {15, 21, 137, 54, 74, 76, 40, 52, 36, 49, 167, 170};
constexpr double published_mlp_fvu[] = {0.001, 0.43, 0.45, 0.43, 0.56, 0.48,
                                        0.492, 0.47, 0.54, 0.51, 0.78, 0.41};

}  // namespace vimach::ch03
