// From a page's bytes to its article; see text/html_text.h. The page is scanned from its first
// byte, and its marks are looked for outside comments, scripts and styles alone.
#include "text/html_text.h"

#include <algorithm>
#include <array>

#include "core/ensure.h"
#include "text/ascii.h"
#include "text/html_encoding.h"
#include "text/html_entities.h"
#include "text/utf8.h"

namespace vimach {

namespace {

constexpr const char* remedy =
    "save the whole page of a MediaWiki site, or run weights/fetch.sh led-page; name the marks of "
    "another skin or language with --from and --until, e.g. --until Tham_kh\u1EA3o";

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v'); }

/// The first place from `at` on with an attribute id of this value: id="x", id = 'x', id=x.
size_t find_id(std::string_view text, std::string_view value, size_t at) {
    auto is_name = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':';
    };
    auto skip_blanks = [&](size_t i) {
        while (i < text.size() && is_blank(text[i])) ++i;
        return i;
    };
    for (; (at = find_any_case(text, "id", at)) != text.npos; ++at) {
        if (at > 0 && is_name(text[at - 1])) continue;
        size_t i = skip_blanks(at + 2);
        if (i == text.size() || text[i] != '=') continue;
        i = skip_blanks(i + 1);
        char quote = i < text.size() && (text[i] == '"' || text[i] == '\'') ? text[i++] : '\0';
        if (i > text.size() || !matches(text, i, value)) continue;
        char after = i + value.size() < text.size() ? text[i + value.size()] : '>';
        bool ends = quote != '\0' ? after == quote : after == '>' || is_blank(after);
        if (ends) return at;
    }
    return text.npos;
}

// --- text ---------------------------------------------------------------------------------------

/// Whether a code point is white space (Unicode's property White_Space).
bool is_space(uint32_t c) {
    constexpr std::array<uint32_t, 8> spaces = {0x85,   0xA0,   0x1680, 0x2028,
                                                0x2029, 0x202F, 0x205F, 0x3000};
    if (c <= ' ') return c == ' ' || (c >= '\t' && c <= '\r');
    return (c >= 0x2000 && c <= 0x200A) || std::ranges::find(spaces, c) != spaces.end();
}

/// Elements that begin and end a line.
bool is_block(std::string_view name) {
    constexpr std::string_view blocks[] = {
        "address", "article", "aside", "blockquote", "br",      "caption",   "center", "dd",
        "details", "div",     "dl",    "dt",         "figure",  "footer",    "form",   "h1",
        "h2",      "h3",      "h4",    "h5",         "h6",      "header",    "hr",     "li",
        "main",    "nav",     "ol",    "p",          "pre",     "section",   "table",  "tbody",
        "tfoot",   "thead",   "tr",    "ul",         "summary", "figcaption"};
    return std::ranges::find(blocks, name) != std::end(blocks);
}

/// One walk over a page's markup, from its first byte.
class Scanner {
public:
    explicit Scanner(std::string_view html) : html_(html) {}

    /// Where a comment, script, style or quoted value begins that never ends, after text(); or
    /// npos.
    size_t unclosed() const { return unclosed_; }

    /// The text from `begin` on.
    std::string text(size_t begin) {
        begin_ = begin;
        while (at_ < html_.size()) {
            if (html_[at_] == '<' && skip_markup()) continue;
            read_character();
        }
        return std::move(text_);
    }

    /// The page, byte for byte, with blanks in place of comments, scripts and styles, and of all
    /// text where `tags_only`. What never ends hides nothing.
    std::string without_hidden(bool tags_only = false) {
        std::string shown(html_);
        while (at_ < html_.size()) {
            size_t from = at_;
            if (html_[at_] != '<' || !skip_markup()) {
                if (tags_only) shown[at_] = ' ';
                ++at_;
            } else if (hidden_) {
                std::fill(&shown[from], &shown[from] + (at_ - from), ' ');
            }
        }
        return shown;
    }

private:
    enum Gap { none, blank, newline };

    char peek(size_t ahead) const { return at_ + ahead < html_.size() ? html_[at_ + ahead] : '\0'; }

    /// Moves behind the next `word`; to the end of the page, and false, where it never comes.
    bool skip_past(std::string_view word, size_t from) {
        size_t found = find_any_case(html_, word, from);
        at_ = found == html_.npos ? html_.size() : found + word.size();
        return found != html_.npos;
    }

    /// Skips a tag, comment or declaration at a '<', and notes whether what it skipped is hidden;
    /// false where the '<' is text.
    bool skip_markup() {
        hidden_ = false;
        if (matches(html_, at_, "<!--")) {
            skip_comment();
            return true;
        }
        char next = peek(1), after = peek(2);
        if (next == '!' || next == '?' || (next == '/' && !is_letter(after) && after != '\0')) {
            skip_past(">", at_);
            return true;
        }
        if (is_letter(next) || (next == '/' && is_letter(after))) {
            skip_tag();
            return true;
        }
        return false;
    }

    /// Moves behind the end of a comment, "-->" or "--!>"; "<!-->" is a whole one.
    void skip_comment() {
        size_t from = at_;
        for (size_t at = from + 2; (at = html_.find("--", at)) != html_.npos; ++at) {
            size_t end = at + (at >= from + 4 && matches(html_, at + 2, "!>") ? 3 : 2);
            if (end >= html_.size() || html_[end] != '>') continue;
            hidden_ = true;
            at_ = end + 1;
            return;
        }
        unclosed_ = from;
        at_ = html_.size();
    }

    /// Skips a tag with its attributes, and what stands inside a script or a style.
    void skip_tag() {
        bool closing = peek(1) == '/';
        at_ += closing ? 2 : 1;
        std::string name;
        while (is_letter(peek(0)) || (peek(0) >= '0' && peek(0) <= '9'))
            name += lower(html_[at_++]);
        skip_attributes();
        if (is_block(name)) note_gap(newline);
        if (name == "td" || name == "th") note_gap(blank);
        if (closing || (name != "script" && name != "style")) return;
        size_t from = at_;
        hidden_ = skip_past("</" + name, at_) && skip_past(">", at_);
        if (!hidden_) unclosed_ = from;
    }

    /// Moves behind the '>' of a tag; one inside a quoted value does not count.
    void skip_attributes() {
        bool value = false;  // whether an '=' has just passed
        while (at_ < html_.size()) {
            char c = html_[at_++];
            if (c == '>') return;
            size_t from = at_;
            bool quoted = value && (c == '"' || c == '\'');
            if (quoted && !skip_past(std::string_view(&c, 1), at_)) unclosed_ = from;
            value = c == '=' || (value && is_blank(c));
        }
    }

    void read_character() {
        CodePoint here = read_code_point(html_, at_);
        if (here.value == '&') {
            Entity entity = read_entity(html_, at_);
            if (entity.length > 0) here = {entity.value, entity.length};
        }
        size_t from = at_;
        at_ += here.length;
        if (from < begin_) return;
        if (is_space(here.value)) return note_gap(blank);
        if (here.value < ' ' || here.value == 0x7F) return;  // control characters have no shape

        // Write what the white space before it came to.
        if (gap_ != none && !text_.empty()) text_ += gap_ == newline ? '\n' : ' ';
        gap_ = none;
        append_utf8(text_, here.value);
    }

    void note_gap(Gap gap) { gap_ = std::max(gap_, gap); }

    std::string_view html_;
    size_t begin_ = 0, at_ = 0;
    size_t unclosed_ = std::string_view::npos;
    bool hidden_ = false;  // whether what was skipped last is a comment, script or style
    std::string text_;
    Gap gap_ = none;
};

}  // namespace

std::string read_article(std::string_view page, PageForm form, const std::string& where,
                         const PageMarks& marks) {
    std::string html = page_as_utf8(page, where), shown = Scanner(html).without_hidden();
    std::string from = "'" + marks.from + "'", until = "'id=\"" + marks.until + "\"'";
    size_t begin = find_any_case(shown, marks.from, 0);
    if (begin == shown.npos) fail("the page has no " + from, where, remedy);
    size_t end = find_id(Scanner(html).without_hidden(true), marks.until, begin);
    if (end == shown.npos) fail("the page has no " + until + " after its " + from, where, remedy);

    // An article without text is as useless as markup.
    Scanner scanner(std::string_view(html).substr(0, end));
    std::string text = scanner.text(begin);
    if (scanner.unclosed() != html.npos) {
        fail("a comment, script, style or quoted value of the article never ends",
             where + format(", byte %zu", scanner.unclosed()), "close it, or save the page again");
    }
    if (text.empty()) fail("no text stands between " + from + " and " + until, where, remedy);
    return form == PageForm::text ? text : html.substr(begin, end - begin);
}

}  // namespace vimach
