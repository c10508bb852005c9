// The one mouth of a chapter: what it has to say it says once, and Page prints it on the terminal
// and adds it to the report, in the same order. At the end stand the verdicts, and in the output
// folder report.html, claims.tsv and the numbers behind every figure and table; out/index.html
// ties the chapters together.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "show/claims.h"
#include "show/console.h"
#include "show/svg.h"

namespace vimach {

class Page {
public:
    /// Reads the chapter's claims.tsv, where it has one, and makes the output folder.
    Page(const ChapterInfo& info, const Options& options);

    /// What runs, line by line, before the first step: the model, the settings.
    void about(const char* pattern, ...) __attribute__((format(printf, 2, 3)));
    void about(const std::string& text);

    /// The model's name, for claims.tsv.
    void model(const std::string& name) { model_ = name; }

    /// A numbered step, as an imperative sentence.
    void step(const std::string& text);

    /// A sentence, with its numbers.
    void say(const char* pattern, ...) __attribute__((format(printf, 2, 3)));
    void say(const std::string& text);

    void table(const std::string& title, const Table& table, std::string note = {});

    /// A table that is folded away on the page, because it is long.
    void long_table(const std::string& title, const Table& table);

    /// A figure, on the page only.
    void figure(const Figure& figure);

    /// What the run found about the claim of this id. Throws where a measure has no control.
    void claim(const std::string& id, const Finding& finding);

    /// The same from its parts.
    void claim(const std::string& id, const Measure& measured,
               const std::vector<Control>& controls = {}) {
        claim(id, Finding{measured, controls, {}});
    }

    /// A claim that a constant decides whatever the data; `by` names it.
    void forced(const std::string& id, const Measure& measured, const std::string& by) {
        claim(id, Finding{measured, {}, by});
    }

    /// A claim that this run says nothing about.
    void not_tested(const std::string& id, const std::string& why);

    /// The run's answer to the chapter's question, in a sentence with its numbers, and the figure
    /// that shows it: the page begins with both.
    void answer(const std::string& sentence, const Figure& figure);

    /// The verdict on a claim that the run has already stated.
    Verdict verdict_on(const std::string& id) const;

    /// For a run that only prints something else: it states no claims and writes no page.
    void discard() { discarded_ = true; }

    /// Prints a table and nothing else.
    void only(const Table& table);

    /// Prints the verdicts and writes all files; run_chapter does it at the end, where a chapter
    /// has not done it before. Throws where a claim was never stated.
    void finish();

private:
    void print_run();
    void print_table(const std::string& title, const Table& table);
    void add_numbers(const std::string& file, const Table& table);
    void add_claim(const Claim& claim);
    bool is_stated(const std::string& id) const;
    ClaimText text_of(const std::string& id) const;
    std::string opening() const;
    void write_files() const;

    /// A figure's or table's numbers, by the name of their file.
    struct Numbers {
        std::string file;
        Table table;
    };

    ChapterInfo info_;
    bool quick_, discarded_ = false, run_printed_ = false;
    bool in_place_;  ///< whether the output goes to out/NN, among the other chapters'
    std::string folder_, run_, model_, about_, body_, answer_, opening_figure_;
    std::map<int, std::string> invitations_;  ///< to figures, by their numbers
    Script script_;
    std::vector<ClaimText> texts_;
    std::vector<Claim> claims_;
    std::vector<Numbers> numbers_;
    int n_step_ = 0, n_figure_ = 1, n_table_ = 0;  ///< figure 1 is the opening's
};

/// run_chapter for a chapter that speaks through a Page: makes it, runs the chapter, finishes it.
int run_chapter(int argc, char** argv, const ChapterInfo& info,
                void (*chapter)(const Options&, Page&));

}  // namespace vimach
