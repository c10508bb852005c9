// Windows and the residual stream of chapter 3; see stream.h.
// A tap copies one window's activations; what is cut is never copied further.
#include "stream.h"

#include <algorithm>
#include <charconv>

#include "controls.h"
#include "core/ensure.h"

namespace vimach::laminar {

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

int64_t coverage(std::vector<int64_t> starts, int64_t n_ctx) {
    std::ranges::sort(starts);
    int64_t total = 0, end = 0;
    for (int64_t start : starts) {
        total += start + n_ctx - std::max(start, end);
        end = start + n_ctx;
    }
    return total;
}

Stream embed_windows(const Gpt2& model, std::span<const int> ids,
                     const std::vector<int64_t>& starts, int64_t n_ctx) {
    Stream stream;
    for (int64_t start : starts) {
        auto window = ids.subspan(static_cast<size_t>(start), static_cast<size_t>(n_ctx));
        stream.push_back(embed_ids(model, window, 1));
    }
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

}  // namespace vimach::laminar
