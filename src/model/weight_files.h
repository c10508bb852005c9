// What lies in a model's folder: one model.safetensors, or the shards that an index names; or
// something else that people have where a model should be, which is then called by its name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vimach {

/// The files of FOLDER's weights, one or several. FOLDER stands in the current folder, in the
/// project, or in its folder weights. Throws where there are none, with what is there instead and
/// the lines that mend it.
std::vector<std::string> weight_files(const std::string& folder);

/// The folder that weight_files looks into.
std::string model_folder(const std::string& folder);

/// The command that brings the model of a folder.
std::string remedy_for(const std::string& folder);

/// The text of a JSON file of a model's folder, without a byte order mark. Throws where git has
/// left only a pointer to it.
std::string read_json_text(const std::string& path);

/// What a file is that should be safetensors, by its first bytes, with what mends it; both empty
/// where these say nothing.
struct Foreign {
    std::string what, remedy;
};
Foreign foreign_format(std::string_view first_bytes);

}  // namespace vimach
