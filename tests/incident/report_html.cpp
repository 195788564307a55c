// SPDX-License-Identifier: Apache-2.0
#include <format>
#include <functional>

#include "contact_sheet.hpp"
#include "report.hpp"
#include "report_style.hpp"

namespace sealcam::incident {
namespace {

std::string base64(ByteView bytes) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) out += i + j > bytes.size() ? '=' : letters[group >> (18 - 6 * j) & 63];
  }
  return out;
}

std::string grouped(std::uint64_t n) {
  std::string out = std::to_string(n);
  for (auto at = static_cast<int>(out.size()) - 3; at > 0; at -= 3) out.insert(static_cast<std::size_t>(at), ",");
  return out;
}

// Each picture once, however often it was shown.
std::string picture_styles(const std::vector<Bytes>& gallery) {
  std::string out;
  for (std::size_t i = 0; i < gallery.size(); ++i)
    out += std::format(".p{}{{background-image:url(data:image/jpeg;base64,{})}}\n", i, base64(gallery[i]));
  return out;
}

std::string verdict_line(const RunResult& run) {
  const auto problems = failures(run);
  if (!problems.empty()) {
    std::string out;
    for (const auto& problem : problems) out += std::format("<p class=\"verdict bad\">Failed: {}</p><br>", problem);
    return out;
  }
  const auto* const sealed = run.find(Arm::sealed);
  if (!sealed) return "<p class=\"verdict bad\">The control alone: strangers\u2019 rooms were shown</p>";
  return "<p class=\"verdict good\">Passed: no stranger\u2019s picture was opened, none was shown</p>";
}

std::string story(const Options& options) {
  std::string out = "<ol class=\"story\">";
  const auto say = [&](std::string_view kind, const std::string& sentence) {
    out += std::format("<li><span class=\"chip {}\">{}</span>{}</li>", kind, kind, sentence);
  };
  say("published",
      "In the first days of January 2020 the owner of a Xiaomi Mijia camera asked his Google Nest Hub for a picture "
      "and "
      "was shown stills from strangers\u2019 homes.");
  say("published",
      "It was a different one at each request, some were corrupted, and the time stamps in them came from other time "
      "zones.");
  say("published",
      "The vendor said that a cache update of 26 December 2019, made to improve streaming on poor networks, had caused "
      "it; 1,044 users had such an integration, and it was shut off.");
  say("inferred",
      "How the cache was wrong inside was not published; here it answers when a camera is slow, and its key is too "
      "coarse to tell the cameras apart.");
  say("measured",
      std::format(
          "{} cameras and {} hubs with their own certificates meet at two real brokers with that cache between "
          "them, once with plain frames and once with Sealcam\u2019s, and whose room was shown is read from the "
          "decoded pixels.",
          grouped(options.accounts), grouped(options.accounts)));
  return out + "</ol>";
}

std::string cards(const RunResult& run) {
  std::string out = "<div class=\"cards\">";
  for (const auto& arm : run.arms) {
    const auto& t = arm.tally;
    const auto delivered = t.wrong_stills + t.wrong_keys;
    out += std::format(
        "<div class=\"card {}\"><h3>{}</h3><div class=\"big\">{}</div><p><b>strangers\u2019 pictures shown</b>, of {} "
        "that the cache delivered</p>",
        name(arm.arm), arm.arm == Arm::plain ? "Plain frames, as in January 2020" : "Sealed frames, as shipped",
        grouped(t.shown_wrongly), grouped(delivered));
    if (arm.arm == Arm::plain)
      out += std::format(
          "<p class=\"note\">{} more were so damaged that nobody can tell whose they are, and were shown "
          "all the same. The viewer is a control for this test; no Sealcam program can do this.</p>",
          grouped(t.shown_unreadable));
    else
      out += std::format(
          "<p class=\"note\">{} of {} own pictures that arrived whole were shown ({:.1f} %). Tried with the "
          "hub\u2019s own key and every other check left out, {} of {} strangers\u2019 frames opened.</p>",
          grouped(t.own_whole_shown), grouped(t.own_whole), t.share_shown() * 100, grouped(t.forced_opened),
          grouped(t.forced));
    out += "</div>";
  }
  return out + "</div>";
}

/// None is good.
std::string coloured(std::uint64_t n, bool applies) {
  if (!applies) return "-";
  return std::format("<span class=\"{}\">{}</span>", n > 0 ? "badc" : "goodc", grouped(n));
}

std::string table(const RunResult& run) {
  std::string out = "<div class=\"scroll\"><table><tr><th></th>";
  for (const auto& arm : run.arms) out += std::format("<th>{}</th>", name(arm.arm));
  out += "</tr>";
  const auto row = [&](std::string_view title, const std::function<std::string(const ArmResult&)>& cell,
                       std::string_view kind = "") {
    out += std::format("<tr{}><td{}>{}</td>", kind == "key" ? " class=\"key\"" : "",
                       kind == "sub" ? " class=\"sub\"" : "", title);
    for (const auto& arm : run.arms) out += std::format("<td>{}</td>", cell(arm));
    out += "</tr>";
  };
  const auto count = [&](std::string_view title, std::uint64_t Tally::* field, std::string_view kind = "") {
    row(title, [field](const ArmResult& a) { return grouped(a.tally.*field); }, kind);
  };
  count("requests \u201cshow me my camera\u201d", &Tally::requests);
  count("stills delivered to hubs", &Tally::stills);
  count("of strangers\u2019 cameras, by the cache", &Tally::wrong_stills, "sub");
  count("key frames delivered to hubs", &Tally::keys);
  count("of strangers\u2019 cameras, by the cache", &Tally::wrong_keys, "sub");
  count("delta frames delivered to hubs", &Tally::deltas);
  count("arrived damaged", &Tally::damaged);
  row(
      "opened wrongly", [](const ArmResult& a) { return coloured(a.tally.opened_wrongly, a.arm == Arm::sealed); },
      "key");
  row(
      "shown wrongly: the pixels of another account\u2019s camera",
      [](const ArmResult& a) { return coloured(a.tally.shown_wrongly, true); }, "key");
  count("shown, too damaged to tell whose", &Tally::shown_unreadable);
  count("shown, own", &Tally::shown_own);
  count("pictures of whole films, deltas included", &Tally::film_pictures);
  count("of strangers\u2019 cameras", &Tally::film_wrong, "sub");
  count("own pictures that arrived whole", &Tally::own_whole);
  count("of them shown", &Tally::own_whole_shown, "sub");
  row("share shown", [](const ArmResult& a) { return std::format("{:.1f} %", a.tally.share_shown() * 100); }, "sub");
  for (const auto& reason : refusal_reasons(run))
    row("refused: " + reason, [&](const ArmResult& a) { return refused(a, reason); });
  row("seconds", [](const ArmResult& a) { return std::format("{:.1f}", a.seconds); });
  return out + "</table></div>";
}

std::string model(const FaultModel& m) {
  return std::format(
      "<h2>What is published and what is inferred</h2><div class=\"cards\"><div class=\"card\"><span class=\"chip "
      "published\">published</span><ul class=\"plainlist\"><li>stills of strangers on a hub that asked for its own "
      "camera</li><li>another one at each request</li><li>some of them corrupted</li><li>time stamps of other time "
      "zones</li><li>a cache update of 26 December 2019, for poor networks</li><li>1,044 users; the integration was "
      "shut "
      "off</li></ul></div><div class=\"card\"><span class=\"chip inferred\">inferred</span><ul "
      "class=\"plainlist\"><li>the "
      "cache answers when the camera takes longer than {:.0f} ms</li><li>{:.0f} % of the cameras are on a poor network "
      "({:.0f} ms on average, the others {:.0f} ms)</li><li>the key is a hash of the camera modulo {}, each slot holds "
      "the "
      "newest {} pictures</li><li>{:.0f} % of what comes from the cache is cut short or has flipped bits, {:.0f} % of "
      "the "
      "rest</li></ul></div></div>",
      m.patience_ms, m.poor_share * 100, m.poor_delay_ms, m.good_delay_ms, m.slots, m.depth, m.damaged_from_cache * 100,
      m.damaged_otherwise * 100);
}

}  // namespace

std::string report_html(const RunResult& run, const Options& options, const std::vector<Bytes>& gallery) {
  std::string out = std::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"><title>Sealcam: "
      "{}</title><style>{}</style>",
      options.scenario, report_style);
  out += "<style>\n" + picture_styles(gallery) + "</style></head><body><main>";
  out += std::format(
      "<p class=\"kicker\">Sealcam \u00b7 an incident relived in small \u00b7 {}</p>"
      "<h1>A stranger\u2019s room on my screen</h1>",
      options.scenario);
  out += verdict_line(run) + story(options) + cards(run);
  if (const auto large = large_examples(run); !large.empty())
    out +=
        "<h2>The same question, asked twice</h2><p class=\"note\">Above with plain frames, below with sealed ones: the "
        "same hub, the same request in the row, the same kind of fault.</p>" +
        large;
  out += std::format(
      "<h2>What every hub showed</h2><p class=\"note\">A row for each account{}, a tile for each time somebody said "
      "\u201cshow me my camera\u201d. The rooms are drawn, the video is real H.264; the black and white squares in "
      "each "
      "picture are how the judge knows whose camera made it.</p><div class=\"legend\"><span><i class=\"l1\"></i>a "
      "stranger\u2019s room, or something broken</span><span><i class=\"l2\"></i>refused, nothing shown</span></div>",
      options.accounts > 40 ? std::format(" (the first 40 of {})", grouped(options.accounts)) : "");
  out += contact_sheet(run) + "<h2>In numbers</h2>" + table(run) + model(options.fault);
  out += std::format(
      "<footer>Seed {}. {} accounts, {} requests of each hub. Keys, certificates and pictures {:.1f} s, in "
      "all {:.1f} s; at most {} MiB of memory. Delays and the cache\u2019s choices follow the seed; what lies "
      "in a slot at a moment depends on when the cameras answer.</footer></main></body></html>\n",
      options.seed, grouped(options.accounts), options.requests, run.prepare_seconds, run.seconds, run.peak_kib / 1024);
  return out;
}

}  // namespace sealcam::incident
