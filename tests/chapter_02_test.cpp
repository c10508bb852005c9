// Chapter 2: its words and scores against definitions written out by other means, its step against
// lens/sae, its splice against a clean pass. Its claims: tests/chapter_02_claims_test.cpp; its
// program: tests/chapter_02_program_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

// The chapter's own functions stand in the file of its program.
#define main chapter_02_main
#include "chapters/02_palinka_sae/chapter.cpp"
#undef main

#include "core/rng.h"
#include "math/stats.h"
#include "model/gpt2_file.h"
#include "support.h"

using namespace vimach;
using namespace vimach::ch02;

namespace {

/// Latents [n_row, columns] from columns.
Matrix from_columns(const std::vector<std::vector<double>>& columns) {
    Matrix m(static_cast<int64_t>(columns[0].size()), static_cast<int64_t>(columns.size()));
    for (int64_t j = 0; j < m.cols; ++j) {
        for (int64_t i = 0; i < m.rows; ++i) m.at(i, j) = columns[j][i];
    }
    return m;
}

}  // namespace

TEST_CASE("chapter 2: tokens are content, function words and punctuation, or pieces") {
    for (const char* token : {" Hungary", " fruit", " stills", " Czech"}) {
        CHECK_MESSAGE(kind_of(token) == TokenKind::content, token);
    }
    for (const char* token : {" the", "The", " naught", " you", " a", ",", " (", ").", "\n", " "}) {
        CHECK_MESSAGE(kind_of(token) == TokenKind::filler, token);
    }
    for (const char* token : {"inka", " pr", "\xC3\xA1", " 220", "link", "\xC3", " caf\xC3\xA9"}) {
        CHECK_MESSAGE(kind_of(token) == TokenKind::piece, token);
    }
}

TEST_CASE("chapter 2: a topic is found by the first token of each of its words") {
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> passage = tokenizer.encode("Hungary and Hungary; in Hungary, Austria.");
    Topic topic = find_topic(tokenizer, "Hungary\n\n Austria \r\nItaly\nHungary\nSlivovitz\n",
                             passage, "words");
    std::vector<int64_t> expected;  // not the first word: no blank stands before it
    for (size_t i = 0; i < passage.size(); ++i) {
        std::string_view token = tokenizer.token_bytes(passage[i]);
        if (token == " Hungary" || token == " Austria") {
            expected.push_back(static_cast<int64_t>(i));
        }
    }
    CHECK(expected.size() == 3);
    CHECK((topic.tokens == expected));
    CHECK(topic.ids.size() == 2);
    REQUIRE(topic.remarks.size() == 4);
    CHECK(topic.remarks[0].starts_with("'Hungary' without a blank before it (1 in the passage)"));
    CHECK(topic.remarks[1] == "'Italy' does not occur after a blank in the passage");
    CHECK(topic.remarks[2].starts_with("'Slivovitz' is "));
    test::check_contains(
        test::error_of([&] { find_topic(tokenizer, "Italy", passage, "words.txt"); }),
        "occurs in the passage (words.txt): give words");
}

TEST_CASE("chapter 2: random sets are content words, as frequent as the topic's, never its own") {
    Tokenizer tokenizer = load_tokenizer();
    std::string text = " Hungary plum Hungary plum Austria pear the the quince, apricot cherry";
    std::vector<int> passage = tokenizer.encode(text);
    Topic topic = find_topic(tokenizer, "Hungary\nAustria", passage, "words");
    auto sets = random_topics(tokenizer, topic, passage, 200, 1);
    REQUIRE(sets.size() == 200);
    bool differ = false;
    for (const auto& set : sets) {
        CHECK(set.size() == 3);  // plum twice, for Hungary, and one of the others
        int64_t n_plum = 0;
        for (int64_t i : set) {
            CHECK(kind_of(tokenizer.token_bytes(passage[i])) == TokenKind::content);
            CHECK(std::ranges::find(topic.tokens, i) == topic.tokens.end());
            n_plum += passage[i] == passage[set[0]];
        }
        CHECK(n_plum == 2);
        differ |= set != sets[0];
    }
    CHECK(differ);
    CHECK(random_topics(tokenizer, topic, passage, 3, 1)[2] == sets[2]);
    std::vector<int> few = tokenizer.encode(" Hungary plum");
    Topic own = find_topic(tokenizer, "Hungary", few, "w");
    test::check_contains(test::error_of([&] { random_topics(tokenizer, own, few, 1, 1); }),
                         "has 1 other content words, random sets of 1 need 2");
}

TEST_CASE("chapter 2: ratio and AUC are what their names say") {
    // Tokens 0 and 1 are the topic.
    Matrix z = from_columns({{4, 2, 1, 0, 0, 2}, {1, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}});
    Scores means = score_sets(z, {{0, 1}}, ratio_of_means);
    CHECK(means.ratio.at(0, 0) == doctest::Approx(3 / 0.75));
    CHECK(std::isinf(means.ratio.at(0, 1)));
    CHECK(means.ratio.at(0, 2) == 0);
    Scores active = score_sets(z, {{0, 1}}, ratio_of_active_means);
    CHECK(active.ratio.at(0, 0) == doctest::Approx(3 / 1.5));
    CHECK(active.ratio.at(0, 1) == 0);

    // What rounding leaves elsewhere is nothing: 0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1.
    Matrix alone = from_columns({{0.1, 0.2, 0.3, 0, 0}});
    CHECK(std::isinf(score_sets(alone, {{2, 1, 0}}, ratio_of_means).ratio.at(0, 0)));

    // AUC by ranks equals AUC by counting, ties included.
    Rng rng(1);
    Matrix random(40, 6);
    for (double& value : random.data) value = static_cast<double>(rng.below(4));
    std::vector<int64_t> set = {3, 7, 8, 20, 39};
    Scores scores = score_sets(random, {set}, ratio_of_means);
    for (int64_t j = 0; j < random.cols; ++j) {
        std::vector<double> in, out;
        for (int64_t i = 0; i < random.rows; ++i) {
            bool inside = std::ranges::find(set, i) != set.end();
            (inside ? in : out).push_back(random.at(i, j));
        }
        CHECK(scores.auc.at(0, j) == doctest::Approx(auc(in, out)));
        CHECK(scores.ratio.at(0, j) == doctest::Approx(mean(in) / mean(out)));
    }
}

TEST_CASE("chapter 2: the correction for many latents makes noise insignificant, not signal") {
    // 400 latents of noise on 100 tokens, one of which is active on the topic and hardly elsewhere.
    constexpr int64_t n_token = 100, n_latent = 400;
    Rng rng(2);
    Matrix z(n_token, n_latent);
    for (double& value : z.data) value = rng.uniform();
    std::vector<std::vector<int64_t>> sets;
    for (int draw = 0; draw < 300; ++draw) {
        std::vector<int64_t> order = rng.permutation(n_token);
        order.resize(12);
        sets.push_back(order);
    }
    for (int64_t i = 0; i < n_token; ++i) {
        bool inside = std::ranges::find(sets[0], i) != sets[0].end();
        z.at(i, 7) = (inside ? 5 : 0.01) * rng.uniform();
    }
    std::vector<TokenKind> kinds(n_token, TokenKind::content);
    kinds[0] = TokenKind::filler;
    std::vector<Tested> tested =
        test_latents(z, score_sets(z, sets, ratio_of_means), sets[0], kinds);

    int64_t n_low = 0, n_low_max = 0;
    for (int64_t j = 0; j < n_latent; ++j) {
        n_low += j != 7 && tested[j].auc_p < 0.05;
        n_low_max += j != 7 && tested[j].auc_p_max < 0.05;
    }
    CHECK(n_low > 5);  // of 399: chance makes about twenty
    CHECK(n_low_max <= 1);
    CHECK(tested[7].auc_p_max < 0.02);
    CHECK(tested[7].ratio_p_max < 0.02);
    CHECK(tested[7].coverage == 1);
    CHECK(best_by(tested, &Tested::auc, 3)[0] == 7);
    double filler = z.at(0, 3), total = 0;
    for (double value : column(z, 3)) total += value;
    CHECK(tested[3].filler == doctest::Approx(filler / total));
    CHECK(tested[3].mean == doctest::Approx(total / n_token));
}

TEST_CASE(
    "chapter 2: the topic is no random set: nothing beats the best of it, so p is the least") {
    Matrix z = from_columns({{9, 0, 0, 0, 1, 1}, {0, 1, 0, 1, 1, 1}});
    std::vector<std::vector<int64_t>> sets = {{0}, {1}, {2}, {3}, {4}};
    std::vector<Tested> tested = test_latents(z, score_sets(z, sets, ratio_of_means), sets[0],
                                              std::vector<TokenKind>(6, TokenKind::content));
    CHECK(tested[0].auc_p == doctest::Approx(1.0 / 5));
    CHECK(tested[0].auc_p_max == doctest::Approx(1.0 / 5));
    CHECK(tested[0].ratio_p == doctest::Approx(1.0 / 5));
    CHECK(tested[0].ratio_p_max == doctest::Approx(1.0 / 5));
    CHECK(tested[1].auc_p_max == 1);
}

TEST_CASE("chapter 2: of every set, the share of high ratios and what the best fire on") {
    // Four latents; the last is never active. The second set prefers latent 2.
    Matrix z = from_columns({{4, 0, 1, 0}, {4, 0, 0, 1}, {0, 4, 1, 1}, {0, 0, 0, 0}});
    std::vector<std::vector<int64_t>> sets = {{0}, {1}};
    std::vector<TokenKind> kinds = {TokenKind::content, TokenKind::content, TokenKind::filler,
                                    TokenKind::piece};
    Scores scores = score_sets(z, sets, ratio_of_means);
    std::vector<Tested> tested = test_latents(z, scores, sets[0], kinds);
    std::vector<double> high = share_high(scores, tested, 2);
    CHECK(high[0] == doctest::Approx(2 / 3.0));
    CHECK(high[1] == doctest::Approx(1 / 3.0));
    CHECK(filler_of_best(scores, tested, 2)[0] == doctest::Approx((1 / 5.0 + 0) / 2));
    CHECK(filler_of_best(scores, tested, 1)[1] == doctest::Approx(1 / 6.0));
}

TEST_CASE("chapter 2: overlap finds latents by what they do, whatever their numbers") {
    Matrix a = from_columns({{1, 0, 0, 2}, {0, 3, 0, 0}, {1, 1, 1, 0}}),
           b = from_columns({{0, 9, 0, 0}, {0, 0, 5, 0}, {2, 0, 0, 4}});
    Examined one, two;
    one.latents = to_tensor(a), one.best_auc = {0, 1};
    two.latents = to_tensor(b), two.best_auc = {0, 2};
    CHECK(overlap(one, two) == 1);
    two.best_auc = {1, 2};
    CHECK(overlap(one, two) == 0.5);

    // Pairs share no SAE: three make one pair, four make two.
    CHECK(pair_overlaps({one, two, two}) == std::vector<double>{0.5});
    CHECK(pair_overlaps({one, two, two, two}) == std::vector<double>{0.5, 1});
    CHECK(paired_overlaps({one, one}, {one, two}) == std::vector<double>{1, 0.5});
}

TEST_CASE("chapter 2: responses, densities, neurons and redundancy") {
    Examined e;
    e.summary.n_row = 100;
    e.summary.n_active = {0, 0, 1, 10, 11, 50, 51, 100};
    Responses r = responses(e.summary);
    CHECK((r.none == 0.25 && r.few == 0.25 && r.some == 0.25));
    CHECK((r.most == 0.125 && r.all == 0.125));
    CHECK(active_density(e.summary, mean_of) ==
          doctest::Approx((1 + 10 + 11 + 50 + 51 + 100) / 600.0));
    CHECK(active_density(e.summary, median_of) == doctest::Approx(0.305));

    Tensor post({2, 3});
    post.data = {0, Real(0.2), 1, 0, 0, Real(0.05)};
    CHECK(lit_neurons(post) == std::vector<double>{2, 0});

    // Two copies, one at right angles to both, one that is never active.
    Redundancy same = redundancy(
        to_tensor(from_columns({{1, -1, 0, 0}, {2, -2, 0, 0}, {0, 0, 1, -1}, {0, 0, 0, 0}})));
    CHECK(same.mean_r == doctest::Approx(1 / 3.0));
    CHECK(same.twins == doctest::Approx(2 / 3.0));
}

TEST_CASE("chapter 2: how far an SAE has moved from its start") {
    Tensor x({30, 4});
    Rng rng(5);
    for (Real& value : x.data) value = static_cast<Real>(rng.normal());
    SaeConfig config = {.d_in = 4, .n_latent = 10, .tied = true, .bias = false, .top_k = 3};
    Training t = {.name = "t", .config = config, .x = &x, .seed = 2};
    t.sae = t.start();
    auto examined = [&](const Sae& sae) {
        return examine(sae, {x.matrix(), {{0, 1}}, std::vector<TokenKind>(30), ratio_of_means});
    };
    Examined start = examined(t.sae);
    CHECK(moved(t, start, start).cosine == doctest::Approx(1));
    CHECK(moved(t, start, start).r == doctest::Approx(1));
    for (Real& w : t.sae.W_dec.data) w = -w;
    CHECK(moved(t, examined(t.sae), start).cosine == doctest::Approx(-1));
}

// --- the step -----------------------------------------------------------------------------------

TEST_CASE("chapter 2: the step that a student reads is the step of lens/sae") {
    Tensor x({40, 12});
    Rng rng(3);
    for (Real& value : x.data) value = static_cast<Real>(rng.normal());
    double most = 1e-5;
    for (double penalty : {0.0, 0.3}) {
        for (int64_t k : {3, 40}) {
            SaeConfig config = {
                .d_in = 12, .n_latent = 48, .tied = true, .bias = false, .top_k = k};
            config.l1 = penalty, config.decorrelation = penalty / 10;
            Sae sae = random_sae(config, rng);
            Forward f = forward(sae, x);
            SaeStep fast = sae_forward_backward(sae, x.matrix());
            CHECK(std::abs(f.losses.mse - fast.losses.mse) < most * fast.losses.mse);
            CHECK(std::abs(f.losses.l1 - fast.losses.l1) < most * fast.losses.l1);
            CHECK(std::abs(f.losses.decorrelation - fast.losses.decorrelation) <=
                  most * fast.losses.decorrelation);

            // Training by either path ends at the same weights; its gradient is known from one
            // step.
            Training plain = {.name = "t", .config = config, .x = &x, .seed = 7, .rate = 1e-3};
            plain.n_step = 3;
            Training quick_path = plain;
            plain.plain = true;
            Progress progress("trained", 6, "steps");
            train(plain, progress);
            train(quick_path, progress);
            CHECK(test::largest_gap(plain.sae.W_dec, quick_path.sae.W_dec) < 100 * most);
            CHECK(plain.losses.size() == 3);
        }
    }
}

TEST_CASE("chapter 2: the gradient of the tied weight is that of lens/sae") {
    Tensor x({30, 6});
    Rng rng(4);
    for (Real& value : x.data) value = static_cast<Real>(rng.normal());
    SaeConfig config = {.d_in = 6, .n_latent = 20, .tied = true, .bias = false, .top_k = 9};
    config.sparse_below = 0;  // the gradient as a tensor
    config.l1 = 0.2;
    Sae sae = random_sae(config, rng);
    Tensor ours = backward(sae, x, forward(sae, x));
    Tensor theirs = sae_forward_backward(sae, x.matrix()).grad.W_dec;
    CHECK(test::largest_gap(ours, theirs) < 1e-5);
}

// --- the splice ---------------------------------------------------------------------------------

TEST_CASE("chapter 2: the activation in its own place changes nothing") {
    Gpt2 model = load_gpt2("weights/nano");
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> ids = tokenizer.encode("In Hungary a guest may be offered a glass of it.");
    Tensor resid = embed_ids(model, ids, 1);
    run_blocks(model, resid, 1);
    double clean = mean(next_token_losses(model, resid, ids, 1));
    for (const char* tap : {"mlp_out", "mlp_pre", "mlp_post"}) {
        Study study = {model, tokenizer, ids, 6, std::string("blocks.6.") + tap, {}, {}, 1};
        Tensor x = activations(model, ids, 1, study.tap);
        SaeConfig config = {.d_in = x.cols(), .n_latent = 8, .tied = true, .bias = false};
        Training t = {.name = "t", .config = config, .x = &x};
        t.sae = t.start();
        Splice s = make_splice(study, ids, {t});
        CHECK(s.clean == doctest::Approx(clean).epsilon(1e-5));
        CHECK(recovered(s, s.clean) == doctest::Approx(1));
        CHECK(recovered(s, s.mean) == doctest::Approx(0));
        CHECK(s.saes[0].fvu > 0);
        CHECK(std::abs(s.zero - s.clean) > 1e-4);
    }
}

TEST_CASE("chapter 2: the mean row is that of the rows that the SAEs learn from, on any text") {
    Gpt2 model = random_gpt2(
        {.n_layer = 2, .n_head = 2, .d_model = 8, .d_mlp = 16, .n_ctx = 16, .d_vocab = 40}, 1);
    for (Gpt2Block& block : model.blocks) {
        for (Real& w : block.W_out.data) w *= 100;
    }
    std::vector<int> passage = {1, 5, 9, 2, 7, 3, 3, 8}, unseen = {30, 12, 31, 17, 30, 25};
    Study study = {model, load_tokenizer(), passage, 0, "blocks.0.mlp_out", {}, {}, 1};
    Tensor x = activations(model, passage, 1, study.tap);
    SaeConfig config = {.d_in = 8, .n_latent = 8, .tied = true, .bias = false};
    Training t = {.name = "t", .config = config, .x = &x};
    t.sae = t.start();
    Splice s = make_splice(study, unseen, {t});
    Tensor mean_of_passage({6, 8}), own_mean = mean_of_passage;
    for (int64_t i = 0; i < 6; ++i) {
        for (int64_t j = 0; j < 8; ++j) {
            mean_of_passage.row(i)[j] = static_cast<Real>(column_means(to_matrix(x))[j]);
            own_mean.row(i)[j] = static_cast<Real>(column_means(to_matrix(s.x))[j]);
        }
    }
    CHECK(std::abs(spliced_loss(s, own_mean) - spliced_loss(s, mean_of_passage)) > 1e-4);
    CHECK(s.mean == doctest::Approx(spliced_loss(s, mean_of_passage)).epsilon(1e-6));
}

TEST_CASE("chapter 2: a random projection leaves the share of the variance that was asked for") {
    Tensor x({200, 20});
    Rng rng(6);
    for (Real& value : x.data) value = static_cast<Real>(3 + rng.normal());
    auto unexplained = [&](int64_t n_direction) {
        Matrix before = centred(to_matrix(x)),
               after = to_matrix(random_projection(x, n_direction, 9));
        Matrix rows = to_matrix(x);
        double error = 0, total = 0;
        for (size_t i = 0; i < rows.data.size(); ++i) {
            error += (after.data[i] - rows.data[i]) * (after.data[i] - rows.data[i]);
            total += before.data[i] * before.data[i];
        }
        return error / total;
    };
    CHECK(unexplained(20) < 1e-9);
    CHECK(unexplained(0) == doctest::Approx(1));
    CHECK(unexplained(15) == doctest::Approx(0.25).epsilon(0.1));
}
