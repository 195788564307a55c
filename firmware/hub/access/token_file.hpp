// SPDX-License-Identifier: Apache-2.0
/// The store of the access tokens: access.json in the hub's state folder, mode 0600. A running hub and the command
/// `sealcam-hub token` change it at the same time, so each change locks, reads, and replaces the file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>

#include "hub/access/token.hpp"

namespace sealcam::hub::access {

/// Changes the list; an error leaves the stored list as it was.
using TokenChange = std::function<Result<>(Tokens&)>;

/// Thread-bound.
class TokenStore {
 public:
  virtual ~TokenStore() = default;
  /// The tokens if they changed since the last call of this object; the first call returns them. Errors: malformed,
  /// permission, io.
  [[nodiscard]] Result<std::optional<Tokens>> read_if_changed() { return do_read_if_changed(); }
  /// Applies `change` to the newest list, stores the result and returns it. Errors: those of `change`, malformed,
  /// conflict (another process kept the lock for a second), permission, io.
  [[nodiscard]] Result<Tokens> update(const TokenChange& change) { return do_update(change); }

 private:
  virtual Result<std::optional<Tokens>> do_read_if_changed() = 0;
  virtual Result<Tokens> do_update(const TokenChange& change) = 0;
};

class TokenFile final : public TokenStore {
 public:
  /// The files access.json and access.lock in `folder`.
  explicit TokenFile(const std::filesystem::path& folder)
      : file_(folder / "access.json"), lock_(folder / "access.lock") {}

 private:
  /// Tells two contents apart, because each change replaces the file.
  struct Version {
    ino_t inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0, size = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };
  Result<std::optional<Tokens>> do_read_if_changed() override;
  Result<Tokens> do_update(const TokenChange& change) override;
  [[nodiscard]] Version version() const;
  [[nodiscard]] Result<Tokens> read() const;

  std::filesystem::path file_, lock_;
  std::optional<Version> known_;
};

}  // namespace sealcam::hub::access
