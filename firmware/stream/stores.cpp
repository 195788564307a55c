// SPDX-License-Identifier: Apache-2.0
#include "stream/stores.hpp"

#include <charconv>
#include <format>
#include <optional>

#include "core/file.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::stream {

Result<std::uint32_t> EpochFile::do_load() const {
  const auto content = read_file(path_, 32);
  if (!content) {
    if (content.error().code == Errc::not_found) return 0;
    return std::unexpected(content.error());
  }
  const std::string_view text = as_text(*content);
  std::uint32_t counter = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), counter);
  // Guessing a number here would be guessing that no key was used: the camera stops instead.
  if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != "\n")
    return fail(Errc::malformed,
                "the file epoch is damaged: restore the state folder from a copy, or reset the camera");
  return counter;
}

Result<> EpochFile::do_store(std::uint32_t counter) {
  return write_file_durably(path_, as_bytes(std::format("{}\n", counter)));
}

Result<Bytes> RosterFile::do_load() const { return read_file(path_, protocol::max_control_size); }

Result<> RosterFile::do_store(ByteView message) { return write_file_durably(path_, message); }

namespace {

constexpr const char* damaged_command =
    "command-seq is damaged: restore the state folder from a copy, or reset the camera";

/// Takes the text up to `end` off `rest`; nothing when that does not come.
std::optional<std::string_view> take_until(std::string_view& rest, char end) {
  const auto at = rest.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto taken = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return taken;
}

std::optional<CommandSeq> take_seq(std::string_view& rest, char end) {
  const auto text = take_until(rest, end);
  std::uint64_t number = 0;
  if (!text) return std::nullopt;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || stop != text->data() + text->size()) return std::nullopt;
  return CommandSeq(number);
}

}  // namespace

Result<CommandRecord> CommandFile::do_load() const {
  const auto content = read_file(path_, protocol::max_control_size + 128);
  if (!content && content.error().code == Errc::exhausted) return fail(Errc::malformed, damaged_command);
  if (!content) return std::unexpected(content.error());
  std::string_view rest = as_text(*content);
  const auto id = take_until(rest, ' ');
  const auto account = id ? AccountId::parse(*id) : fail(Errc::malformed, damaged_command);
  const auto seq = take_seq(rest, ' ');
  const auto done = take_seq(rest, '\n');
  if (!account || !seq || !done || *done > *seq || (*seq == *done) != rest.empty())
    return fail(Errc::malformed, damaged_command);
  const auto message = as_bytes(rest);
  return CommandRecord{*account, *seq, *done, Bytes(message.begin(), message.end())};
}

Result<> CommandFile::do_store(const CommandRecord& record) {
  SC_ASSERT((record.seq == record.done) == record.message.empty());
  const auto line = std::format("{} {} {}\n", record.account.to_string(), record.seq.value(), record.done.value());
  const auto head = as_bytes(line);
  Bytes content(head.begin(), head.end());
  content.insert(content.end(), record.message.begin(), record.message.end());
  return write_file_durably(path_, content);
}

Result<bool> PrivacyFile::do_load() const {
  const auto content = read_file(path_, 16);
  if (!content && content.error().code == Errc::not_found) return false;
  if (!content && content.error().code != Errc::exhausted) return std::unexpected(content.error());
  if (content && as_text(*content) == "on\n") return true;
  if (content && as_text(*content) == "off\n") return false;
  return fail(Errc::malformed, "the file privacy is damaged: write the word on or off into it, or reset the camera");
}

Result<> PrivacyFile::do_store(bool on) { return write_file_durably(path_, as_bytes(on ? "on\n" : "off\n")); }

}  // namespace sealcam::stream
