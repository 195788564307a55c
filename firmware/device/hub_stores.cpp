// SPDX-License-Identifier: Apache-2.0
#include "device/hub_stores.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::device {
namespace {

constexpr std::size_t max_epochs_file = 1U << 20;
constexpr const char* damaged_epochs =
    "the file 'epochs' is damaged: reset the hub and link it again, because an old copy accepts old pictures";

/// Removes the next line from `rest`, without its line feed. Nothing if there is no complete line.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const auto at = rest.find('\n');
  if (at == std::string_view::npos) return std::nullopt;
  const auto line = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return line;
}

/// The whole text as a decimal number.
template <class Int>
std::optional<Int> number_of(std::string_view text) {
  Int number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<MaxEpochFile::Counters> MaxEpochFile::read() const {
  const auto content = read_file(path_, max_epochs_file);
  if (!content && content.error().code == Errc::not_found) return Counters();
  if (!content && content.error().code == Errc::exhausted) return fail(Errc::malformed, damaged_epochs);
  if (!content) return std::unexpected(content.error());
  if (content->empty()) return fail(Errc::malformed, damaged_epochs);  // after a power cut
  Counters counters;
  for (std::string_view rest = as_text(*content); !rest.empty();) {
    const auto line = take_line(rest);
    const auto space = line ? line->find(' ') : std::string_view::npos;
    if (space == std::string_view::npos) return fail(Errc::malformed, damaged_epochs);
    const auto camera = DeviceId::parse(line->substr(0, space));
    const auto counter = number_of<std::uint32_t>(line->substr(space + 1));
    // Without a counter, the hub would accept the epochs of an old copy of the camera's card.
    if (!camera || !counter || !counters.emplace(*camera, *counter).second)
      return fail(Errc::malformed, damaged_epochs);
  }
  return counters;
}

Result<std::vector<MaxEpoch>> MaxEpochFile::do_load() const {
  const auto counters = read();
  if (!counters) return std::unexpected(counters.error());
  std::vector<MaxEpoch> all;
  for (const auto& [camera, counter] : *counters) all.push_back({camera, counter});
  return all;
}

Result<> MaxEpochFile::do_store(const DeviceId& camera, std::uint32_t counter) {
  auto counters = read();
  if (!counters) return std::unexpected(counters.error());
  counters->insert_or_assign(camera, counter);
  std::string text;
  for (const auto& [id, value] : *counters) text += sealcam::format("{} {}\n", id.to_string(), value);
  return write_file_durably(path_, as_bytes(text));
}

namespace {

constexpr std::size_t max_prekeys_file = 4096;
constexpr const char* damaged_prekeys =
    "the file 'own-prekeys' is damaged: reset the hub and link it again, because an old copy repeats numbers";

}  // namespace

Result<std::vector<PrekeyFile::Line>> PrekeyFile::read() const {
  const auto content = read_file(path_, max_prekeys_file);
  if (!content && content.error().code == Errc::not_found) return std::vector<Line>();
  if (!content && content.error().code == Errc::exhausted) return fail(Errc::malformed, damaged_prekeys);
  if (!content) return std::unexpected(content.error());
  if (content->empty()) return fail(Errc::malformed, damaged_prekeys);  // after a power cut
  std::vector<Line> lines;
  for (std::string_view rest = as_text(*content); !rest.empty();) {
    const auto line = take_line(rest);
    const auto space = line ? line->find(' ') : std::string_view::npos;
    if (space == std::string_view::npos) return fail(Errc::malformed, damaged_prekeys);
    const auto number = number_of<std::uint32_t>(line->substr(0, space));
    const auto made = number_of<std::int64_t>(line->substr(space + 1));
    const auto least = lines.empty() ? 1U : lines.back().number + 1;
    if (!number || !made || *made < 0 || *number < least || *number > crypto::KeyStore::max_prekey)
      return fail(Errc::malformed, damaged_prekeys);
    lines.push_back({*number, CaptureTime{std::chrono::microseconds(*made)}});
  }
  return lines;
}

Result<> PrekeyFile::write(const std::vector<Line>& lines) const {
  std::string text;
  for (const auto& line : lines) text += sealcam::format("{} {}\n", line.number, line.made.since_epoch.count());
  return write_file_durably(path_, as_bytes(text));
}

Result<std::vector<StoredPrekey>> PrekeyFile::do_load() {
  const auto lines = read();
  if (!lines) return std::unexpected(lines.error());
  const auto files = keys_.prekeys();
  if (!files) return std::unexpected(files.error());
  for (const auto number : *files)
    if (!std::ranges::contains(*lines, number, &Line::number))
      if (auto r = keys_.destroy_prekey(number); !r) return std::unexpected(r.error());
  std::vector<StoredPrekey> all;
  for (const auto& line : *lines) {
    const auto key = keys_.prekey(line.number);
    // A damaged prekey opens nothing. The hub then requests a new epoch, so this is no reason to stop it.
    if (key) all.push_back({protocol::PrekeyNumber(line.number), *key, line.made});
  }
  return all;
}

Result<StoredPrekey> PrekeyFile::do_make(CaptureTime now) {
  auto lines = read();
  if (!lines) return std::unexpected(lines.error());
  const auto number = lines->empty() ? 1U : lines->back().number + 1;
  if (number > crypto::KeyStore::max_prekey) return fail(Errc::exhausted, "no prekey numbers are left: reset the hub");
  const auto key = keys_.make_prekey(number);
  if (!key) return std::unexpected(key.error());
  const auto made = std::max(now, CaptureTime());
  lines->push_back({number, made});
  if (auto r = write(*lines); !r) {
    (void)keys_.destroy_prekey(number);
    return std::unexpected(r.error());
  }
  return StoredPrekey{protocol::PrekeyNumber(number), *key, made};
}

Result<> PrekeyFile::do_forget(protocol::PrekeyNumber number) {
  auto lines = read();
  if (!lines) return std::unexpected(lines.error());
  SC_ASSERT(lines->empty() || lines->back().number != number.value());
  // An interruption between the two leaves a key without a line, which load() deletes.
  if (std::erase_if(*lines, [&](const Line& line) { return line.number == number.value(); }) != 0)
    if (auto r = write(*lines); !r) return r;
  return keys_.destroy_prekey(static_cast<std::uint32_t>(number.value()));
}

}  // namespace sealcam::device
