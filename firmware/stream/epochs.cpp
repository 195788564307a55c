// SPDX-License-Identifier: Apache-2.0
#include "stream/epochs.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "crypto/psa.hpp"

namespace sealcam::stream {

using crypto::sframe::CipherSuite;
using crypto::sframe::SealingKey;

static constexpr CipherSuite suite = CipherSuite::aes_128_gcm_sha256_128;

Epochs::Epochs(EpochStore& store, const Clock& clock, const protocol::Route& route, const crypto::SigningKey& camera,
               std::string camera_name, const EpochLimits& limits)
    : store_(store),
      clock_(clock),
      route_(route),
      camera_(camera),
      camera_name_(std::move(camera_name)),
      limits_(limits) {}

// The counter is on disk before its number is used. The random half keeps numbers apart when the
// disk was rolled back.
Result<Epoch> Epochs::next_epoch() {
  const auto stored = store_.load();
  if (!stored) return std::unexpected(stored.error());
  const std::uint32_t last = std::max(*stored, last_counter_);
  if (last == std::numeric_limits<std::uint32_t>::max()) return fail(Errc::exhausted, "the epoch counter is used up");
  const std::uint32_t counter = last + 1;
  if (auto r = store_.store(counter); !r) return std::unexpected(r.error());
  last_counter_ = counter;
  std::array<std::byte, 4> random{};
  if (auto r = crypto::random(random); !r) return std::unexpected(r.error());
  return Epoch(std::uint64_t{counter} << 32 | load_be<std::uint32_t>(random));
}

Result<> Epochs::begin(const protocol::Roster& roster, const crypto::Digest& roster_hash) {
  close();
  const auto epoch = next_epoch();
  if (!epoch) return std::unexpected(epoch.error());
  protocol::GrantContent content;
  content.camera_name = camera_name_;
  if (auto r = crypto::random(content.base_key.fill().first(crypto::sframe::key_size(suite))); !r)
    return std::unexpected(r.error());
  auto key = SealingKey::open(suite, *epoch, content.base_key, limits_.frames.next());
  if (!key) return std::unexpected(key.error());
  auto grants = protocol::encode_grants(roster, roster_hash, *epoch, suite, content, clock_.wall(), route_, camera_,
                                        command_, wifi_);
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

}  // namespace sealcam::stream
