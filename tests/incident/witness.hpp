// SPDX-License-Identifier: Apache-2.0
/// Records the messages that one hub receives and the pictures that it shows. Used in both arms.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/types.hpp"
#include "judge.hpp"
#include "provenance.hpp"
#include "tally.hpp"

namespace sealcam::incident {

/// Thread-bound.
class Witness {
 public:
  struct Dependencies {
    const Provenance& provenance;
    Judge& judge;
    Tally& tally;
    bool film = false;   ///< also decode deltas
    bool sheet = false;  ///< keep pictures for the contact sheet
  };
  Witness(std::uint32_t account, const Dependencies& deps);

  [[nodiscard]] Tally& tally() noexcept { return deps_.tally; }
  [[nodiscard]] bool is_own(const Origin& origin) const noexcept { return origin.source == account_; }
  void begin_request();
  /// A picture arrived since begin_request().
  [[nodiscard]] bool answered() const noexcept { return answered_; }
  /// A message of the topic `video` or `still` arrived. Returns null if its origin is unknown.
  const Origin* arrived(ByteView message);
  /// The origin of a message. Null if it is unknown. Counts nothing.
  [[nodiscard]] const Origin* origin(ByteView message) const noexcept { return deps_.provenance.find(message); }
  /// An undamaged own still or key frame with this number arrived.
  void own_arrived(FrameNumber number);
  /// The hub shows a picture. `alone`: it is a still or key frame.
  void shown(FrameNumber number, bool alone, ByteView access_unit);
  /// Adds the counters to the tally. Returns the answers.
  [[nodiscard]] std::vector<Answer> finish();

 private:
  void judge_film(ByteView access_unit);
  [[nodiscard]] std::uint16_t own_camera() const noexcept { return static_cast<std::uint16_t>(account_ + 1); }

  std::uint32_t account_;
  Dependencies deps_;
  std::unique_ptr<FilmJudge> film_;
  std::optional<FrameNumber> newest_own_;
  std::set<FrameNumber> own_whole_;
  std::set<FrameNumber> own_shown_;
  std::vector<Answer> answers_;
  bool answered_ = false;
};

}  // namespace sealcam::incident
