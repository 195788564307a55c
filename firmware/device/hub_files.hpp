// SPDX-License-Identifier: Apache-2.0
/// The stores of a hub as files of its state folder. A damaged file is an error, as in file_stores.hpp.
#pragma once

#include <filesystem>
#include <map>
#include <utility>

#include "crypto/key_store.hpp"
#include "device/hub_stores.hpp"

namespace sealcam::device {

/// A line "<camera> <counter>" for each camera, in ascending order.
class MaxEpochFile final : public MaxEpochStore {
 public:
  explicit MaxEpochFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  using Counters = std::map<DeviceId, std::uint32_t>;
  [[nodiscard]] Result<std::vector<MaxEpoch>> do_load() const override;
  [[nodiscard]] Result<> do_store(const DeviceId& camera, std::uint32_t counter) override;
  [[nodiscard]] Result<Counters> read() const;
  std::filesystem::path path_;
};

/// A line "<number> <time of making>" for each prekey, in ascending order. The keys are in the key store.
class PrekeyFile final : public PrekeyStore {
 public:
  /// `keys` must outlive the store.
  PrekeyFile(std::filesystem::path path, const crypto::KeyStore& keys) : path_(std::move(path)), keys_(keys) {}

 private:
  struct Line {
    std::uint32_t number = 0;
    CaptureTime made;
  };
  [[nodiscard]] Result<std::vector<StoredPrekey>> do_load() override;
  [[nodiscard]] Result<StoredPrekey> do_make(CaptureTime now) override;
  [[nodiscard]] Result<> do_forget(protocol::PrekeyNumber number) override;
  [[nodiscard]] Result<std::vector<Line>> read() const;
  [[nodiscard]] Result<> write(const std::vector<Line>& lines) const;
  std::filesystem::path path_;
  const crypto::KeyStore& keys_;
};

}  // namespace sealcam::device
