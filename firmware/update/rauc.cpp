// SPDX-License-Identifier: Apache-2.0
#include "update/rauc.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/format.hpp"

namespace sealcam::update {

using namespace std::chrono_literals;

namespace {

constexpr auto short_time = 2min;  // for an answer
constexpr auto install_time = 4h;  // 100 MiB at 64 kbit/s

/// The last line with a reason. RAUC prints the progress of an installation before it.
std::string reason_of(const Output& output) {
  std::string_view rest = output.err.empty() ? output.out : output.err;
  std::string reason;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    // The end of each failed installation, which names only the bundle.
    if (line.empty() || line.starts_with("Installing `")) continue;
    reason = line;
  }
  for (const std::string_view prefix : {"LastError: ", "Error: "})
    if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  if (reason.empty()) reason = sealcam::format("exit code {}", output.code);
  return reason;
}

/// Failures of RAUC that another attempt cannot change, as long as the bundle is the same.
bool is_rejection(std::string_view reason) {
  // "Failed to read signature from bundle: Connection reset by peer"
  if (reason.contains("ailed to read")) return false;
  constexpr std::array<std::string_view, 4> texts{"ignature", "ompatible mismatch", "Version mismatch", "not allowed"};
  return std::ranges::any_of(texts, [&](auto text) { return reason.contains(text); });
}

/// RAUC's service rejects the command because it installs a bundle.
bool is_busy(const Output& output) {
  constexpr std::string_view text = "lready processing a different method";
  return output.out.contains(text) || output.err.contains(text);
}

Failure failed(std::string_view what, std::string_view why) {
  return {.rejected = is_rejection(why), .reason = printable(sealcam::format("{}: {}", what, why), max_shown)};
}

}  // namespace

std::expected<std::string, Failure> Rauc::run(const std::vector<std::string>& arguments, std::chrono::seconds timeout) {
  auto output = commands_.run(arguments, timeout);
  // The service continues an installation without its client, also one whose web server sends nothing any more.
  if (output && output->code != 0 && is_busy(*output)) {
    end_installation();
    output = commands_.run(arguments, timeout);
  }
  const auto what = arguments.size() > 1 ? arguments[0] + " " + arguments[1] : arguments[0];
  if (!output)
    return std::unexpected(Failure{.rejected = false,
                                   .reason = printable(what + ": " + to_string(output.error()), max_shown),
                                   .timeout = output.error().code == Errc::timeout});
  if (output->code != 0) return std::unexpected(failed(what, reason_of(*output)));
  return std::move(output->out);
}

std::expected<Release, Failure> Rauc::inspect(const std::string& channel) {
  const auto answer = run({"rauc", "info", "--output-format=json-2", channel}, short_time);
  if (!answer) return std::unexpected(answer.error());
  auto release = parse_release(*answer);
  if (!release) return std::unexpected(Failure{true, printable(release.error(), max_shown)});
  return std::move(*release);
}

std::expected<std::string, Failure> Rauc::install(const std::string& channel, const std::string& hash) {
  if (installed_ != hash) {
    installed_.clear();
    if (auto done = download(channel); !done) return std::unexpected(done.error());
  }
  const auto found = slots();
  if (!found) return std::unexpected(found.error());
  // The web server can exchange the bundle between the two downloads, for another one that the maker signed.
  installed_ = found->other.hash;
  if (installed_ != hash)
    return std::unexpected(Failure{false, "another bundle than the one of the decision was installed"});
  return found->other.name;
}

std::expected<void, Failure> Rauc::download(const std::string& channel) {
  const std::vector<std::string> arguments{"rauc", "install", channel};
  if (auto done = run(arguments, install_time); !done) {
    if (done.error().timeout) end_installation();
    return std::unexpected(done.error());
  }
  return {};
}

void Rauc::end_installation() {
  const std::vector<std::string> arguments{"systemctl", "restart", "rauc.service"};
  // If it fails, the next command of RAUC has the reason.
  (void)commands_.run(arguments, short_time);
}

std::expected<Slots, Failure> Rauc::slots() {
  const auto answer = run({"rauc", "status", "--detailed", "--output-format=json"}, short_time);
  if (!answer) return std::unexpected(answer.error());
  auto slots = parse_slots(*answer);
  if (!slots) return std::unexpected(Failure{false, printable(slots.error(), max_shown)});
  return std::move(*slots);
}

std::expected<void, Failure> Rauc::select_running() {
  if (auto done = run({"rauc", "status", "mark-good", "booted"}, short_time); !done)
    return std::unexpected(done.error());
  return {};
}

std::expected<void, Failure> Rauc::restart(bool into_trial) {
  // The argument of reboot(2) reaches the firmware of a Raspberry Pi, or the script of U-Boot on -M virt.
  std::vector<std::string> arguments{"systemctl", "--no-block", "reboot"};
  if (into_trial) arguments.emplace_back("--reboot-argument=0 tryboot");
  if (auto done = run(arguments, short_time); !done) return std::unexpected(done.error());
  return {};
}

}  // namespace sealcam::update
