// One self-contained page: text, tables and figures in the order in which they are added. Inline
// style and drawings, no scripts, nothing loaded from anywhere; light and dark, from a phone to a
// desk; every figure with its numbers folded away below it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "show/dashboard.h"
#include "show/heatmap.h"
#include "show/old_claims.h"
#include "show/plot.h"

namespace vimach {

class Report {
public:
    Report(const std::string& title, const std::string& subtitle);

    void heading(const std::string& text);
    void paragraph(const std::string& text);
    void preformatted(const std::string& text);

    void line_plot(const PlotText& text, std::span<const Series> series,
                   const PlotOptions& options = {});
    void scatter(const PlotText& text, std::span<const Series> series,
                 const PlotOptions& options = {});
    void heatmap(const PlotText& text, const Heatmap& heatmap);
    void token_heatmap(const PlotText& text, std::span<const TokenCell> cells,
                       const ColourScale& scale);
    void dashboard(const PlotText& text, const Dashboard& dashboard);
    /// One card a claim: what it says, the verdict, what was measured beside its control.
    void claims(const std::vector<OldClaim>& claims);
    void table(const std::string& title, const Table& table, const std::string& caption = {});

    /// The whole page.
    std::string page() const;

    /// Writes FOLDER/report.html and the numbers behind every figure and table: figure-1.csv, ...
    void write(const std::string& folder) const;

private:
    void add_figure(const Figure& figure);

    /// A figure's or table's numbers, by the name of their file.
    struct Numbers {
        std::string name;
        Table table;
    };

    std::string title_, body_;
    std::vector<Numbers> numbers_;
    int n_figure_ = 0, n_table_ = 0;
};

}  // namespace vimach
