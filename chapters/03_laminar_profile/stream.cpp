// Windows and the residual stream of chapter 3; see stream.h.
// A tap copies one window's activations; what is cut is never copied further.
#include "stream.h"

#include <algorithm>
#include <charconv>

#include "arms.h"
#include "core/ensure.h"
#include "core/parallel.h"

namespace vimach::ch03 {

namespace {

/// A whole number, or -1.
int64_t number(std::string_view text) {
    int64_t value = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : -1;
}

}  // namespace

std::vector<int64_t> parse_layers(const std::string& text, int64_t n_layer) {
    std::string list = text.empty() ? format("0-%ld", n_layer - 1) : text;
    std::vector<int64_t> layers;
    for (size_t at = 0, end; at <= list.size(); at = end + 1) {
        // Each part is "3" or "0-3".
        end = std::min(list.find(',', at), list.size());
        std::string_view part = std::string_view(list).substr(at, end - at);
        size_t dash = part.find('-');
        int64_t first = number(part.substr(0, dash));
        int64_t last = dash == part.npos ? first : number(part.substr(dash + 1));
        if (first < 0 || last < first || last >= n_layer) {
            throw UsageError(
                "'" + text + "' is no list of layers", "--layers",
                format("use layers from 0 to %ld, for example 0-2,%ld", n_layer - 1, n_layer - 1));
        }
        for (int64_t layer = first; layer <= last; ++layer) layers.push_back(layer);
    }
    std::ranges::sort(layers);
    layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
    return layers;
}

std::vector<int64_t> window_starts(int64_t n_window, int64_t n_ctx, int64_t n_id, bool at_random,
                                   Rng& rng) {
    std::vector<int64_t> starts;
    for (int64_t i = 0; i < n_window; ++i) {
        starts.push_back(at_random ? rng.below(n_id - n_ctx + 1) : i * n_ctx);
    }
    return starts;
}

std::vector<std::vector<Window>> draw_windows(std::span<const int> ids, const WindowPlan& plan,
                                              const std::string& where) {
    int64_t n_id = std::ssize(ids), needed = plan.n_ctx * (plan.at_random ? 1 : plan.n_window);
    if (n_id < needed) {
        fail(format("the article has %ld tokens, %ld are needed", n_id, needed), where,
             "give a longer page, or take fewer with --tokens");
    }
    std::vector<std::vector<Window>> windows(static_cast<size_t>(plan.n_seed));
    for (int64_t i = 0; i < plan.n_seed; ++i) {
        Rng rng(plan.first_seed + static_cast<uint64_t>(i));
        for (int64_t start : window_starts(plan.n_window, plan.n_ctx, n_id, plan.at_random, rng)) {
            windows[i].push_back(
                ids.subspan(static_cast<size_t>(start), static_cast<size_t>(plan.n_ctx)));
        }
    }
    return windows;
}

int64_t coverage(std::vector<Window> windows) {
    std::ranges::sort(windows, {}, [](Window w) { return w.data(); });
    int64_t total = 0;
    const int* end = nullptr;
    for (Window w : windows) {
        const int* begin = end == nullptr ? w.data() : std::max(w.data(), end);
        end = w.data() + w.size();
        total += end - begin;
    }
    return total;
}

Stream embed_windows(const Gpt2& model, const std::vector<Window>& windows) {
    Stream stream;
    for (Window window : windows) stream.push_back(embed_ids(model, window, 1));
    return stream;
}

LayerRows run_block(const Gpt2& model, Stream& stream, int64_t layer, const char* hook,
                    int64_t n_cut) {
    std::string tap = format("blocks.%ld.%s", layer, hook);
    auto n_window = static_cast<int64_t>(stream.size());
    LayerRows out;
    for (int64_t w = 0; w < n_window; ++w) {
        Taps taps =
            run_blocks(model, stream[w], 1, {.first = layer, .stop = layer + 1, .taps = {tap}});
        const Tensor& all = taps.at(tap);
        out.first_ratios.push_back(first_row_ratio(all.matrix()));
        int64_t n_row = all.rows() - n_cut;
        if (w == 0) out.x = Tensor({n_window * n_row, all.cols()});
        std::copy(all.data.begin() + n_cut * all.cols(), all.data.end(),
                  out.x.row(w * n_row).begin());
    }
    return out;
}

RowBatches::RowBatches(const Tensor& x, int64_t n_row)
    : x_(x), n_row_(n_row > 0 ? std::min(n_row, x.rows()) : x.rows()) {
    if (n_row_ < x.rows()) batch_ = Tensor({n_row_, x.cols()});
}

ConstMatrixView RowBatches::from(int64_t first) {
    if (batch_.size() == 0) return x_.matrix();
    int64_t n = std::min(n_row_, x_.rows() - first);
    parallel_ranges(n, 128, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            std::ranges::copy(x_.row(order_[first + i]), batch_.row(i).begin());
        }
    });
    return row_range(batch_.matrix(), 0, n);
}

}  // namespace vimach::ch03
