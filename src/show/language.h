// The language of a page. Chapters speak English, in their sources and on the terminal; where the
// page is to be Vietnamese, every sentence is looked up before it goes there. The files text.tsv
// hold both languages side by side, a sentence a line, its numbers and names as blanks.
#pragma once

#include <string>
#include <vector>

namespace vimach {

enum class Language { english, vietnamese };

/// Sets the language of all that follows, and the files that translate: a header "en<TAB>vi", then
/// a line for each text. A blank {} stands for a number or for a text with a line of its own, {*}
/// for anything, such as a name. The Vietnamese takes the blanks in their order, or as {1}, {2}.
/// Throws where a line has not two cells, or asks for a blank that is not there.
void speak(Language language, const std::vector<std::string>& files);

Language spoken();

/// The text in the language that is spoken. Looks for a line with the whole text, then for one for
/// each of its sentences. Throws where there is none; a text without words is the same in both.
std::string local(const std::string& english);

/// The same of names that are either all words or all data, such as tokens. Where one has no line
/// they stay as they are.
std::vector<std::string> local_if_all_known(const std::vector<std::string>& names);

}  // namespace vimach
