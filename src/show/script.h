// The script of a dashboard: arrow keys, sorting, a filter, a panel for the chosen token. It only
// adds to what the page can do without it, loads nothing, and is named to the browser by its hash.
#pragma once

#include "show/svg.h"

namespace vimach {

Script dashboard_script();

/// The words that it shows, as attributes of the dashboard's element.
std::string script_words();

}  // namespace vimach
