// SPDX-License-Identifier: Apache-2.0
/// A file of MQTT messages in the order of their arrival. Each entry has the length of its topic and of its payload (32
/// bits, big-endian), then topic and payload.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/bytes.hpp"

namespace sealcam::test {

struct RecordedMessage {
  std::string topic;
  Bytes payload;
};

class RecordingWriter {
 public:
  explicit RecordingWriter(const std::filesystem::path& path) : out_(path, std::ios::binary) {
    if (!out_) throw std::runtime_error("cannot write " + path.string());
  }
  /// The file is complete after each message.
  void add(std::string_view topic, ByteView payload) {
    put(topic.size());
    put(payload.size());
    out_.write(topic.data(), static_cast<std::streamsize>(topic.size()));
    out_.write(reinterpret_cast<const char*>(payload.data()), static_cast<std::streamsize>(payload.size()));
    out_.flush();
  }

 private:
  void put(std::size_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) out_.put(static_cast<char>(n >> shift));
  }
  std::ofstream out_;
};

class RecordingReader {
 public:
  explicit RecordingReader(const std::filesystem::path& path) : in_(path, std::ios::binary) {
    if (!in_) throw std::runtime_error("cannot read " + path.string());
  }
  /// Returns nothing at the end, also if the last message is incomplete.
  std::optional<RecordedMessage> next() {
    const auto topic = get(), payload = get();
    if (!topic || !payload || *topic > 65'535 || *payload > (2U << 20)) return std::nullopt;
    RecordedMessage m{std::string(*topic, '\0'), Bytes(*payload)};
    in_.read(m.topic.data(), static_cast<std::streamsize>(*topic));
    in_.read(reinterpret_cast<char*>(m.payload.data()), static_cast<std::streamsize>(*payload));
    if (!in_) return std::nullopt;
    return m;
  }

 private:
  std::optional<std::uint32_t> get() {
    std::uint32_t n = 0;
    for (int i = 0; i < 4; ++i) {
      const int c = in_.get();
      if (c < 0) return std::nullopt;
      n = n << 8 | static_cast<std::uint32_t>(c);
    }
    return n;
  }
  std::ifstream in_;
};

}  // namespace sealcam::test
