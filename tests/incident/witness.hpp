// SPDX-License-Identifier: Apache-2.0
/// Stands beside one hub and notes what arrives and what is shown. The same for both arms.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/strong.hpp"
#include "judge.hpp"
#include "provenance.hpp"
#include "tally.hpp"

namespace sealcam::incident {

/// Thread-bound.
class Witness {
 public:
  struct Parts {
    const Provenance& provenance;
    Judge& judge;
    Tally& tally;
    bool film = false;   ///< decode deltas, too
    bool sheet = false;  ///< keep pictures for the contact sheet
  };
  Witness(std::uint32_t account, const Parts& parts);

  [[nodiscard]] Tally& tally() noexcept { return parts_.tally; }
  [[nodiscard]] bool is_own(const Origin& origin) const noexcept { return origin.source == account_; }
  void begin_request();
  /// A message of the topics `video` or `still`. Null when it is not known where it came from.
  const Origin* arrived(ByteView message);
  /// Whose message this is; null when it is not known. Counts nothing.
  [[nodiscard]] const Origin* origin(ByteView message) const noexcept { return parts_.provenance.find(message); }
  /// An own picture that stands alone and came whole has this number.
  void own_arrived(FrameNumber number);
  /// The hub hands a picture to its screen. `alone`: a still or key frame.
  void shown(FrameNumber number, bool alone, ByteView access_unit);
  /// Adds up; gives the answers away.
  [[nodiscard]] std::vector<Answer> finish();

 private:
  void judge_film(ByteView access_unit);
  [[nodiscard]] std::uint16_t own_camera() const noexcept { return static_cast<std::uint16_t>(account_ + 1); }

  std::uint32_t account_;
  Parts parts_;
  std::unique_ptr<FilmJudge> film_;
  std::optional<FrameNumber> newest_own_;
  std::set<FrameNumber> own_whole_;
  std::set<FrameNumber> own_shown_;
  std::vector<Answer> answers_;
};

}  // namespace sealcam::incident
