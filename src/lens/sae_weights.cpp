// Weights of a sparse autoencoder: shapes and first values; see lens/sae_weights.h.
// Whoever gets an Sae checks it with check_sae at its entry.
#include "lens/sae_weights.h"

#include <cmath>

#include "core/ensure.h"

namespace vimach {

namespace {

void check_config(const SaeConfig& c) {
    ensure(c.d_in >= 1 && c.n_latent >= 1, "needs inputs and latents", "sae", "pass 1 or more");
    if (c.top_k < 0 || c.top_k > c.n_latent) {
        fail(format("cannot keep %ld of %ld latents", c.top_k, c.n_latent), "sae",
             "choose k from 1 to the number of latents");
    }
    ensure(c.l1 >= 0 && c.decorrelation >= 0, "a weight of the loss is negative", "sae",
           "use 0 or more");
}

}  // namespace

int64_t SaeConfig::n_parameter() const {
    return (tied ? 1 : 2) * d_in * n_latent + (bias ? d_in + n_latent : 0);
}

void check_sae(const Sae& sae) {
    const SaeConfig& c = sae.config;
    check_config(c);
    require_shape(sae.W_dec, {c.n_latent, c.d_in}, "sae: W_dec");
    if (!c.tied) require_shape(sae.W_enc, {c.d_in, c.n_latent}, "sae: W_enc");
    if (!c.bias) return;
    require_shape(sae.b_enc, {c.n_latent}, "sae: b_enc");
    require_shape(sae.b_dec, {c.d_in}, "sae: b_dec");
}

Sae random_sae(const SaeConfig& config, Rng& rng) {
    check_config(config);
    auto draw = [&](std::vector<int64_t> shape, int64_t fan_in) {
        Tensor t(std::move(shape));
        double limit = 1 / std::sqrt(static_cast<double>(fan_in));
        for (Real& value : t.data) value = static_cast<Real>((2 * rng.uniform() - 1) * limit);
        return t;
    };
    Sae sae = {.config = config, .W_enc = {}, .b_enc = {}, .W_dec = {}, .b_dec = {}};
    if (!config.tied) sae.W_enc = draw({config.d_in, config.n_latent}, config.d_in);
    if (config.bias) sae.b_enc = draw({config.n_latent}, config.d_in);
    sae.W_dec = draw({config.n_latent, config.d_in}, config.tied ? config.d_in : config.n_latent);
    if (config.bias) sae.b_dec = draw({config.d_in}, config.n_latent);
    return sae;
}

}  // namespace vimach
