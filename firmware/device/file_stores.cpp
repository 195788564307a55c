// SPDX-License-Identifier: Apache-2.0
#include "device/file_stores.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/device_state.hpp"
#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

Result<std::uint32_t> EpochSequence::next() {
  if (left_ <= block / 2) {
    const auto first = store_.reserve(block);
    if (!first && left_ == 0) return std::unexpected(first.error());
    if (first) {
      SC_ASSERT(*first >= next_ + left_);
      if (*first != next_ + left_) {
        next_ = *first;
        left_ = 0;
      }
      left_ += block;
    }
  }
  --left_;
  return next_++;
}

Result<std::uint32_t> EpochFile::load() const {
  const auto content = read_file(file_.path(), 32);
  if (!content) {
    if (content.error().code == Errc::not_found) return 0;
    return std::unexpected(content.error());
  }
  const std::string_view text = as_text(*content);
  std::uint32_t counter = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), counter);
  // A guessed number could repeat an epoch's keys, so the camera stops instead.
  if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != "\n")
    return fail(Errc::malformed,
                "the file 'epoch' is damaged: reset the camera and pair it again, because an old copy repeats numbers");
  return counter;
}

Result<std::uint32_t> EpochFile::do_reserve(std::uint32_t count) {
  const auto stored = load();
  if (!stored) return std::unexpected(stored.error());
  const std::uint32_t last = std::max(*stored, last_);
  if (last > std::numeric_limits<std::uint32_t>::max() - count)
    return fail(Errc::exhausted, "all epoch numbers are used; reset the camera");
  if (auto r = file_.store(as_bytes(sealcam::format("{}\n", last + count))); !r) return std::unexpected(r.error());
  last_ = last + count;
  return last + 1;
}

Result<std::vector<StoredRoster>> RosterFolder::do_load() const {
  std::vector<StoredRoster> all;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    const auto camera = DeviceId::parse(it->path().filename().string());
    if (!camera) continue;  // a temporary file that a power cut left
    auto message = read_file(it->path(), protocol::max_control_size);
    if (!message) return std::unexpected(message.error());
    all.push_back({*camera, std::move(*message)});
  }
  if (ec && ec != std::errc::no_such_file_or_directory)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "listing the folder of rosters",
                ec.value());
  return all;
}

Result<> RosterFolder::make_folder() {
  if (durable_) return {};
  const auto parent = folder_.parent_path();
  if (auto r = make_private_folder(parent); !r) return r;
  if (auto r = make_private_folder(folder_); !r) return r;
  for (const auto& changed : {parent, parent.parent_path()})
    if (auto r = sync_entries(changed); !r) return r;
  durable_ = true;
  return {};
}

Result<> RosterFolder::prepare(const DeviceId& own) {
  own_.emplace(folder_ / own.to_string(), protocol::max_control_size);
  if (auto r = make_folder(); !r) return r;
  return own_->reserve();
}

Result<> RosterFolder::do_store(const DeviceId& camera, ByteView message) {
  if (auto r = make_folder(); !r) return r;
  const auto path = folder_ / camera.to_string();
  return own_ && own_->path() == path ? own_->store(message) : write_file_durably(path, message);
}

namespace {

constexpr std::size_t max_command_file = protocol::max_control_size + 128;
constexpr const char* damaged_command =
    "the file 'command-seq' is damaged: reset the camera and pair it again, because an old copy repeats commands";

/// Removes the text up to and including `end` from `rest`. Nothing if `end` does not occur.
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

CommandFile::CommandFile(fs::path path) : file_(std::move(path), max_command_file) {}

Result<CommandRecord> CommandFile::do_load() const {
  const auto content = read_file(file_.path(), max_command_file);
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
  const auto line = sealcam::format("{} {} {}\n", record.account.to_string(), record.seq.value(), record.done.value());
  const auto head = as_bytes(line);
  Bytes content(head.begin(), head.end());
  content.insert(content.end(), record.message.begin(), record.message.end());
  return file_.store(content);
}

Result<bool> PrivacyFile::do_load() const {
  const auto content = read_file(file_.path(), 16);
  if (!content && content.error().code == Errc::not_found) return false;
  if (!content && content.error().code != Errc::exhausted) return std::unexpected(content.error());
  if (content && as_text(*content) == "on\n") return true;
  if (content && as_text(*content) == "off\n") return false;
  return fail(Errc::malformed, "the file 'privacy' is damaged: write 'on' or 'off' into it, or reset the camera");
}

Result<> PrivacyFile::do_store(bool on) { return file_.store(as_bytes(on ? "on\n" : "off\n")); }

namespace {

constexpr std::string_view prekey_magic = "SCK1";
constexpr std::size_t prekey_size = DeviceId::size + 8 + crypto::PublicKey::size;
constexpr std::size_t max_prekeys = protocol::Roster::max_hubs;
constexpr std::size_t max_prekey_file = prekey_magic.size() + max_prekeys * prekey_size;

Result<HubKey> parse_prekey(ByteView record) {
  auto key = crypto::PublicKey::parse(record.subspan(DeviceId::size + 8));
  if (!key) return std::unexpected(key.error());
  const protocol::PrekeyNumber number(load_be<std::uint64_t>(record.subspan(DeviceId::size)));
  if (number == protocol::PrekeyNumber()) return fail(Errc::malformed, "a prekey has the number 0");
  return HubKey{DeviceId(record.first<DeviceId::size>()), {number, *key}};
}

}  // namespace

HubKeyFile::HubKeyFile(fs::path path) : file_(std::move(path), max_prekey_file) {}

Result<std::vector<HubKey>> HubKeyFile::do_load() const {
  const auto damaged = fail(Errc::malformed, "the file 'prekeys' is damaged: the hubs send their prekeys again");
  const auto content = read_file(file_.path(), max_prekey_file);
  if (!content && content.error().code == Errc::not_found) return {};
  if (!content && content.error().code == Errc::exhausted) return damaged;
  if (!content) return std::unexpected(content.error());
  if (!as_text(*content).starts_with(prekey_magic)) return damaged;
  ByteView rest = ByteView(*content).subspan(prekey_magic.size());
  std::vector<HubKey> all;
  for (; rest.size() >= prekey_size; rest = rest.subspan(prekey_size)) {
    const auto record = parse_prekey(rest.first(prekey_size));
    if (!record) return damaged;
    all.push_back(*record);
  }
  if (!rest.empty()) return damaged;
  return all;
}

Result<> HubKeyFile::do_store(std::span<const HubKey> all) {
  SC_ASSERT(all.size() <= max_prekeys);
  const auto magic = as_bytes(prekey_magic);
  Bytes content(magic.begin(), magic.end());
  for (const auto& [hub, prekey] : all) {
    std::array<std::byte, 8> number{};
    store_be(number, prekey.number.value());
    for (const ByteView part : {ByteView(hub.bytes()), ByteView(number), ByteView(prekey.key.bytes())})
      content.insert(content.end(), part.begin(), part.end());
  }
  return file_.store(content);
}

namespace {

constexpr std::string_view sequence_magic = "SCQ1";
constexpr std::size_t sequence_size = sequence_magic.size() + 8;

}  // namespace

Result<SequenceFile> SequenceFile::open(fs::path path) {
  const auto file = read_file(path, sequence_size);
  if (!file && file.error().code == Errc::not_found) return SequenceFile(std::move(path), 1);
  if (!file && file.error().code != Errc::exhausted) return std::unexpected(file.error());
  if (!file || file->size() != sequence_size || !as_text(*file).starts_with(sequence_magic))
    return fail(
        Errc::malformed,
        "the file 'request-seq' is damaged: reset the hub and link it again, because an old copy repeats numbers");
  return SequenceFile(std::move(path), load_be<std::uint64_t>(ByteView(*file).subspan(sequence_magic.size())));
}

Result<RequestSeq> SequenceFile::do_reserve(std::uint64_t count) {
  if (next_ > std::numeric_limits<std::uint64_t>::max() - count)
    return fail(Errc::exhausted, "no request numbers are left: reset the hub");
  Bytes file(sequence_size);
  std::ranges::copy(as_bytes(sequence_magic), file.begin());
  store_be(MutableBytes(file).subspan(sequence_magic.size()), next_ + count);
  if (auto r = write_file_durably(path_, file); !r) return std::unexpected(r.error());
  return RequestSeq(std::exchange(next_, next_ + count));
}

}  // namespace sealcam::device
