// Chapter 0's controls; see controls.h.
// The random orders come from one generator, one after the other.
#include "controls.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"

namespace vimach::ch00 {

double mean_loss(const Losses& losses) {
    double total = 0;
    int64_t count = 0;
    for (double loss : losses) {
        if (std::isnan(loss)) continue;
        total += loss;
        ++count;
    }
    return total / static_cast<double>(count);
}

Table mean_table(const LossesOf& losses_of, const Gpt2& model, double untrained_loss,
                 std::span<const int> ids, int64_t n_shuffle, uint64_t seed) {
    Rng rng(seed);
    std::vector<double> shuffled;
    for (int64_t i = 0; i < n_shuffle; ++i) {
        std::vector<int> mixed;
        for (int64_t from : rng.permutation(std::ssize(ids))) mixed.push_back(ids[from]);
        shuffled.push_back(mean_loss(losses_of(model, mixed)));
    }
    auto [least, most] = std::ranges::minmax_element(shuffled);
    Table table = {.header = {"mean loss of", "nats"}};
    auto add = [&](const std::string& name, double loss) {
        add_row(table, {name, format("%.5f", loss)});
    };
    add("the text", mean_loss(losses_of(model, ids)));
    add(format("its tokens in %ld random orders, lowest", n_shuffle), *least);
    add("  highest", *most);
    add("an untrained model", untrained_loss);
    add(format("a blind guess, ln %ld", model.config.d_vocab),
        std::log(static_cast<double>(model.config.d_vocab)));
    return table;
}

void compare_heads(const Tensor& pattern, int64_t layer, PreviousTokenHead& best) {
    int64_t n_token = pattern.cols(), before = best.layer;
    double attention_before = best.attention;
    for (int64_t head = 0; head < pattern.rows() / n_token; ++head) {
        double total = 0;
        for (int64_t query = 1; query < n_token; ++query) {
            total += pattern.row(head * n_token + query)[query - 1];
        }
        double attention = total / static_cast<double>(n_token - 1);
        if (attention > best.attention) {
            best.layer = layer;
            best.head = head;
            best.attention = attention;
        }
    }
    if (best.layer != before || best.attention != attention_before) best.pattern = pattern;
}

}  // namespace vimach::ch00
