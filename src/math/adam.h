// Adam (Kingma & Ba 2015, algorithm 1) with decoupled weight decay (Loshchilov & Hutter 2019):
//   m = beta1 m + (1 - beta1) g           v = beta2 v + (1 - beta2) g^2
//   w = (1 - learning_rate * decay) w - learning_rate * m^ / (sqrt(v^) + epsilon)
// with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t) and t = 1, 2, ... the number of the step.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace vimach {

struct AdamSettings {
    double learning_rate = 1e-3;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double weight_decay = 0;
};

/// Running means of a tensor's gradient and of its square; empty before the first step.
struct AdamMoments {
    Tensor m = {}, v = {};
};

/// One step of one tensor of any shape; `step` counts from 1. Throws where the shapes differ.
void adam_step(Tensor& weights, const Tensor& grad, AdamMoments& moments, int64_t step,
               const AdamSettings& settings);

/// Makes the moments zeros of this shape where they are empty, so that adam_update can be used.
void prepare(AdamMoments& moments, const Tensor& weights);

/// What is the same for every weight of a step.
struct AdamRates {
    Real beta1, beta2;
    Real step_size;  ///< learning_rate / (1 - beta1^t)
    Real v_scale;    ///< 1 / sqrt(1 - beta2^t)
    Real epsilon;
    Real keep;  ///< 1 - learning_rate * weight_decay
};
AdamRates adam_rates(const AdamSettings& settings, int64_t step);

/// The step for `count` weights in a row, on the calling thread: for gradients still in the cache.
void adam_update(const AdamRates& rates, int64_t count, const Real* grad, Real* weights, Real* m,
                 Real* v);

}  // namespace vimach
