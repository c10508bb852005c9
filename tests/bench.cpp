// Benchmarks: each row sets a figure of ours beside a peer's or a bound's, taken in the same run.
//   make bench              all rows, as a table and in out/bench.tsv
//   make bench ONLY=name    rows whose name begins with it
//   TEXT=FILE               the text for the tokenizer row, instead of generated words
// A ratio above 1 means better than the peer; against a bound it is the share of it reached. A
// peer that is not installed gives a row that says so. Times are medians of 5 after a warm-up.
#include "bench.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/vector_ops.h"
#include "model/generate.h"
#include "model/gpt2_file.h"
#include "show/table.h"
#include "text/tokenizer.h"

using namespace vimach;

namespace {

constexpr int n_repeat = 5;

Table rows = {.header = {"name", "ours", "peer", "theirs", "ratio"}, .rows = {}};

Tensor random_square(int64_t n, uint64_t seed) {
    Tensor t({n, n});
    Rng rng(seed);
    for (Real& value : t.data) value = static_cast<Real>(rng.uniform());
    return t;
}

}  // namespace

namespace vimach {

void add_comparison(const char* name, double ours, const char* peer, double theirs,
                    const char* unit) {
    std::string other = theirs > 0 ? format("%.4g %s", theirs, unit) : "not installed";
    std::string ratio = theirs > 0 ? format("%.2f", theirs / ours) : "-";
    add_row(rows, {name, format("%.4g %s", ours, unit), peer, other, ratio});
}

double median_seconds(const std::function<void()>& work) {
    work();
    std::vector<double> seconds;
    for (int i = 0; i < n_repeat; ++i) {
        auto begin = std::chrono::steady_clock::now();
        work();
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        seconds.push_back(took.count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + n_repeat / 2, seconds.end());
    return seconds[n_repeat / 2];
}

double peer_seconds(const std::string& command) {
    FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
    double seconds = 0;
    bool printed = pipe != nullptr && std::fscanf(pipe, "%lf", &seconds) == 1;
    bool finished = pipe != nullptr && ::pclose(pipe) == 0;
    return printed && finished ? seconds : 0;
}

std::string python() {
    const char* chosen = std::getenv("PYTHON");
    return chosen != nullptr && *chosen != '\0' ? chosen : "/usr/bin/python3";
}

double sgemm_rate() {
    constexpr int64_t n = 2048;
    Tensor a = random_square(n, 1), b = random_square(n, 2), c({n, n});
    double seconds = median_seconds([&] { matmul(a.matrix(), b.matrix(), c.matrix()); });
    return 2.0 * n * n * n / seconds / 1e9;
}

double read_rate() {
    Tensor big = random_square(8192, 1);
    std::vector<Real> sums(8192);
    double seconds = median_seconds([&] {
        parallel_ranges(8192, 64, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) sums[i] = sum(big.row(i));
        });
    });
    return static_cast<double>(sizeof(Real) * big.data.size()) / seconds / 1e9;
}

}  // namespace vimach

namespace {

// --- tokenizer ----------------------------------------------------------------------------------

/// Words of the vocabulary in Zipf's proportions, with sentences, numbers and rare compounds: text
/// as a tokenizer sees English, where no 20 MB of it are at hand.
std::string generate_text(const Tokenizer& tokenizer, size_t n_byte) {
    std::vector<std::string> words;
    for (int id = 0; id < tokenizer.end_of_text(); ++id) {
        std::string token(tokenizer.token_bytes(id));
        bool word = token.size() > 1 && token[0] == ' ' &&
                    std::all_of(token.begin() + 1, token.end(),
                                [](char c) { return c >= 'a' && c <= 'z'; });
        if (word) words.push_back(token);
    }

    Rng rng(1);
    std::string text;
    auto draw = [&] {
        // P(rank) falls as 1 / rank: the logarithm of the rank is uniform.
        double rank = std::pow(static_cast<double>(words.size()), rng.uniform());
        return words[static_cast<size_t>(rank) - 1];
    };
    while (text.size() < n_byte) {
        double kind = rng.uniform();
        text += draw();
        if (kind < 0.06) text += draw().substr(1);
        if (kind > 0.92) text += ",";
        if (kind > 0.98) text += format(" %ld", rng.below(2000));
        if (kind > 0.86 && kind < 0.92) text += kind < 0.87 ? ".\n\nThe" : ". The";
    }
    return text;
}

void bench_tokenizer() {
    Tokenizer tokenizer = load_tokenizer();
    const char* given = std::getenv("TEXT");
    std::string path = given != nullptr && *given != '\0' ? given : "out/bench_text.txt";
    if (path == "out/bench_text.txt") write_text(path, generate_text(tokenizer, 20'000'000));
    std::string text = read_text(path);

    double ours = median_seconds([&] { tokenizer.encode(text); });
    double theirs = peer_seconds("node tests/bench_tiktoken.mjs '" + path + "'");
    add_comparison("tokenizer", ours, "tiktoken", theirs, "s");
}

// --- memory -------------------------------------------------------------------------------------

constexpr double parameter_megabytes = 4e-6 * 124'439'808;

/// Runs one piece of work, or a program with its options, in a process of its own and returns that
/// process's peak in MB; the peak of this one never falls again.
double peak_megabytes(const std::string& work) {
    return peer_seconds("build/bench --peak '" + work + "'");
}

/// Peak memory of a process that only reads the model, against its parameters in float32.
void bench_load_memory() {
    add_comparison("load_memory", peak_megabytes("load"), "parameters", parameter_megabytes, "MB");
}

/// Peak memory of each chapter's quick run, and of chapter 0 on GPT-2 small's shape.
void bench_chapter_memory() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator("chapters")) {
        names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        std::string run = "build/" + name + " --quick --out out/bench_" + name.substr(0, 2);
        add_comparison(("memory_" + name.substr(0, 2)).c_str(), peak_megabytes(run), "allowed", 400,
                       "MB");
    }
    std::string shape = format("build/00_gpt2 --model %s --quick --out out/bench_00", shape_model);
    add_comparison("memory_00_shape", peak_megabytes(shape), "1.15 weights + 150",
                   1.15 * parameter_megabytes + 150, "MB");
}

// --- forward ------------------------------------------------------------------------------------

/// The residual stream after the last block, for 2 windows of 1024 random tokens.
Tensor forward(const Gpt2& model) {
    constexpr int64_t n_window = 2, n_token = 1024;
    std::vector<int> ids;
    Rng rng(1);
    for (int64_t i = 0; i < n_window * n_token; ++i) {
        ids.push_back(static_cast<int>(rng.below(model.config.d_vocab)));
    }
    Tensor resid = embed_ids(model, ids, n_window);
    run_blocks(model, resid, n_window);
    return resid;
}

/// The same work while one more process wants a processor.
double busy_seconds(const std::function<void()>& work) {
    pid_t other = ::fork();
    while (other == 0) ::getppid();
    double seconds = median_seconds(work);
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
    return seconds;
}

void bench_forward() {
    constexpr double gflop = 387;  // 348 in the matrices, 39 in causal attention
    Gpt2 model = load_gpt2(shape_model);
    std::string script = python() + " tests/bench_torch.py forward " + shape_model;

    double bound = gflop / sgemm_rate();
    double ours = median_seconds([&] { forward(model); });
    add_comparison("forward", ours, "sgemm bound", bound, "s");
    add_comparison("forward", ours, "PyTorch", peer_seconds(script), "s");
    double busy = busy_seconds([&] { forward(model); });
    add_comparison("forward_busy", busy, "forward", ours, "s");

    double with_head = median_seconds([&] { unembed(model, forward(model)); });
    add_comparison("forward_head", with_head, "PyTorch", peer_seconds(script + " --head"), "s");

    add_comparison("forward_memory", peak_megabytes("forward"), "weights + 350",
                   parameter_megabytes + 350, "MB");
}

// --- generation ---------------------------------------------------------------------------------

/// Seconds a token, for 64 tokens after 512: the best one each time.
void bench_generate() {
    constexpr int n_given = 512, n_more = 64;
    Gpt2 model = load_gpt2(shape_model);
    std::vector<int> ids(n_given);
    std::iota(ids.begin(), ids.end(), 1);
    double ours = std::numeric_limits<double>::infinity();
    for (int repeat = 0; repeat < 3; ++repeat) {
        Continuation text(model, ids);
        auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < n_more; ++i) {
            text.append(largest(text.logits().data, 1).front());
        }
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        ours = std::min(ours, took.count() / n_more);
    }

    // No token can be faster than one reading of all weights, and of the keys and values.
    double gigabytes = 4e-9 * static_cast<double>(model.config.n_parameter());
    add_comparison("generate", ours, "weights read", gigabytes / read_rate(), "s");
    std::string script = python() + " tests/bench_torch.py generate " + shape_model;
    double theirs = peer_seconds(format("%s %d %d", script.c_str(), n_given, n_more));
    add_comparison("generate", ours, "PyTorch", theirs, "s");
}

// --- the run ------------------------------------------------------------------------------------

struct Benchmark {
    const char* name;
    void (*run)();
};
constexpr Benchmark benchmarks[] = {{"load_memory", bench_load_memory},
                                    {"memory", bench_chapter_memory},
                                    {"tokenizer", bench_tokenizer},
                                    {"forward", bench_forward},
                                    {"generate", bench_generate},
                                    {"actmax", bench_actmax},
                                    {"sae_palinka", bench_sae_palinka},
                                    {"sae_batch", bench_sae_batch},
                                    {"laminar_memory", bench_laminar_memory},
                                    {"sae_laminar_seed", bench_sae_laminar_seed},
                                    {"sae_laminar_course", bench_sae_laminar_course},
                                    {"train_nano", bench_train}};

/// What peak_megabytes asks a second process to do.
void print_peak(const std::string& work) {
    bool is_program = work.starts_with("build/");
    if (is_program) {
        int status = std::system((work + " >/dev/null").c_str());
        if (status != 0) return;  // what is wrong has been said; the row has no figure
    } else {
        Gpt2 model = load_gpt2(shape_model);
        if (work == "forward") forward(model);
    }
    rusage usage;
    ::getrusage(is_program ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
    std::printf("%.3f\n", static_cast<double>(usage.ru_maxrss) * 1024 / 1e6);
}

void print_machine() {
    std::string kernels = blas_kernels();
    std::fprintf(stderr, "%s, %d threads\n", kernels.c_str(), thread_count());
#ifdef __x86_64__
    if (kernels.ends_with("Haswell") && __builtin_cpu_supports("avx512f")) {
        std::fprintf(stderr,
                     "these kernels lag behind the processor, which has AVX-512: is "
                     "OPENBLAS_CORETYPE set?\n");
    }
#endif
}

void write_rows() {
    std::string tsv;
    for (size_t i = 0; i <= rows.rows.size(); ++i) {
        const std::vector<std::string>& row = i == 0 ? rows.header : rows.rows[i - 1];
        for (size_t j = 0; j < row.size(); ++j) tsv += (j == 0 ? "" : "\t") + row[j];
        tsv += '\n';
    }
    write_text("out/bench.tsv", tsv);
}

}  // namespace

int main(int argc, char** argv) {
    take_fast_kernels(argv);
    try {
        if (argc == 3 && std::string(argv[1]) == "--peak") {
            print_peak(argv[2]);
            return 0;
        }
        print_machine();
        const char* only = std::getenv("ONLY");
        for (const Benchmark& benchmark : benchmarks) {
            if (only != nullptr && !std::string(benchmark.name).starts_with(only)) continue;
            benchmark.run();
        }
        print(rows);
        write_rows();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
    return 0;
}
