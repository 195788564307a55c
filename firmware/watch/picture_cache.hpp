// SPDX-License-Identifier: Apache-2.0
/// Opened pictures since the last key frame, so that a late viewer starts at once. Bounded; keyed by the camera's
/// public key, never by topic, name or order of arrival.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "crypto/keys.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::watch {

/// One group of pictures: a key frame or still, and the deltas that follow. Its memory is used again. Thread-bound.
class PictureGroup {
 public:
  explicit PictureGroup(std::size_t limit) : limit_(limit) {}
  /// A picture that starts a group replaces what is there. When the group outgrows `limit` its deltas go, and it
  /// stays incomplete until the next group. A first picture that is larger than the limit is not kept.
  void add(const PictureInfo& picture, ByteView access_unit);
  void clear() noexcept;
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// False: the next delta does not follow what is here.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.size(); }
  using Visitor = std::function<void(const PictureInfo&, ByteView)>;
  void for_each(const Visitor& visit) const;

 private:
  struct Entry {
    PictureInfo picture;
    std::size_t offset;
    std::size_t size;
  };
  std::size_t limit_;
  std::vector<Entry> entries_;
  Bytes arena_;
  bool complete_ = false;
};

/// Thread-bound.
class PictureCache {
 public:
  static constexpr std::size_t limit_per_camera = 8U << 20;
  void add(const crypto::PublicKey& camera, const PictureInfo& picture, ByteView access_unit);
  void remove(const crypto::PublicKey& camera) noexcept;
  /// Null when nothing of this camera is there.
  [[nodiscard]] const PictureGroup* find(const crypto::PublicKey& camera) const noexcept;

 private:
  struct Less {
    bool operator()(const crypto::PublicKey& a, const crypto::PublicKey& b) const noexcept;
  };
  std::map<crypto::PublicKey, PictureGroup, Less> groups_;
};

}  // namespace sealcam::watch
