// The article of a saved web page: what stands between MediaWiki's mark for a page's content and
// the heading of its references, as markup or as the text that a reader sees. The scanner follows
// the HTML standard's tokenizer (html.spec.whatwg.org, sec. 13.2.5) as far as text needs it, in one
// pass: time and memory grow with the page and nothing else.
#pragma once

#include <string>
#include <string_view>

namespace vimach {

enum class PageForm {
    markup,  ///< every byte between the marks
    text     ///< without tags, scripts, styles and comments; entities decoded, white space folded
};

/// Where an article begins and ends: the first occurrence of a text, and the first element behind
/// it with this id, quoted in either way or not at all. Letters of ASCII match in any case. What
/// stands in a comment, a script or a style is no mark.
struct PageMarks {
    std::string from = "mw-body-content";
    std::string until = "References";  ///< in other languages another, e.g. "Tham_khảo"
};

/// From the one mark to the other. Throws Error, naming `where`, if one of them is missing (never
/// the whole page instead), if nothing stands between them, or if the bytes are not those of a page
/// in UTF-8 or Windows-1252 (text/html_encoding).
///
/// Text: elements that begin a line end the last one, cells are set apart by a blank, all other
/// tags leave no trace; any run of white space, no-break and thin spaces included, is one newline
/// or one blank. The names of HTML 4, and HTML 5's of Latin letters, are decoded; other entities
/// stay. What never ends (a comment, a script, a quoted value) would swallow the article, and is
/// refused.
std::string read_article(std::string_view page, PageForm form, const std::string& where,
                         const PageMarks& marks = {});

}  // namespace vimach
