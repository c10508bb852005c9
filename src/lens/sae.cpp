// Sparse autoencoders with dense products; see lens/sae.h.
// Notation: a block is a range of rows; sums over rows are added in the order of the blocks.
#include "lens/sae.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "lens/decorrelation.h"
#include "math/blas.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t row_grain = 64;             // rows of elementwise work given to a thread
constexpr int64_t block_entries = 2'097'152;  // latents in memory at a time, about
constexpr const char* where = "sae";

// --- shapes -------------------------------------------------------------------------------------

void check_config(const SaeConfig& c) {
    ensure(c.d_in >= 1 && c.n_latent >= 1, "needs inputs and latents", where, "pass 1 or more");
    if (c.top_k < 0 || c.top_k > c.n_latent) {
        fail(format("cannot keep %ld of %ld latents", c.top_k, c.n_latent), where,
             "choose k from 1 to the number of latents");
    }
    ensure(c.l1 >= 0 && c.decorrelation >= 0, "a weight of the loss is negative", where,
           "use 0 or more");
}

void check_shapes(const Sae& sae, int64_t cols) {
    const SaeConfig& c = sae.config;
    check_config(c);
    ensure(cols == c.d_in, "the rows are not as wide as the SAE's input", where,
           "pass rows of d_in numbers");
    require_shape(sae.W_dec, {c.n_latent, c.d_in}, "sae: W_dec");
    if (!c.tied) require_shape(sae.W_enc, {c.d_in, c.n_latent}, "sae: W_enc");
    if (!c.bias) return;
    require_shape(sae.b_enc, {c.n_latent}, "sae: b_enc");
    require_shape(sae.b_dec, {c.d_in}, "sae: b_dec");
}

/// Zeros in the shape of a weight; nothing where the weight is not there.
Tensor zeros_like(const Tensor& weight) {
    return weight.size() > 0 ? Tensor(weight.shape) : Tensor();
}

/// How many rows are worked off at a time: equal blocks of at most block_entries latents.
int64_t block_rows(int64_t n_row, int64_t n_latent) {
    int64_t most = std::max<int64_t>(block_entries / n_latent, 1);
    int64_t n_block = std::max<int64_t>((n_row + most - 1) / most, 1);
    return std::max<int64_t>((n_row + n_block - 1) / n_block, 1);
}

// --- elementwise pieces -------------------------------------------------------------------------

void add_bias(MatrixView y, const Tensor& bias) {
    for (int64_t i = 0; i < y.rows && bias.size() > 0; ++i) {
        Real* out = y.data + i * y.stride;
        for (int64_t j = 0; j < y.cols; ++j) out[j] += bias.data[j];
    }
}

/// grad_b[j] += sum of column j.
void add_column_sums(ConstMatrixView x, Tensor& grad_b) {
    if (grad_b.size() == 0) return;
    for (int64_t i = 0; i < x.rows; ++i) {
        const Real* row = x.data + i * x.stride;
        for (int64_t j = 0; j < x.cols; ++j) grad_b.data[j] += row[j];
    }
}

/// act(pre), element by element.
void activate(Activation activation, int64_t count, const Real* pre, Real* out) {
    if (activation == Activation::relu) {
        for (int64_t j = 0; j < count; ++j) out[j] = pre[j] > 0 ? pre[j] : 0;
    } else {
        for (int64_t j = 0; j < count; ++j) out[j] = pre[j] * vector_normal(pre[j]).cdf;
    }
}

/// grad *= act'(pre), and 0 where the sparsity rule took the latent out.
/// Undoes: latents = keep * act(pre).
void activate_backward(const SaeConfig& c, int64_t count, const Real* pre, const Real* latents,
                       Real* grad) {
    if (c.activation == Activation::relu) {
        for (int64_t j = 0; j < count; ++j) grad[j] = latents[j] > 0 ? grad[j] : 0;
        return;
    }
    for (int64_t j = 0; j < count; ++j) {
        Normal at = vector_normal(pre[j]);
        grad[j] *= at.cdf + pre[j] * at.density;
    }
    if (c.top_k == 0) return;
    for (int64_t j = 0; j < count; ++j) grad[j] = latents[j] != 0 ? grad[j] : 0;
}

/// Sets to 0 all but the k largest of a row.
void keep_top_k(const SaeConfig& c, Real* row) {
    if (c.top_k == 0 || c.top_k == c.n_latent) return;
    std::vector<Real> sorted(row, row + c.n_latent);
    std::nth_element(sorted.begin(), sorted.begin() + (c.top_k - 1), sorted.end(),
                     [](Real a, Real b) { return a > b; });
    Real kth = sorted[c.top_k - 1];
    int64_t room = c.top_k - std::count_if(row, row + c.n_latent, [&](Real v) { return v > kth; });
    if (c.keep_ties) room = c.n_latent;
    for (int64_t j = 0; j < c.n_latent; ++j) {
        bool kept = row[j] > kth || (row[j] == kth && room-- > 0);
        row[j] = kept ? row[j] : 0;
    }
}

// --- forward, one block -------------------------------------------------------------------------

/// What the forward pass of a block of rows leaves behind.
struct Forward {
    Tensor pre_acts, latents;  ///< [n_row, n_latent]
    Tensor error;              ///< recon - x, [n_row, d_in]
};

/// pre_acts = x W_enc + b_enc;  latents = keep * act(pre_acts).
void encode_rows(const Sae& sae, ConstMatrixView x, MatrixView pre_acts, MatrixView latents) {
    const SaeConfig& c = sae.config;
    matmul(x, c.tied ? sae.W_dec.matrix() : sae.W_enc.matrix(), pre_acts, {.transpose_b = c.tied});
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        add_bias(row_range(pre_acts, begin, end - begin), sae.b_enc);
        for (int64_t i = begin; i < end; ++i) {
            Real* out = latents.data + i * latents.stride;
            activate(c.activation, c.n_latent, pre_acts.data + i * pre_acts.stride, out);
            keep_top_k(c, out);
        }
    });
}

/// recon = latents W_dec + b_dec.
void decode_rows(const Sae& sae, ConstMatrixView latents, MatrixView recon) {
    matmul(latents, sae.W_dec.matrix(), recon);
    add_bias(recon, sae.b_dec);
}

/// Sum of f(row) over rows, in double, in their order.
double sum_rows(ConstMatrixView x, double (*f)(const Real*, int64_t)) {
    std::vector<double> sums(static_cast<size_t>(x.rows));
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) sums[i] = f(x.data + i * x.stride, x.cols);
    });
    double total = 0;
    for (double value : sums) total += value;
    return total;
}

double row_squares(const Real* row, int64_t n) {
    double total = 0;
    for (int64_t j = 0; j < n; ++j) total += double{row[j]} * row[j];
    return total;
}

double row_size(const Real* row, int64_t n) {
    double total = 0;
    for (int64_t j = 0; j < n; ++j) total += std::abs(double{row[j]});
    return total;
}

double row_live(const Real* row, int64_t n) {
    return static_cast<double>(n - std::count(row, row + n, Real(0)));
}

Forward forward(const Sae& sae, ConstMatrixView x) {
    Forward f = {Tensor({x.rows, sae.config.n_latent}), Tensor({x.rows, sae.config.n_latent}),
                 Tensor({x.rows, x.cols})};
    encode_rows(sae, x, f.pre_acts.matrix(), f.latents.matrix());
    decode_rows(sae, f.latents.matrix(), f.error.matrix());
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < x.cols; ++j) {
            f.error.data[i * x.cols + j] -= x.data[i * x.stride + j];
        }
    }
    return f;
}

// --- backward, one block ------------------------------------------------------------------------

/// What is the same for every block of a batch.
struct Batch {
    int64_t n_row;
    const Tensor* grad_decorrelation;  ///< [n_row, n_latent] or null
};

/// Adds a block's share of all gradients. Undoes forward(), line by line from its end.
void backward(const Sae& sae, ConstMatrixView x, int64_t first, const Batch& batch, Forward& f,
              SaeGradients& grad) {
    const SaeConfig& c = sae.config;

    // Undo mse = mean (recon - x)^2.
    auto n_number = static_cast<double>(batch.n_row * c.d_in);
    for (Real& value : f.error.data) value *= static_cast<Real>(2 / n_number);
    const Tensor& grad_recon = f.error;

    // Undo recon = latents W_dec + b_dec.
    matmul(f.latents.matrix(), grad_recon.matrix(), grad.W_dec.matrix(),
           {.transpose_a = true, .accumulate = true});
    add_column_sums(grad_recon.matrix(), grad.b_dec);
    Tensor grad_latents({x.rows, c.n_latent});
    matmul(grad_recon.matrix(), sae.W_dec.matrix(), grad_latents.matrix(), {.transpose_b = true});

    // Undo the penalties, then latents = keep * act(pre_acts).
    Real l1 = static_cast<Real>(c.l1 / static_cast<double>(batch.n_row * c.n_latent));
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            Real* g = grad_latents.row(i).data();
            const Real* z = f.latents.row(i).data();
            for (int64_t j = 0; j < c.n_latent; ++j) g[j] += z[j] > 0 ? l1 : z[j] < 0 ? -l1 : 0;
            if (batch.grad_decorrelation != nullptr) {
                const Real* extra = batch.grad_decorrelation->row(first + i).data();
                Real weight = static_cast<Real>(c.decorrelation);
                for (int64_t j = 0; j < c.n_latent; ++j) g[j] += weight * extra[j];
            }
            activate_backward(c, c.n_latent, f.pre_acts.row(i).data(), z, g);
        }
    });
    const Tensor& grad_pre = grad_latents;

    // Undo pre_acts = x W_enc + b_enc. A tied weight gets this on top of what it got as decoder.
    if (c.tied) {
        matmul(grad_pre.matrix(), x, grad.W_dec.matrix(),
               {.transpose_a = true, .accumulate = true});
    } else {
        matmul(x, grad_pre.matrix(), grad.W_enc.matrix(),
               {.transpose_a = true, .accumulate = true});
    }
    add_column_sums(grad_pre.matrix(), grad.b_enc);
}

}  // namespace

// --- weights ------------------------------------------------------------------------------------

int64_t SaeConfig::n_parameter() const {
    return (tied ? 1 : 2) * d_in * n_latent + (bias ? d_in + n_latent : 0);
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

// --- forward ------------------------------------------------------------------------------------

Tensor encode(const Sae& sae, ConstMatrixView x) {
    check_shapes(sae, x.cols);
    Tensor latents({x.rows, sae.config.n_latent});
    encode_rows(sae, x, latents.matrix(), latents.matrix());
    return latents;
}

Tensor decode(const Sae& sae, ConstMatrixView latents) {
    check_shapes(sae, sae.config.d_in);
    require_shape(latents, latents.rows, sae.config.n_latent, "decode: latents");
    Tensor recon({latents.rows, sae.config.d_in});
    decode_rows(sae, latents, recon.matrix());
    return recon;
}

double total_loss(const SaeConfig& config, const SaeLosses& losses) {
    return losses.mse + config.l1 * losses.l1 + config.decorrelation * losses.decorrelation;
}

// --- one step -----------------------------------------------------------------------------------

SaeStep sae_forward_backward(const Sae& sae, ConstMatrixView x) {
    const SaeConfig& c = sae.config;
    check_shapes(sae, x.cols);
    ensure(x.rows >= 1, "needs a row", "sae_forward_backward", "pass [n_row, d_in]");
    SaeStep step = {.grad = {zeros_like(sae.W_enc), zeros_like(sae.b_enc), zeros_like(sae.W_dec),
                             zeros_like(sae.b_dec)}};

    // Decorrelation looks at all rows together, so it comes first.
    Decorrelation together;
    if (c.decorrelation > 0) together = decorrelation(encode(sae, x));
    step.losses.decorrelation = together.value;
    Batch batch = {x.rows, c.decorrelation > 0 ? &together.grad_latents : nullptr};

    int64_t n_block_row = block_rows(x.rows, c.n_latent);
    for (int64_t first = 0; first < x.rows; first += n_block_row) {
        ConstMatrixView rows = row_range(x, first, std::min(n_block_row, x.rows - first));
        Forward f = forward(sae, rows);
        step.losses.mse += sum_rows(f.error.matrix(), row_squares);
        step.losses.l1 += sum_rows(f.latents.matrix(), row_size);
        step.live_share += sum_rows(f.latents.matrix(), row_live);
        backward(sae, rows, first, batch, f, step.grad);
    }
    auto n_latent = static_cast<double>(x.rows * c.n_latent);
    step.losses.mse /= static_cast<double>(x.rows * c.d_in);
    step.losses.l1 /= n_latent;
    step.live_share /= n_latent;
    return step;
}

void adam_step(Sae& sae, const SaeGradients& grad, SaeAdam& adam) {
    ++adam.n_step;
    adam_step(sae.W_enc, grad.W_enc, adam.W_enc, adam.n_step, adam.settings);
    adam_step(sae.b_enc, grad.b_enc, adam.b_enc, adam.n_step, adam.settings);
    adam_step(sae.W_dec, grad.W_dec, adam.W_dec, adam.n_step, adam.settings);
    adam_step(sae.b_dec, grad.b_dec, adam.b_dec, adam.n_step, adam.settings);
}

SaeTrained sae_train_step(Sae& sae, ConstMatrixView x, SaeAdam& adam) {
    SaeStep step = sae_forward_backward(sae, x);
    adam_step(sae, step.grad, adam);
    return {step.losses, step.live_share};
}

// --- what a trained SAE does --------------------------------------------------------------------

SaeSummary summarise(const Sae& sae, ConstMatrixView x) {
    const SaeConfig& c = sae.config;
    check_shapes(sae, x.cols);
    ensure(x.rows >= 1, "needs a row", "summarise", "pass [n_row, d_in]");
    SaeSummary out = {.losses = {}, .n_row = x.rows};
    out.n_live.resize(static_cast<size_t>(c.n_latent));
    out.mean_latent.resize(static_cast<size_t>(c.n_latent));

    // Add up the blocks' latents and errors.
    std::vector<double> mean(static_cast<size_t>(c.d_in));
    int64_t n_block_row = block_rows(x.rows, c.n_latent);
    for (int64_t first = 0; first < x.rows; first += n_block_row) {
        ConstMatrixView rows = row_range(x, first, std::min(n_block_row, x.rows - first));
        Forward f = forward(sae, rows);
        out.losses.mse += sum_rows(f.error.matrix(), row_squares);
        out.losses.l1 += sum_rows(f.latents.matrix(), row_size);
        out.l0 += sum_rows(f.latents.matrix(), row_live);
        parallel_ranges(c.n_latent, 256, [&](int64_t begin, int64_t end) {
            for (int64_t i = 0; i < rows.rows; ++i) {
                const Real* z = f.latents.row(i).data();
                for (int64_t j = begin; j < end; ++j) {
                    out.n_live[j] += z[j] > 0;
                    out.mean_latent[j] += z[j];
                }
            }
        });
        for (int64_t i = 0; i < rows.rows; ++i) {
            for (int64_t j = 0; j < c.d_in; ++j) mean[j] += rows.data[i * rows.stride + j];
        }
    }

    // Set the squared error beside the rows' scatter around their mean.
    double scatter = 0;
    for (double& value : mean) value /= static_cast<double>(x.rows);
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < c.d_in; ++j) {
            double gap = x.data[i * x.stride + j] - mean[j];
            scatter += gap * gap;
        }
    }
    auto n_row = static_cast<double>(x.rows), n_latent = static_cast<double>(c.n_latent);
    out.fvu = scatter > 0 ? out.losses.mse / scatter : 0;
    out.losses.mse /= n_row * static_cast<double>(c.d_in);
    out.losses.l1 /= n_row * n_latent;
    out.l0 /= n_row;
    for (double& value : out.mean_latent) value /= n_row;
    return out;
}

double SaeSummary::density() const {
    double total = 0;
    for (int64_t count : n_live) total += static_cast<double>(count);
    return total / static_cast<double>(n_row) / static_cast<double>(n_live.size());
}

double SaeSummary::alive() const {
    auto count = std::count_if(n_live.begin(), n_live.end(), [](int64_t n) { return n > 0; });
    return static_cast<double>(count) / static_cast<double>(n_live.size());
}

}  // namespace vimach
