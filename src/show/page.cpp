// One call, two mouths: the terminal at once, the page when it is finished; see show/page.h.
// What comes from outside (names, tokens) is made visible on both, so that no byte of it reaches
// the terminal as a command.
#include "show/page.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <filesystem>

#include "core/ensure.h"
#include "core/files.h"
#include "show/claim_html.h"
#include "show/document.h"
#include "show/html.h"
#include "show/site.h"
#include "show/terminal.h"

namespace vimach {

namespace {

/// printf into a string.
std::string formatted(const char* pattern, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int size = std::vsnprintf(nullptr, 0, pattern, again);
    va_end(again);
    std::string text(static_cast<size_t>(std::max(size, 0)) + 1, '\0');
    std::vsnprintf(text.data(), text.size(), pattern, arguments);
    text.pop_back();
    return text;
}

Table visible(const Table& table) {
    Table out = table;
    for (std::string& cell : out.header) cell = visible_text(cell, false);
    for (auto& row : out.rows) {
        for (std::string& cell : row) cell = visible_text(cell, false);
    }
    return out;
}

std::string claims_file(const ChapterInfo& info) {
    return find_in_project("chapters/" + std::string(info.name) + "/claims.tsv");
}

std::string measured_text(const Measure& measure) {
    std::string text = measure_text(measure);
    bool said = measure.detail.empty() || text.ends_with(")");
    return said ? text : text + " (" + measure.detail + ")";
}

/// The claim with its numbers, so that the verdict can be derived from what is printed.
void print_claim(const Claim& claim, const Ruling& ruling) {
    std::vector<std::pair<std::string, std::string>> rows = {{"the document", claim.text.document},
                                                             {"measure", claim.text.measure}};
    if (claim.not_tested.empty()) rows.emplace_back("this run", measured_text(claim.measured));
    rows.emplace_back("needed", claim.text.needed());
    for (const Control& c : claim.controls) rows.emplace_back(c.name, control_text(c));
    rows.emplace_back("verdict", std::string(verdict_name(ruling.verdict)) + ": " + ruling.why);

    size_t width = 0;
    for (const auto& row : rows) {
        width = std::max(width, static_cast<size_t>(text_columns(row.first)));
    }
    std::printf("\n");
    print_wrapped("Claim " + claim.text.id + ": ", claim.text.claim, 2);
    for (const auto& [name, text] : rows) {
        std::string first = "  " + name;
        first.append(width + 4 - static_cast<size_t>(text_columns(first)), ' ');
        print_wrapped(first, text, width + 4);
    }
}

}  // namespace

// --- the mouth ----------------------------------------------------------------------------------

Page::Page(const ChapterInfo& info, const Options& options)
    : info_(info),
      quick_(options.has("--quick")),
      in_place_(!options.has("--out")),
      folder_(output_folder(options, info)) {
    // A chapter may claim nothing, but its folder must be there.
    chapter_file(info, "");
    if (std::filesystem::exists(claims_file(info))) texts_ = read_claims(claims_file(info));
    Language language = options.language();
    std::vector<std::string> files;
    if (language != Language::english) {
        files = {project_file("src/show/text.tsv"), chapter_file(info, "text.tsv")};
    }
    speak(language, files);
    run_ = info.has_presets ? "preset " + options.preset() + (quick_ ? ", quick" : "")
                            : (quick_ ? "quick" : "full");
}

void Page::print_run() {
    if (run_printed_ || discarded_) return;
    run_printed_ = true;
    std::printf("%s\n", run_.c_str());
    about_ += escape_text(local(run_));
}

void Page::about(const std::string& text) {
    print_run();
    print_wrapped("", text, 2);
    about_ += "<br>\n" + escape_text(local(visible_text(text, false)));
}

void Page::about(const char* pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    std::string text = formatted(pattern, arguments);
    va_end(arguments);
    about(text);
}

void Page::step(const std::string& text) {
    print_run();
    std::string title = format("%d. ", ++n_step_);
    std::printf("\n");
    print_wrapped(title, text, title.size());
    body_ += format("<h2 id=\"step-%d\">", n_step_) +
             escape_text(title + local(visible_text(text, false))) + "</h2>\n";
}

void Page::say(const std::string& text) {
    print_run();
    print_wrapped("", text, 0);
    body_ += paragraph(local(visible_text(text, false)));
}

void Page::say(const char* pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    std::string text = formatted(pattern, arguments);
    va_end(arguments);
    say(text);
}

void Page::print_table(const std::string& title, const Table& table) {
    print_run();
    std::printf("\n");
    print_wrapped("", title, 0);
    for (const Table& part : split_table(table, terminal_columns)) print(part);
}

void Page::table(const std::string& title, const Table& table, std::string note) {
    Table shown = visible(table);
    if (!table.note.empty()) note += (note.empty() ? "" : " ") + table.note;
    print_table(title, shown);
    if (!note.empty()) print_wrapped("", note, 0);
    body_ += figure_html(visible_text(title, false), shown, visible_text(note, false), ++n_table_);
    add_numbers(table_file(n_table_), table);
}

void Page::long_table(const std::string& title, const Table& table) {
    Table shown = visible(table);
    print_table(title, shown);
    ++n_table_;
    body_ += "<p class=\"panel\">" + escape_text(local(visible_text(title, false))) + "</p>\n" +
             data_html(shown, format("table %d (", n_table_) + table_file(n_table_) + ")");
    add_numbers(table_file(n_table_), table);
}

void Page::add_numbers(const std::string& file, const Table& table) {
    if (table.header.empty()) return;  // a drawing without numbers
    numbers_.push_back({file, table});
}

void Page::figure(const Figure& figure) {
    body_ += figure_html(figure, ++n_figure_);
    add_numbers(figure_file(n_figure_), figure.data);
    if (!figure.script.text.empty()) script_ = figure.script;
    if (!figure.invitation.empty()) invitations_[n_figure_] = figure.invitation;
}

void Page::answer(const std::string& sentence, const Figure& figure) {
    print_run();
    answer_ = local(visible_text(sentence, false));
    std::printf("\n");
    print_wrapped("Answer: ", sentence, 2);
    opening_figure_ = figure_html(figure, 1);
    add_numbers(figure_file(1), figure.data);
}

// --- claims -------------------------------------------------------------------------------------

bool Page::is_stated(const std::string& id) const {
    return std::ranges::any_of(claims_, [&](const Claim& c) { return c.text.id == id; });
}

ClaimText Page::text_of(const std::string& id) const {
    std::string path = claims_file(info_);
    auto text = std::ranges::find(texts_, id, &ClaimText::id);
    if (text == texts_.end()) fail("there is no claim " + id, path, "give it a line");
    if (is_stated(id)) fail("the claim " + id + " was stated twice", path, "state it once");
    return *text;
}

void Page::claim(const std::string& id, const Finding& finding) {
    Claim claim;
    claim.text = text_of(id);
    claim.measured = finding.measured;
    claim.controls = finding.controls;
    claim.forced_by = finding.forced_by;
    add_claim(claim);
}

void Page::not_tested(const std::string& id, const std::string& why) {
    Claim claim;
    claim.text = text_of(id);
    claim.not_tested = why;
    add_claim(claim);
}

void Page::add_claim(const Claim& claim) {
    bool measured = claim.not_tested.empty() && std::isfinite(claim.measured.value);
    if (measured && claim.forced_by.empty() && claim.controls.empty()) {
        fail("the claim " + claim.text.id + " has no control", info_.name,
             "measure the same where its cause is absent");
    }
    print_run();
    print_claim(claim, rule(claim));
    if (claim.not_tested.empty()) body_ += claim_html(claim);
    claims_.push_back(claim);
}

Verdict Page::verdict_on(const std::string& id) const {
    for (const Claim& claim : claims_) {
        if (claim.text.id == id) return rule(claim).verdict;
    }
    fail("the claim " + id + " has no verdict yet", "verdict_on", "state it first");
}

// --- the end ------------------------------------------------------------------------------------

std::string Page::opening() const {
    std::string navigation = in_place_ ? navigation_html(info_, local("Chapters")) : "";
    std::string out = navigation + "<h1>" + escape_text(local(info_.purpose)) + "</h1>\n";
    if (*info_.lecture != '\0') out += lecture_html(local(info_.lecture));
    if (!answer_.empty()) {
        out += "<p class=\"answer\"><b>" + local("This run:") + "</b> " + escape_text(answer_) +
               "</p>\n";
    }
    out += "<p class=\"subtitle\">" + about_ + "<br>\n<a href=\"" +
           escape_text(link_to_document(info_, folder_)) + "\">" +
           escape_text(local("The chapter explained")) + "</a>";
    for (const auto& [number, text] : invitations_) {
        out += format("<br>\n<a href=\"#figure-%d\">", number) + escape_text(local(text)) + "</a>";
    }
    out += "</p>\n";
    if (quick_) {
        out += "<p class=\"banner\">" +
               local("A quick run: fewer repetitions and steps than a full one.");
        if (!claims_.empty()) out += " " + local("Verdicts may change in the full one.");
        out += "</p>\n";
    }
    return out + opening_figure_;
}

void Page::only(const Table& table) {
    discard();
    print(visible(table));
}

void Page::finish() {
    if (discarded_) return;
    print_run();
    for (const ClaimText& text : texts_) {
        if (!is_stated(text.id))
            fail("the run never stated the claim " + text.id, info_.name, "state it");
    }
    // List the claims in the order of claims.tsv, whatever step stated them.
    std::ranges::stable_sort(claims_, {}, [&](const Claim& claim) {
        return std::ranges::find(texts_, claim.text.id, &ClaimText::id) - texts_.begin();
    });
    Table verdicts = {.header = {local("claim"), local("measured"), local("verdict")}};
    for (const Claim& claim : claims_) {
        bool number = claim.not_tested.empty();
        add_row(verdicts, {claim.text.id, number ? measure_text(claim.measured) : "-",
                           local(verdict_name(rule(claim).verdict))});
    }
    if (!claims_.empty()) {
        std::printf("\n%s\n", local("What became of the claims").c_str());
        print(verdicts);
    }
    write_files();
    announce_report(folder_);
    discarded_ = true;  // nothing is left to do
}

void Page::write_files() const {
    // Remove an earlier run's page, so that it never stands beside this run's numbers, and the
    // numbers of figures and tables that only that run had.
    std::error_code ignored;
    std::filesystem::remove(folder_ + "/report.html", ignored);
    for (int number = 1; number < 100; ++number) {
        for (const std::string& file : {figure_file(number), table_file(number)}) {
            bool is_new = std::ranges::find(numbers_, file, &Numbers::file) != numbers_.end();
            if (!is_new) std::filesystem::remove(folder_ + "/" + file, ignored);
        }
    }
    for (const Numbers& numbers : numbers_) write_csv(folder_ + "/" + numbers.file, numbers.table);
    if (!claims_.empty()) {
        write_tsv(folder_ + "/claims.tsv", visible(claims_table(claims_, model_)));
    }
    std::string navigation = in_place_ ? navigation_html(info_, local("Chapters, again")) : "";
    write_text(folder_ + "/report.html",
               html_document(local(info_.purpose),
                             opening() + body_ + verdicts_html(claims_) + navigation, script_));
    if (!in_place_) return;
    write_summary(folder_,
                  {.title = local(info_.purpose),
                   .lecture = local(info_.lecture),
                   .answer = answer_,
                   .run = local(run_) + (model_.empty() ? "" : ", " + visible_text(model_, false)),
                   .verdicts = count_verdicts(claims_)});
}

int run_chapter(int argc, char** argv, const ChapterInfo& info,
                void (*chapter)(const Options&, Page&)) {
    return run_chapter(argc, argv, info, [&](const Options& options) {
        Page page(info, options);
        chapter(options, page);
        page.finish();
    });
}

}  // namespace vimach
