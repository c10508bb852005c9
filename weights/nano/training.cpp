// Nano's training; see training.h.
// Sums over weights are taken in blocks of fixed size and in their order, as everywhere.
#include "weights/nano/training.h"

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "core/ensure.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/muon.h"
#include "math/stats.h"
#include "math/vector_ops.h"
#include "model/generate.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"
#include "model/layers.h"
#include "model/safetensors.h"

namespace vimach::nano {

namespace {

constexpr int64_t grain = 1 << 16;  // weights given to a thread at a time

}  // namespace

// --- one step -----------------------------------------------------------------------------------

double learning_rate(const Settings& s, int64_t step) {
    auto n = static_cast<double>(s.n_step), at = static_cast<double>(step);
    double warm = (at + 1 - static_cast<double>(s.n_before)) / static_cast<double>(s.n_warm_up);
    double decayed = (at - (1 - s.decay_share) * n) / (s.decay_share * n);
    double decay =
        decayed <= 0 ? 1 : 0.5 * (1 + std::cos(std::numbers::pi * std::min(decayed, 1.0)));
    return s.peak_rate * std::min(warm, 1.0) * decay;
}

Settings continued(Settings s) {
    s.n_warm_up = 100;
    s.decay_share = static_cast<double>(s.n_step - s.n_before) / static_cast<double>(s.n_step);
    return s;
}

double clip(Gpt2& grad, double most) {
    // Every block of numbers sums its own squares.
    constexpr int64_t piece = 1024;  // numbers whose squares float may add up
    double squares = 0;
    std::vector<Parameter> all = parameters(grad);
    for (const Parameter& p : all) {
        std::vector<double> shares(static_cast<size_t>((p.tensor->size() + grain - 1) / grain));
        parallel_ranges(p.tensor->size(), grain, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; i += piece) {
                auto n = static_cast<size_t>(std::min(piece, end - i));
                shares[begin / grain] += sum_of_squares({&p.tensor->data[i], n});
            }
        });
        for (double share : shares) squares += share;
    }

    // Scale them all where the norm is too large.
    double norm = std::sqrt(squares);
    if (!(norm > most)) return norm;
    auto factor = static_cast<Real>(most / norm);
    for (const Parameter& p : all) {
        parallel_ranges(p.tensor->size(), grain, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) p.tensor->data[i] *= factor;
        });
    }
    return norm;
}

void keep_memory() {
    constexpr int always = 1 << 30;  // bytes
    mallopt(M_MMAP_THRESHOLD, always);
    mallopt(M_TRIM_THRESHOLD, always);
}

State start_with(const Settings& settings, const Gpt2& model) {
    return {.n_done = settings.n_before,
            .model = model,
            .m = zeros_like(model),
            .v = zeros_like(model)};
}

State start(const Settings& settings) {
    return start_with(settings, random_gpt2(settings.config, settings.seed));
}

namespace {

/// A parameter with its gradient and its running means.
struct Trained {
    Parameter weights, grad, m, v;
};

/// Lists them all; v is used by Adam only.
std::vector<Trained> all_trained(State& state, Gpt2& grad) {
    std::vector<Parameter> weights = parameters(state.model), g = parameters(grad),
                           m = parameters(state.m), v = parameters(state.v);
    std::vector<Trained> out;
    for (size_t i = 0; i < weights.size(); ++i) out.push_back({weights[i], g[i], m[i], v[i]});
    return out;
}

bool is_matrix(const Parameter& p) { return p.shape.size() == 2; }
bool has_muon(const Parameter& p) { return is_matrix(p) && p.name.starts_with("h."); }

void update_by_adam(const AdamSettings& adam, const Trained& t, int64_t step) {
    AdamRates rates = adam_rates(adam, step);
    auto at = [](const Parameter& p, int64_t begin) { return p.tensor->data.data() + begin; };
    parallel_ranges(t.weights.tensor->size(), grain, [&](int64_t begin, int64_t end) {
        adam_update(rates, end - begin, at(t.grad, begin), at(t.weights, begin), at(t.m, begin),
                    at(t.v, begin));
        std::fill(at(t.grad, begin), at(t.grad, end), Real(0));
    });
}

/// Queries, keys and values lie side by side in one matrix; each is one for Muon.
void update_by_muon(const MuonSettings& muon, const std::vector<Trained>& matrices,
                    int64_t d_model) {
    struct Part {
        const Trained* trained;
        int64_t begin, width;
    };
    std::vector<Part> parts;
    for (const Trained& t : matrices) {
        int64_t width = t.weights.shape[1];
        int64_t part = width == 3 * d_model ? d_model : width;
        for (int64_t begin = 0; begin < width; begin += part) parts.push_back({&t, begin, part});
    }
    parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) {
        const Part& part = parts[i];
        auto cut = [&](const Parameter& p) {
            return columns(p.tensor->matrix(), part.begin, part.width);
        };
        MatrixView g = cut(part.trained->grad);
        muon_update(muon, g, cut(part.trained->weights), cut(part.trained->m));
        for (int64_t row = 0; row < g.rows; ++row) {
            std::fill_n(g.data + row * g.stride, g.cols, Real(0));
        }
    });
}

}  // namespace

void update(State& state, Gpt2& grad, const Settings& s) {
    double rate = learning_rate(s, state.n_done);
    ++state.n_done;
    std::vector<Trained> matrices;
    for (const Trained& t : all_trained(state, grad)) {
        if (has_muon(t.weights)) {
            matrices.push_back(t);
            continue;
        }
        AdamSettings adam = s.adam;
        adam.learning_rate = rate;
        adam.weight_decay = is_matrix(t.weights) ? s.weight_decay : 0;
        update_by_adam(adam, t, state.n_done - s.n_before);
    }
    update_by_muon(
        {.learning_rate = rate, .momentum = s.muon_momentum, .weight_decay = s.weight_decay},
        matrices, s.config.d_model);
}

Step train_step(State& state, const Settings& s, const Text& text, Gpt2& grad) {
    // Choose what to learn from, and among which tokens.
    WindowPlan plan = {.n_window = s.n_window, .n_ctx = s.config.n_ctx, .seed = s.seed};
    std::vector<int> windows = step_windows(plan, text.ids, state.n_done), targets;
    for (auto at = windows.begin(); at < windows.end(); at += s.config.n_ctx + 1) {
        targets.insert(targets.end(), at + 1, at + s.config.n_ctx + 1);
    }
    bool estimates = s.n_frequent > 0;
    Candidates candidates;
    if (estimates) candidates = step_candidates(text, s.n_frequent, targets, state.n_done);

    // Take the loss and its gradients, clip, and step.
    Step step = {};
    step.loss = loss_and_gradients(state.model, windows, s.n_window, grad,
                                   estimates ? &candidates : nullptr);
    step.norm = clip(grad, s.most_norm);
    if (!std::isfinite(step.loss) || !std::isfinite(step.norm)) {
        fail(format("the loss is %g, the norm of its gradient %g", step.loss, step.norm),
             format("step %ld", state.n_done + 1), "pass a smaller --rate, and another --out");
    }
    update(state, grad, s);
    return step;
}

// --- checkpoint ---------------------------------------------------------------------------------

namespace {

constexpr const char* part_names[] = {"weights.", "m.", "v."};

std::string checkpoint_path(const std::string& folder) {
    return folder + "/checkpoint.safetensors";
}

/// The tensors of a state with their names in the file; Muon has no v.
std::vector<Parameter> all_tensors(State& state) {
    std::vector<Parameter> out;
    Gpt2* parts[] = {&state.model, &state.m, &state.v};
    for (int i = 0; i < 3; ++i) {
        for (Parameter p : parameters(*parts[i])) {
            if (parts[i] == &state.v && has_muon(p)) continue;
            p.name = part_names[i] + p.name;
            out.push_back(p);
        }
    }
    return out;
}

}  // namespace

std::string recipe(const Settings& s, std::span<const int> ids, Gpt2* first) {
    uint64_t weights = 0;
    for (const Parameter& p : first ? parameters(*first) : std::vector<Parameter>{}) {
        weights = fnv_1a<Real>(p.tensor->data, weights);
    }
    return format(
        "%ld windows of %ld, %ld heads, %ld frequent, rate %g after %ld steps, decay in %g, "
        "Muon %g, AdamW %g %g %g, weight decay %g, norm %g, seed %lu, from step %ld, %zu tokens "
        "%016lx, start %016lx",
        s.n_window, s.config.n_ctx, s.config.n_head, s.n_frequent, s.peak_rate, s.n_warm_up,
        s.decay_share, s.muon_momentum, s.adam.beta1, s.adam.beta2, s.adam.epsilon, s.weight_decay,
        s.most_norm, s.seed, s.n_before, ids.size(), fnv_1a(ids), weights);
}

void save_state(const State& state, const Settings& settings, const std::string& recipe,
                const std::string& folder) {
    // The weights alone come first: where the checkpoint is of the last step, so are they.
    save_gpt2(state.model, folder, "F16");

    // The list is only read here; it is shared with code that writes through it.
    std::vector<NamedTensor> tensors;
    for (const Parameter& p : all_tensors(const_cast<State&>(state))) {
        tensors.push_back({p.name, p.tensor});
    }
    write_safetensors(checkpoint_path(folder), tensors,
                      {{"n_done", std::to_string(state.n_done)},
                       {"seconds", format("%.0f", state.seconds)},
                       {"n_step", std::to_string(settings.n_step)},
                       {"recipe", recipe}});
}

namespace {

constexpr const char* begin_again = "begin again in another folder";

/// Refuses a number of steps that an uninterrupted training would not have passed through here.
void check_n_step(int64_t n_done, int64_t before, const Settings& now, const std::string& path) {
    double plateau = (1 - now.decay_share) * static_cast<double>(std::min(before, now.n_step));
    bool reachable =
        before == now.n_step ? n_done <= before : static_cast<double>(n_done) <= plateau;
    if (reachable) return;
    fail(format("step %ld of %ld cannot become step %ld of %ld: the rate falls in the last %g %%",
                n_done, before, n_done, now.n_step, 100 * now.decay_share),
         path, format("pass --steps %ld, or another --out", before));
}

/// A whole number of the metadata.
int64_t number(const SafetensorsReader& file, const char* name) {
    auto at = file.header().metadata.find(name);
    int64_t value = 0;
    if (at != file.header().metadata.end()) {
        const std::string& text = at->second;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc{} && end == text.data() + text.size() && value >= 0) return value;
    }
    fail(std::string("has no number '") + name + "' in its metadata", file.path(), begin_again);
}

}  // namespace

State load_state(const Settings& settings, const std::string& recipe, const std::string& folder) {
    // Settings and tokens must be those of the training that left the file.
    SafetensorsReader file(checkpoint_path(folder));
    State state = start(settings);
    state.n_done = number(file, "n_done");
    state.seconds = static_cast<double>(number(file, "seconds"));
    auto left = file.header().metadata.find("recipe");
    if (left == file.header().metadata.end() || left->second != recipe) {
        std::string other = left == file.header().metadata.end() ? "nothing" : left->second;
        fail("is of another training: " + other + "; this one: " + recipe, file.path(),
             begin_again);
    }
    check_n_step(state.n_done, number(file, "n_step"), settings, file.path());

    for (const Parameter& p : all_tensors(state)) {
        const TensorEntry* entry = file.find(p.name);
        if (entry == nullptr || entry->shape != p.shape) {
            fail("tensor '" + p.name + "' is missing or has another shape", file.path(),
                 begin_again);
        }
        *p.tensor = file.read(*entry);
        if (!std::ranges::all_of(p.tensor->data, [](Real v) { return std::isfinite(v); })) {
            fail("tensor '" + p.name + "' has a value that is no number", file.path(), begin_again);
        }
    }
    return state;
}

// --- what the model can do ----------------------------------------------------------------------

double validation_loss(const Gpt2& model, std::span<const int> ids, int64_t n_window) {
    int64_t n_ctx = model.config.n_ctx;
    int64_t distance = (static_cast<int64_t>(ids.size()) - n_ctx - 1) / n_window;
    ensure(distance >= (n_window == 1 ? 0 : 1), "the held-out text is too short for its windows",
           "validation_loss", "give more text");
    std::vector<double> losses;
    for (int64_t i = 0; i < n_window; ++i) {
        auto begin = static_cast<size_t>(i * distance), n = static_cast<size_t>(n_ctx);
        Tensor resid = embed_ids(model, ids.subspan(begin, n), 1);
        run_blocks(model, resid, 1);
        Tensor logits = unembed(model, resid);
        std::vector<double> part = cross_entropy(logits.matrix(), ids.subspan(begin + 1, n));
        losses.insert(losses.end(), part.begin(), part.end());
    }
    return mean(losses);
}

std::vector<int> continue_text(const Gpt2& model, std::vector<int> ids,
                               const SampleOptions& options) {
    Rng rng(options.seed);
    Continuation text(model, std::move(ids));
    for (int64_t n = 0; n < options.n_token; ++n) {
        text.append(choose_token(text.logits(), {.temperature = options.temperature}, rng));
    }
    return text.ids();
}

}  // namespace vimach::nano
