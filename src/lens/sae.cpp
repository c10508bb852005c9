// A batch through an SAE and back, the optimiser's step, and what a trained SAE does; see
// lens/sae.h. Rows go in blocks of equal size that follows from the shapes; sums over rows are
// added in the order of the blocks.
#include "lens/sae.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "lens/decorrelation.h"
#include "lens/sae_sparse.h"
#include "math/stats.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t row_grain = 64;             // rows of elementwise work given to a thread
constexpr int64_t block_entries = 6'291'456;  // latents of all rows in memory at a time, about

void check_batch(const Sae& sae, ConstMatrixView x) {
    check_sae(sae);
    if (x.cols == sae.config.d_in && x.rows >= 1) return;
    fail(format("the rows are [%ld, %ld], the SAE reads [n_row, %ld]", x.rows, x.cols,
                sae.config.d_in),
         "sae", "pass one row or more, as wide as the SAE's input");
}

void for_each_block(const Sae& sae, ConstMatrixView x,
                    const std::function<void(ConstMatrixView rows, int64_t first)>& work) {
    int64_t n = sae_block_rows(x.rows, sae.config.n_latent);
    for (int64_t first = 0; first < x.rows; first += n) {
        work(row_range(x, first, std::min(n, x.rows - first)), first);
    }
}

// --- sums over rows -----------------------------------------------------------------------------

struct RowSums {
    double squares = 0, sizes = 0, active = 0;
};

/// Sums of squares, of absolute values and of numbers that are not 0; in Real along a row, in
/// double over rows.
RowSums sum_rows(ConstMatrixView m) {
    std::vector<RowSums> rows(static_cast<size_t>(m.rows));
    parallel_ranges(m.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            std::span<const Real> row(m.data + i * m.stride, static_cast<size_t>(m.cols));
            int32_t n_active = 0;
            for (Real value : row) n_active += value != 0;
            rows[i] = {sum_of_squares(row), sum_of_sizes(row), static_cast<double>(n_active)};
        }
    });
    RowSums total;
    for (const RowSums& row : rows) {
        total.squares += row.squares;
        total.sizes += row.sizes;
        total.active += row.active;
    }
    return total;
}

ConstMatrixView pre_acts(const SaeForward& f) {
    return (f.pre_acts.size() > 0 ? f.pre_acts : f.latents).matrix();
}

/// Gives a tensor this shape; what it held does not matter.
void reshape(Tensor& t, int64_t n_row, int64_t n_col) {
    t.shape = {n_row, n_col};
    t.data.resize(static_cast<size_t>(n_row * n_col));
}

void encode_block(const Sae& sae, ConstMatrixView x, SaeForward& f) {
    reshape(f.latents, x.rows, sae.config.n_latent);
    if (sae.config.activation == Activation::gelu) reshape(f.pre_acts, x.rows, f.latents.cols());
    bool apart = f.pre_acts.size() > 0;
    encode_rows(sae, x, (apart ? f.pre_acts : f.latents).matrix(), f.latents.matrix());
}

void decode_block(const Sae& sae, ConstMatrixView x, SaeForward& f) {
    reshape(f.error, x.rows, x.cols);
    decode_rows(sae, f.latents.matrix(), f.error.matrix());
    subtract(f.error.matrix(), x);
}

// --- one batch ----------------------------------------------------------------------------------

/// Adds a piece to a whole gradient, from (row, col) on.
void add_piece(ConstMatrixView piece, int64_t row, int64_t col, Tensor& grad) {
    for (int64_t i = 0; i < piece.rows; ++i) {
        add({piece.data + i * piece.stride, static_cast<size_t>(piece.cols)},
            grad.row(row + i).subspan(static_cast<size_t>(col), static_cast<size_t>(piece.cols)));
    }
}

/// Decodes a block of a batch's rows and goes back, by dense products; `first` is the block's first
/// row, n_row the batch's rows.
void run_dense(const Sae& sae, ConstMatrixView rows, int64_t first, int64_t n_row,
               Decorrelation& together, SaeForward& f, SaeStep& step) {
    const SaeConfig& c = sae.config;
    decode_block(sae, rows, f);
    step.losses.mse += sum_rows(f.error.matrix()).squares;
    scale(f.error.matrix(), static_cast<Real>(2 / static_cast<double>(n_row * c.d_in)));
    Penalties penalties = {.l1 = static_cast<Real>(c.l1 / static_cast<double>(n_row * c.n_latent)),
                           .decorrelation = static_cast<Real>(c.decorrelation)};
    if (c.decorrelation > 0) penalties.grad_latents = &together.grad_latents.row(first)[0];
    reshape(f.grad_pre, rows.rows, c.n_latent);
    backward_rows(sae, rows, pre_acts(f), f.latents.matrix(), f.error.matrix(), penalties,
                  f.grad_pre.matrix(), step.grad);
}

/// Losses and gradients. Where latents are sparse and all rows make one block, the gradients of
/// W_dec and W_enc are handed to `work` piece by piece, if there is any; else they are in `step`.
/// Returns whether they were handed over.
bool run_batch(const Sae& sae, ConstMatrixView x, SaeForward& f, SaeStep& step,
               const PieceWork& work) {
    const SaeConfig& c = sae.config;
    check_batch(sae, x);
    if (c.bias) step.grad.b_enc = Tensor(sae.b_enc.shape);
    if (c.bias) step.grad.b_dec = Tensor(sae.b_dec.shape);
    bool hand_over = work != nullptr && sae_block_rows(x.rows, c.n_latent) == x.rows;
    PieceWork add_up = [&](Weight of, ConstMatrixView piece, int64_t row, int64_t col) {
        add_piece(piece, row, col, of == Weight::decoder ? step.grad.W_dec : step.grad.W_enc);
    };

    // Decorrelation looks at all rows together, so it comes first.
    Decorrelation together;
    if (c.decorrelation > 0) together = decorrelation(encode(sae, x));
    step.losses.decorrelation = together.value;

    // Encode block by block; the first one tells whether lists or products serve the batch, and how
    // large the lists' tiles are.
    bool sparse = false;
    int64_t side = 0;
    for_each_block(sae, x, [&](ConstMatrixView rows, int64_t first) {
        encode_block(sae, rows, f);
        RowSums sums = sum_rows(f.latents.matrix());
        step.losses.l1 += sums.sizes;
        step.active_share += sums.active;
        if (first == 0) {
            double share = sums.active / static_cast<double>(f.latents.size());
            sparse = c.activation == Activation::relu && c.decorrelation == 0 &&
                     c.sparse_below > 0 && share <= c.sparse_below;
            side = side_of_tiles(share);
            hand_over = hand_over && sparse;
            if (!hand_over) step.grad.W_dec = Tensor(sae.W_dec.shape);
            if (!hand_over && !c.tied) step.grad.W_enc = Tensor(sae.W_enc.shape);
        }
        if (!sparse) return run_dense(sae, rows, first, x.rows, together, f, step);
        step.losses.mse += step_on_lists(sae, rows, x.rows, list_rows(f.latents.matrix(), side),
                                         step.grad, hand_over ? work : add_up);
    });
    step.losses.mse /= static_cast<double>(x.rows * c.d_in);
    step.losses.l1 /= static_cast<double>(x.rows * c.n_latent);
    step.active_share /= static_cast<double>(x.rows * c.n_latent);
    return hand_over;
}

/// Asks for the memory of a row of weights ahead of its use: the rows of a piece lie too far apart
/// for the processor to guess the next.
void fetch_ahead(const Real* row, int64_t count) {
    for (int64_t j = 0; j < count; j += 64 / static_cast<int64_t>(sizeof(Real))) {
        __builtin_prefetch(row + j, 1);
    }
}

}  // namespace

int64_t sae_block_rows(int64_t n_row, int64_t n_latent) {
    int64_t most = std::max<int64_t>(block_entries / n_latent, 1);
    int64_t n_block = (n_row + most - 1) / most;
    return (n_row + n_block - 1) / n_block;
}

// --- forward ------------------------------------------------------------------------------------

Tensor encode(const Sae& sae, ConstMatrixView x) {
    check_batch(sae, x);
    SaeForward f;
    encode_block(sae, x, f);
    return f.latents;
}

Tensor decode(const Sae& sae, ConstMatrixView latents) {
    check_sae(sae);
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
    SaeStep step;
    SaeForward f;
    run_batch(sae, x, f, step, nullptr);
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
    // Step with every piece of a gradient as soon as it is there.
    AdamRates rates = adam_rates(adam.settings, adam.n_step + 1);
    prepare(adam.W_enc, sae.W_enc);
    prepare(adam.W_dec, sae.W_dec);
    auto update = [&](Tensor& W, AdamMoments& moments, ConstMatrixView piece, int64_t row,
                      int64_t col) {
        for (int64_t i = 0; i < piece.rows; ++i) {
            int64_t at = (row + i) * W.cols() + col;
            int64_t ahead = std::min(at + 6 * W.cols(), W.size() - piece.cols);
            for (Tensor* t : {&W, &moments.m, &moments.v}) {
                fetch_ahead(&t->data[ahead], piece.cols);
            }
            adam_update(rates, piece.cols, piece.data + i * piece.stride, &W.data[at],
                        &moments.m.data[at], &moments.v.data[at]);
        }
    };
    auto update_piece = [&](Weight of, ConstMatrixView piece, int64_t row, int64_t col) {
        bool decoder = of == Weight::decoder;
        update(decoder ? sae.W_dec : sae.W_enc, decoder ? adam.W_dec : adam.W_enc, piece, row, col);
    };

    SaeStep step;
    if (run_batch(sae, x, adam.buffers, step, update_piece)) {
        ++adam.n_step;
        adam_step(sae.b_enc, step.grad.b_enc, adam.b_enc, adam.n_step, adam.settings);
        adam_step(sae.b_dec, step.grad.b_dec, adam.b_dec, adam.n_step, adam.settings);
    } else {
        adam_step(sae, step.grad, adam);
    }
    return {step.losses, step.active_share};
}

// --- what a trained SAE does --------------------------------------------------------------------

SaeSummary summarise(const Sae& sae, ConstMatrixView x) {
    const SaeConfig& c = sae.config;
    check_batch(sae, x);
    SaeSummary out = {.losses = {}, .n_row = x.rows};
    out.n_active.resize(static_cast<size_t>(c.n_latent));
    out.mean_latent.resize(static_cast<size_t>(c.n_latent));

    // Add up the blocks' latents and errors.
    SaeForward f;
    std::vector<double> mean(static_cast<size_t>(c.d_in));
    for_each_block(sae, x, [&](ConstMatrixView rows, int64_t) {
        encode_block(sae, rows, f);
        decode_block(sae, rows, f);
        RowSums sums = sum_rows(f.latents.matrix());
        out.losses.mse += sum_rows(f.error.matrix()).squares;
        out.losses.l1 += sums.sizes;
        out.l0 += sums.active;
        parallel_ranges(c.n_latent, 256, [&](int64_t begin, int64_t end) {
            for (int64_t i = 0; i < rows.rows; ++i) {
                const Real* z = f.latents.data.data() + i * c.n_latent;
                for (int64_t j = begin; j < end; ++j) out.n_active[j] += z[j] > 0;
                for (int64_t j = begin; j < end; ++j) out.mean_latent[j] += z[j];
            }
        });
        for (int64_t i = 0; i < rows.rows; ++i) {
            for (int64_t j = 0; j < c.d_in; ++j) mean[j] += rows.data[i * rows.stride + j];
        }
    });

    // Set the squared error beside the rows' scatter around their mean, unless that is rounding.
    constexpr double rounding = 1e-12;
    double scatter = 0, size = 0;
    for (double& value : mean) value /= static_cast<double>(x.rows);
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < c.d_in; ++j) {
            double gap = x.data[i * x.stride + j] - mean[j];
            scatter += gap * gap;
            size += double{x.data[i * x.stride + j]} * x.data[i * x.stride + j];
        }
    }
    auto n_row = static_cast<double>(x.rows), n_latent = static_cast<double>(c.n_latent);
    out.fvu = scatter > rounding * size ? out.losses.mse / scatter : nan;
    out.losses.mse /= n_row * static_cast<double>(c.d_in);
    out.losses.l1 /= n_row * n_latent;
    out.l0 /= n_row;
    for (double& value : out.mean_latent) value /= n_row;
    return out;
}

double SaeSummary::density() const {
    double total = 0;
    for (int64_t count : n_active) total += static_cast<double>(count);
    return total / static_cast<double>(n_row) / static_cast<double>(n_active.size());
}

double SaeSummary::ever_active() const {
    auto count = std::count_if(n_active.begin(), n_active.end(), [](int64_t n) { return n > 0; });
    return static_cast<double>(count) / static_cast<double>(n_active.size());
}

}  // namespace vimach
