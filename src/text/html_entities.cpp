// Entities and Windows-1252; see text/html_entities.h. Most names follow one another in Unicode as
// well, so a table is a list of names and the code point of the first.
#include "text/html_entities.h"

#include <algorithm>
#include <charconv>

#include "text/ascii.h"
#include "text/utf8.h"

namespace vimach {

namespace {

/// Names of consecutive code points, one blank between them; "-" where one has no name.
struct NameRun {
    uint32_t first;
    std::string_view names;
    bool open = false;  ///< whether they hold without a semicolon, as HTML 2's do
};

constexpr NameRun runs[] = {
    {34, "quot - - - amp", true},
    {39, "apos"},
    {60, "lt - gt", true},
    {160,
     "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn "
     "sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave "
     "Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc "
     "Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute "
     "THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml "
     "igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave "
     "uacute ucirc uuml yacute thorn yuml",
     true},
    {256,
     "Amacr amacr Abreve abreve Aogon aogon Cacute cacute Ccirc ccirc Cdot cdot Ccaron ccaron "
     "Dcaron dcaron Dstrok dstrok Emacr emacr - - Edot edot Eogon eogon Ecaron ecaron Gcirc gcirc "
     "Gbreve gbreve Gdot gdot Gcedil - Hcirc hcirc Hstrok hstrok Itilde itilde Imacr imacr - - "
     "Iogon iogon Idot imath IJlig ijlig Jcirc jcirc Kcedil kcedil kgreen Lacute lacute Lcedil "
     "lcedil Lcaron lcaron Lmidot lmidot Lstrok lstrok Nacute nacute Ncedil ncedil Ncaron ncaron "
     "napos ENG eng Omacr omacr - - Odblac odblac OElig oelig Racute racute Rcedil rcedil Rcaron "
     "rcaron Sacute sacute Scirc scirc Scedil scedil Scaron scaron Tcedil tcedil Tcaron tcaron "
     "Tstrok tstrok Utilde utilde Umacr umacr Ubreve ubreve Uring uring Udblac udblac Uogon uogon "
     "Wcirc wcirc Ycirc ycirc Yuml Zacute zacute Zdot zdot Zcaron zcaron"},
    {402, "fnof"},
    {710, "circ"},
    {732, "tilde"},
    {913,
     "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho - "
     "Sigma Tau Upsilon Phi Chi Psi Omega"},
    {945,
     "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
     "sigmaf sigma tau upsilon phi chi psi omega"},
    {977, "thetasym upsih - - - piv"},
    {8194, "ensp emsp"},
    {8201, "thinsp - - zwnj zwj lrm rlm"},
    {8211, "ndash mdash"},
    {8216, "lsquo rsquo sbquo - ldquo rdquo bdquo - dagger Dagger bull - - - hellip"},
    {8240, "permil - prime Prime"},
    {8249, "lsaquo rsaquo - - - oline"},
    {8260, "frasl"},
    {8364, "euro"},
    {8465, "image"},
    {8472, "weierp"},
    {8476, "real"},
    {8482, "trade"},
    {8501, "alefsym"},
    {8592, "larr uarr rarr darr harr"},
    {8629, "crarr"},
    {8656, "lArr uArr rArr dArr hArr"},
    {8704,
     "forall - part exist - empty - nabla isin notin - ni - - - prod - sum minus - - - - lowast - "
     "- radic - - prop infin - ang - - - - - - and or cap cup int - - - - - - - - there4"},
    {8764, "sim - - - - - - - - cong - - asymp"},
    {8800, "ne equiv - - le ge"},
    {8834, "sub sup nsub - sube supe"},
    {8853, "oplus - otimes"},
    {8869, "perp"},
    {8901, "sdot"},
    {8968, "lceil rceil lfloor rfloor"},
    {9001, "lang rang"},
    {9674, "loz"},
    {9824, "spades - - clubs - hearts diams"}};

/// The code point of a name; 0 if it has none.
uint32_t find_name(std::string_view wanted) {
    for (const NameRun& run : runs) {
        uint32_t value = run.first;
        for (size_t at = 0; at < run.names.size(); ++value) {
            size_t end = std::min(run.names.find(' ', at), run.names.size());
            if (run.names.substr(at, end - at) == wanted) return value;
            at = end + 1;
        }
    }
    return 0;
}

/// The longest name that `text` begins with and that needs no semicolon.
Entity find_open_name(std::string_view text) {
    Entity longest;
    for (const NameRun& run : runs) {
        uint32_t value = run.first;
        for (size_t at = 0; run.open && at < run.names.size(); ++value) {
            size_t end = std::min(run.names.find(' ', at), run.names.size());
            std::string_view name = run.names.substr(at, end - at);
            if (name != "-" && name.size() + 1 > longest.length && text.starts_with(name)) {
                longest = {value, name.size() + 1};
            }
            at = end + 1;
        }
    }
    return longest;
}

/// What a number stands for: bytes 128 to 159 are read as Windows-1252, as browsers do, and what
/// is no character becomes U+FFFD.
uint32_t numbered(uint32_t value) {
    if (value >= 0x80 && value < 0xA0) return windows_1252(static_cast<unsigned char>(value));
    bool character = value != 0 && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
    return character ? value : 0xFFFD;
}

}  // namespace

Entity read_entity(std::string_view text, size_t at) {
    constexpr size_t longest = 10;  // "&thetasym;"
    std::string_view rest = text.substr(at + 1);

    // "#233" or "#xE9"; the semicolon may be missing, and a number may be too large for any type.
    if (rest.starts_with('#')) {
        bool hex = rest.starts_with("#x") || rest.starts_with("#X");
        const char* digits = rest.data() + (hex ? 2 : 1);
        uint32_t value = 0;
        auto [end, error] =
            std::from_chars(digits, rest.data() + rest.size(), value, hex ? 16 : 10);
        if (end == digits) return {};
        if (error != std::errc{}) value = 0;
        auto length = static_cast<size_t>(end - rest.data());
        return {numbered(value), 1 + length + (rest.substr(length).starts_with(';') ? 1 : 0)};
    }

    size_t end = rest.substr(0, longest).find(';');
    if (rest.empty() || !is_letter(rest[0])) return {};
    uint32_t value = end == rest.npos ? 0 : find_name(rest.substr(0, end));
    return value == 0 ? find_open_name(rest) : Entity{value, end + 2};
}

uint32_t windows_1252(unsigned char byte) {
    constexpr uint32_t upper[32] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                    0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                    0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                    0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
    return byte >= 0x80 && byte < 0xA0 ? upper[byte - 0x80] : byte;
}

}  // namespace vimach
