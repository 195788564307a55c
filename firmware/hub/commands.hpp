// SPDX-License-Identifier: Apache-2.0
/// The commands that work while the hub runs: `open` and `token` for access to its page, and
/// `recordings list|export|verify|delete`.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "hub/recording.hpp"

namespace sealcam::hub {

/// The state folder of `--state DIR`; without it that of this user, or else of the service. Logs a failure.
[[nodiscard]] std::optional<std::filesystem::path> find_state(const std::string& given, Log& log);

/// Logs the error and returns its exit code.
[[nodiscard]] int fail_with(const Error& error, Log& log);

/// The day in UTC, such as 2026-11-30.
[[nodiscard]] std::string date(CaptureTime time);

/// The address of the page for this user's browser, with a one-time code.
struct OpenOptions {
  std::string state;   ///< empty: the hub of this user, or else of the service
  std::string socket;  ///< empty: by `state`
  bool print = false;  ///< prints the address
  std::string page;    ///< writes a page that leads to the address into this file
};
/// Returns the exit code.
[[nodiscard]] int open_command(const OpenOptions& options, Log& log);

struct TokenOptions {
  std::string state;
  std::string name;
  std::string rights;
  std::string output;  ///< a new file for the token; empty: standard output
  bool json = false;
};
/// Each returns the exit code.
[[nodiscard]] int create_token(const TokenOptions& options, Log& log);
[[nodiscard]] int list_tokens(const TokenOptions& options, Log& log);
[[nodiscard]] int delete_token(const TokenOptions& options, Log& log);

struct CertificateOptions {
  std::vector<std::string> names;  ///< host names and addresses of hub and broker
  std::string folder;
};
/// Makes a local authority, if the folder has none, and a new certificate of it. Returns the exit code.
[[nodiscard]] int make_certificate(const CertificateOptions& options, Log& log);

struct RecordingsOptions {
  std::string state;
  std::string config;
  std::string folder;    ///< of the recordings; empty: as in the configuration
  std::string account;   ///< that signed them; empty: that of the hub
  std::string camera;    ///< id, beginning of an id, or name
  std::string from, to;  ///< "2026-11-30T14:05:00Z", or without Z by the time zone of this machine
  std::string output;
  bool yes = false;
  bool json = false;
};
/// Each returns the exit code.
[[nodiscard]] int list_recordings(const RecordingsOptions& options, Log& log);
[[nodiscard]] int export_recording(const RecordingsOptions& options, Log& log);
/// Needs no secret key. With a folder and an account, it needs no state folder.
[[nodiscard]] int verify_recordings(const RecordingsOptions& options, Log& log);
[[nodiscard]] int delete_recordings(const RecordingsOptions& options, Log& log);

/// The recordings of a hub, without the hub. Thread-bound.
struct OpenedRecordings {
  std::filesystem::path folder;
  AccountId account;
  std::unique_ptr<recordings::Index> index;
  std::unique_ptr<recordings::KeyFolder> keys;  ///< null: no picture can be opened. The archive refers to it
  std::unique_ptr<recordings::FileArchive> archive;
};
/// Logs each failure and returns the exit code. Without an index that can be used, it reads the facts from the files.
[[nodiscard]] std::expected<OpenedRecordings, int> open_recordings(const RecordingsOptions& options, Log& log);

/// A time in the time zone of this machine, or in UTC with a Z at the end. Nothing, and a log line, for another text.
[[nodiscard]] std::optional<CaptureTime> parse_local_time(const std::string& text, Log& log);
/// The one camera with recordings that the text selects. Logs a failure.
[[nodiscard]] std::optional<DeviceId> select_camera(recordings::Archive& archive, const std::string& text, Log& log);

}  // namespace sealcam::hub
