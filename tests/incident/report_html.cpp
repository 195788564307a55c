// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "base/format.hpp"
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

// Each picture is in the page once, even if it was shown several times.
std::string picture_styles(const std::vector<Bytes>& gallery) {
  std::string out;
  for (std::size_t i = 0; i < gallery.size(); ++i)
    out += sealcam::format(".p{}{{background-image:url(data:image/jpeg;base64,{})}}\n", i, base64(gallery[i]));
  return out;
}

std::string verdict_line(const RunResult& run) {
  const auto problems = failures(run);
  if (!problems.empty()) {
    std::string out;
    for (const auto& problem : problems) out += sealcam::format("<p class=\"verdict bad\">Failed: {}</p><br>", problem);
    return out;
  }
  const auto* const sealed = run.find(Arm::sealed);
  if (!sealed) return "<p class=\"verdict bad\">Control only: the hubs showed strangers\u2019 rooms</p>";
  return "<p class=\"verdict good\">Passed: the hubs opened and showed no stranger\u2019s picture</p>";
}

std::string story(const Options& options) {
  std::string out = "<ol class=\"story\">";
  const auto add = [&](std::string_view kind, const std::string& text) {
    out += sealcam::format("<li><span class=\"chip {}\">{}</span>{}</li>", kind, kind, text);
  };
  add("published",
      "In January 2020 the owner of a Xiaomi Mijia camera requested its picture on a Google Nest Hub and saw stills "
      "from strangers\u2019 homes.");
  add("published",
      "Each request showed a different still. Some stills were corrupt. Their timestamps came from other time zones.");
  add("published",
      "The vendor named the cause: a cache update of 26 December 2019 that should improve streaming on poor networks. "
      "1,044 users had such an integration. The vendor disabled it.");
  add("inferred",
      "The fault inside the cache was not published. In this test the cache answers for slow cameras, and its key is "
      "too "
      "coarse to distinguish cameras.");
  add("measured",
      sealcam::format(
          "{} cameras and {} hubs with their own certificates connect to two real brokers with this cache "
          "between them. The test runs once with plain and once with sealed frames. It reads from the decoded "
          "pixels whose room a hub showed.",
          grouped(options.accounts), grouped(options.accounts)));
  return out + "</ol>";
}

std::string cards(const RunResult& run) {
  std::string out = "<div class=\"cards\">";
  for (const auto& arm : run.arms) {
    const auto& t = arm.tally;
    const auto delivered = t.wrong_stills + t.wrong_keys;
    out += sealcam::format(
        "<div class=\"card {}\"><h3>{}</h3><div class=\"big\">{}</div><p><b>strangers\u2019 pictures shown</b>, of {} "
        "that the cache delivered</p>",
        name(arm.arm), arm.arm == Arm::plain ? "Plain frames, as in January 2020" : "Sealed frames, as shipped",
        grouped(t.shown_wrongly), grouped(delivered));
    if (arm.arm == Arm::plain)
      out += sealcam::format(
          "<p class=\"note\">The hubs also showed {} pictures that are too damaged to read. This hub is a control for "
          "the "
          "test. No Sealcam program can do this.</p>",
          grouped(t.shown_unreadable));
    else
      out += sealcam::format(
          "<p class=\"note\">The hubs showed {} of {} undamaged own pictures ({:.1f} %). With the hub\u2019s own key "
          "and "
          "without other checks, {} of {} strangers\u2019 frames opened.</p>",
          grouped(t.own_whole_shown), grouped(t.own_whole), t.share_shown() * 100, grouped(t.forced_opened),
          grouped(t.forced));
    out += "</div>";
  }
  return out + "</div>";
}

/// Green for zero, else red.
std::string colored(std::uint64_t n, bool applies) {
  if (!applies) return "-";
  return sealcam::format("<span class=\"{}\">{}</span>", n > 0 ? "badc" : "goodc", grouped(n));
}

std::string table(const RunResult& run) {
  std::string out = "<div class=\"scroll\"><table><tr><th></th>";
  for (const auto& arm : run.arms) out += sealcam::format("<th>{}</th>", name(arm.arm));
  out += "</tr>";
  const auto row = [&](std::string_view title, const std::function<std::string(const ArmResult&)>& cell,
                       std::string_view kind = "") {
    out += sealcam::format("<tr{}><td{}>{}</td>", kind == "key" ? " class=\"key\"" : "",
                           kind == "sub" ? " class=\"sub\"" : "", title);
    for (const auto& arm : run.arms) out += sealcam::format("<td>{}</td>", cell(arm));
    out += "</tr>";
  };
  const auto count = [&](std::string_view title, std::uint64_t Tally::* field, std::string_view kind = "") {
    row(title, [field](const ArmResult& a) { return grouped(a.tally.*field); }, kind);
  };
  count("requests", &Tally::requests);
  count("stills delivered to hubs", &Tally::stills);
  count("of strangers\u2019 cameras, by the cache", &Tally::wrong_stills, "sub");
  count("key frames delivered to hubs", &Tally::keys);
  count("of strangers\u2019 cameras, by the cache", &Tally::wrong_keys, "sub");
  count("delta frames delivered to hubs", &Tally::deltas);
  count("arrived damaged", &Tally::damaged);
  row(
      "opened wrongly", [](const ArmResult& a) { return colored(a.tally.opened_wrongly, a.arm == Arm::sealed); },
      "key");
  row(
      "shown wrongly: pixels of another account\u2019s camera",
      [](const ArmResult& a) { return colored(a.tally.shown_wrongly, true); }, "key");
  count("shown, unreadable", &Tally::shown_unreadable);
  count("shown, own", &Tally::shown_own);
  count("pictures of fully decoded streams, with deltas", &Tally::film_pictures);
  count("of strangers\u2019 cameras", &Tally::film_wrong, "sub");
  count("undamaged own pictures delivered", &Tally::own_whole);
  count("of these shown", &Tally::own_whole_shown, "sub");
  row(
      "share shown", [](const ArmResult& a) { return sealcam::format("{:.1f} %", a.tally.share_shown() * 100); },
      "sub");
  for (const auto& reason : reject_reasons(run))
    row("rejected: " + reason, [&](const ArmResult& a) { return rejected(a, reason); });
  row("seconds", [](const ArmResult& a) { return sealcam::format("{:.1f}", a.seconds); });
  return out + "</table></div>";
}

std::string model(const FaultModel& m) {
  return sealcam::format(
      "<h2>Published and inferred</h2><div class=\"cards\"><div class=\"card\"><span class=\"chip published\">published"
      "</span><ul class=\"plainlist\"><li>stills of strangers on a hub that requested its own camera</li><li>a "
      "different "
      "still for each request</li><li>some stills corrupt</li><li>timestamps of other time zones</li><li>a cache "
      "update of "
      "26 December 2019, for poor networks</li><li>1,044 users; the vendor disabled the "
      "integration</li></ul></div><div "
      "class=\"card\"><span class=\"chip inferred\">inferred</span><ul class=\"plainlist\"><li>the cache answers if "
      "the "
      "camera takes longer than {:.0f} ms</li><li>{:.0f} % of the cameras are on a poor network (mean delay {:.0f} ms, "
      "other "
      "cameras {:.0f} ms)</li><li>the key is a hash of the camera modulo {}, and each slot has the newest {} "
      "pictures</li>"
      "<li>{:.0f} % of the pictures from the cache are truncated or have flipped bits, {:.0f} % of the other "
      "pictures</li></ul></div></div>",
      m.timeout_ms, m.poor_share * 100, m.poor_delay_ms, m.good_delay_ms, m.slots, m.depth, m.damaged_from_cache * 100,
      m.damaged_direct * 100);
}

}  // namespace

std::string report_html(const RunResult& run, const Options& options, const std::vector<Bytes>& gallery) {
  std::string out = sealcam::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"><title>Sealcam: "
      "{}</title><style>{}</style>",
      options.scenario, report_style);
  out += "<style>\n" + picture_styles(gallery) + "</style></head><body><main>";
  out += sealcam::format(
      "<p class=\"kicker\">Sealcam \u00b7 a published incident, replayed \u00b7 {}</p>"
      "<h1>A stranger\u2019s room on my screen</h1>",
      options.scenario);
  out += verdict_line(run) + story(options) + cards(run);
  if (const auto large = large_examples(run); !large.empty())
    out +=
        "<h2>The same request in both runs</h2><p class=\"note\">Above: plain frames. Below: sealed frames. The hub, "
        "the request "
        "and the kind of fault are the same.</p>" +
        large;
  out += sealcam::format(
      "<h2>Pictures of each hub</h2><p class=\"note\">One row per account{}, one tile per request. The rooms are "
      "drawn, the "
      "video is real H.264. The test reads the black and white squares to identify the camera of a picture.</p><div "
      "class=\"legend\"><span><i class=\"l1\"></i>a stranger\u2019s room, or a damaged picture</span><span><i "
      "class=\"l2\"></i>rejected, no picture shown</span></div>",
      options.accounts > 40 ? sealcam::format(" (the first 40 of {})", grouped(options.accounts)) : "");
  out += contact_sheet(run) + "<h2>Figures</h2>" + table(run) + model(options.fault);
  out += sealcam::format(
      "<footer>Seed {}. {} accounts, {} requests per hub. Keys, certificates and pictures: {:.1f} s. Total: {:.1f} s. "
      "Maximum "
      "memory: {} MiB. The seed determines the delays and the choices of the cache. The content of a slot depends on "
      "the timing "
      "of the cameras.</footer></main></body></html>\n",
      options.seed, grouped(options.accounts), options.requests, run.prepare_seconds, run.seconds, run.peak_kib / 1024);
  return out;
}

}  // namespace sealcam::incident
