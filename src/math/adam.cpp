// Adam over whole tensors; see math/adam.h.
// Every weight is on its own, so pieces of any size may run on any thread.
#include "math/adam.h"

#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"

namespace vimach {

namespace {

constexpr int64_t grain = 1 << 16;  // weights given to a thread at a time

}  // namespace

AdamRates adam_rates(const AdamSettings& settings, int64_t step) {
    ensure(step >= 1, "steps count from 1", "adam_rates", "pass the number of the step");
    auto t = static_cast<double>(step);
    double m_bias = 1 - std::pow(settings.beta1, t), v_bias = 1 - std::pow(settings.beta2, t);
    return {.beta1 = static_cast<Real>(settings.beta1),
            .beta2 = static_cast<Real>(settings.beta2),
            .step_size = static_cast<Real>(settings.learning_rate / m_bias),
            .v_scale = static_cast<Real>(1 / std::sqrt(v_bias)),
            .epsilon = static_cast<Real>(settings.epsilon),
            .keep = static_cast<Real>(1 - settings.learning_rate * settings.weight_decay)};
}

void prepare(AdamMoments& moments, const Tensor& weights) {
    if (moments.m.data.empty() && weights.size() > 0) {
        moments = {Tensor(weights.shape), Tensor(weights.shape)};
    }
    ensure(moments.m.shape == weights.shape && moments.v.shape == weights.shape,
           "the moments have another shape than the weights", "adam",
           "keep one AdamMoments for each tensor");
}

void adam_update(const AdamRates& rates, int64_t count, const Real* __restrict grad,
                 Real* __restrict weights, Real* __restrict m, Real* __restrict v) {
    for (int64_t i = 0; i < count; ++i) {
        Real g = grad[i];
        m[i] = rates.beta1 * m[i] + (1 - rates.beta1) * g;
        v[i] = rates.beta2 * v[i] + (1 - rates.beta2) * g * g;
        weights[i] = rates.keep * weights[i] -
                     rates.step_size * m[i] / (std::sqrt(v[i]) * rates.v_scale + rates.epsilon);
    }
}

void adam_step(Tensor& weights, const Tensor& grad, AdamMoments& moments, int64_t step,
               const AdamSettings& settings) {
    ensure(grad.shape == weights.shape, "the gradient has another shape than the weights",
           "adam_step", "pass the gradient of these weights");
    prepare(moments, weights);
    AdamRates rates = adam_rates(settings, step);
    parallel_ranges(weights.size(), grain, [&](int64_t begin, int64_t end) {
        adam_update(rates, end - begin, grad.data.data() + begin, weights.data.data() + begin,
                    moments.m.data.data() + begin, moments.v.data.data() + begin);
    });
}

}  // namespace vimach
