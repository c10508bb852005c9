// Chapter 4's step: from input embeddings up to the stream before block 4 of GPT-2 small, and the
// gradient back down. Peers: PyTorch with frozen weights; the step's own matrix products; and,
// for a single start, the time in which the weights can be read from memory twice.
#include <vector>

#include "bench.h"
#include "core/ensure.h"
#include "core/rng.h"
#include "math/blas.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"

namespace vimach {

namespace {

constexpr int64_t n_block = 4, n_token = 5, dimension = 90;

void step(const Gpt2& model, const Tensor& embeddings, int64_t n_start) {
    Trace trace = trace_blocks(model, embeddings, n_start, "blocks.3.resid_post");
    Tensor grad(trace.target.shape);
    for (int64_t i = 0; i < grad.rows(); ++i) grad.row(i)[dimension] = Real(-1) / n_token;
    backward_to_embeddings(model, trace, grad);
}

std::vector<const Tensor*> weights_of(const Gpt2& model) {
    std::vector<const Tensor*> weights;
    for (int64_t layer = 0; layer < n_block; ++layer) {
        const Gpt2Block& b = model.blocks[layer];
        for (const Tensor* W : {&b.W_QKV, &b.W_O, &b.W_in, &b.W_out}) weights.push_back(W);
    }
    return weights;
}

/// The products of the step and nothing else: every weight on the way up, transposed on the way
/// down.
void products(const std::vector<const Tensor*>& weights, int64_t n_row) {
    for (const Tensor* W : weights) {
        Tensor x({n_row, W->rows()}), y({n_row, W->cols()});
        matmul(x.matrix(), W->matrix(), y.matrix());
    }
    for (auto W = weights.rbegin(); W != weights.rend(); ++W) {
        Tensor x({n_row, (*W)->rows()}), y({n_row, (*W)->cols()});
        matmul(y.matrix(), (*W)->matrix(), x.matrix(), {.transpose_b = true});
    }
}

void bench_starts(const char* name, const Gpt2& model, int64_t n_start) {
    Tensor embeddings({n_start * n_token, model.config.d_model});
    Rng rng(1);
    for (Real& value : embeddings.data) value = static_cast<Real>(0.14 * rng.normal());

    double ours = median_seconds([&] { step(model, embeddings, n_start); });
    std::vector<const Tensor*> weights = weights_of(model);
    double bare = median_seconds([&] { products(weights, embeddings.rows()); });
    std::string script = format(" tests/bench_torch.py actmax %s %ld", shape_model, n_start);
    add_comparison(name, ours, "PyTorch", peer_seconds(python() + script), "s");
    add_comparison(name, ours, "own products", bare, "s");
    if (n_start > 1) return;

    double n_weight = 0;
    for (const Tensor* W : weights) n_weight += static_cast<double>(W->size());
    add_comparison(name, ours, "memory bound", 2 * n_weight * sizeof(Real) / read_rate() / 1e9,
                   "s");
}

}  // namespace

void bench_actmax() {
    Gpt2 model = load_gpt2(shape_model);
    bench_starts("actmax_10", model, 10);
    bench_starts("actmax_1", model, 1);
}

}  // namespace vimach
