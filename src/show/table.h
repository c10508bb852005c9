// A small table of text cells, and its two plain forms: aligned columns for a terminal, and CSV
// (RFC 4180) for other programs. show/report gives it a third.
#pragma once

#include <string>
#include <vector>

namespace vimach {

struct Table {
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows = {};  ///< each as long as the header
    std::string note = {};  ///< what a reader must know, such as what "-" stands for in it
};

/// A number as a cell; "-" where there is none, NaN or infinite.
std::string number_cell(const char* pattern, double value);

/// Sets the note where a cell of the table is "-".
void explain_dashes(Table& table, const std::string& why);

/// Adds a row; throws if it is not as long as the header.
void add_row(Table& table, std::vector<std::string> cells);

/// The table cut into tables of at most `columns` letters, indent included, where it is wider: the
/// first column stands in each of them. A single column is never cut.
std::vector<Table> split_table(const Table& table, size_t columns);

/// Prints the table to standard output, indented by two blanks. Columns whose cells are all
/// numbers (or "-") are aligned right.
void print(const Table& table);

/// Writes the table with tabs between cells, for cells that hold neither tab nor newline.
void write_tsv(const std::string& path, const Table& table);

/// Writes the table as CSV.
void write_csv(const std::string& path, const Table& table);

/// Whether a column holds numbers only; a table that wants to align them asks.
bool is_numeric_column(const Table& table, size_t column);

}  // namespace vimach
