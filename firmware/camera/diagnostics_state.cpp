// SPDX-License-Identifier: Apache-2.0
/// The checks of the state folder: owner, mode, content, pairing, Wi-Fi, free space.
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/format.hpp"
#include "camera/diagnostics.hpp"
#include "camera/wifi_controller.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::camera {

namespace fs = std::filesystem;

static std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

static unsigned mode_of(const struct stat& status) { return status.st_mode & 07777U; }

void Diagnostics::check_state() {
  const device::StateFiles files{subject_.state};
  const auto folder = status_of(files.folder);
  const auto start = sealcam::format("sealcam-camera --state {} keys", files.folder.string());
  std::error_code ec;
  const bool empty = folder && fs::is_empty(files.folder, ec);  // for a camera that was never started
  if (!folder || (empty && folder->st_uid == ::geteuid() && mode_of(*folder) == 0700)) {
    warn("state", files.folder.string() + (folder ? " is empty; the camera has no keys yet" : " does not exist yet"),
         "create the keys: " + start);
    return;
  }
  if (mode_of(*folder) != 0700) {
    fault("state",
          sealcam::format("{} has mode {:04o}; other users may read the keys", files.folder.string(), mode_of(*folder)),
          "run chmod 700 " + files.folder.string());
  }
  if (folder->st_uid != ::geteuid()) {
    const auto what = sealcam::format("{} belongs to user {}", files.folder.string(), folder->st_uid);
    if (::geteuid() != 0) {
      fault("state", what, "run the doctor and the camera as this user");
      return;
    }
    warn("state", what, "run the camera as this user");
  }
  if (status_of(files.unfinished())) {
    warn("state", "the first start did not finish", "continue it: " + start);
    return;
  }
  for (const auto& part : {files.keys(), files.tls_key(), files.tls_request(), files.descriptor()}) {
    if (status_of(part)) continue;
    fault("state", part.string() + " is missing", "empty the folder, start the camera with new keys, and enroll it");
    return;
  }
  if (const auto file = device::find_empty_file(files.folder)) {
    fault("state", file->string() + " is empty, as after a power cut",
          "restore the folder from a copy, or reset the camera and pair it again");
    return;
  }
  if (const auto why = read_file(files.rolled_back(), 1024)) {
    auto text = std::string(as_text(*why));
    std::erase(text, '\n');
    fault("state", text, "reset the camera and pair it again: it then has a new id");
    return;
  }
  if (const auto key = status_of(files.tls_key()); mode_of(*key) != 0600) {
    fault("state", sealcam::format("{} has mode {:04o}", files.tls_key().string(), mode_of(*key)),
          "run chmod 600 " + files.tls_key().string());
  } else if (mode_of(*folder) == 0700) {
    ok("state", files.folder.string());
  }
}

void Diagnostics::check_enrollment() {
  const device::StateFiles files{subject_.state};
  std::string why;
  const auto enrollment = device::read_enrollment(files, &why);
  const auto enroll = sealcam::format("on the owner's machine run: sealcam camera enroll {} --name NAME --broker DIR",
                                      files.folder.string());
  if (!enrollment && enrollment.error().code == Errc::not_found) {
    warn("enrollment", "this camera is unpaired", enroll);
  } else if (!enrollment) {
    fault("enrollment", why.empty() ? to_string(enrollment.error()) : why,
          enrollment.error().code == Errc::permission ? "run the doctor as the camera's user" : enroll);
  } else if (enrollment->role != protocol::Role::camera) {
    fault("enrollment", files.enrollment().string() + " is the enrollment of another device",
          "set --state to the camera's folder");
  } else {
    ok("enrollment", "broker " + protocol::HostPort{enrollment->broker_host, enrollment->broker_port}.to_string());
  }
}

void Diagnostics::check_wifi() {
  const device::StateFiles files{subject_.state};
  device::WifiOutcome outcome;
  const auto wifi = device::read_wifi_file(files, &outcome);
  if (!wifi && wifi.error().code == Errc::malformed) {
    warn("wifi", "wifi.json is damaged", "send the network again: sealcam camera wifi");
  } else if (!wifi) {
    ok("wifi", "the owner named no network; the board uses its own networks");
  } else if (const auto* const fault = fault_of(outcome.word)) {
    warn("wifi", sealcam::format("{}; the camera stays in the earlier network", fault->what), std::string(fault->next));
  } else {
    ok("wifi", outcome.word.empty() ? "the camera has not tried the owner's network yet"
                                    : "the camera is in the owner's network");
  }
}

void Diagnostics::check_space() {
  // A missing folder will be in the file system of its nearest existing parent.
  fs::path folder = subject_.state;
  std::error_code ec;
  while (!fs::exists(folder, ec) && folder.has_relative_path()) folder = folder.parent_path();
  struct statvfs mounted{};
  if (::statvfs(folder.c_str(), &mounted) == 0 && (mounted.f_flag & ST_RDONLY) != 0) {
    fault("space", folder.string() + " is read-only; the camera cannot store rosters and epochs",
          "see dmesg for errors of the card; replace the card, or mount it for writing");
    return;
  }
  const auto space = fs::space(folder, ec);
  if (ec) {
    warn("space", sealcam::format("{}: {}", folder.string(), ec.message()), "see df");
    return;
  }
  constexpr std::uintmax_t mib = 1 << 20;
  const auto text = sealcam::format("{} MiB free for {}", space.available / mib, subject_.state.string());
  if (space.available >= 16 * mib) ok("space", text);
  else if (space.available >= mib) warn("space", text, "delete files, for example old logs");
  else fault("space", text + "; the camera cannot store rosters and epochs", "delete files, for example old logs");
}

}  // namespace sealcam::camera
