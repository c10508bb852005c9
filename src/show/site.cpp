// Links between pages, and the index; see show/site.h.
// The chapters are the folders of the project's `chapters`; what a run answered is read from the
// summary that it left in its own folder.
#include "show/site.h"

#include <algorithm>
#include <filesystem>

#include "core/ensure.h"
#include "core/files.h"
#include "show/document.h"
#include "show/html.h"

namespace vimach {

namespace {

namespace fs = std::filesystem;

/// "00_gpt2", "01_sparse_autoencoder", ... in order; other folders are none of ours.
std::vector<std::string> chapter_names() {
    auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(find_in_project("chapters"), error)) {
        std::string name = entry.path().filename().string();
        bool numbered = name.size() > 3 && is_digit(name[0]) && is_digit(name[1]) && name[2] == '_';
        if (numbered && entry.is_directory()) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
}

std::string number_of(const std::string& name) { return name.substr(0, 2); }

/// "Chapter 5".
std::string title_of(const std::string& name) {
    return local("Chapter " + std::to_string(std::atoi(number_of(name).c_str())));
}

std::string link(const std::string& target, const std::string& text) {
    return "<a href=\"" + escape_text(target) + "\">" + escape_text(text) + "</a>";
}

/// The lines of a summary.txt; empty fields where there is none.
RunSummary read_summary(const std::string& path) {
    RunSummary summary;
    if (!fs::is_regular_file(path)) return summary;
    std::string text = read_text(path);
    std::string* fields[] = {&summary.title, &summary.lecture, &summary.answer, &summary.run,
                             &summary.verdicts};
    size_t at = 0;
    for (std::string* field : fields) {
        size_t end = std::min(text.find('\n', at), text.size());
        *field = text.substr(at, end - at);
        at = std::min(end + 1, text.size());
    }
    return summary;
}

std::string entry_html(const std::string& name, const std::string& folder) {
    std::string number = number_of(name), page = number + "/report.html";
    RunSummary summary = read_summary(folder + "/" + number + "/summary.txt");
    bool exists = fs::exists(folder + "/" + page);
    std::string title =
        summary.title.empty() ? title_of(name) + ": " + name.substr(3) : summary.title;
    std::string out = "<section class=\"entry\">\n<h2>" +
                      (exists ? link(page, title) : escape_text(title)) + "</h2>\n";
    if (!exists) {
        return out + "<p>" + local("Not run yet:") + " <code>make " + number +
               "</code></p>\n</section>\n";
    }
    auto add = [&](const char* kind, const std::string& text) {
        if (text.empty()) return;
        out += std::string("<p class=\"") + kind + "\">" + escape_text(text) + "</p>\n";
    };
    if (!summary.lecture.empty()) out += lecture_html(summary.lecture);
    add("answer", summary.answer);
    add("verdicts", summary.verdicts);
    add("subtitle", summary.run);
    return out + "</section>\n";
}

}  // namespace

std::string count_verdicts(const std::vector<Claim>& claims) {
    std::string out;
    for (Verdict verdict : {Verdict::reproduced, Verdict::control_holds, Verdict::not_reproduced,
                            Verdict::undecided, Verdict::forced, Verdict::not_tested}) {
        auto count = std::ranges::count_if(
            claims, [&](const Claim& claim) { return rule(claim).verdict == verdict; });
        if (count == 0) continue;
        out += (out.empty() ? "" : ", ") + format("%ld ", count) + local(verdict_name(verdict));
    }
    return out;
}

std::string navigation_html(const ChapterInfo& info, const std::string& label) {
    std::vector<std::string> names = chapter_names();
    auto own = std::ranges::find(names, info.name);
    std::string out = "<nav aria-label=\"" + escape_text(label) + "\"><ul>\n";
    if (own != names.end() && own != names.begin()) {
        const std::string& before = *(own - 1);
        out += "<li>" + link("../" + number_of(before) + "/report.html", "← " + title_of(before)) +
               "</li>\n";
    }
    out += "<li>" + link("../index.html", local("All chapters")) + "</li>\n";
    if (own != names.end() && own + 1 != names.end()) {
        const std::string& next = *(own + 1);
        out += "<li>" + link("../" + number_of(next) + "/report.html", title_of(next) + " →") +
               "</li>\n";
    }
    return out + "</ul></nav>\n";
}

std::string lecture_html(const std::string& lecture) {
    return "<p class=\"lecture\"><b>" + local("The lecture:") + "</b> " + escape_text(lecture) +
           "</p>\n";
}

std::string link_to_document(const ChapterInfo& info, const std::string& folder) {
    std::string docs = spoken() == Language::english ? "docs/" : "docs/vi/";
    std::string path = find_in_project(docs + info.name + ".md");
    std::error_code error;
    fs::path relative = fs::relative(fs::absolute(path), fs::absolute(folder), error);
    return error || relative.empty() ? path : relative.generic_string();
}

void write_summary(const std::string& folder, const RunSummary& summary) {
    std::string text;
    for (const std::string& field :
         {summary.title, summary.lecture, summary.answer, summary.run, summary.verdicts}) {
        text += field + "\n";
    }
    write_text(folder + "/summary.txt", text);

    std::string parent = fs::path(folder).parent_path().string();
    std::string body =
        "<h1>vimach</h1>\n<p>" +
        local(
            "Mechanistic interpretability of GPT-2, from scratch: what each chapter asks, and what "
            "its last run answered.") +
        "</p>\n";
    for (const std::string& name : chapter_names()) body += entry_html(name, parent);
    write_text(parent + "/index.html", html_document("vimach", body));
}

}  // namespace vimach
