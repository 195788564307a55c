// SPDX-License-Identifier: Apache-2.0
/// Shared declarations of make_corpus.
#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string_view>

#include "base/bytes.hpp"

namespace sealcam::fuzz {

/// Writes seeds and counts them. Throws std::runtime_error if a seed cannot be written or is larger than 4 KiB.
class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// `choice`: the first bytes, which select the meaning of the rest.
  void put(std::string_view fuzzer, std::string_view name, std::initializer_list<unsigned> choice, ByteView rest) {
    const auto folder = folder_ / fuzzer;
    std::filesystem::create_directories(folder);
    std::ofstream file(folder / name, std::ios::binary | std::ios::trunc);
    for (const auto byte : choice) file.put(static_cast<char>(byte));
    file.write(reinterpret_cast<const char*>(rest.data()), static_cast<std::streamsize>(rest.size()));
    if (!file.flush() || choice.size() + rest.size() > 4096) throw std::runtime_error(std::string(name));
    ++count_;
    bytes_ += choice.size() + rest.size();
  }
  void put(std::string_view fuzzer, std::string_view name, std::initializer_list<unsigned> choice,
           std::string_view rest) {
    put(fuzzer, name, choice, as_bytes(rest));
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::filesystem::path folder_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

// There is one function for each fuzzer or group of fuzzers.
void sframe_seeds(Seeds& seeds);
void cbor_seeds(Seeds& seeds);
void cose_seeds(Seeds& seeds);
void control_seeds(Seeds& seeds);
void inspector_seeds(Seeds& seeds);
void frame_seeds(Seeds& seeds);
void state_seeds(Seeds& seeds);
void name_seeds(Seeds& seeds);
void json_seeds(Seeds& seeds);
void pem_seeds(Seeds& seeds);
void publish_seeds(Seeds& seeds);
void web_seeds(Seeds& seeds);
void h264_seeds(Seeds& seeds);
void watcher_seeds(Seeds& seeds);
void pairing_seeds(Seeds& seeds);
void recording_seeds(Seeds& seeds);

}  // namespace sealcam::fuzz
