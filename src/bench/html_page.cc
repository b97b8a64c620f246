#include "bench/html_page.h"

#include <fmt/format.h>

#include "bench/svg_axis.h"
#include "bench/svg_plot.h"

namespace headrace::bench {
namespace {

constexpr char kColors[] = R"css(
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#566273;--line:#e1e5ea;
--grid:#e9ecf0;--head:#f0f2f5;--good:#137a4b;--good-bg:#e3f4ea;--warn:#8a5300;--warn-bg:#fdf0d9;
--bad:#b3261e;--bad-bg:#fce6e4;--info-bg:#e8eef8;--c0:#2563c9;--c1:#d9730d;--c2:#0f8a63;--c3:#c2306b;
--c4:#7a4fd0;--c5:#0c8599;--c6:#9a6a00;--c7:#5c6773}
@media (prefers-color-scheme:dark){:root{--paper:#11161d;--card:#1a212b;--ink:#e6ebf2;--soft:#9aa7b8;
--line:#2c3643;--grid:#28313d;--head:#212a35;--good:#5fd39b;--good-bg:#16352a;--warn:#f0b95c;
--warn-bg:#3a2c12;--bad:#ff8f86;--bad-bg:#431f1d;--info-bg:#1d2b40;--c0:#6ea3ff;--c1:#ff9f4a;--c2:#4fd1a1;
--c3:#ff7fae;--c4:#b195ff;--c5:#4fc6da;--c6:#e0b040;--c7:#9aa7b8}}
)css";

constexpr char kStyle[] = R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 24px 60px}
header{margin-bottom:18px}h1{font-size:27px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
.subtitle{color:var(--soft);margin:0}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px 20px;margin:16px 0}
h2{font-size:18px;margin:0 0 2px}.lead{color:var(--soft);margin:0 0 12px;max-width:78ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:16px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.tile .name{color:var(--soft);font-size:13px}.tile .figure{font-size:25px;font-weight:650;line-height:1.25;
font-variant-numeric:tabular-nums;letter-spacing:-.01em}.tile .note{color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.figures{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px 26px;margin-top:10px}
figure{margin:0;min-width:0}figure.wide{grid-column:1/-1}
figcaption{font-weight:600;font-size:14px}figcaption span{color:var(--soft);font-weight:400}
svg{display:block;width:100%;height:auto;overflow:visible;font-family:inherit}
.tick{font-size:11.5px;fill:var(--soft);font-variant-numeric:tabular-nums}.axis-name{font-size:12px;fill:var(--soft)}
.axis{stroke:var(--soft);stroke-width:1}.grid{stroke:var(--grid);stroke-width:1}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.dashed{stroke-dasharray:6 4}
.dot{stroke:var(--card);stroke-width:1.2}.whisker{stroke-width:1.6;opacity:.75}
.limit{stroke:var(--bad);stroke-width:1.4;stroke-dasharray:4 4}.limit-text{fill:var(--bad);font-size:11.5px}
)css";

constexpr char kStyleOfParts[] = R"css(
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:10px 0 0;padding:0;font-size:13px}
.legend li{display:flex;align-items:center;gap:7px}.legend svg{width:26px;height:14px;flex:none}
.scroll{overflow-x:auto;margin-top:10px}table{border-collapse:collapse;width:100%;font-size:13.5px}
th{background:var(--head);font-weight:600;text-align:left;white-space:nowrap}
th,td{padding:7px 10px;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tbody tr:hover{background:var(--head)}
td:first-child{min-width:220px}td small{color:var(--soft)}th,td{padding-inline:7px}
.pill{display:inline-block;border-radius:99px;padding:1px 9px;font-size:12px;font-weight:600;white-space:nowrap}
.pill.good{color:var(--good);background:var(--good-bg)}.pill.warn{color:var(--warn);background:var(--warn-bg)}
.pill.bad{color:var(--bad);background:var(--bad-bg)}.pill.info{background:var(--info-bg)}
.callout{border-radius:9px;padding:9px 13px;margin:10px 0;font-size:14px;overflow-wrap:anywhere}
.callout.good{background:var(--good-bg)}.callout.warn{background:var(--warn-bg)}
.callout.bad{background:var(--bad-bg)}.callout.info{background:var(--info-bg)}
details{border-top:1px solid var(--line);padding:9px 0}details:last-child{padding-bottom:0}
summary{cursor:pointer;font-weight:600;font-size:14px}summary .pill{margin-left:8px}
summary:focus-visible{outline:2px solid var(--c0);outline-offset:3px;border-radius:4px}
dl{display:grid;grid-template-columns:repeat(2,max-content minmax(0,1fr));gap:5px 16px;margin:10px 0 0;font-size:13.5px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:12.5px;margin-top:22px}
@media (max-width:760px){.figures{grid-template-columns:minmax(0,1fr)}dl{grid-template-columns:max-content minmax(0,1fr)}
main{padding:18px 12px 40px}section{padding:14px}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--grid:#ddd;--head:#f3f3f3;
--c0:#2563c9;--c1:#d9730d;--c2:#0f8a63;--c3:#c2306b;--c4:#7a4fd0;--c5:#0c8599;--c6:#9a6a00;--c7:#5c6773;
--good:#137a4b;--good-bg:#fff;--warn:#8a5300;--warn-bg:#fff;--bad:#b3261e;--bad-bg:#fff;--info-bg:#fff}
body{font-size:11pt}main{max-width:none;padding:0}section,.tile{border-radius:0}
figure,tr,.tile,.callout{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible}table{font-size:9pt}
.pill,.callout{border:1px solid currentColor}}
)css";

std::string ColorStyle() {
  std::string css;
  for (int i = 0; i < kPlotColorCount; ++i) {
    css += fmt::format(
        ".line.c{0},.whisker.c{0}{{stroke:var(--c{0})}}.dot.c{0},.bar.c{0}{{fill:var(--c{0})}}\n",
        i);
  }
  return css;
}

}  // namespace

std::string Pill(std::string_view kind, std::string_view text) {
  return fmt::format("<span class=\"pill {}\">{}</span>", kind, Escaped(text));
}

std::string PageColors() { return kColors; }

HtmlPage::HtmlPage(std::string_view title_text, std::string_view subtitle_text)
    : title_(Escaped(title_text)),
      subtitle_(Escaped(subtitle_text)),
      footer_(
          "Made by headrace bench. Response time is counted from the intended send; a request that "
          "was never answered counts as infinitely late.") {}

void HtmlPage::Footer(std::string_view text) { footer_ = Escaped(text); }

void HtmlPage::Section(std::string_view title_text, std::string_view lead_text) {
  body_ += in_section_ ? "</section>\n" : "";
  in_section_ = true;
  body_ += fmt::format("<section>\n<h2>{}</h2>\n", Escaped(title_text));
  if (!lead_text.empty()) {
    body_ += fmt::format("<p class=\"lead\">{}</p>\n", Escaped(lead_text));
  }
}

void HtmlPage::Tiles(const std::vector<Tile>& tiles) {
  body_ += "<div class=\"tiles\">\n";
  for (const Tile& tile : tiles) {
    body_ += fmt::format(
        "<div class=\"tile\"><div class=\"name\">{}</div><div class=\"figure\">{}</div>"
        "<div class=\"note\">{}</div></div>\n",
        Escaped(tile.name), Escaped(tile.figure), Escaped(tile.note));
  }
  body_ += "</div>\n";
}

void HtmlPage::Figures(const std::vector<Figure>& figures) {
  body_ += "<div class=\"figures\">\n";
  for (const Figure& figure : figures) {
    body_ += fmt::format("<figure{}><figcaption>{} <span>{}</span></figcaption>\n{}</figure>\n",
                         figure.wide ? " class=\"wide\"" : "", Escaped(figure.caption),
                         Escaped(figure.unit), figure.svg);
  }
  body_ += "</div>\n";
}

void HtmlPage::Legend(const std::vector<std::string>& names, bool markers) {
  body_ += "<ul class=\"legend\">\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto color = static_cast<int>(i) % kPlotColorCount;
    std::string sign =
        fmt::format("<rect x=\"6\" y=\"1\" width=\"13\" height=\"12\" class=\"bar c{}\"/>", color);
    if (markers) {
      const char* forms[] = {
          "<circle cx=\"13\" cy=\"7\" r=\"4\" class=\"dot c{}\"/>",
          "<rect x=\"9.5\" y=\"3.5\" width=\"7\" height=\"7\" class=\"dot c{}\"/>",
          "<path d=\"M13 2.5l4.5 8h-9z\" class=\"dot c{}\"/>",
          "<path d=\"M13 2.2l4.8 4.8l-4.8 4.8l-4.8 -4.8z\" class=\"dot c{}\"/>"};
      sign = fmt::format("<path d=\"M1 7H25\" class=\"line c{}{}\"/>", color,
                         i >= kPlotColorCount ? " dashed" : "") +
             fmt::format(fmt::runtime(forms[i % 4]), color);
    }
    body_ += fmt::format("<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\">{}</svg>{}</li>\n",
                         sign, Escaped(names[i]));
  }
  body_ += "</ul>\n";
}

void HtmlPage::Table(const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows) {
  const auto open = [&](std::size_t column, const char* tag) {
    const bool number = header[column].starts_with('#');
    return fmt::format("<{}{}>", tag, number ? " class=\"n\"" : "");
  };
  body_ += "<div class=\"scroll\"><table><thead><tr>";
  for (std::size_t i = 0; i < header.size(); ++i) {
    body_ +=
        open(i, "th") + Escaped(header[i].substr(header[i].starts_with('#') ? 1 : 0)) + "</th>";
  }
  body_ += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    body_ += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      body_ += open(i, "td") + row[i] + "</td>";
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
}

void HtmlPage::Definitions(const std::vector<std::pair<std::string, std::string>>& entries) {
  body_ += "<dl>\n";
  for (const auto& [name, value] : entries) {
    if (!value.empty()) {
      body_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", Escaped(name), Escaped(value));
    }
  }
  body_ += "</dl>\n";
}

void HtmlPage::Note(std::string_view kind, std::string_view html) {
  body_ += fmt::format("<div class=\"callout {}\">{}</div>\n", kind, html);
}

void HtmlPage::OpenDetails(std::string_view summary_html) {
  body_ += fmt::format("<details><summary>{}</summary>\n", summary_html);
}

void HtmlPage::CloseDetails() { body_ += "</details>\n"; }

std::string HtmlPage::Text() const {
  return fmt::format(
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'\">\n<title>{}</title>\n<style>",
             title_) +
         kColors + kStyle + ColorStyle() + kStyleOfParts +
         fmt::format(
             "</style></head>\n<body><main>\n<header><h1>{}</h1><p "
             "class=\"subtitle\">{}</p></header>\n",
             title_, subtitle_) +
         body_ + (in_section_ ? "</section>\n" : "") + "<footer>" + footer_ +
         "</footer>\n</main></body></html>\n";
}

}  // namespace headrace::bench
