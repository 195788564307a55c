// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/sealing.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "crypto/psa.hpp"

namespace sealcam::stream {

using protocol::Prekey;
using protocol::PrekeyNumber;

Prekeys::Prekeys(device::HubKeyStore& store, const Clock& clock, Log& log)
    : store_(store), clock_(clock), log_(log), retry_(clock, log, "the hubs' prekeys") {}

void Prekeys::load() {
  auto stored = store_.load();
  if (!stored) {
    log_.warning("cannot read the hubs' prekeys, using their keys in the roster: {}", to_string(stored.error()));
    return;
  }
  for (auto& [hub, prekey] : *stored) hubs_[hub].prekey = prekey;
}

void Prekeys::set_roster(const protocol::Roster& roster) {
  const auto removed = std::erase_if(hubs_, [&](const auto& entry) {
    return std::ranges::none_of(roster.hubs, [&](const auto& hub) { return hub.identity.id() == entry.first; });
  });
  if (removed == 0) return;
  stored_ = false;
  store();
}

bool Prekeys::take(const DeviceId& hub, const protocol::ViewRequest& request) {
  Hub& known = hubs_[hub];
  const MonotonicTime now = clock_.monotonic();
  const bool renew = request.cannot_open && may_renew(known);
  const auto number = known.prekey ? known.prekey->number : PrekeyNumber();
  const bool newer = request.prekey && request.prekey->number > number;
  // A hub that lost its keys starts again with small numbers, or with none. Its request is fresh, because it names the
  // current epoch and a new sequence number.
  if (renew ? request.prekey != known.prekey : newer && (!known.taken || now - *known.taken >= prekey_interval)) {
    known.prekey = request.prekey;
    known.taken = now;
    stored_ = false;
    store();
  }
  return renew;
}

bool Prekeys::may_renew(Hub& hub) {
  const MonotonicTime now = clock_.monotonic();
  if (renewed_ && now - *renewed_ < total_interval) return false;
  if (hub.renewed && now - *hub.renewed < hub_interval) return false;
  hub.renewed = renewed_ = now;
  return true;
}

void Prekeys::tick() {
  if (!stored_ && retry_.due()) store();
}

void Prekeys::store() {
  std::vector<device::HubKey> all;
  for (const auto& [hub, known] : hubs_)
    if (known.prekey) all.push_back({hub, *known.prekey});
  stored_ = retry_.attempted(store_.store(all));
}

std::optional<Prekey> Prekeys::of(const DeviceId& hub) const {
  const auto found = hubs_.find(hub);
  return found == hubs_.end() ? std::nullopt : found->second.prekey;
}

using crypto::sframe::CipherSuite;
using crypto::sframe::SealingKey;

static constexpr CipherSuite suite = CipherSuite::aes_128_gcm_sha256_128;

Epochs::Epochs(device::EpochStore& store, const Clock& clock, const protocol::Route& route,
               const crypto::SigningKey& camera, std::string camera_name, const EpochLimits& limits)
    : numbers_(store),
      clock_(clock),
      route_(route),
      camera_(camera),
      camera_name_(std::move(camera_name)),
      limits_(limits) {}

// The counter is reserved durably. The random half makes the number unique, also if the disk was restored from a copy.
Result<Epoch> Epochs::next_epoch() {
  const auto counter = numbers_.next();
  if (!counter) return std::unexpected(counter.error());
  std::array<std::byte, 4> random{};
  if (auto r = crypto::random(random); !r) return std::unexpected(r.error());
  return Epoch(std::uint64_t{*counter} << 32 | load_be<std::uint32_t>(random));
}

Result<> Epochs::begin(const protocol::Roster& roster, const crypto::Digest& roster_hash,
                       std::function<std::optional<protocol::Prekey>(const DeviceId&)> prekeys) {
  close();
  const auto epoch = next_epoch();
  if (!epoch) return std::unexpected(epoch.error());
  protocol::GrantContent content;
  content.camera_name = camera_name_;
  if (auto r = crypto::random(content.base_key.fill().first(crypto::sframe::key_size(suite))); !r)
    return std::unexpected(r.error());
  auto key = SealingKey::open(suite, *epoch, content.base_key, limits_.frames.next());
  if (!key) return std::unexpected(key.error());
  auto grants = protocol::encode_grants({.roster = roster,
                                         .content = content,
                                         .epoch = *epoch,
                                         .roster_hash = roster_hash,
                                         .created = clock_.wall(),
                                         .suite = suite,
                                         .command = command_,
                                         .wifi = wifi_,
                                         .not_stored = not_stored_,
                                         .software = software_ ? &*software_ : nullptr,
                                         .prekey = std::move(prekeys)},
                                        route_, camera_);
  if (!grants) return std::unexpected(grants.error());
  key_.emplace(std::move(*key));
  grants_ = std::move(*grants);
  current_ = *epoch;
  begun_ = clock_.monotonic();
  return {};
}

void Epochs::open(Epoch epoch) noexcept {
  if (current_ == epoch) open_ = true;
}

void Epochs::close() noexcept {
  open_ = false;
  current_.reset();
  key_.reset();
  grants_.clear();
}

bool Epochs::due() const noexcept {
  if (!current_) return false;
  return clock_.monotonic() - begun_ >= limits_.lifetime || key_->next_counter() >= limits_.frames;
}

Result<ByteView> FrameBuilder::seal(SealingKey& key, protocol::FrameKind kind, ByteView plaintext) {
  const std::size_t size = sealer_.message_size(key, plaintext.size());
  // Powers of two, so that the buffer reaches its final size after a few key frames.
  if (buffer_.size() < size) buffer_.resize(std::bit_ceil(size));
  const auto message = sealer_.seal(buffer_, key, kind, plaintext);
  if (!message) return std::unexpected(message.error());
  return ByteView(*message);
}

Result<ByteView> FrameBuilder::picture(SealingKey& key, protocol::FrameKind kind, const AccessUnitQueue::Unit& unit) {
  if (std::exchange(epoch_, key.key_id()) != key.key_id()) video_.reset();
  const bool video = kind != protocol::FrameKind::still;
  const Counter counter = key.next_counter();
  SC_ASSERT(!video || decodable(key, unit.info.keyframe));
  protocol::FrameHeader header;
  header.motion = unit.info.motion;
  header.width = static_cast<std::uint16_t>(unit.info.size.width);
  header.height = static_cast<std::uint16_t>(unit.info.size.height);
  header.captured = to_capture_time(unit.info.captured, clock_);
  header.number = unit.info.number;
  header.age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic() - unit.info.captured);
  header.depends = kind == protocol::FrameKind::delta ? *video_ : counter;
  header.echoes = unit.info.echoes;
  protocol::write_frame_header(header, unit.plaintext);
  const auto message = seal(key, kind, unit.plaintext);
  if (video) video_ = message ? std::optional(counter) : std::nullopt;
  return message;
}

Result<ByteView> FrameBuilder::report(SealingKey& key, const protocol::Report& report, protocol::Challenge challenge) {
  protocol::FrameHeader header;
  header.codec = protocol::Codec::none;
  header.captured = clock_.wall();
  header.depends = key.next_counter();
  header.echoes = challenge;
  return seal(key, protocol::FrameKind::report, protocol::frame_plaintext(header, protocol::encode_report(report)));
}

}  // namespace sealcam::stream
