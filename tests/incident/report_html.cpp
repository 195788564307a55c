// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "arm_run.hpp"
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

std::string story(const RunResult& run, const Incident& incident) {
  std::string out = "<ol class=\"story\">";
  const auto add = [&](std::string_view kind, const std::string& text) {
    out += sealcam::format("<li><span class=\"chip {}\">{}</span>{}</li>", kind, kind, text);
  };
  for (const auto& each : incident.published)
    add("published", sealcam::format("{} <a href=\"{}\">Source</a>", each.text, each.source));
  for (const auto& each : run.model) add("inferred", each);
  add("measured", sealcam::format("{} cameras and {} hubs with their own certificates connect to two real brokers with "
                                  "this relay between them. The "
                                  "test runs once with plain and once with sealed frames. It reads from the decoded "
                                  "pixels whose room a hub showed.",
                                  grouped(run.accounts), grouped(run.accounts)));
  add("Sealcam", std::string(incident.sealcam));
  return out + "</ol>";
}

std::string cards(const RunResult& run) {
  std::string out = "<div class=\"cards\">";
  for (const auto& arm : run.arms) {
    const auto& t = arm.tally;
    const auto delivered = t.wrong_stills + t.wrong_keys;
    out += sealcam::format(
        "<div class=\"card {}\"><h3>{}</h3><div class=\"big\">{}</div><p><b>strangers\u2019 pictures shown</b>, of {} "
        "that the relay delivered</p>",
        name(arm.arm), arm.arm == Arm::plain ? "Plain frames, as in the incident" : "Sealed frames, as shipped",
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
  row("accounts", [](const ArmResult& a) { return grouped(a.accounts); });
  count("requests", &Tally::requests);
  count("stills delivered to hubs", &Tally::stills);
  count("of strangers\u2019 cameras, by the relay", &Tally::wrong_stills, "sub");
  count("key frames delivered to hubs", &Tally::keys);
  count("of strangers\u2019 cameras, by the relay", &Tally::wrong_keys, "sub");
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
  for (const auto& counter : relay_counters(run))
    row("relay: " + counter, [&](const ArmResult& a) { return relayed(a, counter); });
  row("seconds", [](const ArmResult& a) { return sealcam::format("{:.1f}", a.seconds); });
  return out + "</table></div>";
}

}  // namespace

std::string report_html(const RunResult& run, const Options& options, const Incident& incident,
                        const std::vector<Bytes>& gallery) {
  std::string out = sealcam::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"><title>Sealcam: "
      "{}</title><style>{}</style>",
      options.scenario, report_style);
  out += "<style>\n" + picture_styles(gallery) + "</style></head><body><main>";
  out += sealcam::format(
      "<p class=\"kicker\">Sealcam \u00b7 a published incident, replayed \u00b7 {}</p>"
      "<h1>{}</h1>",
      options.scenario, incident.title);
  out += verdict_line(run) + story(run, incident) + cards(run);
  if (const auto large = large_examples(run); !large.empty())
    out +=
        "<h2>The same request in both runs</h2><p class=\"note\">Above: plain frames. Below: sealed frames. The hub, "
        "the request and the kind of "
        "fault are the same.</p>" +
        large;
  out += sealcam::format(
      "<h2>Pictures of each hub</h2><p class=\"note\">One row per account{}, one tile per request. The rooms are "
      "drawn, the "
      "video is real H.264. The test reads the black and white squares to identify the camera of a picture.</p><div "
      "class=\"legend\"><span><i class=\"l1\"></i>a stranger\u2019s room, or a damaged picture</span><span><i "
      "class=\"l2\"></i>rejected, no picture shown</span></div>",
      run.accounts > sheet_hubs ? sealcam::format(" (the first {} of {})", sheet_hubs, grouped(run.accounts)) : "");
  out += contact_sheet(run) + "<h2>Figures</h2>" + table(run);
  out += sealcam::format(
      "<footer>Seed {}. {} of {} accounts, at most {} connected at once, {} requests per hub. Keys, certificates and "
      "pictures: "
      "{:.1f} s. Total: {:.1f} minutes. Maximum memory: {} MiB, {:.0f} KiB for each connected account with the "
      "brokers. The seed "
      "determines the choices of the relay. They also depend on the timing of the "
      "cameras.</footer></main></body></html>\n",
      options.seed, grouped(run.accounts), grouped(options.accounts), grouped(std::min(options.wave, options.accounts)),
      options.requests, run.prepare_seconds, run.seconds / 60, run.peak_kib / 1024, run.kib_per_account);
  return out;
}

}  // namespace sealcam::incident
