// Chapter 5 on models and files: patches against another way to the same numbers, the sentence
// files that are taken and refused, and the program as a person meets it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "chapters/05_him_her_ged/patch.h"
#include "core/files.h"
#include "core/rng.h"
#include "math/blas.h"
#include "model/gpt2_file.h"
#include "program.h"
#include "show/claims.h"
#include "support.h"

using namespace vimach;
using namespace vimach::ch05;
using test::Outcome;

namespace {

constexpr Gpt2Config small = {
    .n_layer = 3, .n_head = 2, .d_model = 8, .d_mlp = 16, .n_ctx = 8, .d_vocab = 40};
constexpr Draws no_random = {.n_bootstrap = 9, .n_patch = 0, .seed = 1};

/// A random model in which every part counts.
Gpt2 loud_model() {
    Gpt2 model = random_gpt2(small, 1);
    for (Real& value : model.W_E.data) value *= 20;
    for (Gpt2Block& block : model.blocks) {
        for (Tensor* t : {&block.W_QKV, &block.W_in, &block.W_out}) {
            for (Real& value : t->data) value *= 20;
        }
    }
    return model;
}

std::string mlp_pre(int64_t layer) { return "blocks." + std::to_string(layer) + ".mlp_pre"; }

/// Him's own activation at the end of a beginning, and any other one.
Pairs one_pair(const Gpt2& model, int64_t layer, const std::vector<int>& beginning) {
    Tensor all = activations(model, beginning, 1, mlp_pre(layer));
    Pairs pairs = {Matrix(1, small.d_mlp), Matrix(1, small.d_mlp), {0}};
    Rng rng(2);
    for (int64_t j = 0; j < small.d_mlp; ++j) {
        pairs.him.at(0, j) = static_cast<double>(all.row(all.rows() - 1)[j]);
        pairs.her.at(0, j) = rng.normal();
    }
    return pairs;
}

/// KL(p || q) of the distributions that two models give after a text.
double divergence(const Gpt2& model_p, const Gpt2& model_q, const std::vector<int>& text) {
    auto last_logits = [&](const Gpt2& model) {
        Tensor resid = embed_ids(model, text, 1);
        run_blocks(model, resid, 1);
        std::vector<double> p;
        double sum = 0;
        Tensor logits = unembed(model, resid);
        for (Real value : logits.row(logits.rows() - 1)) p.push_back(std::exp(value));
        for (double value : p) sum += value;
        for (double& value : p) value /= sum;
        return p;
    };
    std::vector<double> p = last_logits(model_p), q = last_logits(model_q);
    double total = 0;
    for (size_t i = 0; i < p.size(); ++i) total += p[i] * std::log(p[i] / q[i]);
    return total;
}

}  // namespace

TEST_CASE("patch: along b - a it is the whole vector, to a itself nothing") {
    Gpt2 model = loud_model();
    std::vector<int> beginning = {3, 17, 5};
    for (int64_t layer : {0, 1, 2}) {
        Pairs pairs = one_pair(model, layer, beginning);
        PatchPlan plan =
            plan_patches(pairs, {pairs.him, pairs.him, pairs.him, pairs.him}, pairs.him, no_random);
        Matrix kl = patch_pairs(model, layer, {{beginning, 2, ""}}, pairs, plan.directions);
        CHECK(kl.at(0, 0) > 1e-3);
        CHECK(kl.at(0, 1) == doctest::Approx(kl.at(0, 0)).epsilon(1e-3));
        CHECK(std::abs(kl.at(0, 2) - kl.at(0, 0)) > 0.01 * kl.at(0, 0));
        CHECK(std::abs(patch_kl(model, layer, beginning, pairs.him)[0]) < 1e-6);
    }
}

TEST_CASE("patch: with a single token it is another bias in front of the gelu") {
    Gpt2 model = loud_model();
    for (int64_t layer : {0, 1, 2}) {
        Pairs pairs = one_pair(model, layer, {3});
        Gpt2 biased = model;
        for (int64_t j = 0; j < small.d_mlp; ++j) {
            biased.blocks[layer].b_in.data[j] +=
                static_cast<Real>(pairs.her.at(0, j) - pairs.him.at(0, j));
        }
        std::vector<int> text = {3};
        double expected = divergence(model, biased, text);
        CHECK(expected > 1e-3);
        CHECK(patch_kl(model, layer, text, pairs.her)[0] ==
              doctest::Approx(expected).epsilon(1e-3));
    }
}

namespace {

/// Runs a shell command in a folder of its own, with the program as $C, its sentences as $H and $R.
Outcome run(const std::string& command) {
    test::TempFolder folder;
    std::string data = test::absolute("chapters/05_him_her_ged/data");
    return test::shell_in(folder, "{ C='" + test::program("05_him_her_ged") + "'; H='" + data +
                                      "/him.txt'; R='" + data + "/her.txt'; " + command + "; }");
}

/// Whether the command fails with this status and one "error:" line that contains the phrase.
void check_refused(const std::string& command, int status, const char* phrase) {
    test::check_refused(run(command), command, status, phrase);
}

/// A random model with GPT-2's vocabulary under a folder of that name.
std::string model_in(const test::TempFolder& folder, const Gpt2Config& config, bool dead_layer) {
    Gpt2 model = random_gpt2(config, 1);
    if (dead_layer) std::ranges::fill(model.blocks[1].W_in.data, Real(0));
    std::string path = folder.file("model");
    std::filesystem::create_directory(path);
    save_gpt2(model, path);
    return path;
}

Gpt2Config tiny(int64_t d_model, int64_t d_mlp, int64_t n_ctx) {
    return {.n_layer = 2,
            .n_head = 1,
            .d_model = d_model,
            .d_mlp = d_mlp,
            .n_ctx = n_ctx,
            .d_vocab = 50257};
}

}  // namespace

TEST_CASE("chapter 5: bad input gets one line that names the place and the remedy") {
    check_refused("touch a; $C --him a", 1, "has 0 different sentences; 3 are needed (a): add");
    check_refused("printf 'We saw him.\n' > a; $C --him a", 1, "1 different sentence; 3 are");
    check_refused("printf 'I hid him.\nI met him.\nI met him now.\n' > a; $C --him a", 1,
                  "has 2 different sentences; 3 are needed (a)");
    check_refused("{ echo We left.; cat $H; } > a; $C --him a", 1,
                  "'him' 0 times, not once (a, line 1)");
    check_refused("{ cat $H; echo Ask him and him.; } > a; $C --him a", 1,
                  "'him' 2 times, not once (a, line 56)");
    for (const char* sentence :
         {"Him we saw.", "We saw \"him\" there.", "We saw\xC2\xA0him there."}) {
        check_refused(
            "{ cat $H; echo '" + std::string(sentence) + "'; } > a; $C --him a", 1,
            "not as the token ' him' (a, line 56): write it as in --words, after a plain");
    }
    check_refused("tac $H > a; $C --him a", 1, "differ in more than the word (a, line 1; /");
    check_refused("head -50 $H > a; $C --him a", 1, "one file has 50 sentences, the other 55 (/");
    check_refused("printf '\\n\\nWe saw him.\\377\\n' > a; $C --him a", 1, "a, line 3");
    check_refused("$C --preset lecture", 2, "use document or notebook");
    check_refused("$C --layer 12", 2, "from 0 to 11");
    check_refused("$C --him - --her - < $H", 2, "standard input can be read once (--her)");
    check_refused("$C --words him", 2, "'him' is not two words (--words)");
    check_refused("$C --words him,", 2, "' ' is 0 tokens, not one (--words)");
    check_refused("$C --words him,Nebuchadnezzar", 2, "' Nebuchadnezzar' is ");
}

TEST_CASE("chapter 5: models that leave nothing to compare") {
    test::TempFolder folder;
    std::string C = "$C --quick --model ";
    check_refused(C + model_in(folder, tiny(4, 16, 64), true), 1,
                  "blocks.1.mlp_pre does not vary over the sentences");
    check_refused(C + model_in(folder, tiny(1, 8, 64), false), 1, "choose another --layer");
    check_refused(C + model_in(folder, tiny(4, 16, 8), false), 1, "the model takes 8 (");
    for (int64_t d_mlp : {1, 2}) {
        Outcome few = run(C + model_in(folder, tiny(4, d_mlp, 64), false));
        CHECK(few.status == 0);
        bool shorter = few.out.find(d_mlp == 1 ? "there is one filter only" : "him > her") !=
                       std::string::npos;
        CHECK_MESSAGE(shorter, few.out);
    }
}

TEST_CASE("chapter 5: the same digits on 1 and 2 threads, from files and a pipe, and all files") {
    // What comes through the pipe has a byte-order mark, line ends of Windows and blank lines.
    Outcome one =
                run("{ printf '\\357\\273\\277'; sed 's/$/\\r/' $H; printf '\\r\\n \\n'; } | "
                    "VIMACH_THREADS=1 $C --quick --him /dev/stdin"),
            two = run("VIMACH_THREADS=2 $C --quick && ls out/05 && cat out/05/table-1.csv");
    CHECK(one.status == 0);
    CHECK(two.out.starts_with(one.out));
    for (const char* file : {"claims.tsv", "report.html", "figure-9.csv", "table-5.csv"}) {
        CHECK_MESSAGE(two.out.find(file) != std::string::npos, file);
    }

    // The steps on the page are those of fit_ged.
    Gpt2 model = load_gpt2(test::absolute("weights/nano"));
    Tokenizer tokenizer = load_tokenizer();
    auto at_word = [&](const char* word) {
        std::string path =
            test::absolute("chapters/05_him_her_ged/data/" + std::string(word) + ".txt");
        Matrix out(0, model.config.d_mlp);
        for (const Sentence& s : read_sentences(path, tokenizer, word, 256)) {
            Tensor all = activations(model, s.prefix(), 1, mlp_pre(6));
            for (Real value : all.row(all.rows() - 1)) out.data.push_back(value);
            ++out.rows;
        }
        return out;
    };
    GedFit fit = fit_ged(at_word("him"), at_word("her"), {});
    for (const Eigen* eigen : {&fit.a_over_b, &fit.b_over_a}) {
        std::string name = eigen == &fit.a_over_b ? "him > her" : "her > him";
        size_t row = two.out.find("\n" + name + ",");
        REQUIRE(row != two.out.npos);
        std::istringstream cells(two.out.substr(row + 1 + name.size()));
        for (size_t i = 0; i < 3; ++i) {
            // A batch of sentences rounds otherwise than each by itself; four decimals are printed.
            char comma;
            double value;
            cells >> comma >> value;
            CHECK(std::abs(value - eigen->values[i]) < 2e-4);
        }
    }
}

TEST_CASE("chapter 5: three sentences, and the same sentences twice") {
    // Three sentences are few, but not too few.
    Outcome three = run("head -3 $H > a; head -3 $R > b; $C --quick --him a --her b");
    CHECK(three.status == 0);
    test::check_contains(three.out, "one is left out at a time");

    // The same word in both files: no difference, and nobody finds one.
    Outcome same = run("$C --quick --words him,him --her $H");
    CHECK(same.status == 0);
    CHECK(same.out.find("  reproduced\n") == same.out.rfind("  reproduced\n"));  // 5b few
    test::check_contains(same.out, "5c           0.0000");
    test::check_contains(same.out, "the whole vector changes nothing");
}

TEST_CASE("chapter 5: the known output holds with the BLAS kernels of another processor") {
    Outcome other = run("OPENBLAS_CORETYPE=Haswell $C --quick | $(dirname $C)/verify " +
                        test::absolute("tests/expected/05.txt"));
    CHECK_MESSAGE(other.status == 0, other.out);
}
