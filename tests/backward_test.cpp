// GPT-2's backward pass: every layer and the whole stack against central differences (in the
// double build, where they are worth something), and against PyTorch's autograd in float64
// (tests/backward_reference.py records it).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "model/attention.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"
#include "model/head.h"
#include "model/layers.h"
#include "model/safetensors.h"
#include "support.h"

using namespace vimach;

namespace {

Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed, double scale = 1) {
    Tensor t(std::move(shape));
    Rng rng(seed);
    for (Real& value : t.data) value = static_cast<Real>(scale * rng.normal());
    return t;
}

/// max |a - b| / max |b|.
double difference(const Tensor& a, const Tensor& b) {
    REQUIRE(a.shape == b.shape);
    double worst = 0, largest = 0;
    for (size_t i = 0; i < a.data.size(); ++i) {
        double gap = std::abs(static_cast<double>(a.data[i]) - b.data[i]);
        worst = gap > worst || std::isnan(gap) ? gap : worst;
        largest = std::max(largest, std::abs(static_cast<double>(b.data[i])));
    }
    return worst / largest;
}

#ifdef VIMACH_DOUBLE
// A central difference errs by h^2 f''' / 6 + 1e-16 |f| / h, about 1e-10 |f| at this h; objectives
// here are sums of some tens of numbers around 1, gradients of the size of 1.
constexpr double h = 1e-5, tolerance = 1e-7;

double objective(const Tensor& y, const Tensor& grad_y) {
    double total = 0;
    for (size_t i = 0; i < y.data.size(); ++i) total += y.data[i] * grad_y.data[i];
    return total;
}

/// Checks a gradient of f with respect to a tensor, every number or some fifty of them.
void check_gradient(const char* name, Tensor& at, const Tensor& grad,
                    const std::function<double()>& f) {
    REQUIRE(at.shape == grad.shape);
    Tensor estimate(at.shape), some(at.shape);
    size_t step = std::max<size_t>(1, at.data.size() / 53);
    for (size_t i = 0; i < at.data.size(); i += step) {
        Real kept = at.data[i];
        at.data[i] = kept + h;
        double above = f();
        at.data[i] = kept - h;
        double below = f();
        at.data[i] = kept;
        estimate.data[i] = (above - below) / (2 * h);
        some.data[i] = grad.data[i];
    }
    CHECK_MESSAGE(difference(some, estimate) < tolerance, name);
}
#endif

Tensor recorded(const SafetensorsReader& file, const std::string& name) {
    const TensorEntry* entry = file.find(name);
    REQUIRE_MESSAGE(entry != nullptr, name);
    return file.read(*entry);
}

SafetensorsReader references() {
    return SafetensorsReader(find_in_project("tests/fixtures/backward.safetensors"));
}

// Float rounds to 6e-8; a gradient passes twice as many products as the forward pass.
constexpr double parity = sizeof(Real) == 4 ? 1e-5 : 1e-10;

std::vector<std::string> parts(const std::string& text) {
    std::vector<std::string> out;
    for (size_t at = 0; at <= text.size();) {
        size_t end = std::min(text.find('/', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

}  // namespace

#ifdef VIMACH_DOUBLE
TEST_CASE("backward: linear") {
    Tensor x = random_tensor({5, 4}, 1), W = random_tensor({4, 6}, 2), b = random_tensor({6}, 3);
    Tensor grad_y = random_tensor({5, 6}, 4), y({5, 6}), grad_x({5, 4}), grad_W({4, 6}),
           grad_b({6});
    linear_backward(x.matrix(), W, grad_y.matrix(), grad_x.matrix(), {&grad_W, &grad_b});
    auto f = [&] {
        linear(x.matrix(), W, b, y.matrix());
        return objective(y, grad_y);
    };
    check_gradient("x", x, grad_x, f);
    check_gradient("W", W, grad_W, f);
    check_gradient("b", b, grad_b, f);
}

TEST_CASE("backward: layer norm adds to the stream's gradient") {
    Tensor x = random_tensor({70, 7}, 1), gain = random_tensor({7}, 2),
           bias = random_tensor({7}, 3);
    Tensor grad_y = random_tensor({70, 7}, 4), y({70, 7});
    Tensor grad_x = random_tensor({70, 7}, 5), past = grad_x, grad_gain({7}), grad_bias({7});
    layer_norm_backward(x.matrix(), gain, grad_y.matrix(), grad_x.matrix(),
                        {&grad_gain, &grad_bias});
    auto f = [&] {
        layer_norm(x.matrix(), gain, bias, y.matrix());
        return objective(y, grad_y) + objective(x, past);
    };
    check_gradient("x", x, grad_x, f);
    check_gradient("gain", gain, grad_gain, f);
    check_gradient("bias", bias, grad_bias, f);
}

TEST_CASE("backward: gelu") {
    Tensor x = random_tensor({40, 5}, 1, 2), grad_y = random_tensor({40, 5}, 2), y({40, 5});
    Tensor grad_x = grad_y;
    gelu_backward(x.matrix(), grad_x.matrix());
    check_gradient("x", x, grad_x, [&] {
        gelu(x.matrix(), y.matrix());
        return objective(y, grad_y);
    });
}

TEST_CASE("backward: causal attention, across blocks of queries, windows and heads") {
    // 130 tokens need two blocks of queries.
    for (int64_t n_token : {3, 130}) {
        int64_t n_window = 2, n_head = 2, d = 6, n = n_window * n_token;
        Tensor qkv = random_tensor({n, 3 * d}, 1), grad_z = random_tensor({n, d}, 2), z({n, d});
        Tensor grad_qkv = random_tensor({n, 3 * d}, 3);  // what stood there must not matter
        auto third = [&](int64_t i) { return columns(qkv.matrix(), i * d, d); };
        causal_attention_backward(third(0), third(1), third(2), n_window, n_head, grad_z.matrix(),
                                  grad_qkv.matrix());
        check_gradient("qkv", qkv, grad_qkv, [&] {
            causal_attention(qkv.matrix(), n_window, n_head, z.matrix());
            return objective(z, grad_z);
        });
    }
}

TEST_CASE("backward: the head of the loss, across blocks of rows and strips of the vocabulary") {
    Tensor x = random_tensor({260, 3}, 1), W_E = random_tensor({270, 3}, 2);
    Tensor grad_x({260, 3}), grad_W_E({270, 3}), unused_x({260, 3}), unused_W({270, 3});
    std::vector<int> targets;
    for (int i = 0; i < 260; ++i) targets.push_back((i * 37) % 270);
    head_loss_and_gradients(x.matrix(), W_E, targets, grad_x.matrix(), grad_W_E);
    auto f = [&] {
        return head_loss_and_gradients(x.matrix(), W_E, targets, unused_x.matrix(), unused_W);
    };
    check_gradient("x", x, grad_x, f);
    check_gradient("W_E", W_E, grad_W_E, f);
}

TEST_CASE("backward: the gradient of the loss with respect to every parameter of a model") {
    Gpt2 model = load_gpt2("tests/fixtures/tiny_a"), grad = zeros_like(model);
    std::vector<int> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
    loss_and_gradients(model, ids, 2, grad);
    std::vector<Parameter> weights = parameters(model), gradients = parameters(grad);
    for (size_t i = 0; i < weights.size(); ++i) {
        check_gradient(weights[i].name.c_str(), *weights[i].tensor, *gradients[i].tensor, [&] {
            Gpt2 ignored = zeros_like(model);
            return loss_and_gradients(model, ids, 2, ignored);
        });
    }
}
#endif

TEST_CASE("backward: gradients at the embeddings agree with PyTorch's autograd") {
    SafetensorsReader file = references();
    int n_compared = 0;
    for (const char* name : {"tiny_a", "tiny_b", "nano"}) {
        std::string model_name = name, folder = "tests/fixtures/" + model_name;
        Gpt2 model = load_gpt2(model_name == "nano" ? "weights/nano" : folder);
        Tensor start = recorded(file, model_name + "/embeddings");
        for (const TensorEntry& entry : file.header().tensors) {
            std::vector<std::string> key = parts(entry.name);
            if (key[0] != model_name || key.size() != 5) continue;
            Tensor embeddings = start;
            if (key[4] == "1") add_position_embeddings(model, embeddings, 2);
            Trace trace = trace_blocks(model, embeddings, 2, key[1]);
            Tensor grad_target(trace.target.shape);
            grad_target.row(std::stol(key[2]))[std::stol(key[3])] = 1;
            Tensor grad = backward_to_embeddings(model, trace, grad_target);
            CHECK_MESSAGE(difference(grad, file.read(entry)) < parity, entry.name);
            ++n_compared;
        }
    }
    CHECK(n_compared == 25);
}

TEST_CASE("backward: the loss and the gradients of all parameters agree with PyTorch's autograd") {
    SafetensorsReader file = references();
    Gpt2 model = load_gpt2("tests/fixtures/tiny_a"), grad = zeros_like(model);
    Tensor stored = recorded(file, "tiny_a/ids");
    std::vector<int> ids(stored.data.begin(), stored.data.end());
    double loss = loss_and_gradients(model, ids, 3, grad);
    CHECK(loss == doctest::Approx(recorded(file, "tiny_a/loss").data[0]).epsilon(1e-6));
    for (const Parameter& parameter : parameters(grad)) {
        Tensor expected = recorded(file, "tiny_a/grad/" + parameter.name),
               actual = *parameter.tensor;
        if (parameter.name == "wpe.weight") {
            actual.shape[0] = expected.shape[0];  // positions beyond the windows have none
            actual.data.resize(expected.data.size());
        }
        CHECK_MESSAGE(difference(actual, expected) < parity, parameter.name);
    }
}

TEST_CASE("backward: gradients add up, and are the same on any number of threads") {
    Gpt2 model = load_gpt2("tests/fixtures/tiny_b"), one = zeros_like(model),
         two = zeros_like(model);
    std::vector<int> ids = {3, 1, 4, 1, 5, 9, 2, 6};
    int before = thread_count();
    set_thread_count(1);
    loss_and_gradients(model, ids, 2, one);
    loss_and_gradients(model, ids, 2, one);
    set_thread_count(2);
    loss_and_gradients(model, ids, 2, two);
    loss_and_gradients(model, ids, 2, two);
    set_thread_count(before);
    std::vector<Parameter> a = parameters(one), b = parameters(two);
    for (size_t i = 0; i < a.size(); ++i)
        CHECK_MESSAGE(a[i].tensor->data == b[i].tensor->data, a[i].name);
    Gpt2 once = zeros_like(model);
    loss_and_gradients(model, ids, 2, once);
    CHECK(one.blocks[0].W_in.data[5] == doctest::Approx(2 * once.blocks[0].W_in.data[5]));
}

TEST_CASE("backward: targets and shapes that do not exist are refused by name") {
    Gpt2 model = load_gpt2("tests/fixtures/tiny_a");
    Tensor x = random_tensor({4, model.config.d_model}, 1);
    for (const char* target : {"blocks.2.resid_post", "blocks.-1.resid_post", "blocks.0.ln_1",
                               "blocks.0", "resid_post", "blocks.x.resid_post", ""}) {
        CHECK_THROWS_WITH_AS(trace_blocks(model, x, 1, target), doctest::Contains("blocks.N.NAME"),
                             Error);
    }
    Trace trace = trace_blocks(model, x, 1, "blocks.1.mlp_post");
    CHECK_THROWS_AS(backward_to_embeddings(model, trace, x), Error);
    Gpt2 grad = zeros_like(model);
    CHECK_THROWS_AS(loss_and_gradients(model, std::vector<int>{1, 2, 3}, 2, grad), Error);
    CHECK_THROWS_AS(loss_and_gradients(model, std::vector<int>{1}, 1, grad), Error);
}
