// Nano's training; see training.h.
// Nothing here draws from a generator that lives longer than a call: a step depends on its number.
#include "weights/nano/training.h"

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <set>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/stats.h"
#include "math/vector_ops.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"
#include "model/layers.h"
#include "model/safetensors.h"

namespace vimach::nano {

// --- text ---------------------------------------------------------------------------------------

namespace {

constexpr int64_t grain = 1 << 16;  // weights given to a thread at a time

std::vector<std::string> cut(const std::string& text, char mark) {
    std::vector<std::string> parts;
    for (size_t at = 0; at <= text.size();) {
        size_t end = std::min(text.find(mark, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

size_t column_of(const std::vector<std::string>& header, const char* name,
                 const std::string& path) {
    auto at = std::ranges::find(header, name);
    if (at == header.end()) {
        fail(std::string("there is no column '") + name + "'", path + ", line 1",
             "name the columns split and file");
    }
    return static_cast<size_t>(at - header.begin());
}

/// The files of a split that a table of works names.
std::vector<std::string> files_of(const std::string& path, const std::string& split) {
    std::string table = read_text(path);
    std::erase(table, '\r');
    std::vector<std::string> lines = cut(table, '\n'), header = cut(lines[0], '\t'), files;
    size_t split_column = column_of(header, "split", path),
           file_column = column_of(header, "file", path);
    std::set<std::string> seen;
    for (size_t i = 1; i < lines.size(); ++i) {
        if (lines[i].empty()) continue;
        std::string where = format("%s, line %zu", path.c_str(), i + 1);
        std::vector<std::string> cells = cut(lines[i], '\t');
        if (cells.size() != header.size()) {
            fail(format("%zu cells under %zu columns", cells.size(), header.size()), where,
                 "separate them with tabs");
        }
        if (cells[split_column] != "train" && cells[split_column] != "validation") {
            fail("there is no split '" + cells[split_column] + "'", where,
                 "use train or validation");
        }
        if (!seen.insert(cells[file_column]).second) {
            fail("names '" + cells[file_column] + "' again", where,
                 "give every work once: what is trained on cannot be held out");
        }
        if (cells[split_column] == split) files.push_back(cells[file_column]);
    }
    if (files.empty()) fail("no work belongs to '" + split + "'", path, "give one or more");
    return files;
}

}  // namespace

Split read_split(const Tokenizer& tokenizer, const std::string& folder, const std::string& split) {
    // Find the works, then cut them into tokens side by side.
    std::vector<std::string> files = files_of(folder + "/SOURCES.tsv", split);
    for (std::string& file : files) file.insert(0, folder + "/");
    std::vector<std::vector<int>> works(files.size());
    std::vector<int64_t> sizes(files.size());
    parallel_for(static_cast<int64_t>(files.size()), [&](int64_t i) {
        std::string text = read_text(files[i]);
        works[i] = tokenizer.encode(text, {.source = files[i]});
        sizes[i] = static_cast<int64_t>(text.size());
    });
    Split out;
    for (size_t i = 0; i < works.size(); ++i) {
        out.ids.push_back(tokenizer.end_of_text());
        out.ids.insert(out.ids.end(), works[i].begin(), works[i].end());
        out.n_byte += sizes[i];
        ++out.n_work;
    }
    return out;
}

std::vector<int> step_windows(const Settings& s, std::span<const int> ids, int64_t step) {
    int64_t n_ctx = s.config.n_ctx;
    auto n_id = static_cast<int64_t>(ids.size());
    int64_t n_per_pass = (n_id - 1) / n_ctx - 1;
    if (n_per_pass < s.n_window) {
        fail(format("%ld tokens are too few for %ld windows of %ld", n_id, s.n_window, n_ctx),
             "the text", "give more text");
    }
    std::vector<int> out;
    std::vector<int64_t> order;
    int64_t pass = -1, offset = 0;
    for (int64_t i = step * s.n_window; i < (step + 1) * s.n_window; ++i) {
        if (i / n_per_pass != pass) {
            pass = i / n_per_pass;
            Rng rng(s.seed * 1'000'003 + static_cast<uint64_t>(pass));
            offset = rng.below(n_ctx);
            order = rng.permutation(n_per_pass);
        }
        auto begin = ids.begin() + offset + order[i % n_per_pass] * n_ctx;
        out.insert(out.end(), begin, begin + n_ctx + 1);
    }
    return out;
}

// --- one step -----------------------------------------------------------------------------------

double learning_rate(const Settings& s, int64_t step) {
    auto n = static_cast<double>(s.n_step), at = static_cast<double>(step);
    double warm = std::min(1.0, (at + 1) / static_cast<double>(s.n_warm_up));
    double decayed = (at - (1 - s.decay_share) * n) / (s.decay_share * n);
    double decay =
        decayed <= 0 ? 1 : 0.5 * (1 + std::cos(std::numbers::pi * std::min(decayed, 1.0)));
    return s.peak_rate * warm * decay;
}

double clip(Gpt2& grad, double most) {
    double squares = 0;
    for (const Parameter& p : parameters(grad)) {
        for (int64_t i = 0; i < p.tensor->rows(); ++i) squares += sum_of_squares(p.tensor->row(i));
    }
    double norm = std::sqrt(squares);
    if (!(norm > most)) return norm;
    auto factor = static_cast<Real>(most / norm);
    for (const Parameter& p : parameters(grad)) {
        for (Real& value : p.tensor->data) value *= factor;
    }
    return norm;
}

void keep_memory() {
    constexpr int always = 1 << 30;  // bytes
    mallopt(M_MMAP_THRESHOLD, always);
    mallopt(M_TRIM_THRESHOLD, always);
}

State start(const Settings& settings) {
    Gpt2 model = random_gpt2(settings.config, settings.seed);
    return {.model = model, .m = zeros_like(model), .v = zeros_like(model)};
}

void update(State& state, Gpt2& grad, const Settings& s) {
    AdamSettings adam = s.adam;
    adam.learning_rate = learning_rate(s, state.n_done);
    std::vector<Parameter> weights = parameters(state.model), gradients = parameters(grad),
                           m = parameters(state.m), v = parameters(state.v);
    ++state.n_done;
    for (size_t i = 0; i < weights.size(); ++i) {
        bool is_matrix = weights[i].shape.size() == 2;
        adam.weight_decay = is_matrix ? s.weight_decay : 0;
        AdamRates rates = adam_rates(adam, state.n_done);
        auto at = [&](const Parameter& p, int64_t begin) { return p.tensor->data.data() + begin; };
        parallel_ranges(weights[i].tensor->size(), grain, [&](int64_t begin, int64_t end) {
            adam_update(rates, end - begin, at(gradients[i], begin), at(weights[i], begin),
                        at(m[i], begin), at(v[i], begin));
            std::fill(at(gradients[i], begin), at(gradients[i], end), Real(0));
        });
    }
}

Step train_step(State& state, const Settings& s, std::span<const int> ids, Gpt2& grad) {
    Step step = {};
    step.loss =
        loss_and_gradients(state.model, step_windows(s, ids, state.n_done), s.n_window, grad);
    step.norm = clip(grad, s.most_norm);
    if (!std::isfinite(step.loss) || !std::isfinite(step.norm)) {
        fail(format("the loss is %g, the norm of its gradient %g", step.loss, step.norm),
             format("step %ld", state.n_done + 1),
             "lower peak_rate in weights/nano/training.h and begin again");
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

/// The tensors of a state with their names in the file.
std::vector<Parameter> all_tensors(State& state) {
    std::vector<Parameter> out;
    Gpt2* parts[] = {&state.model, &state.m, &state.v};
    for (int i = 0; i < 3; ++i) {
        for (Parameter p : parameters(*parts[i])) {
            p.name = part_names[i] + p.name;
            out.push_back(p);
        }
    }
    return out;
}

}  // namespace

std::string recipe(const Settings& s, std::span<const int> ids) {
    uint64_t hash = 0xcbf29ce484222325;  // of the tokens: FNV-1a
    for (int id : ids) hash = (hash ^ static_cast<uint64_t>(id)) * 0x100000001b3;
    return format(
        "%ld windows of %ld, %ld heads, rate %g after %ld steps, decay in %g, AdamW %g %g %g, "
        "weight decay %g, norm %g, seed %lu, %zu tokens %016lx",
        s.n_window, s.config.n_ctx, s.config.n_head, s.peak_rate, s.n_warm_up, s.decay_share,
        s.adam.beta1, s.adam.beta2, s.adam.epsilon, s.weight_decay, s.most_norm, s.seed, ids.size(),
        hash);
}

void save_state(const State& state, const Settings& settings, const std::string& recipe,
                const std::string& folder) {
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
    ensure(distance >= 1, "the held-out text is too short for its windows", "validation_loss",
           "give more text");
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
    for (int64_t n = 0; n < options.n_token; ++n) {
        // Run what fits into the context, and take the logits of its last token.
        std::span<const int> all(ids);
        Tensor resid = embed_ids(
            model, all.last(std::min(all.size(), static_cast<size_t>(model.config.n_ctx))), 1);
        run_blocks(model, resid, 1);
        Tensor last({1, model.config.d_model});
        std::ranges::copy(resid.row(resid.rows() - 1), last.data.begin());
        Tensor logits = unembed(model, last);

        // Draw a point on the line on which every token has the length of its probability.
        for (Real& value : logits.data) value /= static_cast<Real>(options.temperature);
        Real total = exp_and_sum(logits.data, maximum(logits.data));
        double rest = rng.uniform() * static_cast<double>(total);
        int id = 0;
        while (id + 1 < static_cast<int>(logits.size()) && rest >= logits.data[id]) {
            rest -= logits.data[id++];
        }
        ids.push_back(id);
    }
    return ids;
}

}  // namespace vimach::nano
