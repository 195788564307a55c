// SPDX-License-Identifier: Apache-2.0
/// Look of report.html.
#pragma once

#include <string_view>

namespace sealcam::incident {

inline constexpr std::string_view report_style = R"css(
:root{color-scheme:light dark;--bg:#f6f5f2;--card:#fff;--ink:#1d1f23;--soft:#5d636e;--line:#dfddd6;--bad:#c4281c;
--bad-soft:#fbe9e7;--good:#1b7a43;--good-soft:#e5f3ea;--tile:#d9d8d3;--tile-ink:#4b4f57;--chip:#e8e6df;--accent:#2b5fb0}
@media(prefers-color-scheme:dark){:root{--bg:#121417;--card:#1b1e23;--ink:#e9e8e4;--soft:#9aa1ad;--line:#2d3138;
--bad:#ff6b5e;--bad-soft:#3a1b19;--good:#5cc98a;--good-soft:#163324;--tile:#2a2e35;--tile-ink:#aab0bb;--chip:#2a2e35;
--accent:#86b3f5}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:1240px;margin:0 auto;padding:40px 28px 64px}
h1{font-size:clamp(30px,4.4vw,46px);line-height:1.1;letter-spacing:-.02em;margin:6px 0 10px}
h2{font-size:22px;letter-spacing:-.01em;margin:52px 0 6px}
p{margin:0 0 12px}
.kicker{font-size:13px;letter-spacing:.08em;text-transform:uppercase;color:var(--soft);margin:0}
.lead{max-width:68ch;font-size:18px;margin:0 0 22px}
.note{color:var(--soft);max-width:80ch}
.verdict{display:inline-block;border-radius:999px;padding:5px 16px;font-weight:600;margin:0 0 24px}
.verdict.good{background:var(--good-soft);color:var(--good)}
.verdict.bad{background:var(--bad-soft);color:var(--bad)}
.story{list-style:none;margin:0;padding:0;max-width:84ch;counter-reset:s}
.story li{position:relative;padding:0 0 10px 118px}
.story .chip{position:absolute;left:0;top:3px;width:100px;text-align:center}
.chip{display:inline-block;font-size:12px;font-weight:600;border-radius:6px;padding:1px 8px;background:var(--chip);
color:var(--soft)}
.chip.published,.story a{color:var(--accent)}
.chip.inferred{color:var(--soft);outline:1px dashed var(--soft);outline-offset:-1px;background:none}
.cards{display:grid;grid-template-columns:1fr 1fr;gap:20px;margin:30px 0 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:22px 24px;min-width:0}
.card h3{margin:0;font-size:15px;color:var(--soft);font-weight:600}
.big{font-size:64px;line-height:1.05;font-weight:700;letter-spacing:-.03em;margin:6px 0 2px}
.plain .big{color:var(--bad)}
.sealed .big{color:var(--good)}
.card p{margin:4px 0 0}
.card .note{font-size:14px;margin-top:10px}
.pairs{display:grid;grid-template-columns:repeat(3,1fr);gap:20px;margin-top:18px}
.pair{display:grid;gap:12px;align-content:start}
.pair>b{font-size:14px}
figure{margin:0;min-width:0}
figcaption{font-size:12px;line-height:1.35;color:var(--soft);margin-top:5px;overflow-wrap:anywhere}
.pic,.no{display:block;width:100%;aspect-ratio:16/9;border-radius:7px;background-size:cover;background-position:center}
.pic{background-color:var(--tile)}
.wrong .pic{outline:3px solid var(--bad);outline-offset:-1px}
.wrong figcaption{color:var(--bad);font-weight:600}
.no{background:var(--tile);color:var(--tile-ink);display:flex;flex-direction:column;justify-content:center;
text-align:center;padding:4px 10px;font-size:11px;line-height:1.3;overflow:hidden}
.no b{font-size:13px;font-weight:600}
.pair .no b{font-size:20px}
.pair figcaption{font-size:14px}
.legend{display:flex;flex-wrap:wrap;gap:8px 24px;font-size:14px;color:var(--soft);margin:10px 0 0}
.legend i{display:inline-block;width:26px;height:15px;border-radius:4px;vertical-align:-2px;margin-right:7px}
.legend .l1{background:var(--card);outline:3px solid var(--bad);outline-offset:-3px}
.legend .l2{background:var(--tile)}
.sheet{margin-top:18px}
.row,.heads{display:grid;grid-template-columns:92px 1fr 1fr;gap:0 26px}
.row{border-top:1px solid var(--line);padding:14px 0}
.heads{position:sticky;top:0;background:var(--bg);padding:8px 0;font-weight:600;font-size:14px;z-index:1}
.who{font-size:13px;line-height:1.35;color:var(--soft)}
.who b{display:block;font-size:17px;color:var(--ink)}
.tiles{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:12px 10px;align-content:start}
.sheet.one .row,.sheet.one .heads{grid-template-columns:92px 1fr}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:15px;margin-top:12px}
td,th{padding:7px 10px;border-bottom:1px solid var(--line);text-align:right;font-variant-numeric:tabular-nums;
white-space:nowrap}
td:first-child,th:first-child{text-align:left;white-space:normal;padding-left:0}
th{color:var(--soft);font-weight:600}
tr.key td{font-weight:700}
td.sub{padding-left:20px!important;color:var(--soft)}
.badc{color:var(--bad)}
.goodc{color:var(--good)}
ul.plainlist{margin:8px 0 0;padding-left:20px}
ul.plainlist li{margin-bottom:5px}
footer{margin-top:52px;border-top:1px solid var(--line);padding-top:16px;color:var(--soft);font-size:14px}
@media(max-width:860px){main{padding:24px 16px 48px}.cards,.pairs{grid-template-columns:1fr}
.row,.sheet.one .row{grid-template-columns:1fr;gap:8px}.heads{display:none}
.row .tiles::before{content:attr(data-arm);grid-column:1/-1;font-size:13px;font-weight:600;color:var(--soft)}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}.who b{display:inline;margin-right:8px}
.story li{padding-left:0}.story .chip{position:static;margin-right:8px;width:auto}td,th{white-space:normal}}
)css";

}  // namespace sealcam::incident
