// SPDX-License-Identifier: Apache-2.0
/// A short recording of one camera, and requests for it.
#pragma once

#include <string>

#include "support/fake_archive.hpp"
#include "support/film.hpp"
#include "web_world.hpp"

namespace sealcam::hub::web::test {

using sealcam::test::FakeArchive;

inline const std::string id(32, 'a');
inline constexpr std::int64_t begin_us = 1'790'000'000'000'000;

inline CaptureTime at(std::chrono::microseconds after) { return {std::chrono::microseconds(begin_us) + after}; }

/// Two groups of six pictures, one each 100 ms.
inline void add_film(FakeArchive& archive, std::uint32_t count = 12) {
  const auto units = sealcam::test::film(count, 6);
  for (std::uint32_t i = 0; i < count; ++i) archive.add(at(100ms * i), units[i], i % 6 == 0, i == 7);
  archive.spans = {{{at(0ms), at(100ms * count)}, 5000, true}};
}

inline std::string range(std::chrono::milliseconds from, std::chrono::milliseconds to) {
  return "?from=" + std::to_string(at(from).since_epoch.count()) + "&to=" + std::to_string(at(to).since_epoch.count());
}

inline std::string request(const std::string& method, const std::string& path, const std::string& token = privacy_token,
                           const std::string& more = {}) {
  return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + bearer(token) + more + "\r\n";
}

inline std::string status_of(const std::string& answer) { return answer.substr(0, 12); }
inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto i = text.find(part); i != std::string::npos; i = text.find(part, i + 1)) ++n;
  return n;
}

}  // namespace sealcam::hub::web::test
