// The pages of all chapters as one site: links from page to page, and out/index.html, which says
// of every chapter what it asks and what its last run answered.
#pragma once

#include <string>
#include <vector>

#include "show/claims.h"
#include "show/console.h"

namespace vimach {

/// What the index says of a run; kept in the chapter's folder as summary.txt.
struct RunSummary {
    std::string title, lecture, answer, run;
    std::string verdicts;  ///< "3 reproduced, 2 undecided"
};

/// "3 reproduced, 1 not reproduced": how often each verdict occurs.
std::string count_verdicts(const std::vector<Claim>& claims);

/// A line of links: to the chapter before, to the index, to the next one. `label` names it for
/// those who do not see it; each on a page has its own.
std::string navigation_html(const ChapterInfo& info, const std::string& label);

/// What the lecture shows, as a paragraph.
std::string lecture_html(const std::string& lecture);

/// The path of the chapter's page in docs as seen from a folder.
std::string link_to_document(const ChapterInfo& info, const std::string& folder);

/// Writes FOLDER/summary.txt, and index.html in the folder that holds FOLDER.
void write_summary(const std::string& folder, const RunSummary& summary);

}  // namespace vimach
