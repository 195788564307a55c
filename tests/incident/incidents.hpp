// SPDX-License-Identifier: Apache-2.0
/// The table of the published incidents.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "fault.hpp"
#include "room.hpp"

namespace sealcam::incident {

struct Options;

/// A statement of the vendor or of the press.
struct Published {
  std::string_view text;
  std::string_view source;  ///< address
};

/// A broker that restarts before the requests, so that its devices connect again all at once.
enum class Restart : std::uint8_t { none, cameras, hubs };

/// Contains views of literals.
struct Incident {
  std::string_view name;   ///< on the command line
  std::string_view title;  ///< of the report
  std::span<const Published> published;
  std::string_view sealcam;  ///< what prevents it in Sealcam
  std::size_t accounts;      ///< of the published incident, or a choice if the number is unknown
  unsigned requests;         ///< of each hub
  Calendar calendar;         ///< of the drawn rooms
  Restart restart;
  bool twins;  ///< the cameras of two neighbors have the same keys
  std::unique_ptr<Fault> (*fault)(const Options& options);
};

[[nodiscard]] std::span<const Incident> incidents() noexcept;
/// Null if there is none with this name.
[[nodiscard]] const Incident* find_incident(std::string_view name) noexcept;

}  // namespace sealcam::incident
