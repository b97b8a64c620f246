// One HTML page that needs nothing beside itself: style, light and dark, for paper too. Pure.
#ifndef HEADRACE_BENCH_HTML_PAGE_H_
#define HEADRACE_BENCH_HTML_PAGE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::bench {

// Builds a page from the top down. What is called `html` is taken as it is; `text` is escaped.
class HtmlPage {
 public:
  explicit HtmlPage(std::string_view title_text, std::string_view subtitle_text);

  void Section(std::string_view title_text, std::string_view lead_text = {});
  // Big figures side by side: (what, figure, what stands below it).
  struct Tile {
    std::string name, figure, note;
  };
  void Tiles(const std::vector<Tile>& tiles);
  // Plots two in a row where there is room: (caption, unit, SVG).
  struct Figure {
    std::string caption, unit, svg;
    bool wide = false;
  };
  void Figures(const std::vector<Figure>& figures);
  // Names of colours, with the markers of line plots.
  void Legend(const std::vector<std::string>& names, bool markers);
  // Cells are html; a column whose header begins with "#" is of numbers, right-aligned.
  void Table(const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows);
  void Definitions(const std::vector<std::pair<std::string, std::string>>& entries);
  void Note(std::string_view kind, std::string_view html);  // "good", "warn", "bad", "info"
  void OpenDetails(std::string_view summary_html);
  void CloseDetails();
  void Raw(std::string_view html) { body_ += html; }
  // In place of what pages of `headrace bench` end with.
  void Footer(std::string_view text);

  std::string Text() const;

 private:
  std::string title_, subtitle_, body_, footer_;
  bool in_section_ = false;
};

// The custom properties that the page's and the plots' classes take their colours from, as CSS.
std::string PageColors();

// `<span class="pill KIND">TEXT</span>`
std::string Pill(std::string_view kind, std::string_view text);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_HTML_PAGE_H_
